/**
 * `bfd-strict: negotiate` between two speakers, with real BFD and TCP. Two peers negotiate BFD strict mode by capability 74. No router that the
 * tests can install supports this capability, so the speaker of the second node plays the router. This speaker has another AS number, and waits
 * for the first node to connect.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { sessionOf } from './bfd-fixtures.ts';

const selector = (node: LabNode) => [{ 'match-labels': { 'kubernetes.io/hostname': node.name } }];
const pending = /^OpenSent(Confirmed)?BfdUpPending$/;

describe('BFD strict mode, negotiated between two speakers', { concurrency: false }, () => {
  let lab: Lab;
  let ends: readonly LabNode[];

  before(async () => {
    lab = await Lab.start({ nodes: 2 });
    await lab.stop('bird');
    ends = lab.fabric.nodes;
    const [node, router] = [lab.node('node-1'), lab.node('node-2')];
    await blockBfd();
    await lab.configure(
      JSON.stringify({
        peers: [
          {
            ...{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': router.addresses[0] },
            ...{ 'node-selectors': selector(node), 'bfd-profile': 'lab', 'bfd-strict': 'negotiate' },
          },
          {
            ...{ name: 'node', 'my-asn': 64500, 'peer-asn': 64512, 'peer-address': node.addresses[0] },
            ...{ 'node-selectors': selector(router), 'bfd-profile': 'lab', 'bfd-strict': 'negotiate' },
            passive: true,
          },
        ],
        // Detection takes three seconds, so that a busy machine does not cause a false alarm.
        'bfd-profiles': [{ name: 'lab', 'detect-multiplier': 10 }],
        'address-pools': [{ name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] }],
      }),
    );
  });
  after(() => lab.close());

  const blockBfd = () =>
    lab
      .node('node-1')
      .namespace.exec(
        'nft',
        [
          'add table inet no-bfd',
          'add chain inet no-bfd input { type filter hook input priority 0; }',
          'add rule inet no-bfd input udp dport 3784 drop',
        ].join('; '),
      );
  const unblockBfd = () => lab.node('node-1').namespace.exec('nft', 'delete table inet no-bfd');
  const established = ({ name }: LabNode) =>
    lab.log(`speaker-${name}`).match(/"session established"/g)?.length ?? 0;
  const bothWait = async () => {
    for (const end of ends)
      await lab.until(`the session of ${end.name} waits for BFD`, async () =>
        pending.test((await sessionOf(lab, end))?.subState ?? ''),
      );
  };
  const bothEstablished = async () => {
    for (const end of ends)
      await lab.until(`the session of ${end.name}`, async () => {
        const session = await sessionOf(lab, end);
        return session?.state === 'Established' && session.bfd?.state === 'Up';
      });
  };

  test('no session comes up while a firewall drops BFD', async () => {
    await bothWait();
    assert.deepEqual(ends.map(established), [0, 0]);
  });

  test('the session comes up with BFD, not before it', async () => {
    await unblockBfd();
    await bothEstablished();
    for (const end of ends) {
      const session = await sessionOf(lab, end);
      assert.ok(session);
      assert.ok(session.capabilities.includes('bfd-strict'), `${end.name}: ${session.capabilities}`);
      assert.ok((session.bfd?.since ?? '') <= session.since, 'BFD was up first');
    }
    assert.deepEqual(ends.map(established), [1, 1]);
  });

  test('the loss of BFD ends the session, which waits until BFD is back', async () => {
    await blockBfd();
    for (const end of ends)
      await lab.until(`the loss at ${end.name}`, async () =>
        /BFD Down.*"session down"/.test(lab.log(`speaker-${end.name}`)),
      );
    await bothWait();
    assert.deepEqual(ends.map(established), [1, 1]);
    await unblockBfd();
    await bothEstablished();
    assert.deepEqual(ends.map(established), [2, 2]);
  });
});
