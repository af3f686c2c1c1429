/**
 * The accepted configuration as annotations of a ConfigMap: plain while it is small, so that `kubectl describe` shows it, compressed
 * when large. Kubernetes allows 256 KiB of annotations on an object in all, and refuses a write that goes beyond.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { annotations } from '../cluster/names.ts';
import { fail, ok, type Result } from '../result.ts';
import { maxTextOctets } from './text/yaml.ts';

type Annotations = Readonly<Record<string, string>>;

const gzipMark = 'gzip:';
const plainLimit = 16 * 1024;
/** Kubernetes' TotalAnnotationSizeLimitB, over all keys and values. */
const totalLimit = 256 * 1024;
/** For our other annotations: hash, time, status, and an error of ten causes. */
const reserved = 24 * 1024;
const ours: ReadonlySet<string> = new Set([
  annotations.acceptedConfig,
  annotations.acceptedHash,
  annotations.acceptedAt,
  annotations.configStatus,
  annotations.configError,
]);

/** Most octets that the accepted configuration may take on an object without foreign annotations. */
export const annotationLimit = totalLimit - reserved;

/** Octets that the accepted configuration may take beside others' annotations, `kubectl apply`'s copy of the manifest among them. */
export function annotationRoom(present: Annotations): number {
  let foreign = 0;
  for (const [key, value] of Object.entries(present))
    if (!ours.has(key)) foreign += Buffer.byteLength(key) + Buffer.byteLength(value);
  return Math.max(0, annotationLimit - foreign);
}

/** The text as it is stored in at most `room` octets, or why it cannot be. */
export function encodeAcceptedConfig(text: string, room: number = annotationLimit): Result<string, string> {
  const isPlain = Buffer.byteLength(text) <= plainLimit && !text.startsWith(gzipMark);
  const stored = isPlain ? text : gzipMark + gzipSync(text).toString('base64');
  const octets = Buffer.byteLength(stored);
  if (octets <= room) return ok(stored);
  return fail(
    `the configuration is too large to be kept on its ConfigMap: ${octets} octets as kept, ${room} are free; kubectl apply --server-side keeps no copy of its own there`,
  );
}

/** The accepted text among annotations; `undefined` when there is none or it is damaged. */
export function readAcceptedConfig(of: Annotations): string | undefined {
  const stored = of[annotations.acceptedConfig];
  if (stored === undefined || !stored.startsWith(gzipMark)) return stored;
  try {
    const text = gunzipSync(Buffer.from(stored.slice(gzipMark.length), 'base64'), {
      maxOutputLength: maxTextOctets,
    });
    return text.toString('utf8');
  } catch {
    return undefined;
  }
}

/** SHA-256 of the text, the first 16 hexadecimal digits: tells people and tests which text is meant. */
export function configHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
