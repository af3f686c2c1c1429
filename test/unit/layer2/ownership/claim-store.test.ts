import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { observedVersionOf } from '../../../../src/layer2/address-entry.ts';
import { type Claim, compareClaims } from '../../../../src/layer2/ownership/claim.ts';
import { decodeClaim, encodeClaim } from '../../../../src/layer2/ownership/claim-codec.ts';
import { ClaimPayloads, payloadOf } from '../../../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore, releaseKeptMs, releaseToldMs } from '../../../../src/layer2/ownership/claim-store.ts';
import { bucketOf, leafOf, leavesOf, treeWidth } from '../../../../src/membership/hash-tree.ts';

const claim: fc.Arbitrary<Claim> = fc.record({
  address: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'),
  owner: fc.constantFrom('a', 'b', 'c', ''),
  epoch: fc.nat(4),
  from: fc.constantFrom('', 'a', 'b'),
  // Version 0 is frequent here: a claim with version 0 is a release to a successor if `owner` and `from` name the same node.
  observedVersion: fc.oneof(
    fc.constant(0),
    fc.nat(1),
    fc.maxSafeNat().map((version) => version % 2 ** 48),
  ),
  inConflict: fc.boolean(),
});
const owners = ['a', 'b', 'c'];

function assertSameTree(one: ClaimStore, other: ClaimStore): void {
  assert.equal(one.tree.root, other.tree.root);
  assert.deepEqual(one.tree.buckets(), other.tree.buckets());
  for (let bucket = 0; bucket < treeWidth; bucket++)
    assert.deepEqual(one.tree.leaves(bucket), other.tree.leaves(bucket));
}

test('stores that merge the same claims, in any order and with repetitions, hold the same claims', () => {
  fc.assert(
    fc.property(
      fc.array(claim, { maxLength: 20, size: 'max' }),
      fc.array(fc.nat(), { maxLength: 40, size: 'max' }),
      (claims, again) => {
        const [one, other] = [new ClaimStore(), new ClaimStore()];
        for (const each of claims) one.merge(each);
        const repeated = again.flatMap((index) => claims[index % Math.max(1, claims.length)] ?? []);
        for (const each of [...repeated, ...claims.toReversed()]) other.merge(each);
        const held = (store: ClaimStore) =>
          [...store.all()].map(({ address, owner, epoch }) => `${address} ${owner} ${epoch}`).sort();
        assert.deepEqual(held(other), held(one));
        for (const owner of owners) one.setLive(owner, true);
        for (const owner of owners) other.setLive(owner, true);
        assertSameTree(other, one);
        for (const owner of owners)
          assert.equal(one.load(owner), [...one.all()].filter((each) => each.owner === owner).length);
      },
    ),
  );
});

test('the tree holds the claims of live owners, in whatever order owners and claims come and go', () => {
  const step = fc.oneof(claim, fc.record({ live: fc.constantFrom(...owners), isLive: fc.boolean() }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const [store, plain] = [new ClaimStore(), new ClaimStore()];
      const live = new Set<string>();
      for (const each of steps) {
        if ('address' in each) store.merge(each);
        else {
          store.setLive(each.live, each.isLive);
          if (each.isLive) live.add(each.live);
          else live.delete(each.live);
        }
      }
      for (const each of store.all()) if (live.has(each.owner)) plain.merge(each);
      for (const owner of owners) plain.setLive(owner, true);
      assertSameTree(store, plain);
    }),
  );
});

test('a leaf holds the claims on its addresses, and if there is only one claim, its leaf, its bucket and the root have the same hash', () => {
  const store = new ClaimStore();
  store.setLive('a', true);
  const each = {
    address: '192.0.2.1',
    owner: 'a',
    epoch: 1,
    from: '',
    observedVersion: 0,
    inConflict: false,
  };
  store.merge(each);
  const leaf = leafOf(each.address);
  assert.deepEqual([...store.inLeaf(leaf)], [each]);
  const bucket = bucketOf(leaf);
  assert.equal(store.tree.buckets()[bucket], store.tree.root);
  assert.equal(store.tree.leaves(bucket)[leavesOf(bucket).indexOf(leaf)], store.tree.root);
});

