import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The deadline of every wait in tests, demo and lab. It bounds a wait and measures nothing: the condition usually holds within
 * milliseconds, but a machine with a load of 30 needs minutes for work that otherwise takes seconds. Speed is measured in `bench/`.
 */
export const patienceMs = 300_000;

/**
 * Bound on the delay of a log line about the beginning or the end of an outage of the API server. The line usually comes within seconds. If only
 * the end of a watch revealed the outage, the line would come after four minutes.
 */
export const soonMs = 60_000;

/** Shortest and longest pause between two checks. */
const pollMs = { shortest: 20, longest: 500 } as const;
/** The pause grows with the time waited so far: it is at least this fraction of that time, up to the longest pause. */
const pausePart = 1 / 20;

export interface WaitOptions {
  /** A longer deadline, for benches whose work takes minutes. */
  readonly deadlineMs?: number;
  readonly explain?: () => string;
}

/**
 * Waits until the check returns something other than `undefined` or `false`, and returns that result. After the deadline it throws an error
 * with the name of the condition, the last error, and the text of `explain`.
 */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  { deadlineMs = patienceMs, explain = () => '' }: WaitOptions = {},
): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    const beganAt = performance.now();
    let last: unknown;
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      last = error;
    }
    const now = performance.now();
    if (now > startedAt + deadlineMs) {
      const error = last === undefined ? '' : `; last error: ${last}`;
      throw new Error(`waited ${deadlineMs} ms for: ${what}${error}${explain()}`, { cause: last });
    }
    // The pause is at least as long as the check, up to the upper bound. An expensive check thus leaves half of the time to the processes that it
    // waits for.
    const pauseMs = Math.max(pollMs.shortest, now - beganAt, (now - startedAt) * pausePart);
    await sleep(Math.min(pauseMs, pollMs.longest));
  }
}
