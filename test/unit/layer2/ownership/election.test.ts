import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rendezvousWeight } from '../../../../src/hash.ts';
import { electOwners, type Standing, type VacantAddress } from '../../../../src/layer2/ownership/election.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';

const nodes = ['a', 'b', 'c', 'd', 'e'];

function vacant(
  address: string,
  eligible: readonly string[],
  over: Partial<VacantAddress> = {},
): VacantAddress {
  return { address, group: address, eligible, ...over };
}

function standing(
  loads: Readonly<Record<string, number>> = {},
  owners: Readonly<Record<string, readonly string[]>> = {},
): Standing {
  return { load: (node) => loads[node] ?? 0, ownersOf: (group) => owners[group] ?? [] };
}

function elect(vacancies: readonly VacantAddress[], from: Standing): Map<string, string> {
  return complete(electOwners(vacancies, from));
}

function heaviest(address: string, among: readonly string[]): string | undefined {
  return [...among].sort((a, b) => rendezvousWeight(b, address) - rendezvousWeight(a, address))[0];
}

const cases: readonly {
  readonly name: string;
  readonly vacancies: readonly VacantAddress[];
  readonly from?: Standing;
  readonly placed: Readonly<Record<string, string>>;
}[] = [
  { name: 'nothing is placed when no address is vacant', vacancies: [], placed: {} },
  {
    name: 'an address without an eligible node gets no owner',
    vacancies: [vacant('192.0.2.1', []), vacant('192.0.2.2', ['b'])],
    placed: { '192.0.2.2': 'b' },
  },
  {
    name: 'the node with the fewest addresses wins, whatever its weight',
    vacancies: [vacant('192.0.2.1', ['a', 'b', 'c'])],
    from: standing({ a: 3, b: 1, c: 2 }),
    placed: { '192.0.2.1': 'b' },
  },
  {
    name: 'addresses are placed in the order of their text, and each placement counts as load for the next',
    vacancies: [
      vacant('192.0.2.9', ['a', 'b']),
      vacant('192.0.2.10', ['b']),
      vacant('192.0.2.8', ['a', 'b']),
    ],
    from: standing({ a: 1 }),
    placed: {
      '192.0.2.10': 'b',
      '192.0.2.8': heaviest('192.0.2.8', ['a', 'b']) ?? '',
      '192.0.2.9': heaviest('192.0.2.8', ['a', 'b']) === 'a' ? 'b' : 'a',
    },
  },
  {
    name: 'a node that owns an address of the group beats a node with fewer addresses',
    vacancies: [vacant('2001:db8::1', ['a', 'b'], { group: 'web' })],
    from: standing({ a: 9 }, { web: ['a'] }),
    placed: { '2001:db8::1': 'a' },
  },
  {
    name: 'of two nodes that own addresses of the group, the node with fewer addresses wins',
    vacancies: [vacant('2001:db8::1', ['a', 'b', 'c'], { group: 'web' })],
    from: standing({ a: 9, b: 8 }, { web: ['a', 'b'] }),
    placed: { '2001:db8::1': 'b' },
  },
  {
    name: 'a node that owns an address of the group but is not eligible does not count',
    vacancies: [vacant('2001:db8::1', ['b'], { group: 'web' })],
    from: standing({ b: 9 }, { web: ['a'] }),
    placed: { '2001:db8::1': 'b' },
  },
  {
    name: 'an address that was taken stays with the node that took it and counts as load when later addresses are placed',
    vacancies: [vacant('192.0.2.1', [], { takenBy: 'a' }), vacant('192.0.2.2', ['a', 'b'])],
    placed: { '192.0.2.1': 'a', '192.0.2.2': 'b' },
  },
  {
    name: 'an address that was taken does not count as load for the addresses that come before it in the order of placement',
    vacancies: [
      vacant('192.0.2.1', ['a', 'b']),
      vacant('192.0.2.2', [], { takenBy: heaviest('192.0.2.1', ['a', 'b']) ?? '' }),
    ],
    placed: {
      '192.0.2.1': heaviest('192.0.2.1', ['a', 'b']) ?? '',
      '192.0.2.2': heaviest('192.0.2.1', ['a', 'b']) ?? '',
    },
  },
  {
    name: 'the node that took one address of a group gets the other addresses of the group',
    vacancies: [
      vacant('192.0.2.1', [], { group: 'web', takenBy: 'a' }),
      vacant('192.0.2.2', ['a', 'b'], { group: 'web' }),
    ],
    placed: { '192.0.2.1': 'a', '192.0.2.2': 'a' },
  },
  {
    name: 'an address goes to its recorded owner, although another node has as many addresses and a greater weight',
    vacancies: ['a', 'b'].map((recordedOwner, i) => vacant(`192.0.2.${i}`, ['a', 'b'], { recordedOwner })),
    placed: { '192.0.2.0': 'a', '192.0.2.1': 'b' },
  },
  {
    name: 'an address whose recorded owner is gone goes to the emptiest node, wherever the address stands in the order',
    vacancies: [
      vacant('192.0.2.1', ['a', 'b', 'c']),
      vacant('192.0.2.2', ['a', 'b', 'c'], { recordedOwner: 'a' }),
      vacant('192.0.2.3', ['a', 'b', 'c'], { recordedOwner: 'b' }),
    ],
    placed: { '192.0.2.1': 'c', '192.0.2.2': 'a', '192.0.2.3': 'b' },
  },
  {
    name: 'an address without a recorded owner goes to the recorded owner of another address of its group',
    vacancies: [
      vacant('192.0.2.1', ['a', 'b'], { group: 'web' }),
      vacant('192.0.2.2', ['a', 'b'], { group: 'web', recordedOwner: 'b' }),
    ],
    from: standing({ b: 9 }),
    placed: { '192.0.2.1': 'b', '192.0.2.2': 'b' },
  },
  {
    name: 'a recorded owner gives addresses to the emptiest node, as long as the owner has more than that node even after the move',
    vacancies: ['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b', 'b'].map((recordedOwner, i) =>
      vacant(`192.0.2.${i}`, ['a', 'b', 'c'], { recordedOwner }),
    ),
    placed: {
      ...{ '192.0.2.0': 'c', '192.0.2.1': 'a', '192.0.2.2': 'a', '192.0.2.3': 'a' },
      ...{ '192.0.2.4': 'c', '192.0.2.5': 'b', '192.0.2.6': 'b', '192.0.2.7': 'b', '192.0.2.8': 'b' },
    },
  },
  {
    name: 'a recorded owner keeps its addresses when it would not have more than the other node after a move',
    vacancies: [1, 2].map((i) => vacant(`192.0.2.${i}`, ['a', 'b'], { recordedOwner: 'a' })),
    placed: { '192.0.2.1': 'a', '192.0.2.2': 'a' },
  },
  {
    name: 'a group of two addresses moves from its recorded owner as a whole',
    vacancies: ['x', 'y', 'z'].flatMap((group) =>
      [1, 2].map((i) => vacant(`${group}${i}`, ['a', 'b'], { group, recordedOwner: 'a' })),
    ),
    placed: { x1: 'b', x2: 'b', y1: 'a', y2: 'a', z1: 'a', z2: 'a' },
  },
  {
    name: 'a recorded owner keeps addresses that no other node could answer for',
    vacancies: [1, 2, 3, 4].map((i) => vacant(`192.0.2.${i}`, ['a'], { recordedOwner: 'a' })),
    placed: { '192.0.2.1': 'a', '192.0.2.2': 'a', '192.0.2.3': 'a', '192.0.2.4': 'a' },
  },
  {
    name: 'an address that was taken from its recorded owner changes nothing for the addresses that are still vacant',
    vacancies: [
      vacant('192.0.2.0', ['a', 'b'], { recordedOwner: 'a', takenBy: 'b' }),
      ...[1, 2, 3].map((i) => vacant(`192.0.2.${i}`, ['a', 'b'], { recordedOwner: 'a' })),
    ],
    placed: { '192.0.2.0': 'b', '192.0.2.1': 'a', '192.0.2.2': 'a', '192.0.2.3': 'a' },
  },
];

