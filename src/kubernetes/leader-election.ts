/** Campaigns for a Lease, leads while it lasts, and gives it back at the end. `lease.ts` decides; this file reads, writes and waits. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { systemRandom } from '../random.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Api } from './api.ts';
import { ApiError, isConflict, isNotFound, retryAfterOf } from './api-error.ts';
import { FencedApi } from './fenced-api.ts';
import {
  type Candidate,
  campaignDelayMs,
  type LeaseMove,
  type LeaseRecord,
  leaseGranted,
  leaseLost,
  leaseTiming,
  mayWrite,
  newCandidate,
  nextLeaseMove,
  observeLease,
  observeNoLease,
  renewalDelayMs,
} from './lease.ts';
import { ObjectReader } from './object-reader.ts';
import { pause, pauseForRetry, type Refusal, refused } from './retry.ts';
import { paths } from './write.ts';

export interface LeaderElectionOptions {
  readonly client: Api;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Unique among all processes that ever run. */
  readonly identity: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder?: FlightRecorder;
  /** In [0, 1). */
  readonly random?: () => number;
}

interface ReadLease {
  readonly record: LeaseRecord;
  /** RFC 3339 with microseconds, as the API requires. */
  readonly acquireTime: string;
}

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #path: string;
  #candidate: Candidate;
  /** The Lease as last read or written; `undefined` when it must be read. */
  #lease: ReadLease | undefined;
  #leader: string | undefined;
  #refusal: Refusal | undefined;
  /** The pause that the server asked for in the last round; 0 if it asked for none. */
  #retryAfterMs = 0;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#path = `${paths.leases(options.namespace)}/${options.name}`;
    this.#candidate = newCandidate(options.identity);
  }

  /** Holder of the Lease when it was last read. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /**
   * Runs until the signal aborts. Each time this process wins the Lease, calls `lead` with a connection that refuses to write after the
   * term, and with a signal that aborts when the term ends. The next campaign waits for `lead` to finish.
   */
  async run(lead: (api: Api, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { client, clock, logger, identity, random = systemRandom } = this.#options;
    while (!signal.aborted) {
      if (!(await this.#attempt(signal))) {
        await this.#pause(campaignDelayMs(random(), this.#retryAfterMs), signal);
        continue;
      }
      logger.info({ lease: this.#path, identity }, 'leading');
      const term = new AbortController();
      const end = AbortSignal.any([signal, term.signal]);
      const renewing = this.#renew(term, end);
      try {
        await lead(new FencedApi(client, clock, () => this.#candidate), end);
      } finally {
        term.abort();
        await renewing;
        await this.#giveBack();
      }
      if (!signal.aborted) logger.warn({ lease: this.#path, identity }, 'no longer leading');
    }
  }

  /** Renews the Lease until the term ends, and ends the term if no renewal succeeds before the deadline. */
  async #renew(term: AbortController, end: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let isRenewed = true;
    for (;;) {
      const delayMs = renewalDelayMs(this.#candidate, isRenewed, this.#retryAfterMs, clock.now());
      await this.#pause(delayMs, end);
      if (end.aborted) return;
      if (!mayWrite(this.#candidate, clock.now())) return term.abort();
      isRenewed = await this.#attempt(end);
    }
  }

  /** Waits before the next round. The end of an outage cuts the wait short, unless the server asked for it. */
  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    if (this.#retryAfterMs > 0) return pause(clock, delayMs, signal);
    return pauseForRetry(clock, delayMs, client.reachability, signal);
  }

  /** One round: reads the Lease if necessary, then creates, renews or takes it. Resolves to true when the round obtained the Lease. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { clock, identity } = this.#options;
    this.#retryAfterMs = 0;
    try {
      if (this.#lease?.record.holder !== identity) await this.#read(signal);
      const move = nextLeaseMove(this.#candidate, this.#lease?.record, clock.now());
      this.#leader = this.#lease?.record.holder;
      if (move === 'wait') return false;
      const sentMs = clock.now();
      const version = await this.#write(move, identity, signal);
      this.#candidate = leaseGranted(this.#candidate, version, sentMs);
      // Renewals come every two seconds and would push all other events out of the recorder.
      if (move !== 'renew') this.#record('leading', { kind: move, version });
      this.#leader = identity;
      this.#refusal = undefined;
      return true;
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
      return false;
    }
  }

  #failed(error: unknown): void {
    const { clock, logger } = this.#options;
    this.#retryAfterMs = retryAfterOf(error) ?? 0;
    const state = mayWrite(this.#candidate, clock.now()) ? 'leading' : 'following';
    this.#record(state, { kind: 'failed', reason: String(error) });
    // Another candidate wrote the Lease, or an earlier write succeeded although its answer was lost. The next round reads the Lease.
    if (isConflict(error)) this.#lease = undefined;
    else if (!(error instanceof ApiError) || error.status > 0) {
      const { refusal, isWorthLogging } = refused(this.#refusal, String(error), clock.now());
      this.#refusal = refusal;
      if (isWorthLogging)
        logger.warn({ lease: this.#path, reason: refusal.logged }, 'lease not obtained, retrying');
    }
  }

  #record(state: string, event: object): void {
    this.#options.recorder?.record('lease', state, event, []);
  }

  async #read(signal?: AbortSignal): Promise<void> {
    const { client, clock, identity } = this.#options;
    const timeoutMs = leaseTiming.requestTimeoutMs;
    try {
      const more = signal ? { signal } : {};
      this.#lease = decodeLease(
        await client.request({ method: 'GET', path: this.#path, timeoutMs, ...more }),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#lease = undefined;
      this.#candidate = observeNoLease(this.#candidate, clock.now());
      return;
    }
    this.#candidate = observeLease(this.#candidate, this.#lease.record, clock.now());
    if (this.#lease.record.holder !== identity) this.#candidate = leaseLost(this.#candidate);
  }

  /** Resolves to the Lease's new resourceVersion. */
  async #write(move: Exclude<LeaseMove, 'wait'>, holder: string, signal?: AbortSignal): Promise<string> {
    const { client, clock, namespace, name } = this.#options;
    // The API requires a MicroTime, which has six decimals.
    const now = new Date(clock.epochMs()).toISOString().replace('Z', '000Z');
    const before = this.#lease;
    const raw = await client.request({
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
    this.#lease = decodeLease(raw);
    return this.#lease.record.version;
  }

  /** Gives the Lease back, so that other candidates need not wait until it expires. All other writes of this term have ended. */
  async #giveBack(): Promise<void> {
    const { clock, logger, identity } = this.#options;
    const holder = this.#lease?.record.holder ?? identity;
    const isHolder = mayWrite(this.#candidate, clock.now()) && holder === identity;
    this.#candidate = leaseLost(this.#candidate);
    this.#record('following', { kind: isHolder ? 'given back' : 'lost' });
    if (!isHolder) return;
    try {
      await this.#writeBack();
    } catch (error) {
      logger.debug(
        { lease: this.#path, reason: String(error) },
        'lease not given back, leaving it to expire',
      );
    }
    this.#lease = undefined;
  }

  /**
   * After a conflict, reads the Lease and tries once more. A conflict arises when the server has carried out a renewal, but the end of the
   * term aborted the wait for the answer.
   */
  async #writeBack(): Promise<void> {
    for (const isLast of [false, true])
      try {
        if (!this.#lease) await this.#read();
        if (this.#lease?.record.holder === this.#options.identity) await this.#write('renew', '');
        return;
      } catch (error) {
        if (isLast || !isConflict(error)) throw error;
        this.#lease = undefined;
      }
  }
}

function decodeLease(raw: unknown): ReadLease {
  const object = new ObjectReader(raw);
  const spec = object.object('spec');
  return {
    acquireTime: spec.text('acquireTime') ?? '',
    record: {
      holder: spec.text('holderIdentity') ?? '',
      durationMs: (spec.number('leaseDurationSeconds') ?? leaseTiming.durationMs / 1000) * 1000,
      transitions: spec.number('leaseTransitions') ?? 0,
      version: object.object('metadata').requiredText('resourceVersion'),
    },
  };
}
