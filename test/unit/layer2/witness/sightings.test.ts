import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatIp } from '../../../../src/address/index.ts';
import { rendezvousWinners } from '../../../../src/hash.ts';
import type { CandidateNodes } from '../../../../src/layer2/address-entry.ts';
import type { NodeFacts } from '../../../../src/layer2/ownership/node-facts.ts';
import { Sightings } from '../../../../src/layer2/witness/sightings.ts';
import { ip, prefix } from '../../../support/addresses.ts';

const address = '192.0.2.150';
const names = ['node-1', 'node-2', 'node-3', 'node-4'];
const macOf = (node: string) => `02:00:00:00:00:0${node.slice(-1)}`;
const facts = (node: string, subnet = '192.0.2.0/24'): NodeFacts => ({
  isLeaving: false,
  isStarting: false,
  links: [
    { name: 'eth0', mac: macOf(node), subnets: [prefix(subnet)] },
    { name: 'eth1', mac: '02:00:00:00:01:00', subnets: [prefix('10.0.0.0/8')] },
  ],
});
const nodes = new Map(names.map((node) => [node, facts(node)]));

const everyNode: CandidateNodes = { candidates: names, interfaces: [] };

/** A machine for each node. */
function machines(candidatesOf: () => CandidateNodes = () => everyNode): Map<string, Sightings> {
  return new Map(
    names.map((node) => {
      const machine = new Sightings(node, candidatesOf);
      machine.see(nodes);
      machine.watch([ip(address)], 0);
      return [node, machine] as const;
    }),
  );
}

/** The nodes that report that no host answers, after questions at these times. */
function silentOn(all: ReadonlyMap<string, Sightings>, timesMs: readonly number[]): string[] {
  return [...all].flatMap(([node, machine]) =>
    timesMs
      .flatMap((nowMs) => machine.ask(nowMs).sightings)
      .filter(({ mac, isFirstAsker }) => mac === '' && isFirstAsker)
      .map(() => node),
  );
}

function askersOf(all: ReadonlyMap<string, Sightings>): string[] {
  return [...all].filter(([, machine]) => machine.ask(0).questions.length > 0).map(([node]) => node);
}

