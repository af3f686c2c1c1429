/** Responses of the API server: parsed bodies and errors. */
import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ApiRequest } from './api.ts';
import { ApiError, UnusableResponse } from './api-error.ts';

/** A page of 500 objects has a few megabytes. Annotations can make a page exceed the limit. The watch then asks for smaller pages. */
const maxBodyLength = 64 * 2 ** 20;

/** The error of a request without a response. */
export function noAnswer(method: string, path: string, cause: unknown): ApiError {
  const { code, name, message, cause: reason } = cause as NodeJS.ErrnoException;
  // The error of an aborted or broken connection has a code or at least a name. The error has no message when each of several addresses
  // refused the connection. When a time limit aborted the request, only the message of the field `cause` of the error says so.
  const text = (reason instanceof Error ? reason.message : message) || code;
  return new ApiError(0, code ?? name, `${method} ${path.split('?')[0]}: ${text}`, { cause });
}

/**
 * The error in a response with a status of 300 or more. The body may be something other than a Status object, for instance a page of a
 * proxy. `hint` is added to the server's message.
 */
export async function refusalOf(response: IncomingMessage, what: string, hint?: string): Promise<ApiError> {
  const status = response.statusCode ?? 0;
  const body = await readText(response)
    .then(JSON.parse)
    .catch(() => undefined);
  const { reason, message } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const said =
    typeof message === 'string'
      ? message.slice(0, maxMessageLength)
      : response.statusMessage || 'no reason given';
  return new ApiError(
    status,
    typeof reason === 'string' ? reason.slice(0, maxReasonLength) : String(status),
    `${what}: ${said}${hint === undefined ? '' : `; ${hint}`}`,
    { retryAfterMs: retryAfterMs(response.headers['retry-after']) },
  );
}

/**
 * The pause in a Retry-After header (RFC 9110 section 10.2.3). The API server sends whole seconds: 1 when API Priority and Fairness refuses
 * a request, more while it refuses many, and more while the server shuts down. A date, which only a proxy sends, is ignored.
 */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, maxRetryAfterMs);
}

/** Twice the longest pause that the API server sends. A proxy may not silence this process for longer. */
const maxRetryAfterMs = 64_000;

const maxReasonLength = 64;
const maxMessageLength = 1024;

/** The parsed body. Rejects with {@link UnusableResponse} when it is too large or not JSON. */
export async function readJson(response: IncomingMessage, { method, path }: ApiRequest): Promise<unknown> {
  const status = response.statusCode ?? 0;
  let text: string;
  try {
    text = await readText(response);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (isFaultOfData(error))
      throw new UnusableResponse(status, `${method} ${path.split('?')[0]}: ${error.message}`);
    throw noAnswer(method, path, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UnusableResponse(status, `${method} ${path.split('?')[0]}: ${(error as Error).message}`);
  }
}

/** Whether the error says that compressed data is damaged. */
function isFaultOfData(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of decompressed(response) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBodyLength)
      throw new UnusableResponse(
        response.statusCode ?? 0,
        `the body is longer than ${maxBodyLength} octets`,
        true,
      );
  }
  return Buffer.concat(chunks).toString('utf8');
}

function decompressed(response: IncomingMessage): Readable {
  if (!/^(x-)?gzip$/i.test(response.headers['content-encoding'] ?? '')) return response;
  return pipeline(response, createGunzip(), () => {
    // The reader of the result gets the error of either stream.
  });
}
