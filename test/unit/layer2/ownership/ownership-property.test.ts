import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Claim } from '../../../../src/layer2/ownership/claim.ts';
import type { Ownership } from '../../../../src/layer2/ownership/ownership.ts';
import { addressEntry, firstClaim, Layer2Cluster, nodeFacts } from '../../../support/layer2-cluster.ts';

const maxDelayMs = 50;
/** First placements wait this long for further addresses. Until then, nodes may elect from different sets of addresses. */
const settleMs = 100;
/** In this time, all messages arrive, and silent nodes are passed over. After a call of `heal()`, healing (`quorum.ts`) ends in this time too. */
const quietMs = 5000;
/** If nodes declare a death more than a second apart, they pass each other over, and the loads may become uneven (`vacancies.ts`). */
const patientMs = 500;
const allNames = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

type Happening =
  | { readonly kind: 'crash' | 'leave' | 'up' | 'toggle leaving' | 'toggle link'; readonly node: number }
  | { readonly kind: 'stale' | 'fresh'; readonly node: number }
  | { readonly kind: 'toggle mute'; readonly nodes: number; readonly hosts: readonly number[] }
  | {
      readonly kind: 'put';
      readonly host: number;
      readonly candidates: number;
      readonly hasSibling: boolean;
      readonly recorded: number;
      readonly preferred: number;
      readonly avoided: number;
    }
  | { readonly kind: 'remove'; readonly host: number }
  | { readonly kind: 'part'; readonly nodes: number }
  | { readonly kind: 'heal' };

type Step = { readonly happening: Happening; readonly waitMs: number };

const host = fc.nat(9);
const mask = fc.nat(127);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('crash', 'leave'), node: fc.nat(6) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('up'), node: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('toggle leaving', 'toggle link'), node: fc.nat(6) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('stale', 'fresh'), node: fc.nat(6) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('toggle mute'),
      nodes: fc.oneof(fc.constant(127), mask),
      hosts: fc.array(host, { maxLength: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('put'),
      host,
      candidates: fc.oneof(fc.constant(127), mask),
      hasSibling: fc.boolean(),
      recorded: fc.nat(20),
      preferred: fc.oneof(fc.constant(0), mask),
      avoided: fc.oneof(fc.constant(0), mask),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove'), host }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('part'), nodes: mask }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal') }) },
);
const step: fc.Arbitrary<Step> = fc.record({
  happening,
  waitMs: fc.oneof(fc.constant(0), fc.nat(60), fc.nat(2500)),
});
const history = fc.array(fc.array(step, { maxLength: 8 }), { minLength: 1, maxLength: 4 });

function picked(names: readonly string[], bits: number): string[] {
  return names.filter((_, i) => (bits >> i) % 2 === 1);
}

function act(cluster: Layer2Cluster, happening: Happening): void {
  const { names } = cluster;
  switch (happening.kind) {
    case 'crash':
    case 'leave':
      return cluster.down(names[happening.node % names.length] ?? '', happening.kind);
    case 'up':
      return cluster.up(names[happening.node % names.length] ?? '');
    case 'stale':
    case 'fresh':
      return cluster.setStale(names[happening.node % names.length] ?? '', happening.kind === 'stale');
    case 'toggle leaving':
    case 'toggle link': {
      const name = names[happening.node % names.length] ?? '';
      const facts = cluster.facts.get(name) ?? nodeFacts();
      const { isLeaving, links } = facts;
      return cluster.setFacts(
        name,
        happening.kind === 'toggle leaving'
          ? { ...facts, isLeaving: !isLeaving }
          : {
              ...facts,
              links: nodeFacts({ subnets: links[0]?.subnets.length ? [] : ['192.0.2.0/24'] }).links,
            },
      );
    }
    case 'toggle mute': {
      const { nodes, hosts } = happening;
      const mute = new Set(hosts.length === 0 ? ['*'] : hosts.map((each) => `192.0.2.${each}`));
      for (const name of picked(names, nodes)) {
        const { mute: before, ...facts } = cluster.facts.get(name) ?? nodeFacts();
        cluster.setFacts(name, before ? facts : { ...facts, mute });
      }
      return;
    }
    case 'put': {
      const { candidates, recorded, hasSibling, preferred, avoided } = happening;
      const preferences = Object.fromEntries(
        picked(names, preferred).map((name, i) => [name, i < 2 ? 50 : 20]),
      );
      const recordedOwner = names[recorded];
      const over = {
        ...(hasSibling ? { group: `pair ${happening.host >> 1}` } : {}),
        ...(recordedOwner === undefined ? {} : { recordedOwner }),
        ...(preferred === 0 ? {} : { preferences }),
        ...(avoided === 0 ? {} : { avoided: picked(names, avoided) }),
      };
      return cluster.change([addressEntry(`192.0.2.${happening.host}`, picked(names, candidates), over)]);
    }
    case 'remove':
      return cluster.change([], [`192.0.2.${happening.host}`]);
    case 'part':
      return cluster.part(picked(names, happening.nodes));
    case 'heal':
      return cluster.heal();
  }
}

