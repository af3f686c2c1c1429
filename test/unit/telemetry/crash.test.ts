import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../../../src/', import.meta.url));

/** Runs a program that calls `endOnCrash` with the option `handOver` and then runs `body`. */
function run(handOver: string, body: string) {
  const program = `
    import { endOnCrash } from '${source}telemetry/crash.ts';
    import { FlightRecorder } from '${source}telemetry/flight-recorder.ts';
    import { systemClock } from '${source}clock.ts';
    import { createLogger } from '${source}log.ts';
    const recorder = new FlightRecorder({ clock: systemClock });
    endOnCrash({ logger: createLogger('layer2'), recorder, clock: systemClock, ${handOver} });
    setInterval(() => {}, 1000);
    ${body}`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, lines: stdout.trim().split('\n') };
}

for (const [kind, body] of [
  ['uncaughtException', `setTimeout(() => { throw new TypeError('odd') }, 10);`],
  ['unhandledRejection', `void Promise.reject(new TypeError('odd'));`],
] as const)
  test(`endOnCrash() logs the ${kind}, hands over, and ends the process with code 70`, () => {
    const { status, lines } = run(`handOver: async () => console.log('handed over')`, body);
    assert.equal(status, 70);
    const { component, msg, reason, stack, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, string>;
    assert.deepEqual([component, msg, reason, rest.kind], ['layer2', 'bug: the process ends', 'odd', kind]);
    assert.match(stack ?? '', /TypeError: odd/);
    assert.equal(lines[1], 'handed over');
  });

test('endOnCrash() ends the process even when handOver() fails', () => {
  const { status } = run(
    `handOver: () => Promise.reject(new Error('again'))`,
    `void Promise.reject(new Error('odd'));`,
  );
  assert.equal(status, 70);
});
