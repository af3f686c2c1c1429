import { configMapName } from '../../cluster/names.ts';
import type { EventReason } from '../../kubernetes/event-reasons.ts';
import type { EventRecorder } from '../../kubernetes/event-recorder.ts';
import type { Logger } from '../../log.ts';
import { printable } from '../../printable.ts';
import { maxMessageCharacters } from '../allocator/refusals.ts';
import type { ControllerMetrics } from '../metrics.ts';
import { warningText } from './config-annotations.ts';
import type { StaleVerdict, Verdict } from './config-verdict.ts';

export interface VerdictReporterOptions {
  readonly namespace: string;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly logger: Logger;
}

/** Tells operators about verdicts, in events, logs and metrics, and only when the verdict changes. */
export class VerdictReporter {
  readonly #options: VerdictReporterOptions;
  #verdict: Verdict | undefined;
  /** Reason of the last reported rejection. A previous process may have reported it. */
  #reportedReason: string | undefined;

  constructor(options: VerdictReporterOptions) {
    this.#options = options;
  }

  /** Takes over the rejection that an earlier process reported, so that it is not reported again. */
  recall(reason: string | undefined): void {
    this.#reportedReason = reason;
  }

  /** Reports a verdict on the ConfigMap with this uid. Returns whether the verdict is new. */
  report(verdict: Verdict, uid: string): boolean {
    const before = this.#verdict;
    this.#verdict = verdict;
    this.#options.metrics.configStale(verdict.kind === 'stale');
    switch (verdict.kind) {
      case 'none':
        if (before?.kind === 'none' && before.reason === verdict.reason) return false;
        this.#options.logger.warn({ reason: verdict.reason }, 'no configuration yet');
        return true;
      case 'active':
        return this.#reportActive(verdict, before?.kind === 'stale', uid);
      case 'stale':
        return this.#reportStale(verdict, before, uid);
    }
  }

  #reportActive(
    { accepted, isNew }: Extract<Verdict, { kind: 'active' }>,
    wasStale: boolean,
    uid: string,
  ): boolean {
    const { metrics, logger } = this.#options;
    const isRevert = wasStale || this.#reportedReason !== undefined;
    this.#reportedReason = undefined;
    if (!isNew && !isRevert) return false;
    const { hash } = accepted;
    const outcome = isNew ? 'configuration accepted' : 'configuration reverted to the accepted one';
    if (isNew) metrics.configUpdates.inc();
    logger.info({ hash }, outcome);
    const warnings = warningText(accepted);
    if (isNew && warnings !== null) logger.warn({ hash, reason: warnings }, 'configuration has warnings');
    this.#event(uid, 'Normal', 'ConfigAccepted', `${outcome}: ${hash} is in force`);
    return true;
  }

  #reportStale(verdict: StaleVerdict, before: Verdict | undefined, uid: string): boolean {
    const { metrics, logger } = this.#options;
    const isSameText = before?.kind === 'stale' && before.subject === verdict.subject;
    // After a restart, only the reason tells whether an earlier process has reported this rejection.
    const isReported = isSameText || this.#reportedReason === verdict.reason;
    this.#reportedReason = verdict.reason;
    if (isReported) return false;
    metrics.configErrors.inc();
    const state = verdict.accepted
      ? `configuration ${verdict.accepted.hash} stays in force`
      : 'no configuration is in force';
    logger.error({ reason: verdict.details }, `configuration not accepted; ${state}`);
    this.#event(
      uid,
      'Warning',
      'ConfigStale',
      `${state}; the text of the ConfigMap is not accepted: ${verdict.reason}`,
    );
    return true;
  }

  #event(uid: string, type: 'Normal' | 'Warning', reason: EventReason, message: string): void {
    const { namespace, events } = this.#options;
    const regarding = { kind: 'ConfigMap', namespace, name: configMapName, uid } as const;
    events.record({ regarding, type, reason, message: printable(message, maxMessageCharacters) });
  }
}
