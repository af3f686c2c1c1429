import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClaimStore, compareClaims } from '../../../src/membership/claim-store.ts';
import type { Claim } from '../../../src/membership/packet.ts';
import { ReplayWindow } from '../../../src/membership/replay-guard.ts';
import { defaultMembershipSettings as settings, suspicionMs } from '../../../src/membership/timing.ts';

const claim: fc.Arbitrary<Claim> = fc.record({
  kind: fc.constant('claim' as const),
  address: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'),
  owner: fc.constantFrom('a', 'b', 'c', ''),
  epoch: fc.nat(4),
  from: fc.constantFrom('', 'a', 'b'),
  basis: fc.nat(1),
  isOccupied: fc.constant(false),
});

test('members that have heard the same claims, in whatever order and however often, hold the same', () => {
  fc.assert(
    fc.property(
      fc.array(claim, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (claims, again) => {
        const [one, other] = [new ClaimStore(), new ClaimStore()];
        for (const each of claims) one.merge(each);
        const repeated = again.flatMap((index) => claims[index % Math.max(1, claims.length)] ?? []);
        for (const each of [...repeated, ...claims.toReversed()]) other.merge(each);
        const held = (store: ClaimStore) =>
          [...store.all()].map(({ address, owner, epoch }) => `${address} ${owner} ${epoch}`).sort();
        assert.deepEqual(held(other), held(one));
        const owners = new Set(['a', 'b', 'c']);
        assert.equal(other.summary(owners), one.summary(owners));
        assert.deepEqual(other.digest(owners), one.digest(owners));
        for (const owner of owners)
          assert.equal(one.load(owner), [...one.all()].filter((each) => each.owner === owner).length);
      },
    ),
  );
});

test('claims are totally ordered: the greater epoch, then who takes, who releases, who waives, then one of the owners', () => {
  const places = { waiver: 0, release: 1, taking: 2 };
  const place = (each: Claim) => {
    if (each.owner === '') return places.release;
    return each.owner === each.from && each.basis === 0 ? places.waiver : places.taking;
  };
  fc.assert(
    fc.property(claim, claim, claim, (a, second, third) => {
      const [b, c] = [second, third].map((each) => ({ ...each, address: a.address }));
      assert.ok(b && c);
      assert.equal(Math.sign(compareClaims(a, b)), -Math.sign(compareClaims(b, a)) + 0);
      if (compareClaims(a, b) <= 0 && compareClaims(b, c) <= 0) assert.ok(compareClaims(a, c) <= 0);
      if (a.epoch !== b.epoch) assert.equal(compareClaims(a, b) > 0, a.epoch > b.epoch);
      else if (place(a) !== place(b)) assert.equal(compareClaims(a, b) > 0, place(a) > place(b));
      else assert.equal(compareClaims(a, b) === 0, a.owner === b.owner);
    }),
  );
});

test('a replay window lets each number in once, in whatever order within 256', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 200 }), (numbers) => {
      const window = new ReplayWindow();
      const seen = new Set<number>();
      let newest = 0;
      for (const number of numbers) {
        const isNew = !seen.has(number) && number > newest - 256;
        assert.equal(window.accept(number), isNew, `${number} after ${newest}`);
        seen.add(number);
        newest = Math.max(newest, number);
      }
    }),
  );
});

test('a suspicion lasts the shorter the more confirm it, and longest in large clusters', () => {
  const lasting = [0, 1, 2, 3].map((confirmations) => suspicionMs(settings, confirmations, 3, 10));
  assert.deepEqual(
    lasting,
    lasting.toSorted((a, b) => b - a),
  );
  assert.equal(lasting[3], settings.suspicionMinMs);
  assert.equal(lasting[0], settings.suspicionMaxMs);
  assert.ok(suspicionMs(settings, 0, 3, 1000) > suspicionMs(settings, 0, 3, 10));
  assert.equal(suspicionMs(settings, 0, 0, 2), 2 * settings.suspicionMinMs);
});