describe('Sightings', () => {
  test('lets two nodes ask for an address every two seconds, on the link that carries it', () => {
    const all = machines();
    const askers = askersOf(all);
    assert.equal(askers.length, 2);
    const machine = all.get(askers[0] ?? '') ?? assert.fail();
    assert.deepEqual(machine.ask(1999).questions, []);
    assert.deepEqual(machine.ask(2000).questions, [{ address: ip(address), interface: 'eth0' }]);
    assert.deepEqual([...machine.links()], ['eth0']);
  });

  test('names the node whose MAC answers, even this node itself, and reports again only when the MAC changes', () => {
    const machine = machines().get('node-1') ?? assert.fail();
    const answer = (mac: string) => machine.answered({ address, mac, interface: 'eth0' }, 1);
    assert.equal(answer(macOf('node-1'))?.node, 'node-1');
    assert.equal(answer(macOf('node-1')), undefined);
    assert.equal(answer(macOf('node-3'))?.node, 'node-3');
    assert.equal(answer('02:00:00:00:00:99')?.node, '');
  });

  test('names the node of a MAC as soon as the node is known', () => {
    const machine = machines().get('node-1') ?? assert.fail();
    machine.see(new Map([['node-1', facts('node-1')]]));
    assert.equal(machine.answered({ address, mac: macOf('node-3'), interface: 'eth0' }, 1)?.node, '');
    assert.deepEqual(
      machine.see(nodes).map(({ node }) => node),
      ['node-3'],
    );
    assert.deepEqual(machine.see(nodes), []);
  });

  test('reports that no host has answered for seven seconds, but only on the first of the two nodes that ask', () => {
    const all = machines();
    const silent = [...all].filter(([, machine]) => {
      for (const nowMs of [0, 2000, 4000, 6000]) assert.deepEqual(machine.ask(nowMs).sightings, []);
      return machine.ask(8000).sightings.some(({ mac }) => mac === '');
    });
    assert.equal(silent.length, 1);
    const [, machine] = silent[0] ?? assert.fail();
    assert.deepEqual(machine.ask(10_000).sightings, []);
    assert.equal(
      machine.answered({ address, mac: macOf('node-2'), interface: 'eth0' }, 10_100)?.node,
      'node-2',
    );
  });

  test('chooses the first asker among the nodes that may answer, whichever they are, and lets another node ask too', () => {
    for (const candidate of names) {
      const all = machines(() => ({ candidates: [candidate], interfaces: [] }));
      assert.equal(askersOf(all).length, 2);
      assert.deepEqual(silentOn(all, [2000, 4000, 6000, 8000]), [candidate]);
    }
  });

  test('chooses a node that leaves as the first asker only when no candidate stays', () => {
    const leaving = { 'node-1': -1, 'node-2': -1, 'node-3': -1 };
    const times = [0, 2000, 4000, 6000, 8000];
    const staying = machines(() => ({ ...everyNode, preferences: leaving }));
    assert.deepEqual(silentOn(staying, times), ['node-4']);
    const nodesOf = { candidates: ['node-1'], interfaces: [], preferences: leaving };
    assert.deepEqual(
      silentOn(
        machines(() => nodesOf),
        times,
      ),
      ['node-1'],
    );
  });

  test('says when this node is not the first asker any more, so that this node does not become the first owner by an old sighting', () => {
    let candidates: CandidateNodes = { candidates: ['node-1'], interfaces: [] };
    const all = machines(() => candidates);
    assert.deepEqual(silentOn(all, [0, 2000, 4000, 6000, 8000]), ['node-1']);
    candidates = { candidates: ['node-2'], interfaces: [] };
    const machine = all.get('node-1') ?? assert.fail();
    assert.deepEqual(
      machine.ask(10_000).sightings.map(({ isFirstAsker }) => isFirstAsker),
      [false],
    );
    assert.deepEqual(machine.ask(12_000).sightings, []);
  });

  test('asks on the interfaces on which the node may answer', () => {
    const candidates = { candidates: names, interfaces: [], nodeInterfaces: { 'node-1': ['eth1'] } };
    const machine = new Sightings('node-1', () => candidates);
    machine.see(new Map([['node-1', facts('node-1')]]));
    machine.watch([ip(address)], 0);
    assert.deepEqual([...machine.links()], ['eth1']);
    assert.deepEqual(machine.ask(0).questions, [{ address: ip(address), interface: 'eth1' }]);
  });

  test('asks nothing without a link for the address, and ignores answers for an address that it does not watch', () => {
    const machine = new Sightings('node-1', () => everyNode);
    machine.see(new Map([...nodes, ['node-1', facts('node-1', '198.51.100.0/24')]]));
    machine.watch([ip(address)], 0);
    assert.deepEqual(machine.ask(0).questions, []);
    assert.deepEqual([...machine.links()], []);
    assert.equal(
      machine.answered({ address: '192.0.2.9', mac: macOf('node-2'), interface: 'eth0' }, 1),
      undefined,
    );
  });

  /** The machine of node-1, which has a link for `count` addresses and is alone. */
  function alone(count: number): Sightings {
    const machine = new Sightings('node-1', () => ({ candidates: [], interfaces: [] }));
    machine.see(new Map([['node-1', facts('node-1', '192.0.0.0/16')]]));
    machine.watch(
      Array.from({ length: count }, (_, i) => ip(`192.0.${2 + (i >> 8)}.${i & 255}`)),
      0,
    );
    return machine;
  }

  const mac = '02:00:00:00:00:99';
  const isSilence = (sighting: { readonly mac: string }) => sighting.mac === '';

  test('does not take an answered address for silent when so many addresses are asked for that the questions for each are 15 seconds apart', () => {
    const machine = alone(3000);
    for (let nowMs = 0; nowMs < 60_000; nowMs += 200) {
      const { questions, sightings } = machine.ask(nowMs);
      assert.deepEqual(sightings.filter(isSilence), [], `${nowMs} ms`);
      for (const { address: each } of questions)
        machine.answered({ address: formatIp(each), mac, interface: 'eth0' }, nowMs + 1);
    }
  });

  test('does not take an answered address for silent after a stall of the process', () => {
    const machine = alone(1);
    machine.ask(0);
    machine.answered({ address: '192.0.2.0', mac, interface: 'eth0' }, 1);
    machine.ask(2000);
    assert.deepEqual(machine.ask(12_000).sightings, []);
  });

  test('does not take an answered address for silent when this node asks for it again after a while', () => {
    for (const [node, machine] of machines()) {
      for (let nowMs = 0; nowMs < 6000; nowMs += 2000) machine.ask(nowMs);
      machine.see(new Map([...nodes, [node, facts(node, '198.51.100.0/24')]]));
      for (let nowMs = 6000; nowMs < 20_000; nowMs += 2000) machine.ask(nowMs);
      machine.see(nodes);
      assert.deepEqual(machine.ask(20_000).sightings, []);
    }
  });

  test('with 2,000 addresses and 500 nodes, weighs at most 20,000 nodes at once, and still asks for each of its own addresses', () => {
    const machine = alone(2000);
    let weighed = 0;
    const many = Array.from({ length: 500 }, (_, i) => {
      const { links, ...rest } = facts(`node-${i + 1}`, '192.0.0.0/16');
      const counted = {
        ...rest,
        get links() {
          weighed++;
          return links;
        },
      };
      return [`node-${i + 1}`, counted] as const;
    });
    machine.see(new Map(many));
    const names = many.map(([node]) => node);
    const own = Array.from({ length: 2000 }, (_, i) => `192.0.${2 + (i >> 8)}.${i & 255}`).filter((text) =>
      rendezvousWinners(names, text, 2).includes('node-1'),
    );
    const asked = new Set<string>();
    for (let nowMs = 0; nowMs < 15_000; nowMs += 200) {
      weighed = 0;
      for (const { address: each } of machine.ask(nowMs).questions) asked.add(formatIp(each));
      assert.ok(weighed < 21_000, `${weighed}`);
    }
    assert.deepEqual([...asked].sort(), own.sort());
  });

  test('asks for each of 1,000 addresses, and at most for 40 at once', () => {
    const machine = alone(1000);
    const asked = new Set<bigint>();
    for (let nowMs = 0; nowMs < 6000; nowMs += 200) {
      const { questions } = machine.ask(nowMs);
      assert.ok(questions.length <= 40);
      for (const question of questions) asked.add(question.address.value);
    }
    assert.equal(asked.size, 1000);
  });
});
