import type { NotificationError } from '../message.ts';
import type { DownCause, FsmAction, FsmStep } from './connection-events.ts';
import { type FsmConfig, type FsmState, type FsmTimer, initialFsmState } from './connection-state.ts';

/** The timers that may run in each state, except `bfd`, which runs only during a wait for BFD. */
const timersOf: Readonly<Record<FsmState['name'], readonly FsmTimer[]>> = {
  Idle: ['idle-hold'],
  Connect: ['connect-retry', 'delay-open'],
  Active: ['connect-retry', 'delay-open'],
  OpenSent: ['hold'],
  OpenConfirm: ['hold', 'keepalive'],
  Established: ['hold', 'keepalive', 'send-hold', 'lasting'],
};

/** The idle hold time after a failure, before jitter. `oscillations` counts the failures in a row before this one. */
export function idleHoldAfter(oscillations: number, firstMs: number, maximumMs: number): number {
  return Math.min(maximumMs, firstMs * 2 ** Math.min(oscillations, 30));
}

/** Builds one step: holds the state before the step and collects the actions. Each step has its own Transition. */
export class Transition {
  readonly state: FsmState;
  readonly config: FsmConfig;
  readonly #actions: FsmAction[] = [];

  constructor(state: FsmState, config: FsmConfig) {
    this.state = state;
    this.config = config;
  }

  act(action: FsmAction): void {
    this.#actions.push(action);
  }

  startTimer(timer: FsmTimer, delayMs: number): void {
    this.act({ kind: 'start-timer', timer, delayMs });
  }

  /** RFC 4271 section 10 asks for jitter on ConnectRetryTimer and KeepaliveTimer. Here IdleHoldTimer gets it too. */
  startJitteredTimer(timer: FsmTimer, delayMs: number): void {
    this.act({ kind: 'start-timer', timer, delayMs, isJittered: true });
  }

  stopTimer(timer: FsmTimer): void {
    this.act({ kind: 'stop-timer', timer });
  }

  restartHoldTimer(): void {
    if (this.state.holdTimeMs > 0) this.startTimer('hold', this.state.holdTimeMs);
  }

  /** Stays in the present state. The actions so far still run. */
  stay(): FsmStep {
    return { state: this.state, actions: this.#actions };
  }

  to(state: FsmState): FsmStep {
    return { state, actions: this.#actions };
  }

  /** Goes to Idle after the administrator's stop, without a retry. */
  toStopped(error: NotificationError | undefined, because: string | undefined): FsmStep {
    this.#close(error);
    const cause = {
      kind: 'stopped',
      ...(error ? { error } : {}),
      ...(because === undefined ? {} : { because }),
    } as const;
    this.act({ kind: 'down', cause });
    return this.to(initialFsmState);
  }

  /** Goes to Idle after a failure: sends the NOTIFICATION, closes the connection, counts the failure and waits for the damped delay. */
  toFailed(cause: DownCause, notification?: NotificationError): FsmStep {
    const { oscillations } = this.state;
    const { idleHoldMs, idleHoldMaximumMs } = this.config;
    this.#close(notification);
    return this.#toIdleHold(
      cause,
      idleHoldAfter(oscillations, idleHoldMs, idleHoldMaximumMs),
      oscillations + 1,
    );
  }

  /** Goes to Idle because TCP did not come up. The failure does not count as an oscillation, and the retry follows within ConnectRetryTime. */
  toUnreachable(reason: string): FsmStep {
    const { oscillations, connectRetryCounter } = this.state;
    const { idleHoldMs, idleHoldMaximumMs, connectRetryMs } = this.config;
    this.#close(undefined);
    const maximumMs = Math.min(connectRetryMs, idleHoldMaximumMs);
    const delayMs = idleHoldAfter(connectRetryCounter, idleHoldMs, maximumMs);
    return this.#toIdleHold({ kind: 'tcp', reason }, delayMs, oscillations);
  }

  #toIdleHold(cause: DownCause, delayMs: number, oscillations: number): FsmStep {
    this.startJitteredTimer('idle-hold', delayMs);
    this.act({ kind: 'down', cause });
    const connectRetryCounter = this.state.connectRetryCounter + 1;
    return this.to({ ...initialFsmState, connectRetryCounter, oscillations });
  }

  /** Sends the NOTIFICATION, drops the connection and stops every timer of the state. */
  #close(notification: NotificationError | undefined): void {
    const { name, tcp, bfdWait } = this.state;
    if (notification) this.act({ kind: 'send-notification', error: notification });
    if (tcp !== 'none') this.act({ kind: 'drop' });
    for (const timer of timersOf[name]) this.stopTimer(timer);
    if (bfdWait !== undefined) this.stopTimer('bfd');
  }
}
