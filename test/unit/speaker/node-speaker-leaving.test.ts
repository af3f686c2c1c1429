/** A node that leaves and returns, in virtual time: the routes that the peers receive, and the events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { config, pool } from './fixtures.ts';
import { all, Scene, settings } from './scene.ts';

const leaves = { annotations: { 'bellman.dev/maintenance': 'new kernel' } };

test('A node that leaves marks its routes, withdraws them after the drain delay, and announces them again when it returns', () => {
  const scene = new Scene();
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 plain']);
  scene.set('node-1', leaves);
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 marked localpref 0']);
  assert.deepEqual(scene.speaker.leavingState.draining, ['198.51.100.7']);
  scene.clock.advance(9_999);
  assert.deepEqual(scene.take(), []);
  scene.clock.advance(1);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.7/32']);
  assert.deepEqual(scene.speaker.leavingState.draining, []);
  assert.equal(scene.speaker.results.advertised().size, 0);
  assert.match(
    scene.speaker.results.refusals()[0]?.reason ?? '',
    /node-1 leaves: it is in maintenance.*new kernel/,
  );
  scene.clock.advance(3_600_000);
  assert.deepEqual(scene.take(), []);
  scene.set('node-1', {});
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 plain']);
});

test('A node that returns during the drain delay announces its routes as before', () => {
  const scene = new Scene();
  scene.set('node-1', leaves);
  scene.clock.advance(5_000);
  scene.take();
  scene.set('node-1', {});
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 plain']);
  scene.clock.advance(60_000);
  assert.deepEqual(scene.take(), []);
  scene.set('node-1', leaves);
  scene.take();
  scene.clock.advance(9_999);
  assert.deepEqual(scene.take(), []);
});

test('The drain adds MED and prepends as configured, and takes the delay of the configuration', () => {
  const drain = { ...settings.drain, delaySeconds: 2, med: 500, asPathPrepend: 3 };
  const scene = new Scene({}, { ...settings, drain });
  scene.take();
  scene.set('node-1', leaves);
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 marked localpref 0 med 500 prepend 3']);
  scene.clock.advance(2_000);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.7/32']);
});

test('With a drain delay of zero a node that leaves withdraws at once', () => {
  const scene = new Scene({}, { ...settings, drain: { ...settings.drain, delaySeconds: 0 } });
  scene.take();
  scene.set('node-1', leaves);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.7/32']);
});

test('A speaker that starts on a leaving node announces nothing, not even a Service that is added later', () => {
  const scene = new Scene(leaves);
  scene.add('late', '198.51.100.8');
  assert.deepEqual(scene.take(), []);
  assert.deepEqual(scene.reasons(), ['NodeLeaving']);
});

test('When all nodes should leave, none stops announcing: routes are plain again, and the event DrainBlocked says why', () => {
  const scene = new Scene();
  scene.take();
  for (const name of all) scene.set(name, leaves);
  assert.equal(scene.take().at(-1), 'announce 198.51.100.7/32 plain');
  scene.clock.advance(60_000);
  assert.deepEqual(scene.take(), []);
  assert.deepEqual(scene.speaker.leavingState.heldByFloor, ['198.51.100.7']);
  assert.deepEqual(scene.reasons(), ['NodeLeaving', 'DrainBlocked']);
});

test('A node without a speaker does not count for the floor, so a node that leaves keeps its routes until another speaker is there', () => {
  const scene = new Scene();
  scene.speaker.setSpeakers(new Set(['node-1']));
  scene.take();
  scene.set('node-1', leaves);
  scene.clock.advance(60_000);
  assert.deepEqual(scene.take(), []);
  assert.deepEqual(scene.reasons(), ['NodeLeaving', 'DrainBlocked']);
  scene.speaker.setSpeakers(new Set(['node-1', 'node-2']));
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 marked localpref 0']);
  scene.clock.advance(10_000);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.7/32']);
  scene.speaker.setSpeakers(new Set(['node-1']));
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 plain']);
  scene.speaker.setSpeakers(undefined);
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 marked localpref 0']);
});

test('In layer 2, only the node that answers for an address says that the floor keeps it there', () => {
  const scene = new Scene({}, config([pool('public', ['198.51.100.0/24'], { protocols: ['layer2'] })]));
  for (const name of all) scene.set(name, leaves);
  scene.clock.advance(1);
  assert.deepEqual(scene.speaker.leavingState.heldByFloor, []);
  assert.deepEqual(scene.reasons(), ['NodeLeaving']);
  scene.speaker.setAnswering('198.51.100.7', true);
  scene.clock.advance(1);
  assert.deepEqual(scene.speaker.leavingState.heldByFloor, ['198.51.100.7']);
  assert.deepEqual(scene.reasons(), ['DrainBlocked']);
  scene.speaker.setAnswering('198.51.100.7', false);
  scene.clock.advance(1);
  assert.deepEqual(scene.speaker.leavingState.heldByFloor, []);
});

test('An address that the floor has held drains for the whole delay when another node no longer leaves', () => {
  const scene = new Scene();
  for (const name of all) scene.set(name, leaves);
  scene.clock.advance(60_000);
  scene.take();
  scene.set('node-3', {});
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 marked localpref 0']);
  scene.clock.advance(10_000);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.7/32']);
});

test('A node that has left announces again when no other node can any more', () => {
  const scene = new Scene();
  scene.set('node-1', leaves);
  scene.clock.advance(10_000);
  scene.take();
  scene.set('node-2', { ready: false });
  assert.deepEqual(scene.take(), []);
  scene.set('node-3', { ready: false });
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 plain']);
});

test('A node that leaves keeps announcing a Local Service while no other node has an endpoint of it, and drains the other Services', () => {
  const scene = new Scene();
  scene.add('own', '198.51.100.8', ['node-1'], 'Local');
  scene.take();
  scene.set('node-1', leaves);
  assert.deepEqual(scene.take(), ['announce 198.51.100.7/32 marked localpref 0']);
  scene.clock.advance(10_000);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.7/32']);
  assert.deepEqual(scene.speaker.leavingState.heldByFloor, ['198.51.100.8']);
  scene.add('own', '198.51.100.8', ['node-1', 'node-2'], 'Local');
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 marked localpref 0']);
});

test('A leaving node does not mark a route that two Services share while it must keep one of the Services', () => {
  const aggregated = pool('public', ['198.51.100.0/24']);
  const bgpAdvertisements = aggregated.bgpAdvertisements.map((each) => ({ ...each, aggregationLength: 24 }));
  const scene = new Scene({}, config([{ ...aggregated, bgpAdvertisements }]));
  scene.add('own', '198.51.100.8', ['node-1'], 'Local');
  scene.take();
  scene.set('node-1', leaves);
  scene.clock.advance(60_000);
  assert.deepEqual(scene.take(), []);
});

test('The report gives the time at which the node began to leave, and one event for each change', () => {
  const scene = new Scene();
  scene.clock.advance(1_000);
  scene.set('node-1', leaves);
  assert.equal(scene.report.since, '2026-01-01T00:00:01.000Z');
  scene.set('node-1', { ...leaves, labels: { rack: 'a' } });
  scene.set('node-1', {});
  assert.deepEqual(
    scene.events.map(({ reason, type, message }) => [reason, type, message]),
    [
      ['NodeLeaving', 'Normal', 'node node-1 leaves: it is in maintenance by annotation: new kernel'],
      ['NodeReturned', 'Normal', 'node node-1 does not leave any more'],
    ],
  );
  scene.set('node-1', { deletedAt: '2025-12-31T23:00:00Z' });
  assert.equal(scene.report.since, '2025-12-31T23:00:00Z');
});
