import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StandBy } from '../../../src/speaker/stand-by.ts';
import type { HttpEndpoint } from '../../../src/telemetry/http-server.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const endpoint: HttpEndpoint = { port: 7472, close: async () => undefined };

/** A speaker that starts. With `hasPredecessor`, it starts beside another one. With `isPortTaken`, its port is taken until `freePort` is called. */
function speaker({ hasPredecessor = false, isPortTaken = false } = {}) {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const stopping = new AbortController();
  const outcome = Promise.withResolvers<'inherited' | 'without'>();
  const calls: string[] = [];
  let isTaken = isPortTaken;
  const standBy = new StandBy({
    successor: hasPredecessor
      ? { inSync: () => void calls.push('ready'), outcome: outcome.promise }
      : undefined,
    serve: async () => {
      if (!isTaken) return endpoint;
      const cause = Object.assign(new Error('bind'), { code: 'EADDRINUSE' });
      throw new Error('cannot listen on port 7472', { cause });
    },
    ...{ clock, logger, signal: stopping.signal },
  });
  /** Lets time pass in steps, so that each attempt to bind the port can fail or succeed. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      await turn();
    }
  };
  const begin = () => void calls.push('begin');
  const freePort = () => {
    isTaken = false;
  };
  return { standBy, outcome, calls, lines, pass, begin, freePort, stopping };
}

describe('a speaker that starts', () => {
  test('begins at once when it is alone', async () => {
    const { standBy, calls, begin } = speaker();
    assert.equal(await standBy.endpoint, endpoint);
    standBy.inSync(begin);
    assert.deepEqual(calls, ['begin']);
  });

  test('begins beside the earlier speaker when it has inherited the sessions', async () => {
    const { standBy, outcome, calls, begin, pass, freePort } = speaker({
      hasPredecessor: true,
      isPortTaken: true,
    });
    standBy.inSync(begin);
    await pass(60_000);
    assert.deepEqual(calls, ['ready']);
    outcome.resolve('inherited');
    await pass(100);
    assert.deepEqual(calls, ['ready', 'begin']);
    assert.equal(standBy.isAlone, false);
    freePort();
    await pass(200);
    assert.equal(standBy.isAlone, true);
    assert.deepEqual(calls, ['ready', 'begin']);
  });

  test('waits for the end of an earlier speaker that passes nothing on', async () => {
    const { standBy, outcome, calls, begin, pass, freePort } = speaker({
      hasPredecessor: true,
      isPortTaken: true,
    });
    standBy.inSync(begin);
    outcome.resolve('without');
    await pass(300_000);
    assert.deepEqual(calls, ['ready']);
    freePort();
    await pass(200);
    assert.deepEqual(calls, ['ready', 'begin']);
  });

  test('waits for the port when no speaker answers, and says so once', async () => {
    const { standBy, lines, calls, begin, pass, freePort } = speaker({ isPortTaken: true });
    await standBy.started;
    standBy.inSync(begin);
    await pass(30_000);
    assert.deepEqual(calls, []);
    assert.equal(
      lines.filter(({ msg }) => msg.includes('another process has the HTTP port of this speaker')).length,
      1,
    );
    freePort();
    await pass(200);
    assert.equal(await standBy.endpoint, endpoint);
    assert.deepEqual(calls, ['begin']);
  });

  test('gives up after two minutes when no speaker answers and the port stays taken', async () => {
    const { standBy, calls, begin, pass } = speaker({ isPortTaken: true });
    standBy.inSync(begin);
    const failed = assert.rejects(standBy.endpoint, /cannot listen on port 7472/);
    await pass(121_000);
    await failed;
    assert.deepEqual(calls, []);
  });

  test('does not begin after it has been stopped', async () => {
    const { standBy, outcome, calls, begin, pass, stopping } = speaker({
      hasPredecessor: true,
      isPortTaken: true,
    });
    standBy.inSync(begin);
    stopping.abort();
    outcome.resolve('without');
    await pass(1000);
    assert.equal(await standBy.endpoint, undefined);
    assert.deepEqual(calls, ['ready']);
  });
});
