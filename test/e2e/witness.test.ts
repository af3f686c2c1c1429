/** Speakers check on the wire that addresses are answered. A filter on a node drops the answers of its speaker, which does not notice. */
import { after, before, test } from 'node:test';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { untilOwner } from '../../lab/steps.ts';
import { parseAnnouncing } from '../../src/cluster/announcing.ts';
import { annotations } from '../../src/cluster/names.ts';
import { printerAnswers, startPrinter } from '../support/printer.ts';

let lab: Lab;
let v4 = '';
let v6 = '';

before(async () => {
  lab = await Lab.start();
  await lab.configure(`address-pools:
- {name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250, "2001:db8:2::f0-2001:db8:2::fa"]}
`);
  [v4, v6] = await startPrinter(lab);
});
after(() => lab.close());

const isAnswered = () => printerAnswers(lab, [v4, v6]);

async function recordedOwner(address: string): Promise<string | undefined> {
  const record = await lab.announcingRecordOf('printer');
  return parseAnnouncing({ annotations: { [annotations.announcing]: record } }).get(address)?.node;
}

/**
 * Drops every ARP packet and neighbour advertisement that the node's speaker sends for the addresses. The kernel of the node still answers for
 * its own address.
 */
async function dropAnswers(node: LabNode): Promise<void> {
  await node.namespace.exec(
    'nft',
    `add table netdev mute; add chain netdev mute out { type filter hook egress device eth0 priority 0; }; add rule netdev mute out arp saddr ip ${v4} drop; add rule netdev mute out ip6 saddr ${v6} icmpv6 type nd-neighbor-advert drop`,
  );
}

test('when the answers of the owner are dropped, other speakers notice, an event says so, and another node answers', async () => {
  const { nodes, near } = lab.fabric;
  const old = await untilOwner(lab, v4);
  // The owner is to fall silent only after witnesses have begun to ask.
  await lab.until('a speaker asks for addresses', async () => {
    const texts = await Promise.all(nodes.map(({ namespace }) => lab.metrics(namespace)));
    return texts.some((text) => /bellman_layer2_witness_questions_total [1-9]/.test(text));
  });
  await dropAnswers(old);
  await near.ip('neigh', 'flush', 'dev', 'eth0');
  for (const address of [v4, v6])
    await lab.until(`an event says that ${address} is not verified`, async () => {
      const events = await lab.kubectl('get', 'events');
      return events.includes(`node ${old.name} announces ${address}, but no answer from it reaches`);
    });
  for (const address of [v4, v6])
    await lab.until(`another node owns ${address}`, async () => {
      const owner = await recordedOwner(address);
      return owner !== undefined && owner !== old.name;
    });
  await lab.until('printer answers from another node', () => isAnswered());
  await untilOwner(lab, v4, old);
});
