import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rendezvousWeight } from '../../../../src/hash.ts';
import { type Orphan, placeOrphans, type Standing } from '../../../../src/layer2/ownership/election.ts';

const nodes = ['a', 'b', 'c', 'd', 'e'];

function orphan(address: string, eligible: readonly string[], over: Partial<Orphan> = {}): Orphan {
  return { address, group: address, eligible, ...over };
}

function standing(
  loads: Readonly<Record<string, number>> = {},
  owners: Readonly<Record<string, readonly string[]>> = {},
): Standing {
  return { load: (node) => loads[node] ?? 0, ownersOf: (group) => owners[group] ?? [] };
}

function heaviest(address: string, among: readonly string[]): string | undefined {
  return [...among].sort((a, b) => rendezvousWeight(b, address) - rendezvousWeight(a, address))[0];
}

const cases: readonly {
  readonly name: string;
  readonly orphans: readonly Orphan[];
  readonly from?: Standing;
  readonly placed: Readonly<Record<string, string>>;
}[] = [
  { name: 'nothing to place', orphans: [], placed: {} },
  {
    name: 'an orphan without an eligible node is missing',
    orphans: [orphan('192.0.2.1', []), orphan('192.0.2.2', ['b'])],
    placed: { '192.0.2.2': 'b' },
  },
  {
    name: 'the fewest addresses win, whatever the weight',
    orphans: [orphan('192.0.2.1', ['a', 'b', 'c'])],
    from: standing({ a: 3, b: 1, c: 2 }),
    placed: { '192.0.2.1': 'b' },
  },
  {
    name: 'what was placed before counts, in the order of the text',
    orphans: [orphan('192.0.2.9', ['a', 'b']), orphan('192.0.2.10', ['b']), orphan('192.0.2.8', ['a', 'b'])],
    from: standing({ a: 1 }),
    placed: {
      '192.0.2.10': 'b',
      '192.0.2.8': heaviest('192.0.2.8', ['a', 'b']) ?? '',
      '192.0.2.9': heaviest('192.0.2.8', ['a', 'b']) === 'a' ? 'b' : 'a',
    },
  },
  {
    name: 'a node that owns a sibling comes before one with less',
    orphans: [orphan('2001:db8::1', ['a', 'b'], { group: 'web' })],
    from: standing({ a: 9 }, { web: ['a'] }),
    placed: { '2001:db8::1': 'a' },
  },
  {
    name: 'of two that own siblings, the one with less',
    orphans: [orphan('2001:db8::1', ['a', 'b', 'c'], { group: 'web' })],
    from: standing({ a: 9, b: 8 }, { web: ['a', 'b'] }),
    placed: { '2001:db8::1': 'b' },
  },
  {
    name: 'a sibling owner that is not eligible does not count',
    orphans: [orphan('2001:db8::1', ['b'], { group: 'web' })],
    from: standing({ b: 9 }, { web: ['a'] }),
    placed: { '2001:db8::1': 'b' },
  },
  {
    name: 'what somebody took stays with him and counts for those after it',
    orphans: [orphan('192.0.2.1', [], { takenBy: 'a' }), orphan('192.0.2.2', ['a', 'b'])],
    placed: { '192.0.2.1': 'a', '192.0.2.2': 'b' },
  },
  {
    name: 'what somebody took does not count for those before it',
    orphans: [
      orphan('192.0.2.1', ['a', 'b']),
      orphan('192.0.2.2', [], { takenBy: heaviest('192.0.2.1', ['a', 'b']) ?? '' }),
    ],
    placed: {
      '192.0.2.1': heaviest('192.0.2.1', ['a', 'b']) ?? '',
      '192.0.2.2': heaviest('192.0.2.1', ['a', 'b']) ?? '',
    },
  },
  {
    name: 'whoever took a sibling draws the rest of the group',
    orphans: [
      orphan('192.0.2.1', [], { group: 'web', takenBy: 'a' }),
      orphan('192.0.2.2', ['a', 'b'], { group: 'web' }),
    ],
    placed: { '192.0.2.1': 'a', '192.0.2.2': 'a' },
  },
];

for (const { name, orphans, from, placed } of cases)
  test(name, () => {
    assert.deepEqual(Object.fromEntries(placeOrphans(orphans, from ?? standing())), placed);
  });

test('of equals the greatest rendezvous weight wins, and every node is that for some address', () => {
  const winners = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const address = `192.0.2.${i}`;
    const owner = placeOrphans([orphan(address, nodes)], standing()).get(address);
    assert.equal(owner, heaviest(address, nodes));
    if (owner !== undefined) winners.add(owner);
  }
  assert.equal(winners.size, nodes.length);
});

