import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Api, ApiError, type ApiRequest } from './client.ts';
import {
  type Candidate,
  type LeaseMove,
  type LeaseRecord,
  leaseGranted,
  leaseLost,
  leaseTiming,
  mayWrite,
  newCandidate,
  nextLeaseMove,
  observeLease,
} from './lease.ts';
import { pause } from './watch.ts';
import { isConflict, isNotFound, paths } from './write.ts';

export interface LeaderElectionOptions {
  readonly client: Api;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Different for each process that ever runs. */
  readonly identity: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
}

interface RawLease {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly leaseTransitions?: number;
    readonly acquireTime?: string;
  };
}

/** Campaigns for a Lease, leads while it lasts, gives it back at the end. The rules are in `lease.ts`. */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #path: string;
  #candidate: Candidate;
  #lease: { readonly record: LeaseRecord; readonly acquireTime: string } | undefined;
  #leader: string | undefined;
  /** Why the last attempt was refused, so that it is said once. */
  #complaint: string | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#path = `${paths.leases(options.namespace)}/${options.name}`;
    this.#candidate = newCandidate(options.identity);
  }

  /** Identity of who held the Lease when it was last looked at. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /**
   * Runs until the signal aborts. `lead` is called each time the Lease has become ours, with a connection that refuses to write
   * once the right to is over, and a signal that aborts then; the next campaign waits for it to end.
   */
  async run(lead: (api: Api, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, logger, identity } = this.#options;
    while (!signal.aborted) {
      if (!(await this.#attempt(signal))) {
        await pause(clock, this.#interval(), signal);
        continue;
      }
      logger.info({ lease: this.#path, identity }, 'leading');
      const term = new AbortController();
      const end = AbortSignal.any([signal, term.signal]);
      const renewing = this.#renew(term, end);
      try {
        await lead(new FencedApi(this.#options.client, clock, () => this.#candidate), end);
      } finally {
        term.abort();
        await renewing;
        await this.#giveBack();
      }
      if (!signal.aborted) logger.warn({ lease: this.#path, identity }, 'no longer leading');
    }
  }

  #interval(): number {
    const { random = Math.random } = this.#options;
    return leaseTiming.retryMs * (1 + random() / 5);
  }

  async #renew(term: AbortController, end: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let delayMs: number = leaseTiming.retryMs;
    for (;;) {
      const leftMs = this.#candidate.writesUntilMs - clock.now();
      await pause(clock, Math.min(delayMs, leftMs), end);
      if (end.aborted) return;
      if (!mayWrite(this.#candidate, clock.now())) return term.abort();
      const renewed = await this.#attempt(end);
      delayMs = renewed ? leaseTiming.retryMs : leaseTiming.retryMs / 4;
    }
  }

  /** One round: read if need be, then create, renew or take. Resolves to whether the Lease is ours by this very round. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { client, clock, logger, identity } = this.#options;
    try {
      if (this.#lease?.record.holder !== identity) await this.#read(signal);
      const move = nextLeaseMove(this.#candidate, this.#lease?.record, clock.now());
      this.#leader = this.#lease?.record.holder;
      if (move === 'wait') return false;
      const sentMs = clock.now();
      const raw = await this.#write(move, identity, signal);
      this.#candidate = leaseGranted(this.#candidate, raw.metadata.resourceVersion, sentMs);
      this.#leader = identity;
      this.#complaint = undefined;
      client.reachability.answered(logger);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (isConflict(error)) {
        // Somebody else wrote, or an earlier write of ours went through unheard: the next round reads.
        this.#lease = undefined;
      } else if (error instanceof ApiError && error.status === 0)
        client.reachability.missed(logger, error.message);
      else if (this.#complaint !== String(error)) {
        this.#complaint = String(error);
        logger.warn({ lease: this.#path, reason: this.#complaint }, 'lease not obtained, retrying');
      }
      return false;
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { client, clock, identity, logger } = this.#options;
    const timeoutMs = leaseTiming.requestTimeoutMs;
    try {
      this.#take(await client.request<RawLease>({ method: 'GET', path: this.#path, timeoutMs, signal }));
      client.reachability.answered(logger);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#lease = undefined;
      return;
    }
    if (this.#lease) this.#candidate = observeLease(this.#candidate, this.#lease.record, clock.now());
    if (this.#lease?.record.holder !== identity) this.#candidate = leaseLost(this.#candidate);
  }

  async #write(move: Exclude<LeaseMove, 'wait'>, holder: string, signal?: AbortSignal): Promise<RawLease> {
    const { client, namespace, name } = this.#options;
    const now = new Date().toISOString().replace('Z', '000Z');
    const before = this.#lease;
    const raw = await client.request<RawLease>({
      method: move === 'create' ? 'POST' : 'PUT',
      path: move === 'create' ? paths.leases(namespace) : this.#path,
      timeoutMs: leaseTiming.requestTimeoutMs,
      ...(signal ? { signal } : {}),
      body: {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name, namespace, ...(before ? { resourceVersion: before.record.version } : {}) },
        spec: {
          holderIdentity: holder,
          leaseDurationSeconds: leaseTiming.durationMs / 1000,
          acquireTime: move === 'renew' && before ? before.acquireTime : now,
          renewTime: now,
          leaseTransitions: (before?.record.transitions ?? 0) + (move === 'take' ? 1 : 0),
        },
      },
    });
    this.#take(raw);
    return raw;
  }

  #take({ metadata, spec }: RawLease): void {
    this.#lease = {
      acquireTime: spec?.acquireTime ?? '',
      record: {
        holder: spec?.holderIdentity ?? '',
        durationMs: (spec?.leaseDurationSeconds ?? leaseTiming.durationMs / 1000) * 1000,
        transitions: spec?.leaseTransitions ?? 0,
        version: metadata.resourceVersion,
      },
    };
  }

  /** Lets the next one begin at once; nothing of ours is under way any more. */
  async #giveBack(): Promise<void> {
    const { clock, logger, identity } = this.#options;
    const still = mayWrite(this.#candidate, clock.now()) && this.#lease?.record.holder === identity;
    this.#candidate = leaseLost(this.#candidate);
    if (!still) return;
    try {
      await this.#write('renew', '');
    } catch (error) {
      logger.debug({ lease: this.#path, reason: String(error) }, 'lease not given back, it runs out');
    }
    this.#lease = undefined;
  }
}

/** A connection that writes only while the Lease allows it, and gives a write up before anybody else could begin. */
class FencedApi implements Api {
  readonly #api: Api;
  readonly #clock: Clock;
  readonly #candidate: () => Candidate;

  constructor(api: Api, clock: Clock, candidate: () => Candidate) {
    this.#api = api;
    this.#clock = clock;
    this.#candidate = candidate;
  }

  get reachability() {
    return this.#api.reachability;
  }

  async request<T>(request: ApiRequest): Promise<T> {
    if (request.method === 'GET') return this.#api.request(request);
    const now = this.#clock.now();
    const candidate = this.#candidate();
    if (!mayWrite(candidate, now))
      throw new ApiError(
        0,
        'NotLeading',
        `${request.method} ${request.path}: the Lease is not ours any more`,
      );
    const leftMs = Math.floor(candidate.writesUntilMs + leaseTiming.writeGraceMs - now);
    return this.#api.request({ ...request, timeoutMs: Math.min(request.timeoutMs ?? leftMs, leftMs) });
  }

  stream(path: string, onLine: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    return this.#api.stream(path, onLine, signal);
  }
}
