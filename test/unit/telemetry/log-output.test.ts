import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LogOutput } from '../../../src/telemetry/log-output.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass } from '../../support/virtual-run.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A test sets `state.fault` to the error code with which all writes fail, and `state.room` to the number of octets that writes still take. */
function setUp(maxQueuedOctets?: number) {
  const clock = new VirtualClock();
  const state = { text: '', fault: undefined as string | undefined, room: Number.POSITIVE_INFINITY };
  const output = new LogOutput({
    clock,
    write: (octets) => {
      if (state.fault !== undefined) throw systemError(state.fault);
      if (state.room === 0) throw systemError('EAGAIN');
      const taken = octets.subarray(0, state.room);
      state.room -= taken.length;
      state.text += Buffer.from(taken).toString();
      return taken.length;
    },
    ...(maxQueuedOctets === undefined ? {} : { maxQueuedOctets }),
  });
  return { clock, state, output };
}

test('LogOutput writes lines in order', () => {
  const { state, output } = setUp();
  output.write('one\n');
  output.write('two\n');
  assert.equal(state.text, 'one\ntwo\n');
});

test('LogOutput keeps lines for a slow reader, and continues in the middle of a line', async () => {
  const { clock, state, output } = setUp();
  state.room = 2;
  output.write('one\n');
  output.write('two\n');
  assert.equal(state.text, 'on');
  state.room = Number.POSITIVE_INFINITY;
  await pass(clock, 100);
  assert.equal(state.text, 'one\ntwo\n');
  assert.equal(output.lost, 0);
});

test('LogOutput counts the lines lost to a full disk, and reports the count once it can write', () => {
  const { state, output } = setUp();
  state.fault = 'ENOSPC';
  output.write('one\n');
  output.write('two\n');
  assert.equal(output.lost, 2);
  state.fault = undefined;
  output.write('three\n');
  const [first, second, ...rest] = state.text.trimEnd().split('\n');
  assert.equal(first, 'three');
  assert.deepEqual(JSON.parse(second ?? '').lines, 2);
  output.write('four\n');
  assert.deepEqual([rest, state.text.endsWith('four\n')], [[], true]);
});

/** An output that lost a line to a full disk. It then wrote the next line and the first `octets` octets of the report about the loss. */
function setUpHalfReport(octets: number) {
  const { clock, state, output } = setUp();
  state.fault = 'ENOSPC';
  output.write('one\n');
  state.fault = undefined;
  state.room = 'two\n'.length + octets;
  output.write('two\n');
  state.room = 0;
  return { clock, state, output };
}

for (const octets of [0, 10])
  test(`LogOutput writes the rest of a report that stopped after ${octets} octets, without waiting for another line`, async () => {
    const { clock, state, output } = setUpHalfReport(octets);
    await pass(clock, 100);
    assert.equal(state.text.length, 'two\n'.length + octets);
    state.room = Number.POSITIVE_INFINITY;
    await pass(clock, 100);
    output.write('three\n');
    const [first, report, ...rest] = state.text.trimEnd().split('\n');
    assert.deepEqual([first, ...rest], ['two', 'three'], 'the report is written once');
    assert.equal(JSON.parse(report ?? '').lines, 1);
  });

test('LogOutput begins a new line after a line that a full disk cut off', async () => {
  const { clock, state, output } = setUp();
  state.room = 2;
  output.write('one\n');
  state.fault = 'ENOSPC';
  await pass(clock, 100);
  state.fault = undefined;
  state.room = Number.POSITIVE_INFINITY;
  output.write('two\n');
  const [first, second, report] = state.text.trimEnd().split('\n');
  assert.deepEqual([first, second], ['on', 'two']);
  assert.equal(JSON.parse(report ?? '').lines, 1);
});

test('LogOutput repeats a report that fails', async () => {
  const { clock, state, output } = setUpHalfReport(10);
  state.fault = 'ENOSPC';
  await pass(clock, 100);
  state.fault = undefined;
  state.room = Number.POSITIVE_INFINITY;
  output.write('three\n');
  assert.equal(output.lost, 1, 'a failed report does not count as a lost line');
  assert.equal(JSON.parse(state.text.trimEnd().split('\n').at(-1) ?? '').lines, 1);
});

test('when the reader has stopped, LogOutput drops lines once its queue is full', () => {
  // The queue has room for two of the lines.
  const { state, output } = setUp(10);
  state.room = 0;
  for (let i = 0; i < 1000; i++) output.write('four\n');
  assert.equal(output.lost, 998);
});

test('a controller whose standard output is full still stops on SIGTERM', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:9' } }],
      users: [{ name: 'u', user: {} }],
    }),
  );
  const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
  const port = await freePort();
  const flags = `controller --kubeconfig ${kubeconfig} --metrics-address 127.0.0.1:${port}`;
  const child = spawn('sh', ['-c', `exec '${process.execPath}' '${main}' ${flags} >/dev/full`], {
    stdio: 'ignore',
  });
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  await eventually('the endpoint', async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok);
  assert.ok(isRunning(), 'a full disk does not end the process');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});