function sameClaims(one: Iterable<Claim>, other: Iterable<Claim>): boolean {
  const text = (claims: Iterable<Claim>) =>
    [...claims]
      .map(({ address, owner, epoch }) => `${address} ${owner} ${epoch}`)
      .sort()
      .join();
  return text(one) === text(other);
}

function isSettling(ownership: Ownership, now: number): boolean {
  return ownership.wakeAtMs() - now <= settleMs;
}

/** Asserts that two nodes with the same settled knowledge do not both answer for an address. */
function atMostOnePerView(cluster: Layer2Cluster): void {
  const now = cluster.clock.now();
  for (const address of cluster.entries.keys()) {
    const [...owners] = cluster.answering(address);
    for (const [i, name] of owners.entries())
      for (const other of owners.slice(i + 1)) {
        const [one, two] = [cluster.members.get(name), cluster.members.get(other)];
        if (!one || !two || isSettling(one.ownership, now) || isSettling(two.ownership, now)) continue;
        if (one.undecided + two.undecided > 0) continue;
        if (one.view.claiming !== two.view.claiming) continue;
        // A paused successor answers before it may claim, and the old owner answers until that claim.
        if (one.view.claiming === 'paused') continue;
        if (one.view.nodes.size !== two.view.nodes.size || one.entries.size !== two.entries.size) continue;
        if ([...one.view.nodes].some(([node, facts]) => two.view.nodes.get(node) !== facts)) continue;
        if ([...one.entries].some(([text, entry]) => two.entries.get(text) !== entry)) continue;
        if (!sameClaims(one.claims.all(), two.claims.all())) continue;
        assert.fail(
          `${name} and ${other} have the same knowledge and both answer for ${address} at ${now} ms`,
        );
      }
  }
}

function exactlyOneEach(cluster: Layer2Cluster): void {
  // A minority makes no claims, so an address does not move to a node that its entry prefers.
  const isMinority = [...cluster.members.values()].every(({ view }) => view.claiming === 'refused');
  for (const address of cluster.entries.keys()) {
    const [owner, ...more] = cluster.answering(address);
    const eligible = isMinority ? cluster.eligible(address) : cluster.preferred(address);
    assert.deepEqual(more, [], `${address}: ${owner} and ${more} answer`);
    assert.equal(
      owner === undefined,
      eligible.length === 0,
      `${address}: ${owner} answers, eligible are ${eligible}`,
    );
    assert.ok(owner === undefined || eligible.includes(owner), `${address}: ${owner} is not eligible`);
  }
  for (const [name, { answering, claims, ownership }] of cluster.members) {
    assert.deepEqual([...answering].sort(), ownership.answered().sort());
    for (const address of answering)
      assert.ok(cluster.entries.has(address), `${name} answers for ${address}, which is gone`);
    for (const address of claims.addressesOf(name))
      assert.ok(cluster.entries.has(address), `${name} claims ${address}, which is gone`);
  }
}

/**
 * Asserts that each address of a quiet cluster has at most one owner, however stale some nodes are, and that the newest entries win. In a
 * minority, an address that no living node has claimed may have two owners.
 */
