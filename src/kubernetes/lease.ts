/**
 * Leader election by a Lease (coordination.k8s.io/v1). Only the holder may write, and it stops believing in itself before anybody else
 * can: what it holds counts from before its last successful renewal was sent, on its own monotonic clock, and ends `renewDeadlineMs`
 * later; a challenger waits `leaseDurationMs` from when *it* last saw the record change, so clocks of two machines are never compared.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { ApiError, type KubernetesClient } from './client.ts';
import { pause } from './watch.ts';
import { isConflict, isNotFound, paths } from './write.ts';

export interface LeaseTimes {
  /** How long the record protects its holder after it was last seen to change. */
  readonly leaseDurationMs: number;
  /** How long a holder believes in itself without a successful renewal; shorter than the lease. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

export const leaseTimes: LeaseTimes = { leaseDurationMs: 10_000, renewDeadlineMs: 7_000, retryMs: 2_000 };

export interface LeaseRecord {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly renewTime?: string;
  readonly acquireTime?: string;
  readonly leaseTransitions?: number;
}

/** What a challenger knows: the record as last read, and when (monotonic) it was first seen like this. */
export interface Observation {
  readonly record: LeaseRecord;
  readonly resourceVersion: string;
  readonly seenAtMs: number;
}

/** Whether the identity may take or renew the lease now. */
export function mayAcquire(
  observed: Observation | undefined,
  identity: string,
  nowMs: number,
  times: LeaseTimes,
): boolean {
  if (!observed?.record.holderIdentity || observed.record.holderIdentity === identity) return true;
  return nowMs - observed.seenAtMs > times.leaseDurationMs;
}

export interface LeaseOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly times?: LeaseTimes;
}

interface RawLease {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec?: LeaseRecord;
}

export class LeaderLease {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  #observed: Observation | undefined;
  /** Monotonic; before this moment we hold the lease. */
  #heldUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = options.times ?? leaseTimes;
  }

  /** To be asked before each write. */
  get isHeld(): boolean {
    return this.#options.clock.now() < this.#heldUntilMs;
  }

  /** Resolves when the lease is first held, or when the signal aborts. */
  async acquire(): Promise<void> {
    const { clock, signal, logger, identity } = this.#options;
    let said = '';
    while (!signal.aborted) {
      await this.#try();
      if (this.isHeld) return;
      const holder = this.#observed?.record.holderIdentity ?? '';
      if (holder !== said && holder !== '') logger.info({ holder, identity }, 'waiting for the lease');
      said = holder;
      await pause(clock, this.#times.retryMs, signal);
    }
  }

  /** Renews until it is lost or the signal aborts, then gives the lease back if it is still ours. Resolves true when it was lost. */
  async keep(): Promise<boolean> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      await pause(clock, this.#times.retryMs, signal);
      if (signal.aborted) break;
      await this.#try();
      if (!this.isHeld) return true;
    }
    await this.#release();
    return false;
  }

  async #try(): Promise<void> {
    const { client, clock, identity, logger } = this.#options;
    const startedAtMs = clock.now();
    try {
      await this.#observe();
      if (!mayAcquire(this.#observed, identity, clock.now(), this.#times)) return;
      const now = new Date().toISOString().replace('Z', '000Z');
      const before = this.#observed?.record;
      const ours = before?.holderIdentity === identity;
      const spec: LeaseRecord = {
        holderIdentity: identity,
        leaseDurationSeconds: this.#times.leaseDurationMs / 1000,
        renewTime: now,
        acquireTime: ours ? (before.acquireTime ?? now) : now,
        leaseTransitions: (before?.leaseTransitions ?? 0) + (ours || !before ? 0 : 1),
      };
      const written = await client.request<RawLease>(this.#write(spec));
      this.#observed = {
        record: spec,
        resourceVersion: written.metadata.resourceVersion,
        seenAtMs: startedAtMs,
      };
      this.#heldUntilMs = startedAtMs + this.#times.renewDeadlineMs;
    } catch (error) {
      if (isConflict(error)) return;
      logger.debug({ reason: String(error) }, 'lease not renewed');
    }
  }

  #write(spec: LeaseRecord): Parameters<KubernetesClient['request']>[0] {
    const { namespace, name } = this.#options;
    const body = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name,
        namespace,
        ...(this.#observed ? { resourceVersion: this.#observed.resourceVersion } : {}),
      },
      spec,
    };
    const collection = paths.leases(namespace);
    const timeoutMs = this.#times.retryMs;
    return this.#observed
      ? { method: 'PUT', path: `${collection}/${name}`, body, timeoutMs }
      : { method: 'POST', path: collection, body, timeoutMs };
  }

  async #observe(): Promise<void> {
    const { client, namespace, name, clock } = this.#options;
    try {
      const { metadata, spec } = await client.request<RawLease>({
        method: 'GET',
        path: `${paths.leases(namespace)}/${name}`,
        timeoutMs: this.#times.retryMs,
      });
      if (this.#observed?.resourceVersion === metadata.resourceVersion) return;
      this.#observed = {
        record: spec ?? {},
        resourceVersion: metadata.resourceVersion,
        seenAtMs: clock.now(),
      };
    } catch (error) {
      if (!(error instanceof ApiError) || !isNotFound(error)) throw error;
      this.#observed = undefined;
    }
  }

  async #release(): Promise<void> {
    const { client, identity, logger } = this.#options;
    if (!this.isHeld || this.#observed?.record.holderIdentity !== identity) return;
    this.#heldUntilMs = Number.NEGATIVE_INFINITY;
    try {
      await client.request(this.#write({ ...this.#observed.record, holderIdentity: '' }));
    } catch (error) {
      logger.debug({ reason: String(error) }, 'lease not given back');
    }
  }
}
