/** Reads the HTTP endpoints of the processes on the nodes, with a token of the viewer account. */
import { get } from 'node:http';
import { isIPv6 } from 'node:net';
import { viewerAudience, viewerServiceAccount } from '../cluster/viewer.ts';
import type { Api } from '../kubernetes/api.ts';
import { requestToken } from '../kubernetes/token-review.ts';

/** Time for a node to answer. */
const reachMs = 1500;
/** A status of 10,000 Services has a few megabytes. */
const maxBodyOctets = 64 * 1024 * 1024;

export interface ViewerToken {
  readonly token?: string;
  /** Why there is no token, in a sentence. */
  readonly problem?: string;
}

/** Asks for a short-lived token. Without one the processes show nothing to clients on other hosts. */
export async function requestViewerToken(client: Api, namespace: string): Promise<ViewerToken> {
  try {
    return { token: await requestToken(client, namespace, viewerServiceAccount, viewerAudience) };
  } catch (error) {
    const account = `ServiceAccount ${namespace}/${viewerServiceAccount}`;
    const reason = error instanceof Error ? error.message : String(error);
    return {
      problem: `speakers show their state to a token of ${account} only, and none was issued: ${reason}`,
    };
  }
}

/** The body of a successful answer; `undefined` for any other outcome. */
export function fetchText(
  address: string,
  port: number,
  path: string,
  token: string | undefined,
): Promise<string | undefined> {
  const host = isIPv6(address) ? `[${address}]` : address;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve) => {
    const request = get(
      `http://${host}:${port}${path}`,
      { agent: false, timeout: reachMs, headers },
      (response) => {
        const chunks: Buffer[] = [];
        let octets = 0;
        response.on('data', (chunk: Buffer) => {
          octets += chunk.length;
          if (octets > maxBodyOctets) request.destroy();
          else chunks.push(chunk);
        });
        response.on('error', () => resolve(undefined));
        response.on('close', () => resolve(undefined));
        response.on('end', () =>
          resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString('utf8') : undefined),
        );
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
