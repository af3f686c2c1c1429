import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import { isCollision } from '../cease.ts';
import type { AttributeFault } from '../codec/index.ts';
import type { DownCause } from '../fsm/connection-events.ts';
import type { BgpState } from '../fsm/connection-state.ts';
import type { SessionAction } from '../fsm/peer-events.ts';
import type { UpdateMessage } from '../message.ts';
import type { BgpMetrics } from '../metrics.ts';
import { describeCause, describeRejection } from './cause-text.ts';
import { LastError } from './last-error.ts';
import { SessionLog } from './session-log.ts';
import { SessionMetrics } from './session-metrics.ts';

/** A session has become Established, or an Established session has gone down unintentionally. */
export type SessionChange =
  | { readonly kind: 'up'; readonly peer: string }
  | { readonly kind: 'down'; readonly peer: string; readonly reason: string };

export type SessionObserver = (change: SessionChange) => void;

/** Reports the events of a session to operators: in the log, in the metrics, and as the last error in the status. */
export class SessionReport {
  readonly log: SessionLog;
  readonly metrics: SessionMetrics;
  readonly lastError: LastError;
  readonly #clock: Clock;
  #name: string;
  #state: BgpState = 'Idle';
  #sinceEpochMs: number;
  #isBfdDamped = false;
  readonly #onChange: SessionObserver | undefined;

  constructor(
    name: string,
    clock: Clock,
    logger: Logger,
    metrics: BgpMetrics,
    onChange: SessionObserver | undefined,
  ) {
    this.#onChange = onChange;
    this.#name = name;
    this.#clock = clock;
    this.#sinceEpochMs = clock.epochMs();
    this.log = new SessionLog(name, logger);
    this.metrics = new SessionMetrics(name, metrics);
    this.lastError = new LastError(clock);
  }

  /** Time of the last change of state. */
  get sinceEpochMs(): number {
    return this.#sinceEpochMs;
  }

  rename(name: string): void {
    if (name === this.#name) return;
    this.metrics.renamed(name, this.#state, this.lastError);
    this.metrics.bfdDamped(this.#isBfdDamped);
    this.log.renamed(this.#name, name);
    this.#name = name;
  }

  /** Reports what the peer's machine has decided. */
  action(action: SessionAction): void {
    switch (action.kind) {
      case 'state-changed':
        this.#state = action.to;
        this.#sinceEpochMs = this.#clock.epochMs();
        this.metrics.stateChanged(action.from, action.to);
        return;
      case 'session-up':
        this.lastError.outdate();
        this.#onChange?.({ kind: 'up', peer: this.#name });
        return;
      case 'session-down':
        // The observer learns of an end only if it is a failure. An intended end is not a failure, but `#ended` logs it.
        if (action.cause.kind !== 'stopped')
          this.#onChange?.({ kind: 'down', peer: this.#name, reason: describeCause(action.cause) });
        // A failure of another connection, while the session was up, does not explain the end of the session.
        this.#outdateFailures();
        this.#ended(action.cause);
        return;
      case 'attempt-failed':
        this.#ended(action.cause);
        return;
      case 'connection-lost':
        this.#connectionEnded(action.cause);
        return;
      case 'capabilities-refused':
        this.log.capabilitiesRefused(action.capabilities);
        return;
      case 'reject': {
        const reason = describeRejection(action.reason);
        if (reason === undefined) return;
        this.#keep(reason);
        if (action.reason === 'other-open' || action.reason === 'incomplete') this.log.notInherited(reason);
        else this.log.connectionRejected(reason);
        return;
      }
      case 'no-bfd':
        this.log.noBfd();
        return;
      case 'bfd-damping':
        this.#setBfdDamped(true);
        this.log.bfdDamping();
        return;
      case 'bfd-loss-ignored':
        this.metrics.bfdLossIgnored();
        return;
      case 'bfd-damping-over':
        this.#setBfdDamped(false);
        this.log.bfdDampingOver();
        return;
      case 'no-answer':
      case 'refresh':
        return;
    }
  }

  /** The session may not start yet. `NodeSpeaker` reports the reason to the log, so this class does not. */
  waiting(reason: string): void {
    this.#keep(reason);
  }

  /** The session has started over with new settings, so earlier failures explain no later one. */
  startedOver(): void {
    this.#outdateFailures();
  }

  /** A session or an attempt has failed, or an attempt could not begin. */
  failed(reason: string): void {
    if (this.#keep(reason)) this.log.down(reason);
  }

  /** Counts an UPDATE and logs its faults. Received routes are dropped. */
  updateReceived(message: UpdateMessage, faults: readonly AttributeFault[]): void {
    this.metrics.updateReceived(message, faults);
    for (const fault of firstOfEachType(faults)) this.log.malformedUpdate(fault);
  }

  #ended(cause: DownCause): void {
    this.metrics.ended(cause);
    const reason = describeCause(cause);
    if (cause.kind !== 'stopped') {
      this.failed(reason);
      return;
    }
    if (cause.error) this.#keep(reason);
    this.log.closed(reason);
  }

  #outdateFailures(): void {
    this.lastError.outdate();
    this.log.forgetFailures();
  }

  /**
   * One of two connections has ended, normally by a collision. A collision is not an error, so it does not become the last error. The
   * exception is a collision whose cause has a text. The text says that a silent connection has yielded to a newer one. A peer may end a
   * collision without a NOTIFICATION, so the end of TCP is not even logged.
   */
  #connectionEnded(cause: DownCause): void {
    this.metrics.ended(cause);
    if (cause.kind === 'tcp') return;
    const reason = describeCause(cause);
    const isNotification = cause.kind === 'received' || cause.kind === 'sent';
    if (isNotification && (!isCollision(cause.error) || cause.error.text !== undefined)) this.#keep(reason);
    this.log.oneConnectionClosed(reason);
  }

  #setBfdDamped(isDamped: boolean): void {
    this.#isBfdDamped = isDamped;
    this.metrics.bfdDamped(isDamped);
  }

  #keep(reason: string): boolean {
    if (!this.lastError.set(reason)) return false;
    this.metrics.lastError(reason, this.lastError.atEpochMs);
    return true;
  }
}

/** The first fault of each attribute type. It stands for all faults of the type in one message. */
function firstOfEachType(faults: readonly AttributeFault[]): readonly AttributeFault[] {
  const byType = new Map<number, AttributeFault>();
  for (const fault of faults) if (!byType.has(fault.attributeType)) byType.set(fault.attributeType, fault);
  return [...byType.values()];
}
