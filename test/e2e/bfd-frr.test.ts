/** A configuration of MetalLB v0.12 with BFD, unchanged, with the unmodified speaker and FRR. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addresses } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';
import { annotations } from '../../src/cluster/names.ts';
import { startFrr, vtysh } from '../support/lab-frr.ts';
import { nextHops } from '../support/next-hops.ts';
import { isUp, sessionOf, silence, startWithoutRouter, unsilence } from './bfd-fixtures.ts';

describe('the BFD configuration of MetalLB v0.12, with FRR', { concurrency: false }, () => {
  let lab: Lab;
  let address = '';
  /** As in the documentation of MetalLB v0.12. A profile that has only a name has the defaults of FRR. */
  const config = (profile: 'default' | 'full') => `
peers:
- my-asn: 64512
  peer-asn: 64500
  peer-address: ${addresses.router[0]}
  bfd-profile: ${profile}
bfd-profiles:
- name: default
- name: full
  receive-interval: 280
  transmit-interval: 270
  detect-multiplier: 10
  echo-interval: 60
  echo-mode: false
  passive-mode: false
  minimum-ttl: 252
address-pools:
- name: addresspool
  protocol: bgp
  addresses:
  - 198.51.100.0/24
`;

  before(async () => {
    ({ lab, address } = await startWithoutRouter(config('full')));
    const neighbors = lab.fabric.nodes.flatMap(({ addresses: [v4] }) => [
      ` neighbor ${v4} remote-as 64512`,
      ` neighbor ${v4} bfd`,
      ` neighbor ${v4} timers connect 1`,
    ]);
    const peers = lab.fabric.nodes.flatMap(({ addresses: [v4] }) => [
      ` peer ${v4} interface eth0`,
      '  detect-multiplier 10',
      ' !',
    ]);
    await startFrr(lab, {
      bfdd: ['bfd', ...peers, '!'],
      bgpd: [
        'router bgp 64500',
        ` bgp router-id ${addresses.router[0]}`,
        ' no bgp ebgp-requires-policy',
        ' maximum-paths 8',
        ...neighbors,
      ],
    });
    for (const each of lab.fabric.nodes)
      await lab.until(`BFD and BGP of ${each.name}`, () => isUp(lab, each));
    await lab.until('both routes', async () => (await nextHops(lab, address)).length === 2);
  });
  after(() => lab?.close());

  test('the controller accepts the text without a warning', async () => {
    const map = JSON.parse(
      await lab.kubectl('get', 'configmap', 'config', '-n', 'bellman-system', '-o', 'json'),
    ) as { data: { config: string }; metadata: { annotations: Record<string, string> } };
    assert.equal(map.data.config, config('full'));
    assert.equal(map.metadata.annotations[annotations.configStatus], 'active');
    assert.equal(map.metadata.annotations[annotations.configWarnings], undefined);
  });

  test('both ends have the same session, with the discriminators exchanged', async () => {
    const peers: { peer: string; id: number; 'remote-id': number; status: string }[] = JSON.parse(
      await vtysh(lab, 'show bfd peers json'),
    );
    for (const node of lab.fabric.nodes) {
      const theirs = peers.find(({ peer }) => peer === node.addresses[0]);
      const ours = (await sessionOf(lab, node))?.bfd;
      assert.equal(theirs?.status, 'up');
      assert.equal(theirs?.id, ours?.remoteDiscriminator);
      assert.equal(theirs?.['remote-id'], ours?.localDiscriminator);
    }
  });

  test('AdminDown of FRR does not end the BGP session', async () => {
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    const before = await sessionOf(lab, node);
    const peer = ['configure terminal', 'bfd', `peer ${node.addresses[0]} interface eth0`];
    await vtysh(lab, ...peer, 'shutdown');
    await lab.until('AdminDown is seen', async () => {
      const bfd = (await sessionOf(lab, node))?.bfd;
      return bfd?.remoteState === 'AdminDown' && bfd.problem === 'the peer has shut its BFD session down';
    });
    const during = await sessionOf(lab, node);
    assert.equal(during?.state, 'Established');
    assert.equal(during?.since, before?.since, 'it is still the same session');
    await vtysh(lab, ...peer, 'no shutdown');
    await lab.until('BFD again', () => isUp(lab, node));
  });

  test('a silent cut takes the route away long before the hold time', async () => {
    const [first, second] = lab.fabric.nodes;
    assert.ok(first && second);
    await silence(lab, first);
    const cutAt = Date.now();
    await lab.until('the route is gone', async () => {
      const hops = await nextHops(lab, address);
      return hops.length === 1 && hops[0] === second.addresses[0];
    });
    // Only the log keeps the reason: after a few seconds, `lastError` names a failed attempt to connect instead.
    await lab.until('the end of the session', async () =>
      lab.log(`speaker-${first.name}`).includes('BFD has lost the peer'),
    );
    assert.ok(Date.now() - cutAt < 60_000, 'the hold time of 90 s does not explain this');
    await unsilence(lab, first);
    await lab.until('the session again', () => isUp(lab, first));
    await lab.until('both routes again', async () => (await nextHops(lab, address)).length === 2);
  });

  test('when the peer gets a profile with the defaults, the timers change and the session stays up', async () => {
    const multipliers = async () =>
      (
        JSON.parse(await vtysh(lab, 'show bfd peers json')) as {
          peer: string;
          'remote-detect-multiplier': number;
        }[]
      ).map((peer) => peer['remote-detect-multiplier']);
    assert.deepEqual(await multipliers(), [10, 10]);
    const before = await Promise.all(lab.fabric.nodes.map((node) => sessionOf(lab, node)));
    await lab.configure(config('default'));
    for (const [i, node] of lab.fabric.nodes.entries()) {
      await lab.until(`the defaults on ${node.name}`, async () => {
        const bfd = (await sessionOf(lab, node))?.bfd;
        return bfd?.state === 'Up' && bfd.transmitIntervalMs === 300 && bfd.local.detectMultiplier === 3;
      });
      const now = await sessionOf(lab, node);
      assert.equal(now?.bfd?.localDiscriminator, before[i]?.bfd?.localDiscriminator);
      assert.equal(now?.bfd?.since, before[i]?.bfd?.since, 'BFD has been up all the time');
      assert.equal(now?.since, before[i]?.since, 'BGP is still the same session');
    }
    await lab.until('the defaults in FRR', async () => (await multipliers()).every((value) => value === 3));
  });
});
