/**
 * The HTTP server of `bellman page`. It adds the token that a browser cannot send by itself, so it must serve only this user's browser. Others are
 * kept out:
 *
 *   other hosts        it listens on the loopback address
 *   other users        the path begins with a key that they cannot guess
 *   other web sites    they do not know the key; if the name of a site resolves to the loopback address, the browser sends that name as `host`,
 *                      and the server refuses it
 *
 * The files of the page come from this program. Data and explanations come from the leader, which shares them among all viewers. An operator
 * needs the page most while no leader answers. This process then collects the data itself.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reasonOf } from '../../result.ts';
import type { PageService } from '../page-service.ts';
import { type PageReply, problemReply } from '../replies.ts';
import type { LeaderPage } from './leader-page.ts';

export interface PageServerOptions {
  /** 0 for any free one. */
  readonly port: number;
  /** The first part of every path. */
  readonly key: string;
  readonly own: Pick<PageService, 'reply'>;
  readonly leader: Pick<LeaderPage, 'get'>;
}

export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects when the port cannot be bound. */
export async function servePage(options: PageServerOptions): Promise<PageServer> {
  const server = createServer((request, response) => void answer(request, response, options));
  await new Promise<void>((resolve, reject) => {
    // The listener stays after the port is bound. Without it, a connection that the kernel fails to accept would end the process.
    server.on('error', ({ message }) => reject(new Error(`--port: cannot listen: ${message}`)));
    server.listen(options.port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Never rejects. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: PageServerOptions,
): Promise<void> {
  const { status, headers, body } = await replyTo(request, options).catch((error: unknown) =>
    problemReply(500, reasonOf(error)),
  );
  response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
}

async function replyTo(
  { method, url = '/', headers }: IncomingMessage,
  { key, own, leader }: PageServerOptions,
): Promise<PageReply> {
  if (method !== 'GET' && method !== 'HEAD') return problemReply(405, 'the page can only be read');
  if (!isLoopbackHost(headers.host)) return problemReply(403, 'the page is served to this host only');
  const [path = '/', query = ''] = url.split('?', 2);
  const [, given = '', ...rest] = path.split('/');
  if (!isEqual(given, key) || rest.length === 0)
    return problemReply(404, 'open the whole URL that bellman page has printed');
  const name = rest.join('/');
  const request = {
    path: name,
    query: new URLSearchParams(query),
    ifNoneMatch: headers['if-none-match'],
    acceptEncoding: headers['accept-encoding']?.toString(),
  };
  if (name === 'data' || name === 'explain') {
    const { 'if-none-match': ifNoneMatch, 'accept-encoding': acceptEncoding } = headers;
    const fromLeader = await leader.get(query === '' ? name : `${name}?${query}`, {
      ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
      ...(acceptEncoding === undefined ? {} : { 'accept-encoding': acceptEncoding }),
    });
    if (fromLeader && fromLeader.status !== 503) return fromLeader;
    const ownReply = await own.reply(request);
    // While the leader serves the data, this process has none, and its answer 503 would hide the reason that the leader gives.
    return fromLeader && ownReply.status === 503 ? fromLeader : ownReply;
  }
  return own.reply(request);
}

/** Accepts any port. A browser that comes through `kubectl port-forward` sends the port on which `kubectl` listens, not ours. */
function isLoopbackHost(header = ''): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(header);
}

function isEqual(given: string, key: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(key)];
  return a.length === b.length && timingSafeEqual(a, b);
}
