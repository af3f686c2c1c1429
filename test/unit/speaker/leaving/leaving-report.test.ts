import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventRecord } from '../../../../src/kubernetes/events.ts';
import { LeavingReport } from '../../../../src/speaker/leaving/leaving-report.ts';
import type { Leaving } from '../../../../src/speaker/plan/leaving.ts';
import { memoryLogger } from '../../../support/memory-logger.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const leaving: Leaving = { cause: 'cordon', reason: 'is cordoned', field: 'spec.unschedulable' };

function setUp() {
  const { logger, lines } = memoryLogger();
  const events: EventRecord[] = [];
  const report = new LeavingReport({
    clock: new VirtualClock(),
    events: { record: (event) => void events.push(event) },
    node: () => ({ name: 'node-1', uid: 'u' }),
    logger,
  });
  const update = (isLeaving: boolean, ...heldByFloor: readonly string[]) =>
    report.update({
      leaving: isLeaving ? leaving : undefined,
      isDraining: false,
      draining: [],
      isHeldByFloor: heldByFloor.length > 0,
      heldByFloor,
    });
  return {
    update,
    events: () => events.map(({ reason }) => reason),
    messages: () => lines.map(({ msg }) => msg),
  };
}

const takenOver = 'other nodes announce all addresses of this node now';

test('the log says when other nodes announce all addresses that the floor held on a leaving node', () => {
  const { update, events, messages } = setUp();
  update(true, '192.0.2.1', '192.0.2.2');
  update(true, '192.0.2.2');
  assert.deepEqual(events(), ['NodeLeaving', 'DrainBlocked']);
  assert.ok(!messages().includes(takenOver));
  update(true);
  assert.equal(messages().at(-1), takenOver);
});

test('the log does not say that other nodes announce the addresses of a node that does not leave any more', () => {
  const { update, events, messages } = setUp();
  update(true, '192.0.2.1');
  // The Node changes first. The floor holds the address until the plans of the Services are made again.
  update(false, '192.0.2.1');
  update(false);
  assert.deepEqual(events(), ['NodeLeaving', 'DrainBlocked', 'NodeReturned']);
  assert.equal(messages().at(-1), 'this node does not leave any more');
  update(true, '192.0.2.1');
  assert.equal(events().at(-1), 'DrainBlocked');
});