for (const { name, vacancies, from, placed } of cases)
  test(name, () => {
    assert.deepEqual(Object.fromEntries(elect(vacancies, from ?? standing())), placed);
  });

test('among nodes with equal loads the greatest rendezvous weight wins, and every node wins some address', () => {
  const winners = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const address = `192.0.2.${i}`;
    const owner = elect([vacant(address, nodes)], standing()).get(address);
    assert.equal(owner, heaviest(address, nodes));
    if (owner !== undefined) winners.add(owner);
  }
  assert.equal(winners.size, nodes.length);
});

const addresses = fc.uniqueArray(
  fc.nat(254).map((host) => `192.0.2.${host}`),
  { maxLength: 40, size: 'max' },
);
const loads = fc.dictionary(fc.constantFrom(...nodes), fc.nat(6), { noNullPrototype: true });
const owners = fc.dictionary(fc.constantFrom('g', 'h'), fc.subarray(nodes), { noNullPrototype: true });
const recordedOwners = fc.option(fc.constantFrom(...nodes), { nil: undefined });
/** Arbitrary vacancies, alone and in groups, each with its own eligible and placeable nodes. Some have a recorded owner, perhaps an avoided node. */
const vacancies = addresses.chain((texts) =>
  fc.tuple(
    ...texts.map((address) =>
      fc
        .record({
          group: fc.constantFrom('g', 'h', address),
          eligible: fc.subarray(nodes),
          avoided: fc.subarray(nodes),
          recordedOwner: recordedOwners,
        })
        .map(({ group, eligible, avoided, recordedOwner }) => {
          const placeable = eligible.filter((node) => !avoided.includes(node));
          const isPlaced = recordedOwner !== undefined && eligible.includes(recordedOwner);
          return vacant(address, eligible, {
            group,
            ...(placeable.length > 0 ? { placeable } : {}),
            ...(isPlaced ? { recordedOwner } : {}),
          });
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

test('every vacant address goes to one of its eligible nodes, if any node is eligible', () => {
  fc.assert(
    fc.property(vacancies, loads, owners, (some, its, their) => {
      const placed = elect(some, standing(its, their));
      for (const { address, eligible } of some) {
        const owner = placed.get(address);
        assert.equal(owner === undefined, eligible.length === 0);
        assert.ok(owner === undefined || eligible.includes(owner));
      }
      assert.ok(placed.size <= some.length);
    }),
  );
});

test('a node that is not placeable gets an address only if it is the recorded owner or owns another address of the group', () => {
  fc.assert(
    fc.property(vacancies, loads, owners, (some, its, their) => {
      const placed = elect(some, standing(its, their));
      for (const { address, group, eligible, placeable = eligible, recordedOwner } of some) {
        const owner = placed.get(address);
        if (owner === undefined || placeable.includes(owner) || owner === recordedOwner) continue;
        const others = some.filter((each) => each.group === group && each.address !== address);
        assert.ok(their[group]?.includes(owner) || others.some((each) => placed.get(each.address) === owner));
      }
    }),
  );
});

test('the order of vacancies and of their eligible nodes makes no difference', () => {
  fc.assert(
    fc.property(vacancies, loads, owners, fc.array(fc.nat(), { minLength: 1 }), (some, its, their, keys) => {
      const other = shuffled(some, keys).map((each) => ({
        ...each,
        eligible: shuffled(each.eligible, keys),
        ...(each.placeable ? { placeable: shuffled(each.placeable, keys) } : {}),
      }));
      const byText = (placed: Map<string, string>) => [...placed].sort();
      assert.deepEqual(byText(elect(other, standing(its, their))), byText(elect(some, standing(its, their))));
    }),
  );
});

test('an election has the same result before and after some nodes take their addresses', () => {
  fc.assert(
    fc.property(vacancies, loads, owners, fc.subarray(nodes), (some, its, their, early) => {
      const placed = elect(some, standing(its, their));
      const late = some.map((each) => {
        const owner = placed.get(each.address);
        if (owner === undefined || !early.includes(owner)) return each;
        const isRecorded = each.recordedOwner !== undefined;
        return isRecorded
          ? { ...each, takenBy: owner }
          : vacant(each.address, [], { group: each.group, takenBy: owner });
      });
      assert.deepEqual([...elect(late, standing(its, their))].sort(), [...placed].sort());
    }),
  );
});

function spread(placed: ReadonlyMap<string, string>, from: Standing, among: readonly string[]): number {
  const totals = among.map(
    (node) => from.load(node) + [...placed.values()].filter((owner) => owner === node).length,
  );
  return Math.max(...totals) - Math.min(...totals);
}

test('balanced loads stay balanced, even when some vacancies are already taken', () => {
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
        const placed = elect(
          texts.map((address) => vacant(address, survivors)),
          from,
        );
        assert.ok(spread(placed, from, survivors) <= 1);
        const late = elect(
          texts.map((address) => {
            const owner = placed.get(address);
            return owner !== undefined && early.includes(owner)
              ? vacant(address, [], { takenBy: owner })
              : vacant(address, survivors);
          }),
          from,
        );
        assert.ok(spread(late, from, survivors) <= 1);
      },
    ),
  );
});

test('an election leaves loads at most one address apart, or no further apart than they were before', () => {
  fc.assert(
    fc.property(addresses, loads, (texts, its) => {
      const from = standing(its);
      const placed = elect(
        texts.map((address) => vacant(address, nodes)),
        from,
      );
      assert.ok(spread(placed, from, nodes) <= Math.max(1, spread(new Map(), from, nodes)));
    }),
  );
});

test('a group goes to one node when all its addresses have the same eligible nodes', () => {
  fc.assert(
    fc.property(addresses, fc.subarray(nodes, { minLength: 1 }), loads, (texts, eligible, its) => {
      const placed = elect(
        texts.map((address, i) => vacant(address, eligible, { group: `g${i >> 1}` })),
        standing(its),
      );
      for (let i = 1; i < texts.length; i += 2)
        assert.equal(placed.get(texts[i] ?? ''), placed.get(texts[i - 1] ?? ''));
    }),
  );
});
