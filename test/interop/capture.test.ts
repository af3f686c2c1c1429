/** Captures on real links: after an hour of silence, after a link failure, after a stall of the process, and when the captures are closed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { type Capture, openCapture } from '../../src/link/capture.ts';
import { eventually } from '../support/eventually.ts';
import { captured, frame } from '../support/neighbour-frames.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const run = promisify(execFile);
const request = frame(captured.arpRequest);

before(async () => {
  assert.ok(process.env.BELLMAN_WORLD, 'run under lab/world');
  await run('ip', ['link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far']);
  for (const end of ['near', 'far']) await run('ip', ['link', 'set', end, 'up']);
});

/** Opens a capture on `near` with a virtual clock. */
function listen(): {
  readonly clock: VirtualClock;
  readonly heard: number[];
  readonly lost: string[];
  readonly near: Capture;
} {
  const clock = new VirtualClock();
  const heard: number[] = [];
  const lost: string[] = [];
  const near = openCapture({
    interface: 'near',
    filter: 'arp',
    clock,
    onFrame: (_frame, length) => heard.push(length),
    onLost: (reason) => lost.push(reason),
  });
  return { clock, heard, lost, near };
}

/** Opens the other end of the cable for sending. */
function speak(): Capture {
  return openCapture({
    interface: 'far',
    filter: 'less 1',
    clock: systemClock,
    onFrame: () => {},
    onLost: () => {},
  });
}

test('a capture delivers even the first frame that is sent after its opening', async () => {
  for (let i = 0; i < 10; i++) {
    const { near, heard } = listen();
    const far = speak();
    assert.ok(far.send(request));
    await eventually('the frame', () => heard.length === 1);
    near.close();
    far.close();
  }
});

test('a capture reports how long a frame waited while the process was stalled', async () => {
  const agesMs: number[] = [];
  const near = openCapture({
    interface: 'near',
    filter: 'arp',
    clock: systemClock,
    onFrame: (_frame, _length, ageMs) => agesMs.push(ageMs),
    onLost: () => {},
  });
  const far = speak();
  far.send(request);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  far.send(request);
  await eventually('both frames', () => agesMs.length === 2);
  const [old = 0, fresh = 0] = agesMs;
  assert.ok(old >= 299 && old < 60_000, `${old} ms`);
  assert.ok(fresh > -1 && fresh < old - 250, `${fresh} ms`);
  near.close();
  far.close();
});

test('a capture delivers a frame after an hour of silence', async () => {
  const { clock, near, heard, lost } = listen();
  const far = speak();
  clock.advance(3_600_000);
  assert.deepEqual(lost, []);
  assert.ok(far.send(request));
  await eventually('the frame', () => heard.length === 1);
  near.close();
  far.close();
});

test('a capture that stays open while its link goes down and up delivers frames or reports itself lost', async () => {
  const { clock, near, heard, lost } = listen();
  await run('ip', ['link', 'set', 'near', 'down']);
  await run('ip', ['link', 'set', 'near', 'up']);
  const far = speak();
  await eventually('a frame or the report', () => {
    far.send(request);
    clock.advance(1000);
    return heard.length > 0 || lost.length > 0;
  });
  near.close();
  far.close();
});

test('captures release their descriptors whatever happens to the link', async () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = descriptors();
  for (const [down, up] of [
    [[], []],
    [
      ['link', 'set', 'near', 'down'],
      ['link', 'set', 'near', 'up'],
    ],
    [
      ['link', 'delete', 'near'],
      ['link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far'],
    ],
  ] as const) {
    const { near } = listen();
    const far = speak();
    assert.equal(descriptors(), before + 2);
    if (down.length > 0) await run('ip', [...down]);
    near.close();
    far.close();
    await eventually('the descriptors', () => descriptors() <= before);
    if (up.length > 0) await run('ip', [...up]);
    for (const end of ['near', 'far']) await run('ip', ['link', 'set', end, 'up']);
  }
});

test('a capture with a filter that is too long for the kernel releases its descriptor even while the link is down', async () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  const hosts = Array.from({ length: 3000 }, (_, i) => `(arp host 10.${i >> 8}.${i & 255}.1)`);
  const near = openCapture({
    interface: 'near',
    filter: hosts.join(' or '),
    clock: systemClock,
    onFrame: () => {},
    onLost: () => {},
  });
  assert.equal(descriptors(), before + 1);
  await run('ip', ['link', 'set', 'near', 'down']);
  near.close();
  await eventually('the descriptor', () => descriptors() <= before);
  await run('ip', ['link', 'set', 'near', 'up']);
});

test('a capture of a missing interface cannot be opened', () => {
  assert.throws(() =>
    openCapture({
      interface: 'nowhere',
      filter: 'arp',
      clock: systemClock,
      onFrame: () => {},
      onLost: () => {},
    }),
  );
});
