/**
 * The form in which annotations keep the accepted configuration. The ConfigMap that the user edits has these annotations. A second
 * ConfigMap has a copy of them, and remains when the user deletes the first one. A small text is stored as it is, so that `kubectl
 * describe` shows it. A large text is compressed, because Kubernetes refuses a write if all annotations of the object together exceed 256
 * KiB.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Config, type ConfigError, maxTextOctets, parseConfig } from '../config/index.ts';
import type { ConfigMap } from '../kubernetes/model.ts';
import { printable } from '../printable.ts';
import { fail, ok, type Result } from '../result.ts';
import { annotations } from './names.ts';

type Annotations = Readonly<Record<string, string>>;

/** A configuration that passed the gate. */
export interface AcceptedConfig {
  readonly text: string;
  readonly hash: string;
  /** Grows with each accepted configuration. 0 when the controller that accepted it was too old to record a generation. */
  readonly generation: number;
  /** Time of acceptance, RFC 3339; empty when the ConfigMap does not record it. */
  readonly at: string;
  readonly config: Config;
  /** Warnings about a text that is valid but may not mean what its author wanted. */
  readonly warnings: readonly ConfigError[];
}

const gzipMark = 'gzip:';
const plainLimitOctets = 16 * 1024;
/** A time in the form of RFC 3339 is shorter. Users may write anything into the annotation, and commands print it. */
const maxTimeCharacters = 64;
/** Kubernetes' TotalAnnotationSizeLimitB: the limit for all keys and values together. */
const totalLimitOctets = 256 * 1024;
/** Room for Bellman's other annotations: hash, generation, time, status, warnings, and an error text that names at most ten errors. */
const reservedOctets = 24 * 1024;
const own: ReadonlySet<string> = new Set([
  annotations.acceptedConfig,
  annotations.acceptedHash,
  annotations.acceptedGeneration,
  annotations.acceptedAt,
  annotations.configStatus,
  annotations.configError,
  annotations.configWarnings,
  annotations.clusterWarnings,
]);

/** Largest number of octets that the accepted configuration may take on an object without annotations of other programs. */
export const annotationLimit = totalLimitOctets - reservedOctets;

/**
 * Octets that the annotations of users and other programs leave for the accepted configuration. `kubectl apply`, for instance, keeps a copy of the
 * manifest in an annotation.
 */
export function annotationRoom(present: Annotations): number {
  let foreign = 0;
  for (const [key, value] of Object.entries(present))
    if (!own.has(key)) foreign += Buffer.byteLength(key) + Buffer.byteLength(value);
  return Math.max(0, annotationLimit - foreign);
}

/** Encodes the text for storage in at most `room` octets. Fails when the text does not fit. */
export function encodeAcceptedConfig(text: string, room: number = annotationLimit): Result<string, string> {
  const isPlain = Buffer.byteLength(text) <= plainLimitOctets && !text.startsWith(gzipMark);
  const stored = isPlain ? text : gzipMark + gzipSync(text).toString('base64');
  const octets = Buffer.byteLength(stored);
  if (octets <= room) return ok(stored);
  return fail(
    `the configuration is too large to store on its ConfigMap: it takes ${octets} octets and ${room} are free; kubectl apply --server-side saves room, because it stores no copy of the manifest there`,
  );
}

/** Reads the accepted text from annotations. Returns `undefined` when the text is missing or damaged. */
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
 * Finds the newest accepted configuration that the ConfigMaps carry. A text that does not match its hash was edited by hand and is
 * skipped. A text that does not parse was accepted by another version of the controller and is skipped too.
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
    at: printable(of[annotations.acceptedAt] ?? '', maxTimeCharacters),
    config: parsed.value,
    warnings: parsed.warnings,
  };
}

/**
 * Whether `a` was accepted after `b`. The generations decide, because the clock of a controller may have run ahead. If the generations
 * are equal, the times decide. Both generations are 0, for instance, when the controller was too old to record them.
 */
function isNewer(a: AcceptedConfig, b: AcceptedConfig): boolean {
  return a.generation !== b.generation ? a.generation > b.generation : epochMs(a.at) > epochMs(b.at);
}

/** 0 when the time cannot be read. */
function epochMs(time: string): number {
  return Date.parse(time) || 0;
}
