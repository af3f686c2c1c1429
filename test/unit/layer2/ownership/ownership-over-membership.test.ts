/** Runs the ownership and membership machines together, over a network in virtual time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Claim } from '../../../../src/layer2/ownership/claim.ts';
import { ClaimPayloads } from '../../../../src/layer2/ownership/claim-payloads.ts';
import { addressOf, MemorySpeaker, MemorySpeakers } from '../../../support/memory-speakers.ts';

describe('Ownership over the membership', () => {
  for (const nodes of [3, 5])
    test(`cutting off one of ${nodes} nodes for any time moves no address between the other nodes`, () => {
      for (const cutMs of [200, 400, 600, 800, 1000, 1400, 2000, 14_000])
        for (const seed of [1, 2, 3]) {
          const speakers = new MemorySpeakers(nodes, seed, 20);
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
    const speakers = new MemorySpeakers(4, 1, 5000, held);
    const { net } = speakers;
    net.run(6000);
    const newcomer = 'node-3';
    net.kill(newcomer);
    speakers.all.delete(newcomer);
    net.run(5000);
    const fresh = new MemorySpeaker(net, newcomer, speakers.addresses);
    speakers.all.set(newcomer, fresh);
    net.start(newcomer, new ClaimPayloads(fresh.claims));
    for (let ms = 0; ms < 10_000; ms += 500) {
      net.run(500);
      assert.equal(fresh.answering.size, 0, `${ms} ms`);
    }
    assert.equal(fresh.ownership.isStarted, true);
    for (const [address, owner] of speakers.owners()) assert.match(owner, /^node-[012]$/, address);
  });
});
