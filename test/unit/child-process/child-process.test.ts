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
  const running: Fixture[] = [];
  afterEach(async () => {
    for (const fixture of running.splice(0)) await fixture.end();
  });

  class Fixture {
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

  test('start runs the program with its arguments, and a second start changes nothing', async () => {
    const fixture = new Fixture();
    await fixture.startAndMeet();
    fixture.child.start();
    assert.equal(await fixture.repeat('zero'), 'zero one two');
    assert.deepEqual([fixture.starts, fixture.pids.length], [1, 1]);
  });

  test('onStarted sends the first message that a process receives', async () => {
    const fixture = new Fixture();
    fixture.onStarted = () => fixture.child.send({ kind: 'exit', code: 3 });
    fixture.child.start();
    fixture.child.send({ kind: 'exit', code: 4 });
    await fixture.ended(1);
    assert.equal(fixture.log.lines.at(-1)?.reason, 'exit code 3');
    fixture.onStarted = () => undefined;
  });

  test('restarts a process that ended, after a delay that doubles up to 5 s', async () => {
    const fixture = new Fixture();
    await fixture.startAndMeet();
    const delays = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
    for (const [at, delayMs] of delays.entries()) {
      fixture.child.send({ kind: 'exit', code: 7 });
      await fixture.ended(at + 1);
      assert.deepEqual(fixture.child.unhealthy(), ['the test process is not running']);
      fixture.clock.advance(delayMs - 1);
      assert.equal(fixture.starts, at + 1);
      fixture.clock.advance(1);
      assert.equal(fixture.starts, at + 2);
      assert.deepEqual(fixture.child.unhealthy(), []);
      await fixture.met(at + 2);
    }
    assert.deepEqual(
      fixture.log.lines.map(({ msg, process, reason, retryInMs }) => [msg, process, reason, retryInMs]),
      delays.map((delayMs) => ['child process ended; restarting it', 'test process', 'exit code 7', delayMs]),
    );
  });

  test('begins with the shortest delay again when the process ran for more than 10 s', async () => {
    const fixture = new Fixture();
    await fixture.startAndMeet();
    fixture.child.send({ kind: 'exit', code: 1 });
    await fixture.ended(1);
    fixture.clock.advance(100);
    await fixture.met(2);
    fixture.clock.advance(10_001);
    fixture.child.send({ kind: 'exit', code: 1 });
    await fixture.ended(2);
    assert.equal(fixture.log.lines.at(-1)?.retryInMs, 100);
  });

  test('names the signal that ended the process', async () => {
    const fixture = new Fixture();
    process.kill(await fixture.startAndMeet(), 'SIGKILL');
    await fixture.ended(1);
    assert.equal(fixture.log.lines.at(-1)?.reason, 'SIGKILL');
  });

  test('restarts a process that ended because its message handler rejected', async () => {
    const fixture = new Fixture();
    await fixture.startAndMeet();
    fixture.child.send({ kind: 'throw' });
    await fixture.ended(1);
    fixture.clock.advance(100);
    await fixture.met(2);
  });

  test('fails the open questions when the process ends', async () => {
    const fixture = new Fixture();
    await fixture.startAndMeet();
    const answer = fixture.child.ask((id) => ({ kind: 'keep-silent', id }));
    fixture.child.send({ kind: 'exit', code: 0 });
    await assert.rejects(answer, /^Error: the test process has ended$/);
  });

  test('stop ends the process without a restart, and may be called again', async () => {
    const fixture = new Fixture();
    const pid = await fixture.startAndMeet();
    await Promise.all([fixture.child.stop(), fixture.child.stop()]);
    assert.equal(isAlive(pid), false);
    fixture.clock.advance(60_000);
    await fixture.child.stop();
    assert.deepEqual([fixture.starts, fixture.ends, fixture.log.lines.length], [1, 1, 0]);
    assert.deepEqual(fixture.child.unhealthy(), []);
  });

  test('stop kills a process that does not end in time', async () => {
    const fixture = new Fixture();
    const pid = await fixture.startAndMeet();
    fixture.child.send({ kind: 'hang' });
    const gone = fixture.child.stop();
    fixture.clock.advance(stopMs - 1);
    assert.equal(isAlive(pid), true);
    fixture.clock.advance(1);
    await gone;
    assert.equal(isAlive(pid), false);
  });

  test('stop cancels a restart that waits for its delay', async () => {
    const fixture = new Fixture();
    await fixture.startAndMeet();
    fixture.child.send({ kind: 'exit', code: 1 });
    await fixture.ended(1);
    await fixture.child.stop();
    fixture.clock.advance(60_000);
    assert.equal(fixture.starts, 1);
  });

  test('start during a stop runs a new process as soon as the old one is gone, and logs nothing', async () => {
    const fixture = new Fixture();
    const old = await fixture.startAndMeet();
    const gone = fixture.child.stop();
    fixture.child.start();
    assert.equal(fixture.starts, 1);
    await gone;
    assert.deepEqual([fixture.starts, isAlive(old), fixture.log.lines.length], [2, false, 0]);
    assert.notEqual(await fixture.met(2), old);
  });

  test('start after a stop runs a new process', async () => {
    const fixture = new Fixture();
    await fixture.startAndMeet();
    await fixture.child.stop();
    await fixture.startAndMeet();
    assert.equal(await fixture.repeat('again'), 'again one two');
  });

  test('the end of the IPC channel ends the process', async () => {
    const child = fork(program, []);
    await new Promise((resolve) => child.once('message', resolve));
    const code = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    assert.equal(await code, 0);
  });
});
