import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CandidateSets } from '../../../src/layer2/candidate-sets.ts';
import type { EntriesMessage } from '../../../src/layer2/message-parts.ts';
import { complete } from '../../../src/layer2/ownership/steps.ts';

const resolve = (sets: CandidateSets, message: EntriesMessage) => complete(sets.resolve(message));

const nodes = (...candidates: string[]) => ({ candidates, interfaces: [] });
const entry = (address: string, ...sources: (number | ReturnType<typeof nodes>)[]) => ({
  address,
  sources,
  group: address,
  observedVersion: 5,
});
const set = (
  number: number,
  put: ReturnType<typeof nodes>,
  remove: readonly string[] = [],
  observedVersion = 1,
) => ({
  set: number,
  observedVersion,
  remove,
  put,
});
const [web, dns] = ['192.0.2.1', '192.0.2.2'] as const;

describe('CandidateSets', () => {
  test('shares one list of candidates among the entries that name one set', () => {
    const sets = new CandidateSets();
    const { upsert } = resolve(sets, {
      kind: 'table',
      sets: [set(1, nodes('a', 'b'))],
      upsert: [entry(web, 1), entry(dns, 1)],
      remove: [],
    });
    assert.deepEqual(upsert[0], { address: web, ...nodes('a', 'b'), group: web, observedVersion: 5 });
    assert.equal(upsert[0]?.candidates, upsert[1]?.candidates);
  });

  test('returns the entries that name a changed set, each with the higher version of the entry and the set', () => {
    const sets = new CandidateSets();
    resolve(sets, {
      kind: 'table',
      sets: [set(1, nodes('a', 'b')), set(2, nodes('c'))],
      upsert: [entry(web, 1), entry(dns, 2)],
      remove: [],
    });
    const change = { kind: 'change', sets: [set(1, nodes('d'), ['a'], 9)], upsert: [], remove: [] } as const;
    assert.deepEqual(resolve(sets, change).upsert, [
      { address: web, ...nodes('b', 'd'), group: web, observedVersion: 9 },
    ]);
  });

  test('gives an entry no candidates while it is held back, and lists in heldNodes() the nodes that become its candidates afterwards', () => {
    const sets = new CandidateSets();
    const held = { ...entry(web), heldSources: [1] };
    const local = { ...entry(dns), heldSources: [nodes('c')] };
    const table = { kind: 'table', sets: [set(1, nodes('a'))], upsert: [held, local], remove: [] } as const;
    assert.deepEqual(
      resolve(sets, table).upsert.map(({ candidates }) => candidates),
      [[], []],
    );
    const change = { kind: 'change', sets: [set(1, nodes('b'), ['a'])], upsert: [], remove: [] } as const;
    assert.deepEqual(resolve(sets, change).upsert, []);
    assert.deepEqual([sets.heldNodes(web), sets.heldNodes(dns)], [nodes('b'), nodes('c')]);
    resolve(sets, { kind: 'change', sets: [], upsert: [entry(web, 1)], remove: [] });
    assert.deepEqual(sets.heldNodes(web), nodes());
  });

  test('heldNodes() joins all changed sets after a message, even if it was called between the steps of the message', () => {
    const sets = new CandidateSets();
    const held = { ...entry(web), heldSources: [1, 2] };
    const first = [set(1, nodes('a')), set(2, nodes('b'))];
    resolve(sets, { kind: 'table', sets: first, upsert: [held, entry(dns, 1, 2)], remove: [] });
    const second = [set(1, nodes('c'), ['a']), set(2, nodes('d'), ['b'])];
    for (const _ of sets.resolve({ kind: 'change', sets: second, upsert: [], remove: [] }))
      sets.heldNodes(web);
    assert.deepEqual(sets.heldNodes(web).candidates, ['c', 'd']);
  });

  test('gives the same result for many changes of a set in one message as for one change in each message', () => {
    const table = {
      kind: 'table',
      sets: [set(1, nodes('a', 'b'))],
      upsert: [entry(web, 1)],
      remove: [],
    } as const;
    const changes = [
      set(1, { ...nodes('c'), avoided: ['c'] } as never, ['a'], 2),
      set(1, { ...nodes('a'), preferences: { a: 7 }, interfaces: ['eth1'] } as never, ['b'], 3),
      set(1, nodes('c'), [], 4),
      set(1, nodes('d'), ['c'], 5),
      set(1, nodes('c', 'e'), ['e'], 6),
    ];
    const [together, alone] = [new CandidateSets(), new CandidateSets()];
    resolve(together, table);
    resolve(alone, table);
    const one = changes.map((change) =>
      resolve(alone, { kind: 'change', sets: [change], upsert: [], remove: [] }),
    );
    const all = resolve(together, { kind: 'change', sets: changes, upsert: [], remove: [] });
    assert.deepEqual(all.upsert, one.at(-1)?.upsert);
    assert.deepEqual(all.upsert[0]?.candidates, ['a', 'c', 'd', 'e']);
  });

  test('forgets the changes of a set when a later change in the same message drops the set', () => {
    const sets = new CandidateSets();
    const dropped = { set: 1, isDropped: true } as const;
    resolve(sets, { kind: 'table', sets: [set(1, nodes('a'))], upsert: [], remove: [] });
    resolve(sets, { kind: 'change', sets: [set(1, nodes('b')), dropped], upsert: [], remove: [] });
    const { upsert } = resolve(sets, { kind: 'change', sets: [], upsert: [entry(web, 1)], remove: [] });
    assert.deepEqual(upsert[0]?.candidates, []);
  });

  test('changes whether a node is avoided only when a change of the set names the node', () => {
    const sets = new CandidateSets();
    const put = { ...nodes('a', 'b', 'c'), avoided: ['a', 'b'] };
    resolve(sets, { kind: 'table', sets: [set(1, put)], upsert: [entry(web, 1)], remove: [] });
    const avoidedAfter = (next: ReturnType<typeof nodes>, remove: string[] = []) =>
      resolve(sets, { kind: 'change', sets: [set(1, next, remove)], upsert: [], remove: [] }).upsert[0]
        ?.avoided;
    assert.deepEqual(avoidedAfter(nodes('d')), ['a', 'b']);
    assert.deepEqual(avoidedAfter(nodes('a')), ['b']);
    assert.deepEqual(avoidedAfter({ ...nodes('c'), avoided: ['c'] } as never), ['b', 'c']);
    assert.deepEqual(avoidedAfter(nodes(), ['b']), ['c']);
    assert.equal(avoidedAfter(nodes('c')), undefined);
  });

  test('joins the sources of an address that Services share', () => {
    const sets = new CandidateSets();
    const { upsert } = resolve(sets, {
      kind: 'table',
      sets: [
        set(1, { ...nodes('a', 'b'), interfaces: ['eth0'] } as never),
        set(2, nodes('b')),
        set(3, { ...nodes('a'), interfaces: ['eth1'] } as never),
      ],
      upsert: [entry(web, 1, 2), entry(dns, 1, 3, nodes('x'))],
      remove: [],
    });
    assert.deepEqual(
      upsert.map(({ candidates, interfaces, nodeInterfaces }) => ({
        candidates,
        interfaces,
        nodeInterfaces,
      })),
      [
        { candidates: ['a', 'b'], interfaces: [], nodeInterfaces: { a: ['eth0'], b: [] } },
        {
          candidates: ['a', 'b', 'x'],
          interfaces: [],
          nodeInterfaces: { a: ['eth0', 'eth1'], b: ['eth0'], x: [] },
        },
      ],
    );
  });

  test('forgets an entry that is removed, that no longer names a set, or that a new table lacks', () => {
    const sets = new CandidateSets();
    const change = (version: number) =>
      resolve(sets, {
        ...{ kind: 'change', upsert: [], remove: [] },
        sets: [set(1, nodes(), ['a'], version)],
      }).upsert.map(({ address }) => address);
    resolve(sets, {
      kind: 'table',
      sets: [set(1, nodes('a'))],
      upsert: [entry(web, 1), entry(dns, 1)],
      remove: [],
    });
    assert.deepEqual(change(2), [web, dns]);
    resolve(sets, {
      kind: 'change',
      sets: [],
      upsert: [entry(web, nodes('b'))],
      remove: [{ address: dns, observedVersion: 6 }],
    });
    assert.deepEqual(change(3), []);
    resolve(sets, { kind: 'change', sets: [], upsert: [entry(web, 1)], remove: [] });
    assert.deepEqual(change(4), [web]);
    resolve(sets, { kind: 'table', sets: [], upsert: [], remove: [] });
    assert.deepEqual(change(5), []);
  });

  test('gives no candidates to an entry that names a dropped set', () => {
    const sets = new CandidateSets();
    resolve(sets, { kind: 'table', sets: [set(1, nodes('a'))], upsert: [], remove: [] });
    resolve(sets, { kind: 'change', sets: [{ set: 1, isDropped: true }], upsert: [], remove: [] });
    const { upsert } = resolve(sets, { kind: 'change', sets: [], upsert: [entry(web, 1)], remove: [] });
    assert.deepEqual(upsert[0]?.candidates, []);
  });
});
