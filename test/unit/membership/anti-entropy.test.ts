import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AntiEntropy, syncIntervalMs } from '../../../src/membership/anti-entropy.ts';
import type { Draft } from '../../../src/membership/draft.ts';
import { Knowledge } from '../../../src/membership/knowledge.ts';
import { LocalMember } from '../../../src/membership/local-member.ts';
import { MemberTable } from '../../../src/membership/member-table.ts';
import { TextStore, textPayload } from '../../support/text-payloads.ts';

const endpoint = { host: '192.0.2.1', port: 7946 };

class Side {
  readonly store = new TextStore();
  readonly table = new MemberTable();
  readonly knowledge: Knowledge;
  readonly stage: AntiEntropy;

  /** Each side already knows the other as a live member, so that only records differ. */
  constructor(name: string, other: string, keys: readonly string[]) {
    const self = new LocalMember({ name, incarnation: 1, endpoint, metadata: '' });
    this.table.merge(
      { kind: 'member', name: other, state: 'alive', incarnation: 1, endpoint, metadata: '' },
      0,
    );
    this.knowledge = new Knowledge(self, this.table, this.store);
    this.stage = new AntiEntropy(this.knowledge);
    for (const key of keys) this.store.merge(textPayload(key));
  }
}

/** Delivers drafts between the two sides until neither side sends any more. The nth packet is lost if `loses(n)` is true. */
function settle(a: Side, b: Side, first: readonly Draft[], now: number, loses: (n: number) => boolean): void {
  let packets = 0;
  const queue = first.map((draft) => ({ to: b, draft }));
  for (let at = now; ; ) {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { to, draft } = next;
      if (loses(++packets)) continue;
      const [from, back] = to === a ? ['b', b] : ['a', a];
      for (const update of draft.updates ?? []) if (update.kind === 'payload') to.store.merge(update);
      if (draft.body.kind === 'records') to.stage.progress(from, at);
      if (draft.body.kind === 'digest')
        for (const answer of to.stage.answer(from, endpoint, draft.body, at))
          queue.push({ to: back, draft: answer });
    }
    const wakeAt = Math.min(a.stage.wakeAt(), b.stage.wakeAt());
    if (wakeAt > at + syncIntervalMs / 2) return;
    at = wakeAt;
    for (const [side, other] of [
      [a, b],
      [b, a],
    ] as const)
      for (const draft of side.stage.wake(at)) queue.push({ to: other, draft });
  }
}

describe('AntiEntropy', () => {
  test('one exchange brings 20,000 records to a member that has none', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `record ${i}`);
    const [a, b] = [new Side('a', 'b', []), new Side('b', 'a', keys)];
    settle(a, b, a.stage.meet('b', endpoint, 0), 0, () => false);
    assert.equal(a.store.size, keys.length);
    assert.equal(a.stage.isSynced(1), false, 'no packet has confirmed the agreement yet');
    a.stage.compare('b', endpoint, b.knowledge.summary(), 5000);
    assert.ok(a.stage.isSynced(1));
  });

  test('an exchange brings each side the records that only the other side has', () => {
    const [a, b] = [new Side('a', 'b', ['x', 'y']), new Side('b', 'a', ['y', 'z'])];
    settle(a, b, a.stage.meet('b', endpoint, 0), 0, () => false);
    assert.equal(a.store.size, 3);
    assert.equal(b.store.size, 3);
    assert.equal(a.knowledge.summary(), b.knowledge.summary());
  });

  test('records that are lost in one exchange arrive with the next exchange', () => {
    const keys = Array.from({ length: 3000 }, (_, i) => `record ${i}`);
    const [a, b] = [new Side('a', 'b', []), new Side('b', 'a', keys)];
    settle(a, b, a.stage.meet('b', endpoint, 0), 0, (n) => n === 10 || n === 11);
    assert.equal(a.store.size, keys.length);
  });

  test('an answer is sent in pieces that fit into a socket buffer', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `record ${i}`);
    const [a, b] = [new Side('a', 'b', []), new Side('b', 'a', keys)];
    const [digest] = a.stage.meet('b', endpoint, 0);
    assert.ok(digest?.body.kind === 'digest');
    assert.equal(b.stage.answer('a', endpoint, digest.body, 0).length, 64);
    assert.equal(b.stage.wakeAt(), 10);
    assert.ok(b.stage.wake(10).length <= 20);
    assert.deepEqual(b.stage.answer('a', endpoint, digest.body, 11), [], 'an answer is already under way');
  });

  test('an exchange starts after three differing summaries in a row, because one or two may differ only by news in transit', () => {
    const a = new Side('a', 'b', []);
    assert.deepEqual(a.stage.compare('b', endpoint, 1, 0), []);
    assert.deepEqual(a.stage.compare('b', endpoint, 1, 1), []);
    assert.equal(a.stage.compare('b', endpoint, 1, 2)[0]?.body.kind, 'digest');
    assert.deepEqual(a.stage.compare('b', endpoint, 1, 3), []);
  });

  test('a member that knows three other members is not synced after only one agreement', () => {
    const a = new Side('a', 'b', []);
    a.stage.compare('b', endpoint, a.knowledge.summary(), 0);
    assert.ok(a.stage.isSynced(1));
    assert.equal(a.stage.isSynced(3), false);
    a.stage.compare('c', endpoint, a.knowledge.summary(), 0);
    a.stage.compare('d', endpoint, a.knowledge.summary(), 0);
    assert.ok(a.stage.isSynced(3));
    assert.ok(a.stage.isSynced(100), 'three agreements are enough');
    a.stage.meet('e', endpoint, 1000);
    assert.equal(a.stage.isSynced(100), false, 'an exchange is under way');
  });

  test('a member that never answers is tried only a few times', () => {
    const a = new Side('a', 'b', []);
    let digests = a.stage.meet('x', endpoint, 0).length;
    for (let i = 0; i < 100 && a.stage.wakeAt() !== Number.POSITIVE_INFINITY; i++)
      digests += a.stage.wake(a.stage.wakeAt()).length;
    assert.ok(digests > 1 && digests <= 7, `${digests} digests`);
  });
});
