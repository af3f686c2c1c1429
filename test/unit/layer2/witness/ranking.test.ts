import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../../src/address/index.ts';
import { Eligibility } from '../../../../src/layer2/ownership/eligibility.ts';
import type { NodeFacts } from '../../../../src/layer2/ownership/node-facts.ts';
import { emptyReport } from '../../../../src/layer2/ownership/witness-facts.ts';
import { WitnessRanking } from '../../../../src/layer2/witness/ranking.ts';
import { addressEntry, nodeFacts } from '../../../support/layer2-cluster.ts';

const asking = { witness: emptyReport };

function witnesses(
  nodes: Readonly<Record<string, NodeFacts>>,
  text: string,
  over: Parameters<typeof addressEntry>[2] & { readonly candidates?: readonly string[] } = {},
): readonly string[] {
  const facts = new Map(Object.entries(nodes));
  const ranking = new WitnessRanking(facts, new Eligibility(facts));
  const address = parseIp(text);
  assert.ok(address);
  const entry = addressEntry(text, over.candidates ?? Object.keys(nodes), over);
  return ranking.witnesses({ entry, address }, 'owner');
}

const plain = { ...nodeFacts(), ...asking };

test('WitnessRanking chooses two nodes other than the owner, and spreads the addresses over all of those nodes', () => {
  const nodes = { owner: plain, a: plain, b: plain, c: plain, d: plain };
  const counts = new Map<string, number>();
  for (let i = 0; i < 200; i++) {
    const chosen = witnesses(nodes, `192.0.2.${i}`);
    assert.equal(new Set(chosen).size, 2);
    assert.ok(!chosen.includes('owner'));
    const [first = ''] = chosen;
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  assert.equal(counts.size, 4);
  for (const count of counts.values()) assert.ok(count > 25, `${count}`);
});

test('WitnessRanking keeps the witnesses of an address when another node comes or goes', () => {
  for (let i = 0; i < 50; i++) {
    const chosen = witnesses({ owner: plain, a: plain, b: plain, c: plain }, `192.0.2.${i}`);
    const rest = ['a', 'b', 'c'].filter((node) => !chosen.includes(node));
    const without = Object.fromEntries(['owner', ...chosen].map((node) => [node, plain] as const));
    assert.deepEqual(witnesses(without, `192.0.2.${i}`), chosen, `without ${rest}`);
  }
});

test('WitnessRanking leaves out nodes that cannot ask', () => {
  const nodes = {
    owner: plain,
    a: { ...plain, isLeaving: true },
    b: { ...plain, isStarting: true },
    c: { ...plain, witness: { ...emptyReport, isDeaf: true } },
    d: nodeFacts(),
    e: { ...nodeFacts({ subnets: ['198.51.100.0/24'] }), ...asking },
    f: plain,
  };
  assert.deepEqual(witnesses(nodes, '192.0.2.1'), ['f']);
  assert.deepEqual(witnesses(nodes, '2001:db8::1', { interfaces: ['eth0'] }), []);
});

test('WitnessRanking prefers candidates of the address', () => {
  const nodes = { owner: plain, a: plain, b: plain, c: plain };
  for (let i = 0; i < 20; i++) {
    const chosen = witnesses(nodes, `192.0.2.${i}`, { candidates: ['owner', 'c'] });
    assert.equal(chosen[0], 'c');
    assert.equal(chosen.length, 2);
  }
});
