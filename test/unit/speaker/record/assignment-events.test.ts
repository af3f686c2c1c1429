import assert from 'node:assert/strict';
import test from 'node:test';
import type { EventRecord } from '../../../../src/kubernetes/events.ts';
import {
  AssignmentEvents,
  allowanceAt,
  fullAllowance,
} from '../../../../src/speaker/record/assignment-events.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';
import { pass } from '../../../support/virtual-run.ts';

const known = { name: 'node-1', uid: 'u' };

function setUp(node: () => typeof known | undefined = () => known) {
  const clock = new VirtualClock();
  const recorded: EventRecord[] = [];
  const events = new AssignmentEvents({
    clock,
    events: { record: (event) => void recorded.push(event) },
    node,
  });
  const event = (reason: EventRecord['reason'], index: number): EventRecord => ({
    regarding: { kind: 'Service', namespace: 'default', name: `s${index}`, uid: `u${index}` },
    type: 'Normal',
    reason,
    message: `event ${index}`,
  });
  const assign = (count: number) => {
    for (let index = 0; index < count; index++) events.record(event('NodeAssigned', index));
  };
  const count = (reason: EventRecord['reason']) => recorded.filter((each) => each.reason === reason).length;
  return { clock, recorded, events, event, assign, count };
}

test('each address has an event when a node begins to answer for a hundred at once', async () => {
  const { assign, recorded, clock, count } = setUp();
  assign(100);
  await pass(clock, 60_000);
  assert.equal(count('NodeAssigned'), 100);
  assert.equal(recorded.length, 100);
});

test('each of the first hundred addresses has an event, and one event on the Node counts the others', async () => {
  const { assign, recorded, clock, count } = setUp();
  assign(3000);
  await pass(clock, 4000);
  assign(2000);
  await pass(clock, 4000);
  assert.equal(count('ManyAssigned'), 0);
  await pass(clock, 60_000);
  // The allowance has grown by one event a second in the 4 s between the two calls of `assign`.
  assert.equal(count('NodeAssigned'), 104);
  const last = recorded.at(-1);
  assert.equal(last?.regarding.kind, 'Node');
  assert.equal(
    last?.message,
    'node node-1 answers for 4896 more addresses; the annotation bellman.dev/announcing of each Service names the node',
  );
  assert.equal(count('ManyAssigned'), 1);
});

test('events with other reasons are not limited', () => {
  const { events, event, count, assign } = setUp();
  assign(200);
  for (let index = 0; index < 300; index++) events.record(event('NodeUnassigned', index));
  assert.equal(count('NodeUnassigned'), 300);
});

test('without a Node object there is no event on the Node', async () => {
  const { assign, clock, count, recorded } = setUp(() => undefined);
  assign(101);
  await pass(clock, 60_000);
  assert.equal(count('NodeAssigned'), 100);
  assert.equal(recorded.length, 100);
});

test('the event on the Node waits until the Node is known', async () => {
  let node: typeof known | undefined;
  const { assign, clock, count, recorded } = setUp(() => node);
  assign(103);
  await pass(clock, 12_000);
  assert.equal(count('ManyAssigned'), 0);
  node = known;
  await pass(clock, 60_000);
  assert.equal(count('ManyAssigned'), 1);
  assert.match(recorded.at(-1)?.message ?? '', /answers for 3 more addresses/);
});

test('the allowance grows to its limit and not beyond', () => {
  assert.equal(allowanceAt({ events: 0, atMs: 1000 }, 3000).events, 2);
  assert.deepEqual(allowanceAt(fullAllowance, 1e9), { events: 100, atMs: 1e9 });
});
