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
  /** Whether the other side reads branches. */
  readsBranches = true;

  /** Each side already knows the other as a live member, so that only records differ. */
  constructor(name: string, other: string, keys: readonly string[]) {
    const self = new LocalMember({ name, incarnation: 1, port: endpoint.port, metadata: '' });
    this.table.merge(
      { kind: 'member', name: other, state: 'alive', incarnation: 1, endpoint, metadata: '' },
      0,
    );
    this.knowledge = new Knowledge(self, this.table, this.store);
    this.stage = new AntiEntropy(this.knowledge);
    for (const key of keys) this.store.merge(textPayload(key));
  }
}

function answersOf({ stage, readsBranches }: Side, from: string, { body }: Draft, at: number): Draft[] {
  if (body.kind === 'digest') return stage.answer(from, endpoint, body, readsBranches, at);
  if (body.kind === 'branches') return stage.answerBranches(from, endpoint, body, at);
  return [];
}

/**
 * Delivers drafts between the two sides until neither side sends any more. The nth packet is lost if `loses(n)` is true. Returns the number
 * of updates that were sent.
 */
function settle(
  a: Side,
  b: Side,
  first: readonly Draft[],
  now: number,
  loses: (n: number) => boolean,
): number {
  let packets = 0;
  let updates = 0;
  const queue = first.map((draft) => ({ to: b, draft }));
  for (let at = now; ; ) {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { to, draft } = next;
      updates += draft.updates?.length ?? 0;
      if (loses(++packets)) continue;
      const [from, back] = to === a ? ['b', b] : ['a', a];
      for (const update of draft.updates ?? []) if (update.kind === 'payload') to.store.merge(update);
      if (draft.body.kind === 'records') to.stage.progress(from, at);
      for (const answer of answersOf(to, from, draft, at)) queue.push({ to: back, draft: answer });
    }
    const wakeAtMs = Math.min(a.stage.wakeAtMs(), b.stage.wakeAtMs());
    if (wakeAtMs > at + syncIntervalMs / 2) return updates;
    at = wakeAtMs;
    for (const [side, other] of [
      [a, b],
      [b, a],
    ] as const)
      for (const draft of side.stage.wake(at)) queue.push({ to: other, draft });
  }
}

/** A side that agrees with three other members. */
function synced(): Side {
  const side = new Side('a', 'b', []);
  for (const name of ['b', 'c', 'd']) side.stage.compare(name, endpoint, side.knowledge.summary(), 0);
  return side;
}

