/** Runs the ownership and membership machines together, over a network in virtual time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Claim } from '../../../../src/layer2/ownership/claim.ts';
import { seededRandom } from '../../../support/membership-net.ts';
import { addressOf, MemorySpeakers } from '../../../support/memory-speakers.ts';

describe('Ownership over the membership', () => {
  for (const nodes of [3, 5])
    test(`however long one of ${nodes} nodes is cut off, no address moves between the other nodes`, () => {
      for (const cutMs of [200, 400, 600, 800, 1000, 1400, 2000, 14_000])
        for (const seed of [1, 2, 3]) {
          const speakers = new MemorySpeakers({ nodes, seed, addresses: 20 });
          const { net } = speakers;
          net.run(8000);
          const before = speakers.owners();
          const [lone = ''] = net.names;
          for (const [address, owner] of before)
            assert.ok(owner !== '' && !owner.includes(','), `${address}: ${owner}`);
          net.part([lone]);
          net.run(cutMs);
          for (const [address, owner] of before)
            assert.equal(
              speakers.all.get(lone)?.claims.get(address)?.owner,
              owner,
              `${address} during the cut`,
            );
          net.part([]);
          net.run(8000);
          for (const [address, owner] of speakers.owners())
            if (before.get(address) !== lone)
              assert.equal(owner, before.get(address), `${address} after ${cutMs} ms, seed ${seed}`);
            else assert.ok(owner !== '' && !owner.includes(','), `${address}: ${owner}`);
        }
    });

  test('a node that joins a cluster with 5,000 claims takes no address, and no address is answered twice', () => {
    const held = Array.from({ length: 5000 }, (_, i): Claim => {
      const owner = `node-${i % 3}`;
      return { address: addressOf(i), owner, epoch: 3, from: '', observedVersion: 1, inConflict: false };
    });
    const speakers = new MemorySpeakers({ nodes: 4, seed: 1, addresses: 5000, held });
    const { net } = speakers;
    net.run(6000);
    const newcomer = 'node-3';
    speakers.kill(newcomer);
    net.run(5000);
    speakers.start(newcomer);
    const fresh = speakers.all.get(newcomer);
    assert.ok(fresh);
    for (let ms = 0; ms < 10_000; ms += 500) {
      net.run(500);
      assert.equal(fresh.answering.size, 0, `${ms} ms`);
    }
    assert.equal(fresh.ownership.isStarted, true);
    for (const [address, owner] of speakers.owners()) assert.match(owner, /^node-[012]$/, address);
  });

  test('30 nodes with 600 addresses: while nodes restart, die and return, two nodes answer for the same address for at most 1.5 s', () => {
    const nodes = 30;
    const rack = 10;
    const speakers = new MemorySpeakers({ nodes, seed: 2, addresses: 600, rack, startsEmpty: true });
    const { net, ledger } = speakers;
    net.run(4000);
    speakers.place(
      speakers.addresses.map((address, i): Claim => {
        const owner = `node-${speakers.rackOf(i) * rack + (Math.floor(i / 3) % rack)}`;
        return { address, owner, epoch: 3, from: '', observedVersion: 1, inConflict: false };
      }),
    );
    const settles = (what: string) => {
      const isSettled = () =>
        ledger.answered === 600 &&
        ledger.doubled === 0 &&
        net.allAgree() &&
        [...speakers.all].every(
          ([name, { ownership }]) => ownership.isStarted && net.machine(name)?.isSynced,
        );
      assert.ok(net.runUntil(isSettled, 5000), what);
      net.run(2000);
      assert.ok(isSettled(), `${what}: not settled 2 s later`);
      assert.ok(ledger.longestDoubledMs <= 1500, `${what}: ${ledger.longestDoubledMs} ms`);
      ledger.reset();
    };
    settles('claims known');
    for (const names of [['node-1'], ['node-3', 'node-13', 'node-14']]) {
      for (const name of names) speakers.kill(name);
      net.run(500);
      for (const name of names) speakers.start(name);
      settles(`${names} restarted`);
    }
    const some = net.names.filter((_, i) => i % 10 === 5);
    for (const name of some) speakers.kill(name);
    settles('a tenth died');
    for (const name of some) speakers.start(name);
    settles('the dead nodes returned');
    net.part(some);
    net.run(6000);
    net.part([]);
    ledger.reset();
    settles('a partition healed');
  });

  /** A machine on which the work of a speaker takes some two hundred times as long as on an idle one. */
  const slow = { stepMs: 0.2, actionMs: 10, datagramMs: 2 };
  const claimsOf = (count: number) =>
    Array.from({ length: count }, (_, i): Claim => {
      const owner = `node-${i % 5}`;
      return { address: addressOf(i), owner, epoch: 3, from: '', observedVersion: 1, inConflict: false };
    });

  test('on slow machines, a node that takes over the addresses of another one is not declared dead for being busy', () => {
    const count = 2500;
    const speakers = new MemorySpeakers({
      nodes: 5,
      seed: 1,
      addresses: count,
      startsEmpty: true,
      costs: slow,
    });
    const { net, ledger } = speakers;
    net.run(6000);
    speakers.place(claimsOf(count));
    net.run(20_000);
    ledger.reset();
    net.losses.length = 0;
    speakers.kill('node-1');
    net.run(1500);
    speakers.start('node-1');
    const isSettled = () => ledger.answered === count && ledger.doubled === 0;
    assert.ok(net.runUntil(isSettled, 20_000), `${ledger.answered} answered, ${ledger.doubled} twice`);
    net.run(5000);
    assert.ok(isSettled());
    assert.deepEqual(
      net.losses.filter(({ isFalse }) => isFalse),
      [],
    );
    assert.ok(ledger.longestDoubledMs <= 1500, `${ledger.longestDoubledMs} ms`);
  });

  test('while nodes get no CPU for seconds, two nodes answer for the same address for at most 1.5 s', () => {
    const count = 500;
    const random = seededRandom(3);
    const speakers = new MemorySpeakers({ nodes: 5, seed: 3, addresses: count, startsEmpty: true });
    const { net, ledger } = speakers;
    net.run(6000);
    speakers.place(claimsOf(count));
    net.run(5000);
    ledger.reset();
    // At least three of the five nodes run at any time. Fewer would be a minority. A minority makes no claims, and only claims end double answers.
    for (let stalls = 0; stalls < 15; stalls++) {
      for (const name of [`node-${stalls % 5}`, `node-${(stalls + 1 + Math.floor(random() * 4)) % 5}`])
        speakers.all.get(name)?.stall(1000 + random() * 4000);
      net.run(5000 + random() * 2000);
    }
    assert.ok(
      net.losses.some(({ isFalse }) => isFalse),
      'some stalls look like deaths',
    );
    net.run(10_000);
    assert.equal(ledger.answered, count);
    assert.equal(ledger.doubled, 0);
    assert.ok(ledger.longestDoubledMs <= 1500, `${ledger.longestDoubledMs} ms`);
  });
});
