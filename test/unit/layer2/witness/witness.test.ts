/** The witness machines of whole clusters in virtual time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WitnessCluster, type WitnessClusterOptions } from '../../../support/witness-cluster.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A cluster in which each address has an owner, whose answers reach the witnesses. */
function settled(options: Partial<WitnessClusterOptions> = {}): WitnessCluster {
  const world = new WitnessCluster({ nodes: 3, addresses: 6, seed: 1, ...options });
  world.run(minuteMs);
  assert.deepEqual(world.changes, []);
  assert.deepEqual(world.moves, []);
  return world;
}

/** Drops the answers of the speakers of these nodes. Their kernels still answer, and their questions still arrive. */
function dropAnswersOf(world: WitnessCluster, ...nodes: readonly string[]): void {
  world.loses = ({ kind, from, isKernel }) => kind === 'answer' && !isKernel && nodes.includes(from);
}

describe('Witness', () => {
  test('an owner whose answers are dropped is noticed within ten seconds, and loses each address only once in the next hour', () => {
    for (const seed of [1, 2]) {
      const world = settled({ seed });
      const mute = world.owner(world.addresses[0] ?? '');
      const lost = world.addresses.filter((address) => world.owner(address) === mute);
      const startMs = world.nowMs;
      dropAnswersOf(world, mute);
      world.run(10_000);
      const noticed = world.changes.filter(({ kind }) => kind === 'unverified').map(({ address }) => address);
      assert.deepEqual(noticed.sort(), [...lost].sort());
      world.run(10_000);
      for (const address of lost) assert.notEqual(world.owner(address), mute);
      assert.deepEqual(world.moves.map(({ address }) => address).sort(), [...lost].sort());
      assert.ok(world.moves.every(({ atMs }) => atMs - startMs < 17_000));
      world.run(hourMs);
      assert.equal(world.moves.length, lost.length);
      assert.deepEqual([...world.mute(mute)].sort(), [...lost].sort());
    }
  });

  test('twelve nodes notice that the owner of the only address is mute, although they share the bound on questions', () => {
    const world = settled({ nodes: 12, addresses: 1 });
    const [address = ''] = world.addresses;
    const mute = world.owner(address);
    dropAnswersOf(world, mute);
    world.run(20_000);
    assert.deepEqual(
      world.changes.map(({ kind, node }) => [kind, node]),
      [
        ['unverified', mute],
        ['mute', mute],
        ['verified', mute],
      ],
    );
    assert.equal(world.moves.length, 1);
    assert.notEqual(world.owner(address), mute);
    for (const name of world.names) assert.ok(!world.isDeaf(name), name);
  });

  test('an owner whose answers are dropped from the beginning loses its addresses within half a minute', () => {
    const world = new WitnessCluster({
      nodes: 3,
      addresses: 6,
      seed: 1,
      entry: { preferences: { 'node-2': 1 } },
    });
    dropAnswersOf(world, 'node-2');
    world.run(30_000);
    for (const address of world.addresses) assert.ok(!['', 'node-2'].includes(world.owner(address)));
  });

  for (const [count, hasShortFacts] of [
    [6, false],
    [6, true],
    [20, false],
    [20, true],
  ] as const)
    test(`a preferred node whose answers are dropped gets its ${count} addresses back only when witnesses hear it again, and then only once${hasShortFacts ? ', although its facts have room for a few addresses only' : ''}`, () => {
      const world = settled({ addresses: count, hasShortFacts, entry: { preferences: { 'node-2': 1 } } });
      for (const address of world.addresses) assert.equal(world.owner(address), 'node-2');
      dropAnswersOf(world, 'node-2');
      world.run(hourMs);
      assert.equal(world.moves.length, count);
      world.loses = () => false;
      world.run(hourMs);
      assert.equal(world.moves.length, 2 * count);
      for (const address of world.addresses) assert.equal(world.owner(address), 'node-2');
      assert.deepEqual([...world.mute('node-2')], []);
    });

  test('a preferred node whose answers come and go moves its addresses less and less often', () => {
    const world = settled({ addresses: 1, entry: { preferences: { 'node-2': 1 } } });
    // Answers are lost for one minute out of three.
    world.loses = ({ kind, from, isKernel }) =>
      kind === 'answer' && !isKernel && from === 'node-2' && world.nowMs % (3 * minuteMs) < minuteMs;
    world.run(6 * hourMs);
    // A trial lasts at least 1, 2, 4, … 60 minutes, so six hours have room for 12 at most. The address moves before and after each.
    assert.ok(world.moves.length <= 2 * 12, `${world.moves.length} moves`);
  });

  test('when the answers of all nodes are dropped, an address visits each node at most once and then stays', () => {
    const world = settled({ nodes: 4, addresses: 4 });
    dropAnswersOf(world, ...world.names);
    world.run(10 * minuteMs);
    for (const address of world.addresses)
      assert.ok(world.moves.filter((move) => move.address === address).length <= 3);
    const before = world.moves.length;
    world.run(hourMs);
    assert.equal(world.moves.length, before);
    for (const address of world.addresses) assert.equal(world.cluster.answering(address).length, 1);
  });

  for (const nodes of [2, 3, 5])
    test(`${nodes} nodes that lose 20 % of all packets in each direction ${nodes > 2 ? 'make no false verdict' : 'move no address'} in an hour`, () => {
      for (const seed of [1, 2]) {
        const world = settled({ nodes, seed, addresses: 10 });
        world.loses = () => world.random() < 0.2;
        world.run(hourMs);
        assert.deepEqual(world.moves, []);
        assert.deepEqual(
          world.changes.filter(() => nodes > 2),
          [],
        );
      }
    });

  test('processes that stop for up to three seconds at a time make no false verdict in an hour', () => {
    const world = settled();
    for (let i = 0; i < 600; i++) {
      const name = world.names[Math.floor(world.random() * world.names.length)] ?? '';
      world.stall(name, world.random() * 3000);
      world.run(6000);
    }
    assert.deepEqual(world.moves, []);
    assert.deepEqual(world.changes, []);
  });

  test('a node that hears no answers says that it is deaf, and the others verify each other without it', () => {
    const world = settled({ nodes: 4 });
    world.loses = ({ kind, to }) => kind === 'answer' && to === 'node-1';
    world.run(minuteMs);
    assert.ok(world.isDeaf('node-1'));
    world.run(hourMs);
    assert.deepEqual(world.moves, []);
    assert.deepEqual(world.changes, []);
    world.loses = () => false;
    world.run(minuteMs);
    assert.ok(!world.isDeaf('node-1'));
  });

  for (const nodes of [2, 3, 5])
    test(`in a cluster of ${nodes} nodes, a node that reports all addresses as unanswered moves none`, () => {
      const world = settled({ nodes });
      world.lie('node-1');
      world.run(hourMs);
      assert.deepEqual(world.moves, []);
      if (nodes > 2) assert.deepEqual(world.changes, []);
    });

  test('in a cluster of two nodes, an unanswered address is reported and stays', () => {
    const world = settled({ nodes: 2, addresses: 2 });
    const [address = ''] = world.addresses;
    const owner = world.owner(address);
    dropAnswersOf(world, owner);
    world.run(20_000);
    const kinds = world.changes.filter((change) => change.address === address).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['unverified']);
    world.run(hourMs);
    assert.equal(world.owner(address), owner);
    world.loses = () => false;
    world.run(20_000);
    assert.equal(world.changes.at(-1)?.kind, 'verified');
  });
});
