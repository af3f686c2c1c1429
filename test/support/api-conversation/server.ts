import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { json } from './media-types.ts';

/** How to reach a server as a user who may do everything. */
export interface ServerAccess {
  readonly url: string;
  /** PEM; empty for plain HTTP. */
  readonly certificate: string;
  readonly token: string;
}

export interface Answer {
  readonly code: number;
  /** Parsed JSON, or the text of an answer that is not one JSON value: some errors, and the lines of a watch. */
  readonly body: unknown;
}

/** Sends one request. */
export function send(
  { url, certificate, token }: ServerAccess,
  method: string,
  path: string,
  body?: unknown,
  contentType = json,
): Promise<Answer> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: {
        accept: json,
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined
          ? {}
          : { 'content-type': contentType, 'content-length': String(Buffer.byteLength(text)) }),
      },
    };
    const target = `${url}${path}`;
    const request = url.startsWith('https:')
      ? httpsRequest(target, { ...options, ca: certificate })
      : httpRequest(target, options);
    request.on('error', reject);
    request.on('response', (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        let parsed: unknown = answer;
        try {
          parsed = JSON.parse(answer);
        } catch {
          // Some errors are plain text, and a watch has one JSON value on each line.
        }
        resolve({ code: response.statusCode ?? 0, body: parsed });
      });
    });
    request.end(text);
  });
}
