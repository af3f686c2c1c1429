import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FromLayer2 } from '../../../src/layer2/messages.ts';
import { UnknownKeyLog } from '../../../src/layer2/unknown-key-log.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

test('UnknownKeyLog logs and reports each speaker at most every ten minutes', () => {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const reports: FromLayer2[] = [];
  const log = new UnknownKeyLog(clock, logger, (message) => reports.push(message));
  for (let second = 0; second < 900; second++) {
    log.note('node-2');
    if (second === 300) log.note('node-3');
    clock.advance(1000);
  }
  const nodes = ['node-2', 'node-3', 'node-2'];
  assert.deepEqual(
    lines.map(({ node }) => node),
    nodes,
  );
  assert.deepEqual(
    reports,
    nodes.map((node) => ({ kind: 'unknown-key', node })),
  );
});