const addresses = fc.uniqueArray(
  fc.nat(254).map((host) => `192.0.2.${host}`),
  { maxLength: 40 },
);
const loads = fc.dictionary(fc.constantFrom(...nodes), fc.nat(6), { noNullPrototype: true });
const owners = fc.dictionary(fc.constantFrom('g', 'h'), fc.subarray(nodes), { noNullPrototype: true });
/** Any orphans: with and without siblings, each with its own eligible nodes. */
const orphans = addresses.chain((texts) =>
  fc.tuple(
    ...texts.map((address) =>
      fc.record({
        address: fc.constant(address),
        group: fc.constantFrom('g', 'h', address),
        eligible: fc.subarray(nodes),
      }),
    ),
  ),
);

function shuffled<T>(items: readonly T[], keys: readonly number[]): T[] {
  return items
    .map((item, i) => ({ item, key: keys[i % Math.max(1, keys.length)] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

test('every orphan with an eligible node is placed on one of them, and no other is placed', () => {
  fc.assert(
    fc.property(orphans, loads, owners, (some, its, their) => {
      const placed = placeOrphans(some, standing(its, their));
      for (const { address, eligible } of some) {
        const owner = placed.get(address);
        assert.equal(owner === undefined, eligible.length === 0);
        assert.ok(owner === undefined || eligible.includes(owner));
      }
      assert.ok(placed.size <= some.length);
    }),
  );
});

test('the order of orphans and of their eligible nodes does not matter', () => {
  fc.assert(
    fc.property(orphans, loads, owners, fc.array(fc.nat(), { minLength: 1 }), (some, its, their, keys) => {
      const other = shuffled(some, keys).map((each) => ({
        ...each,
        eligible: shuffled(each.eligible, keys),
      }));
      const byText = (placed: Map<string, string>) => [...placed].sort();
      assert.deepEqual(
        byText(placeOrphans(other, standing(its, their))),
        byText(placeOrphans(some, standing(its, their))),
      );
    }),
  );
});

test('who looks late, when some have taken what was theirs, places the rest as the others did', () => {
  fc.assert(
    fc.property(orphans, loads, owners, fc.subarray(nodes), (some, its, their, early) => {
      const placed = placeOrphans(some, standing(its, their));
      const late = some.map((each) => {
        const owner = placed.get(each.address);
        return owner !== undefined && early.includes(owner)
          ? { ...each, eligible: [], takenBy: owner }
          : each;
      });
      assert.deepEqual([...placeOrphans(late, standing(its, their))].sort(), [...placed].sort());
    }),
  );
});

function spread(placed: ReadonlyMap<string, string>, from: Standing, among: readonly string[]): number {
  const totals = among.map(
    (node) => from.load(node) + [...placed.values()].filter((owner) => owner === node).length,
  );
  return Math.max(...totals) - Math.min(...totals);
}

test('loads within one of even stay so, also when some of the orphans are taken already', () => {
  fc.assert(
    fc.property(
      addresses,
      fc.subarray(nodes, { minLength: 1 }),
      fc.nat(5),
      fc.subarray(nodes),
      fc.subarray(nodes),
      (texts, survivors, level, ahead, early) => {
        const its = Object.fromEntries(
          survivors.map((node) => [node, level + (ahead.includes(node) ? 1 : 0)]),
        );
        const from = standing(its);
        const placed = placeOrphans(
          texts.map((address) => orphan(address, survivors)),
          from,
        );
        assert.ok(spread(placed, from, survivors) <= 1);
        const late = placeOrphans(
          texts.map((address) => {
            const owner = placed.get(address);
            return owner !== undefined && early.includes(owner)
              ? orphan(address, [], { takenBy: owner })
              : orphan(address, survivors);
          }),
          from,
        );
        assert.ok(spread(late, from, survivors) <= 1);
      },
    ),
  );
});

test('uneven loads come no further apart than they were, or than one', () => {
  fc.assert(
    fc.property(addresses, loads, (texts, its) => {
      const from = standing(its);
      const placed = placeOrphans(
        texts.map((address) => orphan(address, nodes)),
        from,
      );
      assert.ok(spread(placed, from, nodes) <= Math.max(1, spread(new Map(), from, nodes)));
    }),
  );
});

test('siblings that the same nodes could answer for go to one node', () => {
  fc.assert(
    fc.property(addresses, fc.subarray(nodes, { minLength: 1 }), loads, (texts, eligible, its) => {
      const placed = placeOrphans(
        texts.map((address, i) => orphan(address, eligible, { group: `g${i >> 1}` })),
        standing(its),
      );
      for (let i = 1; i < texts.length; i += 2)
        assert.equal(placed.get(texts[i] ?? ''), placed.get(texts[i - 1] ?? ''));
    }),
  );
});
