import assert from 'node:assert/strict';

/**
 * Runs the work, and fails when it takes more CPU time than the limit, in milliseconds. The timeout of a test would not do: it cannot fire
 * during work that never yields, and it also counts the time that the machine spends on other processes.
 */
export function withinCpuTime<T>(limitMs: number, work: () => T): T {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  const ms = Math.round((user + system) / 1000);
  assert.ok(ms <= limitMs, `the work took ${ms} ms of CPU time; the limit is ${limitMs} ms`);
  return result;
}
