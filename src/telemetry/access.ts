/**
 * Access control for the paths that show internal state (`/status`, `/debug/…`, `/capture` and `/page`). Clients on loopback are allowed. Other
 * clients present a bearer token, which the API server judges. Verdicts are kept for a while, so a dashboard does not make this process ask the
 * API server for every request. An attacker can invent tokens, so only a few requests may wait for a verdict at a time, and fewer of one host.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { reasonOf } from '../result.ts';

/** The client of a request. */
export interface Client {
  /** `undefined` after its connection has ended. */
  readonly address: string | undefined;
  /** Whether the request names its host by an address or as `localhost`. Only such a request may count as one from loopback. */
  readonly namesOwnHost: boolean;
}

/** The verdict on a request. A refusal has an HTTP status and a reason. */
export type Access =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly status: 401 | 403 | 429 | 502 | 503; readonly reason: string };

export interface AccessOptions {
  readonly clock: Clock;
  /** Judges a token for a path. Rejects when the token cannot be judged now. */
  readonly judge: (token: string, path: string) => Promise<'allowed' | 'unauthenticated' | 'forbidden'>;
  /** Whether an error of `judge` is an answer of the API server. Any other error is an outage. By default, every error counts as an outage. */
  readonly isRefusal?: (error: unknown) => boolean;
}

const grantedMs = 60_000;
const refusedMs = 10_000;
const maxKept = 256;
/** Maximum number of requests that wait for the API server's verdict. */
const maxPending = 6;
/** Maximum number of requests of one host among them, so that one host cannot keep all others out. */
const maxPendingOfHost = 2;
/** A ServiceAccount token has about 1 KiB. */
const maxTokenLength = 8192;

export class AccessControl {
  readonly #options: AccessOptions;
  /** By hash of token and path, oldest first. */
  readonly #kept = new Map<string, { readonly access: Access; readonly until: number }>();
  /** The hosts of the requests that wait for a verdict. */
  readonly #pending: string[] = [];

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** `authorization` is the header's value. */
  async check(client: Client, authorization: string | undefined, path: string): Promise<Access> {
    if (client.namesOwnHost && isLoopback(client.address)) return { allowed: true };
    const [, token] = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined || token.length > maxTokenLength)
      return { allowed: false, status: 401, reason: `${path} needs a bearer token, or a client on loopback` };
    const key = createHash('sha256').update(`${path}\n${token}`).digest('base64');
    const kept = this.#kept.get(key);
    if (kept && kept.until > this.#options.clock.now()) return kept.access;
    const host = client.address ?? '';
    const ofHost = this.#pending.filter((other) => other === host).length;
    if (this.#pending.length >= maxPending || ofHost >= maxPendingOfHost)
      return {
        allowed: false,
        status: 429,
        reason: "too many requests wait for the API server's verdict on their tokens",
      };
    this.#pending.push(host);
    try {
      return await this.#ask(key, token, path);
    } finally {
      this.#pending.splice(this.#pending.indexOf(host), 1);
    }
  }

  async #ask(key: string, token: string, path: string): Promise<Access> {
    try {
      const access = accessOf(await this.#options.judge(token, path), path);
      this.#keep(key, access);
      return access;
    } catch (error) {
      const cause = reasonOf(error);
      // The status lets a client tell the two faults apart: 502 when the API server refuses to judge, for example because the account of this
      // process may not ask, and 503 in an outage.
      return this.#options.isRefusal?.(error)
        ? { allowed: false, status: 502, reason: `the API server does not judge the token: ${cause}` }
        : {
            allowed: false,
            status: 503,
            reason: `this process cannot ask the API server about the token: ${cause}`,
          };
    }
  }

  #keep(key: string, access: Access): void {
    const until = this.#options.clock.now() + (access.allowed ? grantedMs : refusedMs);
    this.#kept.delete(key);
    this.#kept.set(key, { access, until });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKept) return;
      this.#kept.delete(oldest);
    }
  }
}

function accessOf(verdict: 'allowed' | 'unauthenticated' | 'forbidden', path: string): Access {
  switch (verdict) {
    case 'allowed':
      return { allowed: true };
    case 'unauthenticated':
      return { allowed: false, status: 401, reason: 'the API server does not know this token' };
    case 'forbidden':
      return { allowed: false, status: 403, reason: `RBAC does not allow this user to get ${path}` };
  }
}

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address ?? '');
}
