import type { Clock, Timer } from '../../clock.ts';
import type { FsmAction } from '../fsm/connection-events.ts';
import type { FsmTimer } from '../fsm/connection-state.ts';
import { DeadlineTimer } from './deadline-timer.ts';

type StartTimer = Extract<FsmAction, { kind: 'start-timer' }>;

export interface ConnectionTimersOptions {
  readonly clock: Clock;
  /** Returns numbers in [0, 1). */
  readonly random: () => number;
  /** Octets that the peer's TCP has acknowledged on the current connection. */
  readonly acknowledgedBytes: () => number;
  readonly expired: (timer: FsmTimer) => void;
}

/**
 * The timers of one connection. Two of them declare a peer dead. Each checks once more before it does so:
 * - `hold`: input that arrived while the process was busy is read first, because such input restarts or stops the timer.
 * - `send-hold` (RFC 9687): the timer runs for another period if the peer's TCP has acknowledged an octet during the last one. Keepalives
 *   ensure that there are octets to acknowledge.
 */
export class ConnectionTimers {
  readonly #options: ConnectionTimersOptions;
  readonly #timers: Readonly<Record<FsmTimer, DeadlineTimer>>;
  /** Runs after the hold timer has fired, while the input that waits is read. */
  #holdCheck: Timer | undefined;
  #acknowledgedAtStart = 0;
  #sendHoldMs = 0;

  constructor(options: ConnectionTimersOptions) {
    this.#options = options;
    const { clock, expired } = options;
    const timer = (name: FsmTimer) => new DeadlineTimer(clock, () => expired(name));
    this.#timers = {
      'connect-retry': timer('connect-retry'),
      hold: new DeadlineTimer(clock, () => this.#holdExpired()),
      keepalive: timer('keepalive'),
      'delay-open': timer('delay-open'),
      'idle-hold': timer('idle-hold'),
      'send-hold': new DeadlineTimer(clock, () => this.#sendHoldExpired()),
      lasting: timer('lasting'),
      bfd: timer('bfd'),
    };
  }

  /** RFC 4271 section 10: jitter multiplies the delay by a random factor from 0.75 to 1. */
  start({ timer, delayMs, isJittered }: StartTimer): void {
    if (timer === 'hold') this.#holdCheck?.cancel();
    if (timer === 'send-hold') this.#startSendHold(delayMs);
    else if (isJittered) this.#timers[timer].start(delayMs * (0.75 + 0.25 * this.#options.random()));
    else this.#timers[timer].start(delayMs);
  }

  stop(timer: FsmTimer): void {
    if (timer === 'hold') this.#holdCheck?.cancel();
    this.#timers[timer].stop();
  }

  stopAll(): void {
    this.#holdCheck?.cancel();
    for (const timer of Object.values(this.#timers)) timer.stop();
  }

  #holdExpired(): void {
    const { clock, expired } = this.#options;
    this.#holdCheck = clock.after(1, () => expired('hold'));
  }

  #startSendHold(delayMs: number): void {
    this.#sendHoldMs = delayMs;
    this.#acknowledgedAtStart = this.#options.acknowledgedBytes();
    this.#timers['send-hold'].start(delayMs);
  }

  #sendHoldExpired(): void {
    if (this.#options.acknowledgedBytes() > this.#acknowledgedAtStart) this.#startSendHold(this.#sendHoldMs);
    else this.#options.expired('send-hold');
  }
}
