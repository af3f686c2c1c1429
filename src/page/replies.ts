/** The replies to requests for the page. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { PageRequest } from '../telemetry/http-server.ts';

export interface PageReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** The last data. */
export interface KeptSnapshot {
  /** Equal for equal data. */
  readonly tag: string;
  /** RFC 3339. */
  readonly collectedAt: string;
  /** JSON, compressed by gzip. */
  readonly octets: Buffer;
}

/**
 * All texts of the data come from other hosts, so a text could contain a script. The browser may therefore load and run only files of this
 * server, and connect only to this server. No other page may show this page in a frame.
 */
const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

const decompress = promisify(gunzip);

/**
 * The reply to a request for the data: 200 with the data, 304 when the browser has it, 202 while the first data is being collected, 503 when the
 * first data could not be collected. The header `x-failure` says why the data is not renewed.
 */
export async function dataReply(
  snapshot: KeptSnapshot | undefined,
  failure: string | undefined,
  { ifNoneMatch, acceptEncoding = '' }: PageRequest,
): Promise<PageReply> {
  if (!snapshot) return failure === undefined ? reply(202, {}, '') : problemReply(503, failure);
  const etag = `"${snapshot.tag}"`;
  const headers = {
    ...{ etag, vary: 'accept-encoding', 'x-collected-at': snapshot.collectedAt },
    // Headers hold ASCII only.
    ...(failure === undefined ? {} : { 'x-failure': encodeURIComponent(failure) }),
  };
  if (ifNoneMatch === etag) return reply(304, headers, '');
  const typed = { ...headers, 'content-type': 'application/json' };
  return /\bgzip\b/.test(acceptEncoding)
    ? reply(200, { ...typed, 'content-encoding': 'gzip' }, snapshot.octets)
    : reply(200, typed, await decompress(snapshot.octets));
}

/** A reply that says in one sentence why the request failed. */
export function problemReply(status: number, problem: string): PageReply {
  return reply(status, { 'content-type': 'application/json' }, `${JSON.stringify({ problem })}\n`);
}

/** Adds the headers that every reply has. */
export function reply(status: number, headers: PageReply['headers'], body: string | Buffer): PageReply {
  return { status, headers: { ...securityHeaders, ...headers }, body };
}
