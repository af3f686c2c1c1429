import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GossipQueue } from '../../../src/membership/gossip-queue.ts';
import type { MemberUpdate, Update } from '../../../src/membership/packet.ts';
import { textPayload } from '../../support/text-payloads.ts';

function member(name: string, over: Partial<MemberUpdate> = {}): MemberUpdate {
  const endpoint = { host: '192.0.2.1', port: 7946 };
  return { kind: 'member', name, state: 'alive', incarnation: 1, endpoint, metadata: '', ...over };
}

const names = (updates: readonly Update[]) =>
  updates.map((each) => (each.kind === 'member' ? each.name : each.key));

describe('GossipQueue', () => {
  test('hands out each update as often as the limit allows, and first the updates that were sent least often', () => {
    const queue = new GossipQueue();
    queue.add(member('a'));
    assert.deepEqual(names(queue.take(700, 2)), ['a']);
    queue.add(member('b'));
    assert.deepEqual(names(queue.take(700, 2)), ['b', 'a']);
    assert.deepEqual(names(queue.take(700, 2)), ['b']);
    assert.equal(queue.size, 0);
  });

  test('hands out deaths before anything else, however often they were sent', () => {
    const queue = new GossipQueue();
    queue.add(member('dead', { state: 'dead' }));
    assert.deepEqual(names(queue.take(700, 3)), ['dead']);
    for (const name of ['a', 'b', 'c']) queue.add(member(name, { metadata: 'x'.repeat(230) }));
    assert.deepEqual(names(queue.take(700, 3)), ['dead', 'a', 'b']);
  });

  test('replaces an older update about the same subject', () => {
    const queue = new GossipQueue();
    queue.add(member('a'));
    queue.add(member('a', { incarnation: 2 }));
    queue.add(textPayload('a'));
    const taken = queue.take(700, 3);
    assert.deepEqual(names(taken), ['a', 'a']);
    assert.ok(taken.some((each) => each.kind === 'member' && each.incarnation === 2));
  });

  test('skips an update that does not fit, so the updates behind it need not wait', () => {
    const queue = new GossipQueue();
    queue.add(member('large', { metadata: 'x'.repeat(600) }));
    queue.add(member('small'));
    assert.deepEqual(names(queue.take(300, 3)), ['small']);
    assert.deepEqual(names(queue.take(700, 3)), ['large', 'small']);
  });

  test('ends its search after 32 updates that do not fit', () => {
    for (const [large, taken] of [
      [31, ['small']],
      [32, []],
    ] as const) {
      const queue = new GossipQueue();
      for (let i = 0; i < large; i++) queue.add(member(`large-${i}`, { metadata: 'x'.repeat(600) }));
      queue.add(member('small'));
      assert.deepEqual(names(queue.take(300, 3)), taken);
    }
  });

  test('drops an update that is too large for gossip, and the older update that it replaces', () => {
    const queue = new GossipQueue();
    queue.add(member('a'));
    queue.add(member('a', { incarnation: 2, metadata: 'x'.repeat(900) }));
    assert.equal(queue.size, 0);
  });

  test('dropDeaths() drops only deaths', () => {
    const queue = new GossipQueue();
    queue.add(member('a', { state: 'dead' }));
    queue.add(member('b'));
    queue.dropDeaths();
    assert.deepEqual(names(queue.take(700, 3)), ['b']);
  });
});
