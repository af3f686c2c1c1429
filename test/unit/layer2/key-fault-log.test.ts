import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyFaultLog } from '../../../src/layer2/key-fault-log.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const absent = 'Secret bellman-membership does not exist';
const waiting = `info waiting for membership keys: ${absent}`;
const missing = `error no membership keys; this speaker answers for no layer-2 address: ${absent}`;

/** A key fault log. `take` returns its new lines as `level message: reason`. */
function keyFaultLog() {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const log = new KeyFaultLog(clock, logger);
  const take = () => lines.splice(0).map(({ level, msg, reason }) => `${level} ${msg}: ${String(reason)}`);
  return { clock, log, take };
}

test('KeyFaultLog logs no error when the keys arrive within ten seconds after the start', () => {
  const { clock, log, take } = keyFaultLog();
  clock.advance(1000);
  log.update(absent, false);
  assert.deepEqual(take(), [waiting]);
  clock.advance(8999);
  log.update(undefined, false);
  clock.advance(60_000);
  assert.deepEqual(take(), []);
});

test('KeyFaultLog logs one error when the keys are still missing ten seconds after the start', () => {
  const { clock, log, take } = keyFaultLog();
  log.update(absent, false);
  clock.advance(9999);
  log.update(absent, false);
  assert.deepEqual(take(), [waiting]);
  clock.advance(1);
  assert.deepEqual(take(), [missing]);
  clock.advance(60_000);
  assert.deepEqual(take(), []);
});

test('KeyFaultLog logs an error at once when keys are first reported missing ten seconds or more after the start', () => {
  const { clock, log, take } = keyFaultLog();
  clock.advance(10_000);
  log.update(absent, false);
  assert.deepEqual(take(), [missing]);
});

test('KeyFaultLog logs an error at once when usable keys are replaced by unusable ones', () => {
  const { log, take } = keyFaultLog();
  log.update(undefined, false);
  log.update(absent, true);
  assert.deepEqual(take(), [`error membership keys rejected; the earlier keys stay in use: ${absent}`]);
});

test('KeyFaultLog logs nothing after close()', () => {
  const { clock, log, take } = keyFaultLog();
  log.update(absent, false);
  log.close();
  clock.advance(60_000);
  assert.deepEqual(take(), [waiting]);
});
