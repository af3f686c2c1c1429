import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { readMembershipKeys } from '../cluster/membership-keys.ts';
import { membershipSecretKey, membershipSecretName } from '../cluster/names.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import { ApiError, isConflict, isNotFound } from '../kubernetes/api-error.ts';
import { decodeSecret } from '../kubernetes/decode.ts';
import { type Refusal, refused } from '../kubernetes/retry.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { paths } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';

/** `unusable` carries the reason why the speakers cannot use the existing Secret. */
export type SecretState =
  | { readonly kind: 'created' | 'present' }
  | { readonly kind: 'unusable'; readonly reason: string };

/**
 * Creates the membership Secret if it does not exist. Never changes an existing Secret. Speakers authenticate each other with the keys in
 * the Secret.
 */
async function ensureMembershipSecret(client: Api, namespace: string): Promise<SecretState> {
  const collection = paths.secrets(namespace);
  try {
    const path = `${collection}/${membershipSecretName}`;
    const keys = readMembershipKeys(decodeSecret(await client.request<RawObject>({ method: 'GET', path })));
    return keys.ok ? { kind: 'present' } : { kind: 'unusable', reason: keys.error };
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  try {
    await client.request({
      method: 'POST',
      path: collection,
      body: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: membershipSecretName, namespace },
        type: 'Opaque',
        data: { [membershipSecretKey]: Buffer.from(randomBytes(32).toString('base64')).toString('base64') },
      },
    });
    return { kind: 'created' };
  } catch (error) {
    if (isConflict(error)) return { kind: 'present' };
    throw error;
  }
}

export interface MembershipSecretKeeperOptions {
  readonly client: Api;
  readonly namespace: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Interval between two checks of the Secret. */
const checkIntervalMs = 10_000;

/** Checks the membership Secret periodically. Creates it when it is missing, and reports when the speakers cannot use it. */
export class MembershipSecretKeeper {
  readonly #options: MembershipSecretKeeperOptions;
  readonly #queue: WorkQueue;
  /** The fault that was reported last. */
  #fault: string | undefined;
  #refusal: Refusal | undefined;

  constructor(options: MembershipSecretKeeperOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: 1,
      firstRetryMs: 500,
      reachability: options.client.reachability,
      work: () => this.#check(),
      onError: (_, error) => this.#failed(error),
    });
  }

  start(): void {
    this.#queue.add(membershipSecretName);
  }

  /** Resolves when the check under way is done. */
  async stop(): Promise<void> {
    this.#queue.stop();
    await this.#queue.settled();
  }

  /** Warns about a refusal that lasts, such as a missing right or a quota. Other failures pass by themselves. */
  #failed(error: unknown): void {
    const { logger, clock } = this.#options;
    const reason = String(error);
    if (error instanceof ApiError && error.status === 403) {
      const { refusal, isWorthLogging } = refused(this.#refusal, reason, clock.now());
      this.#refusal = refusal;
      if (isWorthLogging)
        return logger.warn({ reason }, 'membership Secret not checked: the API server refuses the request');
    }
    logger.debug({ reason }, 'membership Secret not checked yet');
  }

  async #check(): Promise<void> {
    const { client, namespace, logger, clock } = this.#options;
    const state = await ensureMembershipSecret(client, namespace);
    this.#refusal = undefined;
    if (state.kind === 'created') logger.info('membership Secret created');
    const fault = state.kind === 'unusable' ? state.reason : undefined;
    if (fault !== undefined && fault !== this.#fault)
      logger.error(
        { reason: fault },
        'membership Secret not usable; delete it, and the controller creates a new one',
      );
    this.#fault = fault;
    clock.after(checkIntervalMs, () => this.start());
  }
}
