import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Claim } from '../../../src/layer2/ownership/claim.ts';
import { ClaimPayloads, payloadOf } from '../../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore } from '../../../src/layer2/ownership/claim-store.ts';
import { MembershipNet } from '../../support/membership-net.ts';

const nodes = 50;
const addresses = Array.from({ length: 2000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

function claim(i: number, owner: number, epoch: number): Claim {
  const address = addresses[i] ?? assert.fail();
  return { address, owner: `node-${owner}`, epoch, from: '', observedVersion: 1, inConflict: false };
}

/**
 * If anti-entropy exchanges did not wait while news arrives, the members would exchange the claims of the whole cluster, and send 275
 * datagrams each.
 */
const mostDatagrams = 200;

test('after a partition that cut off five of 50 members, all agree within a second, and send few datagrams on average', () => {
  const stores = new Map<string, ClaimStore>();
  const net = new MembershipNet({
    ...{ nodes, loss: 0, seed: 50, isListCertain: true, metadata: 'x'.repeat(230) },
    storeOf: (name) => {
      const store = new ClaimStore();
      for (const i of addresses.keys()) store.merge(claim(i, i % nodes, 3));
      stores.set(name, store);
      return new ClaimPayloads(store);
    },
  });
  assert.ok(net.runUntil(() => net.now > 1000 && net.allAgree(), 5000));
  net.run(500);
  const few = [7, 17, 27, 37, 47];
  net.part(few.map((i) => `node-${i}`));
  net.run(2000);
  const takenOver = [...addresses.keys()].filter((i) => few.includes(i % nodes));
  for (const i of takenOver) {
    const successor = (i % nodes) + 1;
    net.do(`node-${successor}`, (machine, now) => machine.publish([payloadOf(claim(i, successor, 4))], now));
  }
  net.run(1500);
  const before = net.packets;
  net.part([]);
  const isAgreed = () =>
    net.allAgree() &&
    [...stores.values()].every((store) =>
      takenOver.every((i) => store.newest(addresses[i] ?? '')?.epoch === 4),
    );
  assert.ok(net.runUntil(isAgreed, 1000));
  const each = (net.packets - before) / nodes;
  assert.ok(each <= mostDatagrams, `${each} datagrams`);
});
