/**
 * The accepted configuration as annotations of a ConfigMap: plain while it is small, so that `kubectl describe` shows it, compressed
 * when large. Kubernetes allows 256 KiB of annotations on an object in all.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { annotations } from '../kubernetes/names.ts';
import { fail, ok, type Result } from '../result.ts';

const gzipMark = 'gzip:';
const plainLimit = 16 * 1024;
/** Leaves room for the other annotations, `kubectl apply`'s copy of a small ConfigMap among them. */
const annotationLimit = 200 * 1024;
const textLimit = 1024 * 1024;

/** The text as it is stored, or why it cannot be. */
export function encodeAcceptedConfig(text: string): Result<string, string> {
  if (Buffer.byteLength(text) <= plainLimit && !text.startsWith(gzipMark)) return ok(text);
  const encoded = gzipMark + gzipSync(text).toString('base64');
  if (encoded.length <= annotationLimit) return ok(encoded);
  return fail(
    `the configuration is too large to be kept: compressed ${encoded.length} octets, at most ${annotationLimit}`,
  );
}

/** The accepted text among annotations; `undefined` when there is none or it is damaged. */
export function readAcceptedConfig(of: Readonly<Record<string, string>>): string | undefined {
  const stored = of[annotations.acceptedConfig];
  if (stored === undefined || !stored.startsWith(gzipMark)) return stored;
  try {
    const text = gunzipSync(Buffer.from(stored.slice(gzipMark.length), 'base64'), {
      maxOutputLength: textLimit,
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