function neverTwo(cluster: Layer2Cluster): void {
  const claims = () =>
    [...cluster.members.values()].flatMap((member) =>
      [...member.claims.all()].map(({ address, owner, epoch }) => `${address} ${owner} ${epoch}`),
    );
  const before = claims();
  cluster.run(quietMs);
  assert.deepEqual(claims(), before, 'a quiet cluster makes no new claims');
  for (const address of cluster.entries.keys()) {
    const [owner, ...more] = cluster.answering(address);
    // A stale node and another one may both answer for an address. In a minority, only an earlier claim of a living node settles this
    // (docs/design/limits.md).
    const couldDiffer =
      cluster.answering(address).some((name) => cluster.stale.has(name)) &&
      more.length === 1 &&
      [...cluster.members.values()].every(
        ({ view, claims }) =>
          view.claiming === 'refused' && !cluster.members.has(claims.get(address)?.owner ?? ''),
      );
    if (!couldDiffer) assert.deepEqual(more, [], `${address}: ${owner} and ${more} answer`);
    // A minority passes no node over, so an address may wait for an elected node that does not know the address yet.
    if (![...cluster.members.values()].every(({ view }) => view.claiming === 'allowed')) continue;
    const fresh = cluster.eligible(address).filter((name) => !cluster.stale.has(name));
    if (fresh.length > 0)
      assert.ok(
        owner !== undefined && cluster.eligible(address).includes(owner),
        `${address}: ${owner} answers`,
      );
  }
}

/** A change of the candidates of one address. */
function putFor(candidates: number): Happening {
  return { kind: 'put', host: 9, candidates, hasSibling: false, recorded: 0, preferred: 0, avoided: 0 };
}

/** All nodes are mute, and one of them does not learn of the newest candidates, so it must respect the claim of a mute owner. */
const allMuteAndOneStale: [number, number, Step[][], boolean, number] = [
  5,
  0,
  [
    [
      { happening: { kind: 'toggle mute', nodes: 127, hosts: [] }, waitMs: 0 },
      { happening: putFor(2), waitMs: 0 },
    ],
    [
      { happening: { kind: 'stale', node: 6 }, waitMs: 0 },
      { happening: putFor(20), waitMs: 0 },
    ],
    [],
  ],
  false,
  0,
];

test('after any history each address has one owner and has not moved without need, and nodes with the same knowledge never both answer', () => {
  fc.assert(
    // When any entry has preferences, the machine judges all addresses at each view. It then does not run the code that chooses the affected
    // addresses, so half of the histories have no preferences.
    fc.property(
      fc.integer({ min: 3, max: 7 }),
      fc.integer(),
      history,
      fc.boolean(),
      fc.constantFrom(0, 1000),
      (size, seed, rounds, isPlain, maxSuspicionMs) => {
        const names = allNames.slice(0, size);
        const cluster = new Layer2Cluster({ names, seed, maxDelayMs, maxSuspicionMs });
        cluster.check = () => atMostOnePerView(cluster);
        for (const name of cluster.names) cluster.up(name);
        cluster.run(quietMs);
        for (const round of rounds) {
          const settled = new Map<string, string>();
          for (const address of cluster.entries.keys()) {
            const owner = cluster.owner(address);
            if (owner !== undefined && cluster.answering(address)[0] === owner) settled.set(address, owner);
          }
          const drop = () => {
            for (const [address, owner] of settled)
              if (cluster.isParted || !cluster.preferred(address).includes(owner)) settled.delete(address);
          };
          for (const { happening, waitMs } of round) {
            // A `put` replaces the entry. Until a node has the new entry, other changes may make it move the address by the old preferences.
            if (happening.kind === 'put') {
              const address = `192.0.2.${happening.host}`;
              if (cluster.entries.get(address)?.preferences) settled.delete(address);
            }
            act(cluster, isPlain && happening.kind === 'put' ? { ...happening, preferred: 0 } : happening);
            drop();
            cluster.run(waitMs);
          }
          cluster.heal();
          // Perhaps only one node knows an entry. This time is long enough for that node to pass over all others.
          cluster.run(quietMs + 1000 * size);
          neverTwo(cluster);
          for (const name of names) cluster.setStale(name, false);
          cluster.run(quietMs);
          exactlyOneEach(cluster);
          for (const [address, owner] of settled)
            assert.deepEqual(
              cluster.answering(address),
              [owner],
              `${address} moved away from ${owner} without need`,
            );
        }
      },
    ),
    { numRuns: 300, examples: [allMuteAndOneStale] },
  );
});

test('an owner that has restarted answers until the preferred node has learned of the preference and claims the address', () => {
  const address = '192.0.2.7';
  const cluster = new Layer2Cluster({ names: ['a', 'b', 'c'], seed: 0, maxDelayMs });
  for (const name of cluster.names) cluster.up(name);
  cluster.run(quietMs);
  cluster.change([addressEntry(address, ['c'])]);
  cluster.run(quietMs);
  assert.deepEqual(cluster.answering(address), ['c']);
  cluster.down('c', 'crash');
  cluster.setStale('a', true);
  cluster.up('c');
  cluster.change([addressEntry(address, ['a', 'b', 'c'], { preferences: { a: 50 } })]);
  cluster.down('b', 'crash');
  cluster.run(quietMs);
  neverTwo(cluster);
  assert.deepEqual(cluster.answering(address), ['c']);
  cluster.setStale('a', false);
  cluster.run(quietMs);
  assert.deepEqual(cluster.answering(address), ['a']);
});

