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
  const clock = new VirtualClock();
  const events: EventRecord[] = [];
  const report = new LeavingReport({
    clock,
    events: { record: (event) => void events.push(event) },
    node: () => ({ name: 'node-1', uid: 'u' }),
    logger,
  });
  const leavesFor = (cause: Leaving | undefined, ...heldByFloor: readonly string[]) =>
    report.update({
      leaving: cause,
      isDraining: false,
      draining: [],
      isHeldByFloor: heldByFloor.length > 0,
      heldByFloor,
    });
  const update = (isLeaving: boolean, ...heldByFloor: readonly string[]) =>
    leavesFor(isLeaving ? leaving : undefined, ...heldByFloor);
  return {
    ...{ clock, report, update, leavesFor },
    events: () => events.map(({ reason }) => reason),
    messages: () => lines.map(({ msg }) => msg),
  };
}

const takenOver = 'this node leaves, and the floor holds none of its addresses any more';

test('the log says when the floor stops holding addresses on a leaving node', () => {
  const { update, events, messages } = setUp();
  update(true, '192.0.2.1', '192.0.2.2');
  update(true, '192.0.2.2');
  assert.deepEqual(events(), ['NodeLeaving', 'DrainBlocked']);
  assert.ok(!messages().includes(takenOver));
  update(true);
  assert.equal(messages().at(-1), takenOver);
});

test('the log says that routes are withdrawn when their drain ends, but not when the floor begins to hold them', () => {
  const { report, messages } = setUp();
  const drain = { leaving, isDraining: true, draining: ['192.0.2.1'], isHeldByFloor: false, heldByFloor: [] };
  const none = { ...drain, isDraining: false, draining: [] };
  report.update(drain);
  report.update({ ...none, isHeldByFloor: true, heldByFloor: ['192.0.2.1'] });
  const withdrawn = 'the routes of this node are withdrawn';
  assert.ok(!messages().includes(withdrawn));
  report.update(drain);
  report.update(none);
  assert.equal(messages().at(-1), withdrawn);
});

test('when the node returns, the log does not also say that the floor holds none of its addresses any more', () => {
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

test('the report says when the present cause began: the time in the Node object, or else when this speaker first saw the cause', () => {
  const { clock, report, leavesFor } = setUp();
  const maintenance: Leaving = { cause: 'maintenance', reason: 'is in maintenance', field: '' };
  const since = (cause: Leaving) => {
    clock.advance(60_000);
    leavesFor(cause);
    return report.since.slice(11, 19);
  };
  assert.equal(
    since({ ...leaving, cause: 'taint', reason: 'is tainted', since: '2026-01-01T00:00:30Z' }),
    '00:00:30',
  );
  assert.equal(since(leaving), '00:02:00');
  assert.equal(since(maintenance), '00:03:00');
  assert.equal(since({ ...maintenance, reason: 'is in maintenance: new kernel' }), '00:03:00');
});
