/** Turns the handling of dead nodes on and off with the configuration, and reports the rights that the controller lacks for it. */
import type { AcceptedConfig } from '../../cluster/accepted-config.ts';
import { configMapName } from '../../cluster/names.ts';
import { ApiError } from '../../kubernetes/api-error.ts';
import { pause } from '../../kubernetes/retry.ts';
import type { DeathDecision } from '../death-judge/death-judge.ts';
import { DeathWatch, type DeathWatchOptions } from './death-watch.ts';
import { missingRights } from './rights.ts';

export interface DeadNodesOptions extends DeathWatchOptions {
  /** The UID of the ConfigMap, for events. */
  readonly configMapUid: () => string;
}

/** Interval at which the rights are checked: short until it is known that none is missing. */
const rightsCheckMs = { missing: 15_000, complete: 300_000 } as const;

/** One period in which the configuration has `dead-nodes`, with the watch that runs during it. */
interface Period {
  readonly watch: DeathWatch;
  readonly end: AbortController;
  readonly ended: Promise<unknown>;
}

export class DeadNodes {
  readonly #options: DeadNodesOptions;
  #period: Period | undefined;
  #missingRights: readonly string[] = [];

  constructor(options: DeadNodesOptions) {
    this.#options = options;
  }

  get decisions(): readonly DeathDecision[] {
    return this.#period?.watch.decisions ?? [];
  }

  /** The part of `/status` about dead nodes; `undefined` while the configuration does not have `dead-nodes`. */
  status() {
    const watch = this.#period?.watch;
    if (!watch) return undefined;
    const { decisions, withoutReport } = watch;
    return { missingRights: this.#missingRights, withoutReport, nodes: decisions };
  }

  setConfig({ deadNodes }: Pick<AcceptedConfig['config'], 'deadNodes'>): void {
    if (!deadNodes) return this.#endPeriod();
    this.#period ??= this.#begin();
    this.#period.watch.setMaxNodes(deadNodes.maxNodes);
  }

  /** Resolves when the work under way has ended. */
  async stop(): Promise<void> {
    const ended = this.#period?.ended;
    this.#endPeriod();
    await ended;
  }

  #begin(): Period {
    const end = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, end.signal]);
    const watch = new DeathWatch({ ...this.#options, signal });
    this.#options.logger.info('Pods of dead nodes will be set to not ready');
    const granted = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => granted.resolve(), { once: true });
    const watching = granted.promise.then(() => watch.run());
    return { watch, end, ended: Promise.all([watching, this.#checkRights(signal, granted.resolve)]) };
  }

  #endPeriod(): void {
    if (!this.#period) return;
    this.#options.logger.info('the controller no longer sets the Pods of dead nodes to not ready');
    this.#period.end.abort();
    this.#period = undefined;
    this.#missingRights = [];
  }

  /** Checks the rights periodically. Calls `granted` when no right is missing. The watch begins then, so the API server does not refuse it. */
  async #checkRights(signal: AbortSignal, granted: () => void): Promise<void> {
    const { client, clock, namespace, logger, guard } = this.#options;
    let isComplete = false;
    while (!signal.aborted) {
      try {
        const missing = await missingRights(client, namespace);
        if (signal.aborted) return;
        if (missing.join() !== this.#missingRights.join()) this.#rightsChanged(missing);
        isComplete = missing.length === 0;
        if (isComplete) granted();
      } catch (error) {
        if (error instanceof ApiError)
          logger.debug({ reason: error.message }, 'rights for dead nodes not checked');
        else guard.failed({ entrance: 'watch', source: 'selfsubjectaccessreviews' }, error);
      }
      await pause(clock, isComplete ? rightsCheckMs.complete : rightsCheckMs.missing, signal);
    }
  }

  #rightsChanged(missing: readonly string[]): void {
    const { events, logger, namespace, configMapUid } = this.#options;
    this.#missingRights = missing;
    if (missing.length === 0) return logger.info('the controller has all rights for dead nodes again');
    const reason = `the configuration has dead-nodes, but the controller may not ${missing.join(', ')}: apply manifests/dead-nodes/, or set deadNodes.enabled of the chart`;
    logger.error({ reason }, 'rights for dead nodes are missing');
    events.record({
      regarding: { kind: 'ConfigMap', namespace, name: configMapName, uid: configMapUid() },
      type: 'Warning',
      reason: 'RightsMissing',
      message: reason,
    });
  }
}