for (const [name, able, unable] of [
  ['has a link again', nodeFacts(), nodeFacts({ links: [] })],
  ['is heard by its witnesses again', nodeFacts(), { ...nodeFacts(), mute: new Set(['*']) }],
] as const)
  test(`a mute owner gives its address to the other candidate as soon as that node ${name}`, () => {
    const address = '192.0.2.7';
    const cluster = new Layer2Cluster({ names: ['a', 'b', 'c'], seed: 0, maxDelayMs });
    for (const each of cluster.names) cluster.up(each);
    cluster.run(quietMs);
    cluster.change([addressEntry(address, ['a', 'b'])]);
    cluster.run(quietMs);
    const [owner = ''] = cluster.answering(address);
    const other = owner === 'a' ? 'b' : 'a';
    cluster.setFacts(other, unable);
    cluster.setFacts(owner, { ...nodeFacts(), mute: new Set([address]) });
    cluster.run(quietMs);
    assert.deepEqual(cluster.answering(address), [owner]);
    cluster.setFacts(other, able);
    cluster.run(quietMs);
    assert.deepEqual(cluster.answering(address), [other]);
  });

test('an owner waits for a preferred node that does not know of the preference, and no third node with an old entry takes the address', () => {
  const address = '192.0.2.4';
  const cluster = new Layer2Cluster({ names: ['a', 'b', 'c', 'd'], seed: 0, maxDelayMs });
  for (const name of cluster.names) cluster.up(name);
  cluster.run(quietMs);
  cluster.change([addressEntry(address, ['d'])]);
  cluster.run(quietMs);
  for (const name of ['a', 'd']) cluster.setStale(name, true);
  cluster.change([addressEntry(address, ['a', 'c'], { preferences: { a: 50 } })]);
  cluster.run(quietMs * 2);
  neverTwo(cluster);
  assert.deepEqual(cluster.answering(address), ['c']);
  for (const name of ['a', 'd']) cluster.setStale(name, false);
  cluster.run(quietMs);
  assert.deepEqual(cluster.answering(address), ['a']);
});

function loadsWithinOne(cluster: Layer2Cluster): boolean {
  const loads = [...cluster.members.keys()].map((name) => cluster.load(name));
  return Math.max(...loads) - Math.min(...loads) <= 1;
}

test('balanced loads are balanced again after each death, departure or planned stop', () => {
  const loss = fc.record({
    node: fc.nat(6),
    how: fc.constantFrom('crash', 'leave', 'hand over'),
    more: fc.nat(12),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 7 }),
      fc.integer(),
      fc.nat(30),
      fc.array(loss, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(0, patientMs),
      (size, seed, count, losses, maxSuspicionMs) => {
        const names = allNames.slice(0, size);
        const cluster = new Layer2Cluster({ names, seed, maxDelayMs, maxSuspicionMs });
        let last = 0;
        const put = (many: number) => {
          const entries = Array.from({ length: many }, () =>
            addressEntry(`192.0.2.${(++last * 37) % 256}`, names),
          );
          cluster.change(entries);
        };
        put(count);
        const held = [...cluster.entries.keys()].map((address, i): Claim => {
          return firstClaim(address, names[i % size] ?? '');
        });
        for (const name of names) cluster.up(name, held);
        cluster.run(quietMs);
        assert.ok(loadsWithinOne(cluster), 'claims are kept');
        for (const { node, how, more } of losses) {
          const name = names[node % size] ?? '';
          const wasEven = loadsWithinOne(cluster);
          if (how === 'hand over') {
            cluster.setFacts(name, nodeFacts({ isLeaving: true }));
            cluster.run(quietMs);
            assert.equal(cluster.load(name), 0);
            cluster.setFacts(name, nodeFacts());
            cluster.down(name, 'leave');
          } else cluster.down(name, how);
          cluster.run(quietMs);
          exactlyOneEach(cluster);
          if (wasEven) assert.ok(loadsWithinOne(cluster), `uneven without ${name}`);
          cluster.up(name);
          cluster.run(quietMs);
          put(more);
          cluster.run(quietMs);
        }
      },
    ),
    { numRuns: 200 },
  );
});