test('claims have a total order: by epoch, then by kind, then by owner', () => {
  // A takeover beats a final release. A final release beats a release whose owner keeps answering.
  const places = { releaseByOwner: 0, release: 1, takeover: 2 };
  const place = (each: Claim) => {
    if (each.owner === '') return places.release;
    return each.owner === each.from && each.observedVersion === 0 ? places.releaseByOwner : places.takeover;
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

test('a claim survives a round trip', () => {
  fc.assert(
    fc.property(claim, fc.nat(20), (each, offset) => {
      const bytes = Buffer.concat([Buffer.alloc(offset, 0xff), encodeClaim(each), Buffer.alloc(3, 0xff)]);
      assert.deepEqual(decodeClaim(bytes, offset), { claim: { ...each }, end: bytes.length - 3 });
    }),
  );
});

test('a claim made from any resourceVersion survives a round trip, with version 0 if its field is too short for the resourceVersion', () => {
  const largest = 2 ** 48 - 1;
  const resourceVersion = fc.oneof(
    fc.maxSafeInteger().map(String),
    fc.bigInt({ min: 2n ** 47n, max: 2n ** 49n }).map(String),
    fc.constantFrom('', '1.5', 'Infinity', `${largest}`, `${largest + 1}`, `${2 ** 53}`),
    fc.string(),
  );
  fc.assert(
    fc.property(claim, resourceVersion, (each, text) => {
      const observedVersion = observedVersionOf(text);
      if (/^\d+$/.test(text)) assert.equal(observedVersion, BigInt(text) > largest ? 0 : Number(text));
      const made = { ...each, observedVersion };
      assert.deepEqual(decodeClaim(encodeClaim(made))?.claim, made);
    }),
  );
});

test('encodeClaim() writes the documented layout', () => {
  const bytes = encodeClaim({
    address: '::1',
    owner: 'a',
    epoch: 258,
    from: '',
    observedVersion: 7,
    inConflict: true,
  });
  assert.equal(bytes.toString('hex'), '033a3a31' + '0161' + '000000000102' + '00' + '000000000007' + '01');
});

test('a claim that is cut anywhere does not decode', () => {
  const each = {
    address: '192.0.2.1',
    owner: 'a',
    epoch: 3,
    from: 'b',
    observedVersion: 7,
    inConflict: false,
  };
  const bytes = encodeClaim(each);
  for (let length = 0; length < bytes.length; length++)
    assert.equal(decodeClaim(bytes.subarray(0, length)), undefined, `${length} octets`);
});

test('a release is repeated for an hour, stops older claims for a day, and is then dropped', () => {
  assert.deepEqual([releaseToldMs, releaseKeptMs], [3_600_000, 24 * 3_600_000]);
  const store = new ClaimStore();
  const held = {
    address: '192.0.2.1',
    owner: 'a',
    epoch: 1,
    from: '',
    observedVersion: 0,
    inConflict: false,
  };
  const leaf = leafOf(held.address);
  store.expire(0);
  store.merge(held);
  store.merge({ ...held, owner: '', epoch: 2, from: 'a' });
  store.expire(1000);
  assert.equal([...store.inLeaf(leaf)].length, 1);
  store.expire(1000 + releaseToldMs);
  assert.equal([...store.inLeaf(leaf)].length, 1);
  store.expire(1001 + releaseToldMs);
  assert.equal([...store.inLeaf(leaf)].length, 0);
  store.expire(1000 + releaseKeptMs);
  assert.equal(store.merge(held), 'older');
  store.expire(1001 + releaseKeptMs);
  assert.equal([...store.all()].length, 0);
  assert.deepEqual([...store.inLeaf(leaf)], []);
});

test('a received claim with an epoch of 2 ** 47 or more is ignored, so that later epochs fit in 48 bits', () => {
  const each = {
    address: '192.0.2.1',
    owner: 'a',
    epoch: 3,
    from: 'b',
    observedVersion: 7,
    inConflict: false,
  };
  const store = new ClaimStore();
  const payloads = new ClaimPayloads(store);
  for (const epoch of [2 ** 48 - 1, 2 ** 47])
    assert.equal(payloads.merge(payloadOf({ ...each, epoch })), 'same');
  assert.equal(store.newest(each.address), undefined);
  assert.equal(payloads.merge(payloadOf({ ...each, epoch: 2 ** 47 - 1 })), 'newer');
});
