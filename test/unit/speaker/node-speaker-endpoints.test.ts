/** The endpoints of a Service with the policy Local change, in virtual time: what the peers receive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scene } from './scene.ts';

/** A Service with the policy Local and an endpoint on node-1 and node-2. */
function localScene(): Scene {
  const scene = new Scene();
  scene.add('own', '198.51.100.8', ['node-1', 'node-2'], 'Local');
  scene.take();
  return scene;
}

test('A node whose endpoints all terminate marks its routes and withdraws them after the drain delay', () => {
  const scene = localScene();
  scene.endpoints('own', 'node-1*', 'node-2');
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 marked localpref 0']);
  scene.clock.advance(9_999);
  assert.deepEqual(scene.take(), []);
  scene.clock.advance(1);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.8/32']);
  assert.match(scene.speaker.refusals()[0]?.reason ?? '', /only terminating endpoints/);
  assert.deepEqual(scene.reasons(), []);
});

test('A node whose last endpoint ends during the drain delay withdraws at once', () => {
  const scene = localScene();
  scene.endpoints('own', 'node-1*', 'node-2');
  scene.take();
  scene.endpoints('own', 'node-2');
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.8/32']);
  scene.clock.advance(60_000);
  assert.deepEqual(scene.take(), []);
});

test('A node whose endpoints all terminate announces as before when no other node has an endpoint that stays', () => {
  const scene = localScene();
  scene.endpoints('own', 'node-1*', 'node-2');
  scene.take();
  scene.endpoints('own', 'node-1*', 'node-2*');
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 plain']);
  scene.clock.advance(60_000);
  assert.deepEqual(scene.take(), []);
});
