/** A pending callback. Cancelling it after it has run does nothing. */
export interface Timer {
  cancel(): void;
}

/** The clock and timers of a shell. Tests replace the clock to run shells in virtual time. */
export interface Clock {
  /** Milliseconds on a monotonic clock. Only differences between two readings have a meaning. */
  now(): number;
  /** Wall clock, for people to read: milliseconds since the Unix epoch. It may jump. */
  epochMs(): number;
  /**
   * Calls back once, when `delayMs` have passed. Node may call back a fraction of a millisecond early. A negative delay counts as 0. A pending timer
   * does not keep the process alive.
   */
  after(delayMs: number, callback: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, Math.max(0, delayMs));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