/** Delivers three packets of `b` whose summary differs from the side's own. Returns the kinds of the packets that the side sends. */
function differ({ stage }: Side, from: number): string[] {
  return [0, 30, 60].flatMap((after) =>
    stage.compare('b', endpoint, 1, from + after).map(({ body }) => body.kind),
  );
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

  describe('when few of 50,000 records differ', () => {
    const keys = Array.from({ length: 50_000 }, (_, i) => `record ${i}`);
    const exchange = (readsBranches: boolean) => {
      const [a, b] = [new Side('a', 'b', keys), new Side('b', 'a', keys)];
      for (const side of [a, b]) side.readsBranches = readsBranches;
      for (const key of ['x', 'y']) a.store.merge(textPayload(key));
      for (const key of ['p', 'q', 'r']) b.store.merge(textPayload(key));
      const updates = settle(a, b, a.stage.meet('b', endpoint, 0), 0, () => false);
      assert.equal(a.store.size, keys.length + 5);
      assert.equal(a.knowledge.summary(), b.knowledge.summary());
      return updates;
    };

    test('an exchange sends only the records in the leaves that differ', () => {
      const updates = exchange(true);
      assert.ok(updates < 300, `${updates} records`);
    });

    test('a member of an earlier release gets all records of the buckets that differ, and no branches', () => {
      const updates = exchange(false);
      assert.ok(updates > 3000, `${updates} records`);
    });
  });

  test('the records that branches ask for are added to an answer under way, but only up to a limit', () => {
    const keys = Array.from({ length: 15_000 }, (_, i) => `record ${i}`);
    const packetsWith = (requests: number) => {
      const [a, b] = [new Side('a', 'b', []), new Side('b', 'a', keys)];
      const [digest] = a.stage.meet('b', endpoint, 0);
      assert.ok(digest?.body.kind === 'digest');
      b.stage.answer('a', endpoint, digest.body, true, 0);
      const branch = a.knowledge.branch({ tree: 'payloads', bucket: 1 });
      const body = { kind: 'branches', branches: [branch], wantsReply: false } as const;
      for (let i = 0; i < requests; i++) b.stage.answerBranches('a', endpoint, body, 1);
      let packets = 0;
      while (b.stage.wakeAtMs() < 10_000) packets += b.stage.wake(b.stage.wakeAtMs()).length;
      return packets;
    };
    assert.ok(packetsWith(1) > packetsWith(0));
    assert.equal(packetsWith(2000), packetsWith(1000));
  });

  test('an answer is sent in pieces that fit into a socket buffer', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `record ${i}`);
    const [a, b] = [new Side('a', 'b', []), new Side('b', 'a', keys)];
    const [digest] = a.stage.meet('b', endpoint, 0);
    assert.ok(digest?.body.kind === 'digest');
    assert.equal(b.stage.answer('a', endpoint, digest.body, true, 0).length, 64);
    assert.equal(b.stage.wakeAtMs(), 10);
    assert.ok(b.stage.wake(10).length <= 20);
    assert.deepEqual(
      b.stage.answer('a', endpoint, digest.body, true, 11),
      [],
      'an answer is already under way',
    );
  });

  test('all answers together send no more packets in a step than the limit, and each of them ends', () => {
    const keys = Array.from({ length: 8000 }, (_, i) => `record ${i}`);
    const [a, b] = [new Side('a', 'b', []), new Side('b', 'a', keys)];
    const [digest] = a.stage.meet('b', endpoint, 0);
    assert.ok(digest?.body.kind === 'digest');
    const names = Array.from({ length: 32 }, (_, i) => `asker ${i}`);
    for (const name of names) b.stage.answer(name, endpoint, digest.body, true, 0);
    const ended: string[] = [];
    while (b.stage.wakeAtMs() < 10_000) {
      const drafts = b.stage.wake(b.stage.wakeAtMs());
      const packets = drafts.filter(({ body }) => body.kind === 'records').length;
      assert.ok(packets <= 20, `${packets} packets`);
      ended.push(...drafts.flatMap(({ to, body }) => (body.kind === 'digest' ? [to] : [])));
    }
    assert.deepEqual(ended.sort(), names.sort());
  });

  test('an exchange starts only after three differing summaries in a row, because news in transit can make one or two differ', () => {
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
    assert.deepEqual(differ(a, 1000), ['digest']);
    assert.equal(a.stage.isSynced(100), false, 'an exchange is under way');
  });

  test('a member that agrees with three others starts no exchange with a new member, and leaves the start to the new member', () => {
    const a = synced();
    assert.deepEqual(a.stage.meet('e', endpoint, 1000), []);
    assert.ok(a.stage.isSynced(100));
  });

  test('a synced member starts no exchange while news about many members arrives, but waits for a second at most', () => {
    const a = synced();
    const newsAt = (from: number, to: number, count: number) => {
      const sent: string[] = [];
      for (let now = from; now < to; now += 10) {
        for (let i = 0; i < count; i++) a.stage.memberChanged(now);
        sent.push(...a.stage.compare('b', endpoint, 1, now).map(({ body }) => body.kind));
      }
      return sent;
    };
    assert.deepEqual(newsAt(1000, 2000, 3), []);
    assert.deepEqual(newsAt(2000, 2010, 3), ['digest']);
    const other = synced();
    for (let now = 1000; now < 1050; now += 10) {
      other.stage.memberChanged(now);
      assert.deepEqual(other.stage.compare('b', endpoint, 1, now), []);
    }
    assert.equal(
      other.stage.compare('b', endpoint, 1, 1050)[0]?.body.kind,
      'digest',
      'news about few members does not hold the exchange back',
    );
  });

  test('a member that never answers gets only a few digests', () => {
    const a = new Side('a', 'b', []);
    let digests = a.stage.meet('x', endpoint, 0).length;
    for (let i = 0; i < 100 && a.stage.wakeAtMs() !== Number.POSITIVE_INFINITY; i++)
      digests += a.stage.wake(a.stage.wakeAtMs()).length;
    assert.ok(digests > 1 && digests <= 7, `${digests} digests`);
  });
});
