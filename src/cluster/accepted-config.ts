/**
 * The accepted configuration as annotations of a ConfigMap: plain text while it is small, so that `kubectl describe` shows it, and
 * compressed when it is large. Kubernetes allows 256 KiB of annotations on an object in total and refuses a write beyond that.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Config, type ConfigError, maxTextOctets, parseConfig } from '../config/index.ts';
import type { ConfigMap } from '../kubernetes/model.ts';
import { fail, ok, type Result } from '../result.ts';
import { annotations } from './names.ts';

type Annotations = Readonly<Record<string, string>>;

/** A configuration that passed the gate. */
export interface AcceptedConfig {
  readonly text: string;
  readonly hash: string;
  /** Grows with each accepted configuration; 0 when an older version of the controller accepted it. */
  readonly generation: number;
  /** RFC 3339; empty when the ConfigMap does not say. */
  readonly at: string;
  readonly config: Config;
  /** Warnings about a text that is valid but may not mean what its author wanted. */
  readonly warnings: readonly ConfigError[];
}

const gzipMark = 'gzip:';
const plainLimit = 16 * 1024;
/** Kubernetes' TotalAnnotationSizeLimitB, over all keys and values. */
const totalLimit = 256 * 1024;
/** Room for Bellman's other annotations: hash, generation, time, status, warnings, and an error that names ten causes. */
const reserved = 24 * 1024;
const own: ReadonlySet<string> = new Set([
  annotations.acceptedConfig,
  annotations.acceptedHash,
  annotations.acceptedGeneration,
  annotations.acceptedAt,
  annotations.configStatus,
  annotations.configError,
  annotations.configWarnings,
]);

/** Largest number of octets that the accepted configuration may take on an object without foreign annotations. */
export const annotationLimit = totalLimit - reserved;

/** Octets left for the accepted configuration beside foreign annotations, such as the manifest that `kubectl apply` keeps. */
export function annotationRoom(present: Annotations): number {
  let foreign = 0;
  for (const [key, value] of Object.entries(present))
    if (!own.has(key)) foreign += Buffer.byteLength(key) + Buffer.byteLength(value);
  return Math.max(0, annotationLimit - foreign);
}

/** The text as it is stored in at most `room` octets, or why it does not fit. */
export function encodeAcceptedConfig(text: string, room: number = annotationLimit): Result<string, string> {
  const isPlain = Buffer.byteLength(text) <= plainLimit && !text.startsWith(gzipMark);
  const stored = isPlain ? text : gzipMark + gzipSync(text).toString('base64');
  const octets = Buffer.byteLength(stored);
  if (octets <= room) return ok(stored);
  return fail(
    `the configuration is too large to store on its ConfigMap: it takes ${octets} octets and ${room} are free; kubectl apply --server-side stores no copy of the manifest there`,
  );
}

/** The accepted text among annotations; `undefined` when it is missing or damaged. */
export function decodeAcceptedConfig(of: Annotations): string | undefined {
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

/** The first 16 hexadecimal digits of the text's SHA-256: a short name for a version of the configuration. */
export function configHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * The newest accepted configuration that the ConfigMaps carry. Skips a text that does not match its hash, because someone edited it by
 * hand, and a text that does not parse, because another version of the controller accepted it.
 */
export function recallAcceptedConfig(
  ...configMaps: readonly (ConfigMap | undefined)[]
): AcceptedConfig | undefined {
  let newest: AcceptedConfig | undefined;
  for (const configMap of configMaps) {
    const found = configMap && acceptedConfigOf(configMap.annotations);
    if (found && (newest === undefined || isNewer(found, newest))) newest = found;
  }
  return newest;
}

function acceptedConfigOf(of: Annotations): AcceptedConfig | undefined {
  const text = decodeAcceptedConfig(of);
  if (text === undefined) return undefined;
  const hash = configHash(text);
  if ((of[annotations.acceptedHash] ?? hash) !== hash) return undefined;
  const parsed = parseConfig(text);
  if (!parsed.ok) return undefined;
  const generation = Number(of[annotations.acceptedGeneration]);
  return {
    text,
    hash,
    generation: Number.isSafeInteger(generation) && generation > 0 ? generation : 0,
    at: of[annotations.acceptedAt] ?? '',
    config: parsed.value,
    warnings: parsed.warnings,
  };
}

/**
 * Whether `a` was accepted after `b`. The clock of a controller may have run ahead, so the time decides only between equal generations.
 * They are equal when an older version of the controller, which recorded no generation, accepted both.
 */
function isNewer(a: AcceptedConfig, b: AcceptedConfig): boolean {
  return a.generation !== b.generation ? a.generation > b.generation : epochMs(a.at) > epochMs(b.at);
}

/** 0 when the time cannot be read. */
function epochMs(time: string): number {
  return Date.parse(time) || 0;
}
