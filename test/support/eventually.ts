import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until the check returns something other than `undefined` or `false`, and returns it. Fails after the deadline
 * with what was awaited and the last error seen.
 */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 15_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end)
      throw new Error(`waited ${deadlineMs} ms for: ${what}${last === undefined ? '' : `; last: ${last}`}`, {
        cause: last,
      });
    await sleep(20);
  }
}
