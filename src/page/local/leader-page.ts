/** The page of the leader, as `bellman page` fetches it with a token of the viewer account. */
import { get, type IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../clock.ts';
import type { Api } from '../../kubernetes/api.ts';
import { addressesOfLeader, readLease } from '../../report/read/cluster-view.ts';
import { daemonUrl } from '../../report/read/http-get.ts';
import { ViewerTokenSource } from '../../report/read/viewer-token.ts';
import { type PageReply, problemReply, reply } from '../replies.ts';

export interface LeaderPageOptions {
  readonly client: Api;
  readonly namespace: string;
  readonly controllerPort: number;
  readonly clock: Clock;
}

/** The headers of a browser's request that the leader needs. */
export type ForwardedHeaders = Pick<IncomingHttpHeaders, 'if-none-match' | 'accept-encoding'>;

const silenceMs = 6000;
/** A larger reply can only be a fault. */
const maxBodyOctets = 64 * 1024 * 1024;
const addressesMs = 5000;
/**
 * The leader's answers to a missing token, a missing right, and too many requests. The browser gets them. After any other failure, this process
 * collects the data itself.
 */
const refusals: readonly number[] = [401, 403, 429];
const passedOn = ['content-type', 'content-encoding', 'etag', 'vary', 'x-collected-at', 'x-failure'] as const;

export class LeaderPage {
  readonly #options: LeaderPageOptions;
  readonly #viewer: ViewerTokenSource;
  #addresses: { readonly value: readonly string[]; readonly until: number } | undefined;

  constructor(options: LeaderPageOptions) {
    this.#options = options;
    this.#viewer = new ViewerTokenSource(options.client, options.namespace, options.clock);
  }

  /**
   * The leader's reply to a GET below `/page/`; `undefined` when no leader is known, or it gives no usable answer. The answer 503 to a request for an
   * explanation counts as usable, because it says why there is none.
   */
  async get(path: string, headers: ForwardedHeaders): Promise<PageReply | undefined> {
    const [addresses, viewer] = await Promise.all([this.#leaderAddresses(), this.#viewer.get()]);
    const { token, problem } = viewer;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    for (const address of addresses) {
      const url = daemonUrl(address, this.#options.controllerPort, `/page/${path}`);
      const answer = await fetchOnce(url, { ...headers, ...authorization });
      if (answer && refusals.includes(answer.status))
        return problemReply(
          answer.status,
          problem ?? `the leader refuses to show the page: ${answer.body.toString('utf8').trim()}`,
        );
      if (answer && (answer.status < 400 || (answer.status === 503 && path.startsWith('explain'))))
        return answer;
    }
    return undefined;
  }

  async #leaderAddresses(): Promise<readonly string[]> {
    const { client, namespace, clock } = this.#options;
    if (this.#addresses && this.#addresses.until > clock.now()) return this.#addresses.value;
    const value = await findLeader(client, namespace, clock).catch(() => []);
    this.#addresses = { value, until: clock.now() + addressesMs };
    return value;
  }
}

async function findLeader(client: Api, namespace: string, clock: Clock): Promise<readonly string[]> {
  const lease = await readLease(client, namespace, clock);
  // The clocks of this host and of the leader may differ, so the age of the Lease is ignored. A replica that does not lead refuses the request.
  return lease ? addressesOfLeader(client, lease, namespace) : [];
}

/** `undefined` when there is no answer. */
function fetchOnce(
  url: string,
  headers: IncomingHttpHeaders,
): Promise<(PageReply & { body: Buffer }) | undefined> {
  return new Promise((resolve) => {
    const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
    const request = get(url, { agent: false, timeout: silenceMs, headers: given }, (response) => {
      const chunks: Buffer[] = [];
      let octets = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        octets += chunk.length;
        if (octets > maxBodyOctets) request.destroy();
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        const kept = passedOn.flatMap((name) => {
          const value = response.headers[name];
          return value === undefined ? [] : [[name, value.toString()] as const];
        });
        const body = Buffer.concat(chunks);
        resolve({ ...reply(response.statusCode ?? 500, Object.fromEntries(kept), body), body });
      });
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
