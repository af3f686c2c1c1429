import { get } from 'node:http';
import { isIPv6 } from 'node:net';
import { printable } from '../../printable.ts';
import { fail, ok, type Result } from '../../result.ts';

const timeoutMs = 1500;
/** A speaker's status with 10,000 Services takes about 4 MiB. */
const maxBodyOctets = 64 * 1024 * 1024;

/** The reason of a fault shows at most this many characters of the response's body. */
const maxReasonCharacters = 300;

/** URL of a path that a daemon serves at an IP address. */
export function daemonUrl(address: string, port: number, path: string): string {
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}${path}`;
}

/** Why there is no body. */
export interface HttpFault {
  readonly reason: string;
  /** Whether the server has sent a response. */
  readonly hasAnswered: boolean;
  /** HTTP status of a response that was read. */
  readonly status?: number;
}

/** Returns the body of a successful response as text, or why there is none. See {@link httpGetOctets}. */
export async function httpGet(
  url: string,
  token?: string,
  silenceMs?: number,
): Promise<Result<string, HttpFault>> {
  const octets = await httpGetOctets(url, token, silenceMs);
  return octets.ok ? ok(octets.value.toString('utf8')) : octets;
}

/**
 * Returns the body of a successful response, or why there is none. Gives up when the server is silent for `silenceMs` or the body is too large.
 * Sends `token` as a bearer token.
 */
export function httpGetOctets(
  url: string,
  token?: string,
  silenceMs = timeoutMs,
): Promise<Result<Buffer, HttpFault>> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve) => {
    let hasAnswered = false;
    const request = get(url, { agent: false, timeout: silenceMs, headers }, (response) => {
      hasAnswered = true;
      const chunks: Buffer[] = [];
      let octets = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        octets += chunk.length;
        if (octets > maxBodyOctets) request.destroy(new Error(`the answer exceeds ${maxBodyOctets} octets`));
      });
      response.on('error', ({ message }) => resolve(fail({ reason: message, hasAnswered: true })));
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        if (response.statusCode === 200) return resolve(ok(body));
        const reason = `HTTP status ${response.statusCode}: ${printable(body.toString('utf8'), maxReasonCharacters)}`;
        resolve(fail({ reason, hasAnswered: true, status: response.statusCode ?? 0 }));
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${silenceMs} ms`)));
    request.on('error', ({ code, message }: NodeJS.ErrnoException) =>
      resolve(fail({ reason: code ?? message, hasAnswered })),
    );
  });
}
