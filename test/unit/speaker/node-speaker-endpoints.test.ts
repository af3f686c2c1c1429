/** The routes that the peers receive when the endpoints of a Service with the policy Local change, in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Config } from '../../../src/config/config.ts';
import { all, Scene, settings } from './scene.ts';

const delayed: Config = { ...settings, announceDelaySeconds: 5 };

/** A Service with the policy Local, and an endpoint on each of the nodes. */
function localScene(inForce = settings, nodes: readonly string[] = ['node-1', 'node-2']): Scene {
  const scene = new Scene({}, inForce);
  scene.add('own', '198.51.100.8', nodes, 'Local');
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
  assert.match(scene.speaker.results.refusals()[0]?.reason ?? '', /only terminating endpoints/);
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

test('A node whose first endpoint has become ready waits for announce-delay while another node serves', () => {
  const scene = localScene(delayed, ['node-2']);
  scene.endpoints('own', 'node-1', 'node-2');
  assert.deepEqual(scene.take(), []);
  const [refusal] = scene.speaker.results.refusals();
  assert.equal(refusal?.cause, 'announce-delay');
  assert.equal(refusal?.reason, 'node node-1 waits until 2026-01-01T00:00:05.000Z for announce-delay');
  scene.clock.advance(4_999);
  assert.deepEqual(scene.take(), []);
  scene.clock.advance(1);
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 plain']);
  assert.deepEqual(scene.speaker.results.refusals(), []);
});

test('A node waits again after it had no ready endpoint, but not while one of its endpoints stays ready', () => {
  const scene = localScene(delayed, ['node-1', 'node-2']);
  scene.endpoints('own', 'node-1', 'node-1*', 'node-2');
  scene.endpoints('own', 'node-1', 'node-2');
  assert.deepEqual(scene.take(), []);
  scene.endpoints('own', 'node-2');
  scene.endpoints('own', 'node-1', 'node-2');
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.8/32']);
  scene.clock.advance(5_000);
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 plain']);
});

test('The first nodes of a Service do not wait, and those that follow do', () => {
  const first = localScene(delayed, []);
  first.endpoints('own', 'node-1');
  assert.deepEqual(first.take(), ['announce 198.51.100.8/32 plain']);
  const second = localScene(delayed, []);
  second.endpoints('own', 'node-2');
  second.endpoints('own', 'node-1', 'node-2');
  assert.deepEqual(second.take(), []);
});

test('A node does not wait when no other node may announce, and keeps announcing when another node may announce again', () => {
  const scene = localScene(delayed, ['node-2']);
  scene.set('node-2', { ready: false });
  scene.endpoints('own', 'node-1', 'node-2');
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 plain']);
  scene.set('node-2', {});
  assert.deepEqual(scene.take(), []);
  const waiting = localScene(delayed, ['node-2']);
  waiting.endpoints('own', 'node-1', 'node-2');
  waiting.set('node-2', { ready: false });
  assert.deepEqual(waiting.take(), ['announce 198.51.100.8/32 plain']);
});

test('A node whose endpoints all terminate announces as before until the other node has waited for announce-delay', () => {
  const scene = localScene(delayed, ['node-1']);
  scene.endpoints('own', 'node-1*', 'node-2');
  scene.clock.advance(4_999);
  assert.deepEqual(scene.take(), []);
  scene.clock.advance(1);
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 marked localpref 0']);
});

test('A node that drains an address marks it until the drain is over, even if a new endpoint becomes ready meanwhile', () => {
  const scene = localScene(delayed, ['node-1', 'node-2']);
  scene.endpoints('own', 'node-1*', 'node-2');
  scene.clock.advance(7_000);
  scene.endpoints('own', 'node-1', 'node-2');
  scene.clock.advance(2_999);
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 marked localpref 0']);
  scene.clock.advance(1);
  assert.deepEqual(scene.take(), ['withdraw 198.51.100.8/32']);
  scene.clock.advance(2_000);
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 plain']);
});

test('A speaker that starts does not wait, and no speaker waits for a Service with the policy Cluster', () => {
  assert.equal(new Scene({}, delayed).route('198.51.100.7/32'), 'plain');
  const scene = localScene(delayed);
  scene.endpoints('web', 'node-2');
  scene.endpoints('web', 'node-1', 'node-2');
  assert.deepEqual(scene.take(), []);
  assert.equal(scene.route('198.51.100.7/32'), 'plain');
});

test('A shorter announce-delay also shortens a wait that has begun', () => {
  const scene = localScene(delayed, ['node-2']);
  scene.endpoints('own', 'node-1', 'node-2');
  scene.clock.advance(2_000);
  scene.speaker.setConfig({ ...delayed, announceDelaySeconds: 3 });
  assert.deepEqual(scene.take(), []);
  scene.clock.advance(1_000);
  assert.deepEqual(scene.take(), ['announce 198.51.100.8/32 plain']);
});

const step = fc.record({
  /** For each node whether it has no endpoint, one that stays, or one that terminates. */
  endpoints: fc.tuple(...all.map(() => fc.constantFrom('none', 'stays', 'terminates'))),
  thenMs: fc.nat({ max: 7_000 }),
});

test('While any endpoint serves, at least one node announces the address unmarked; in the end, all nodes whose endpoints stay do so', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12, size: 'max' }), (steps) => {
      const scenes = all.map((name) => new Scene({}, delayed, name));
      for (const scene of scenes) scene.add('own', '198.51.100.8', all, 'Local');
      const routes = () => scenes.map((scene) => scene.route('198.51.100.8/32'));
      let has: readonly string[] = [];
      for (const { endpoints, thenMs } of [...steps, { endpoints: undefined, thenMs: 60_000 }]) {
        has = endpoints ?? has;
        const list = all.flatMap((name, i) =>
          has[i] === 'none' ? [] : has[i] === 'stays' ? name : `${name}*`,
        );
        for (const scene of scenes) if (endpoints) scene.endpoints('own', ...list);
        for (const ms of [0, thenMs]) {
          for (const scene of scenes) scene.clock.advance(ms);
          if (list.length > 0) assert.ok(routes().includes('plain'));
          for (const [i, route] of routes().entries()) assert.ok(route === undefined || has[i] !== 'none');
        }
      }
      const best = has.includes('stays') ? 'stays' : 'terminates';
      assert.deepEqual(
        routes(),
        has.map((each) => (each === best ? 'plain' : undefined)),
      );
    }),
    { numRuns: 200 },
  );
});