/** A cluster whose nodes have a link with a subnet of each family. */
function dualStack(size: number, seed: number): Layer2Cluster {
  const cluster = new Layer2Cluster({ names: allNames.slice(0, size), seed, maxDelayMs });
  for (const name of cluster.names)
    cluster.facts.set(name, nodeFacts({ subnets: ['192.0.2.0/24', '2001:db8::/64'] }));
  return cluster;
}

/** Asserts that loads differ by at most one Service, which has two addresses. */
function withinOneService(cluster: Layer2Cluster): void {
  const loads = [...cluster.members.keys()].map((name) => cluster.load(name));
  assert.ok(Math.max(...loads) - Math.min(...loads) <= 2, `loads differ by more than one Service: ${loads}`);
}

test('dual-stack Services stay balanced when a node dies', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 3, max: 7 }), fc.nat(40), (seed, size, services) => {
      const cluster = dualStack(size, seed);
      const { names } = cluster;
      const families = Array.from({ length: services }, (_, i) => [`192.0.2.${i}`, `2001:db8::${i + 1}`]);
      const pairs = families.map((pair, i) =>
        pair.map((address) => addressEntry(address, names, { group: `default/${i}` })),
      );
      cluster.change(pairs.flat());
      const held = families.flatMap((pair, i) =>
        pair.map((address) => firstClaim(address, names[i % size] ?? '')),
      );
      for (const name of names) cluster.up(name, held);
      cluster.run(quietMs);
      cluster.down('a', 'crash');
      cluster.run(quietMs);
      exactlyOneEach(cluster);
      withinOneService(cluster);
    }),
    { numRuns: 100 },
  );
});

test('Services that arrive within a second are balanced, although each node learns of them at different times', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 3, max: 7 }), fc.nat(8), (seed, size, pauseMs) => {
      const cluster = dualStack(size, seed);
      const { names } = cluster;
      for (const name of names) cluster.up(name);
      cluster.run(quietMs);
      for (let i = 0; i < 50; i++)
        for (const address of [`192.0.2.${i}`, `2001:db8::${i + 1}`]) {
          cluster.change([addressEntry(address, names, { group: `default/${i}` })]);
          cluster.run(pauseMs);
        }
      cluster.run(quietMs);
      exactlyOneEach(cluster);
      withinOneService(cluster);
    }),
    { numRuns: 50 },
  );
});

test('the addresses of a dead node are balanced, although survivors learn of the death at different times', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 3, max: 7 }), (seed, size) => {
      const names = allNames.slice(0, size);
      const cluster = new Layer2Cluster({ names, seed, maxDelayMs });
      const entries = Array.from({ length: 60 }, (_, i) => addressEntry(`192.0.2.${i}`, names));
      cluster.change(entries);
      const held = entries.map(({ address }, i): Claim => {
        return firstClaim(address, names[i % size] ?? '');
      });
      for (const name of names) cluster.up(name, held);
      cluster.run(quietMs);
      cluster.down('a', 'crash');
      cluster.run(maxDelayMs * 2);
      exactlyOneEach(cluster);
      assert.ok(loadsWithinOne(cluster));
      for (const { address } of entries)
        assert.equal(
          cluster.members.get('b')?.claims.get(address)?.epoch,
          held.find((claim) => claim.address === address)?.owner === 'a' ? 2 : 1,
        );
    }),
    { numRuns: 30 },
  );
});

test('a minority claims nothing, whatever the order in which it loses the other members', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 7 }),
      fc.integer(),
      fc.nat(127),
      fc.integer({ min: 100, max: 20_000 }),
      (size, seed, bits, partedMs) => {
        const names = allNames.slice(0, size);
        const minority = picked(names, bits).slice(0, Math.ceil(size / 2) - 1);
        fc.pre(minority.length > 0);
        const cluster = new Layer2Cluster({ names, seed, maxDelayMs });
        const entries = Array.from({ length: 10 }, (_, i) => addressEntry(`192.0.2.${i}`, names));
        cluster.change(entries);
        for (const name of names) cluster.up(name);
        cluster.run(quietMs);
        const owners = new Map(entries.map(({ address }) => [address, cluster.owner(address)]));
        cluster.part(minority);
        cluster.run(partedMs);
        for (const name of minority)
          for (const [address, owner] of owners)
            assert.equal(
              cluster.members.get(name)?.claims.get(address)?.owner,
              owner,
              `${name} on ${address}`,
            );
        cluster.heal();
        cluster.run(quietMs);
        exactlyOneEach(cluster);
        for (const [address, owner = ''] of owners)
          if (!minority.includes(owner)) assert.deepEqual(cluster.answering(address), [owner], address);
      },
    ),
    { numRuns: 200 },
  );
});

