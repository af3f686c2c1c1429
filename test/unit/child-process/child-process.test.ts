/** Real child processes, with delays in virtual time. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { afterEach, describe, test } from 'node:test';
import { ChildProcess } from '../../../src/child-process/child-process.ts';
import { eventually } from '../../support/eventually.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import type { FromObedientChild, ToObedientChild } from '../../support/obedient-child.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const program = new URL('../../support/obedient-child.ts', import.meta.url);
const stopMs = 6000;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('ChildProcess', () => {
  const running: Family[] = [];
  afterEach(async () => {
    for (const family of running.splice(0)) await family.end();
  });

  class Family {
    readonly clock = new VirtualClock();
    readonly log = memoryLogger();
    /** Process ids of the children that have reported. */
    readonly pids: number[] = [];
    starts = 0;
    onStarted: () => void = () => undefined;
    ends = 0;
    readonly child: ChildProcess<ToObedientChild, FromObedientChild>;

    constructor(file = program) {
      this.child = new ChildProcess<ToObedientChild, FromObedientChild>({
        name: 'test process',
        program: file,
        arguments: ['one', 'two'],
        logger: this.log.logger,
        clock: this.clock,
        onStarted: () => {
          this.starts++;
          this.onStarted();
        },
        onMessage: (message) => {
          if (message.kind === 'started') this.pids.push(message.pid);
          else this.child.answered(message.id, message.text);
        },
        onEnded: () => this.ends++,
        stopMessage: { kind: 'stop' },
        stopMs,
      });
      running.push(this);
    }

    async startAndMeet(): Promise<number> {
      const before = this.pids.length;
      this.child.start();
      return this.met(before + 1);
    }

    /** Waits until this many children have reported, and returns the process id of the last. */
    met(count: number): Promise<number> {
      return eventually(`child ${count} reports`, () => this.pids[count - 1]);
    }

    ended(count: number): Promise<boolean> {
      return eventually(`end ${count}`, () => this.ends === count);
    }

    repeat(text: string): Promise<string> {
      return this.child.ask((id) => ({ kind: 'repeat', id, text }));
    }

    async end(): Promise<void> {
      const gone = this.child.stop();
      this.clock.advance(stopMs);
      await gone;
    }
  }

  test('start runs the program with its arguments, and start again changes nothing', async () => {
    const family = new Family();
    await family.startAndMeet();
    family.child.start();
    assert.equal(await family.repeat('zero'), 'zero one two');
    assert.deepEqual([family.starts, family.pids.length], [1, 1]);
  });

  test('onStarted sends the first message that a process receives', async () => {
    const family = new Family();
    family.onStarted = () => family.child.send({ kind: 'exit', code: 3 });
    family.child.start();
    family.child.send({ kind: 'exit', code: 4 });
    await family.ended(1);
    assert.equal(family.log.lines.at(-1)?.reason, 'exit code 3');
    family.onStarted = () => undefined;
  });

  test('restarts a process that ended, after a delay that doubles up to 5 s', async () => {
    const family = new Family();
    await family.startAndMeet();
    const delays = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
    for (const [at, delayMs] of delays.entries()) {
      family.child.send({ kind: 'exit', code: 7 });
      await family.ended(at + 1);
      assert.deepEqual(family.child.unhealthy(), ['the test process is not running']);
      family.clock.advance(delayMs - 1);
      assert.equal(family.starts, at + 1);
      family.clock.advance(1);
      assert.equal(family.starts, at + 2);
      assert.deepEqual(family.child.unhealthy(), []);
      await family.met(at + 2);
    }
    assert.deepEqual(
      family.log.lines.map(({ msg, process, reason, retryInMs }) => [msg, process, reason, retryInMs]),
      delays.map((delayMs) => ['child process ended; restarting it', 'test process', 'exit code 7', delayMs]),
    );
  });

  test('begins with the shortest delay again when the process ran for more than 10 s', async () => {
    const family = new Family();
    await family.startAndMeet();
    family.child.send({ kind: 'exit', code: 1 });
    await family.ended(1);
    family.clock.advance(100);
    await family.met(2);
    family.clock.advance(10_001);
    family.child.send({ kind: 'exit', code: 1 });
    await family.ended(2);
    assert.equal(family.log.lines.at(-1)?.retryInMs, 100);
  });

  test('names the signal that ended the process', async () => {
    const family = new Family();
    process.kill(await family.startAndMeet(), 'SIGKILL');
    await family.ended(1);
    assert.equal(family.log.lines.at(-1)?.reason, 'SIGKILL');
  });

  test('restarts a process whose handler rejects', async () => {
    const family = new Family();
    await family.startAndMeet();
    family.child.send({ kind: 'throw' });
    await family.ended(1);
    family.clock.advance(100);
    await family.met(2);
  });

  test('fails the open questions when the process ends', async () => {
    const family = new Family();
    await family.startAndMeet();
    const answer = family.child.ask((id) => ({ kind: 'keep-silent', id }));
    family.child.send({ kind: 'exit', code: 0 });
    await assert.rejects(answer, /^Error: the test process has ended$/);
  });

  test('stop ends the process without a restart, and may be called again', async () => {
    const family = new Family();
    const pid = await family.startAndMeet();
    await Promise.all([family.child.stop(), family.child.stop()]);
    assert.equal(isAlive(pid), false);
    family.clock.advance(60_000);
    await family.child.stop();
    assert.deepEqual([family.starts, family.ends, family.log.lines.length], [1, 1, 0]);
    assert.deepEqual(family.child.unhealthy(), []);
  });

  test('stop kills a process that does not end in time', async () => {
    const family = new Family();
    const pid = await family.startAndMeet();
    family.child.send({ kind: 'hang' });
    const gone = family.child.stop();
    family.clock.advance(stopMs - 1);
    assert.equal(isAlive(pid), true);
    family.clock.advance(1);
    await gone;
    assert.equal(isAlive(pid), false);
  });

  test('stop while a restart waits leaves no process', async () => {
    const family = new Family();
    await family.startAndMeet();
    family.child.send({ kind: 'exit', code: 1 });
    await family.ended(1);
    await family.child.stop();
    family.clock.advance(60_000);
    assert.equal(family.starts, 1);
  });

  test('start during a stop runs a new process when the old one is gone, at once and without a complaint', async () => {
    const family = new Family();
    const old = await family.startAndMeet();
    const gone = family.child.stop();
    family.child.start();
    assert.equal(family.starts, 1);
    await gone;
    assert.deepEqual([family.starts, isAlive(old), family.log.lines.length], [2, false, 0]);
    assert.notEqual(await family.met(2), old);
  });

  test('start after a stop runs a new process', async () => {
    const family = new Family();
    await family.startAndMeet();
    await family.child.stop();
    await family.startAndMeet();
    assert.equal(await family.repeat('again'), 'again one two');
  });

  test('the end of the IPC channel ends the process', async () => {
    const child = fork(program, []);
    await new Promise((resolve) => child.once('message', resolve));
    const code = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    assert.equal(await code, 0);
  });
});
