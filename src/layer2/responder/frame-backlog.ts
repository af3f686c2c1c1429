import type { Clock, Timer } from '../../clock.ts';
import { catchUpMs, stallMs } from './stall.ts';

interface HeldFrame {
  readonly octets: Uint8Array;
  readonly arrivedAtMs: number;
}

/** Maximum number of frames held: enough for a stall of several seconds on a busy link. Further frames are dropped. */
const maxFrames = 1024;

/**
 * Holds frames back for `catchUpMs` after a stall, so that the process reads the membership socket before it handles them. A frame that waited
 * longer than `stallMs` opens the backlog. Every later frame joins the backlog until the backlog is released, so that frames keep their order.
 * Without a stall, `mustHold` costs only two comparisons.
 */
export class FrameBacklog {
  readonly #clock: Clock;
  readonly #release: (frame: Uint8Array, length: number, ageMs: number) => void;
  #frames: HeldFrame[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, release: (frame: Uint8Array, length: number, ageMs: number) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  mustHold(ageMs: number): boolean {
    return this.#timer !== undefined || ageMs > stallMs;
  }

  /** Copies the frame into the backlog. Returns false when the backlog is full. */
  hold(frame: Uint8Array, length: number, ageMs: number): boolean {
    if (this.#frames.length === maxFrames) return false;
    const octets = Uint8Array.from(frame.subarray(0, length));
    this.#frames.push({ octets, arrivedAtMs: this.#clock.now() - ageMs });
    this.#timer ??= this.#clock.after(catchUpMs, () => this.#releaseAll());
    return true;
  }

  close(): void {
    this.#timer?.cancel();
    this.#frames = [];
  }

  #releaseAll(): void {
    this.#timer = undefined;
    const frames = this.#frames;
    this.#frames = [];
    for (const { octets, arrivedAtMs } of frames)
      this.#release(octets, octets.length, this.#clock.now() - arrivedAtMs);
  }
}
