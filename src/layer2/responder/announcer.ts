import type { IpAddress } from '../../address/index.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { AddressState } from './address-state.ts';
import { type AnnouncementPolicy, AnnouncementQueue } from './announcement-queue.ts';
import type { LinkPort } from './link-port.ts';
import { catchUpMs, stallMs } from './stall.ts';

export interface AnnouncerOptions {
  readonly clock: Clock;
  readonly policy: AnnouncementPolicy;
  readonly portsOf: (state: AddressState) => readonly LinkPort[];
  /** Checked before each announcement. */
  readonly isOwner: (address: IpAddress) => boolean;
  /** Called before each announcement, so that a long series delays no answer. */
  readonly drainCaptures: () => void;
}

/** Sends announcements as the queue schedules them. An address that this node no longer answers for is not announced. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #queue: AnnouncementQueue<AddressState>;
  #timer: Timer | undefined;
  /** When the timer is due; infinite when nothing is scheduled. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  /** Present while this node waits to hear the other speakers after a stall. */
  #catchUp: Timer | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#queue = new AnnouncementQueue(options.policy);
  }

  /** Starts or restarts the schedule of an address that this node answers for. */
  start(state: AddressState): void {
    if (!state.answering) return;
    this.#queue.start(state, this.#options.clock.now());
    this.#wake();
  }

  cancel(state: AddressState): void {
    this.#queue.cancel(state);
  }

  close(): void {
    this.#timer?.cancel();
    this.#catchUp?.cancel();
  }

  #sendDue(): void {
    const { clock, portsOf, isOwner, drainCaptures } = this.#options;
    for (let state = this.#queue.next(clock.now()); state; state = this.#queue.next(clock.now())) {
      drainCaptures();
      if (!state.answering || !isOwner(state.address)) this.#queue.cancel(state);
      else for (const port of portsOf(state)) port.announce(state);
    }
    const delayMs = this.#queue.delayMs(clock.now());
    this.#timer?.cancel();
    this.#dueAtMs = clock.now() + (delayMs ?? Number.POSITIVE_INFINITY);
    this.#timer = delayMs === undefined ? undefined : clock.after(delayMs, () => this.#wake());
  }

  /** Sends what is due. After a stall, another node may own the addresses, so this node first waits to hear the other speakers. */
  #wake(): void {
    const { clock } = this.#options;
    if (this.#catchUp) return;
    if (clock.now() - this.#dueAtMs <= stallMs) return this.#sendDue();
    this.#catchUp = clock.after(catchUpMs, () => {
      this.#catchUp = undefined;
      this.#sendDue();
    });
  }
}