test('when nodes join seconds apart, as after an edit that adds the first layer-2 pool, exactly one node soon answers for each address', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 7 }),
      fc.integer(),
      fc.array(fc.oneof(fc.nat(200), fc.nat(6000)), { minLength: 6, maxLength: 6 }),
      fc.nat(7),
      (size, seed, waitsMs, absent) => {
        const names = allNames.slice(0, size);
        const cluster = new Layer2Cluster({ names, seed, maxDelayMs });
        cluster.check = () => atMostOnePerView(cluster);
        cluster.change(Array.from({ length: 20 }, (_, i) => addressEntry(`192.0.2.${i}`, names)));
        // Some nodes may not learn of the edit at all, because they cannot reach the API server.
        const joining = names.slice(0, Math.max(1, size - absent));
        for (const [i, name] of joining.entries()) {
          cluster.up(name);
          cluster.run(waitsMs[i] ?? 0);
        }
        cluster.run(quietMs);
        exactlyOneEach(cluster);
        const settled = [...cluster.entries.keys()].map((address) => cluster.answering(address));
        for (const name of names) cluster.up(name);
        cluster.run(quietMs);
        exactlyOneEach(cluster);
        if (2 * joining.length < size) return;
        const after = [...cluster.entries.keys()].map((address) => cluster.answering(address));
        assert.deepEqual(after, settled, 'a majority has claimed the addresses, so none moves');
      },
    ),
    { numRuns: 200 },
  );
});

test('after a restart of all nodes, recorded owners keep their addresses, and those of a node that is gone go to the emptiest nodes', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const names = allNames.slice(0, 5);
      const cluster = new Layer2Cluster({ names, seed, maxDelayMs });
      cluster.check = () => atMostOnePerView(cluster);
      // The node c had no address before the restart, and the nodes f and g do not return.
      const counts = { f: 3, a: 5, b: 5, g: 3, d: 5, e: 5 };
      const records = Object.entries(counts).flatMap(([name, count]) => Array<string>(count).fill(name));
      const entries = records.map((recordedOwner, i) =>
        addressEntry(`192.0.2.${100 + i}`, names, { recordedOwner }),
      );
      cluster.change(entries);
      for (const name of names) cluster.up(name);
      cluster.run(quietMs * 2);
      exactlyOneEach(cluster);
      for (const { address, recordedOwner = '' } of entries)
        if (names.includes(recordedOwner)) assert.deepEqual(cluster.answering(address), [recordedOwner]);
      const loads = names.map((name) => cluster.load(name));
      assert.ok(cluster.load('c') >= 4 && Math.max(...loads) <= 6, `${loads}`);
    }),
    { numRuns: 100 },
  );
});

test('after a restart of all nodes, the addresses of a node that was recorded for far more than its share are spread', () => {
  const uneven: number[][] = [];
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(fc.nat(4), { minLength: 5, maxLength: 30, size: 'max' }),
      (seed, others) => {
        const names = allNames.slice(0, 5);
        const cluster = new Layer2Cluster({ names, seed, maxDelayMs });
        cluster.check = () => atMostOnePerView(cluster);
        const records = [...Array<string>(20).fill('e'), ...others.map((index) => names[index] ?? '')];
        cluster.change(
          records.map((recordedOwner, i) => addressEntry(`192.0.2.${100 + i}`, names, { recordedOwner })),
        );
        for (const name of names) cluster.up(name);
        cluster.run(quietMs * 2);
        exactlyOneEach(cluster);
        const loads = names.map((name) => cluster.load(name));
        const share = records.length / names.length;
        assert.ok(Math.max(...loads) <= 2 * share && Math.min(...loads) > 0, `${loads}`);
        if (Math.max(...loads) - Math.min(...loads) > 4) uneven.push(loads);
      },
    ),
    { numRuns: 100 },
  );
  // Nodes that decide at different moments see different loads. About one in 3,000 histories therefore ends with loads that differ by more than 4.
  assert.ok(uneven.length <= 1, uneven.join('; '));
});
