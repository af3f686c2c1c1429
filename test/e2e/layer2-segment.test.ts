/**
 * Layer 2 as other hosts of the segment see it: neighbour states of another kernel, the forwarding table of the switch, hosts that claim
 * an address, and a subnet that only one node has.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { bridge, NetworkNamespace, plug } from '../../lab/netns.ts';
import { ownerOf, untilOwner } from '../../lab/steps.ts';
import { assertNoDatagramLost } from '../support/handover.ts';
import { printerAnswers, startPrinter } from '../support/printer.ts';

let lab: Lab;
let v4 = '';
let v6 = '';

before(async () => {
  lab = await Lab.start();
  await lab.configure(`address-pools:
- {name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250, "2001:db8:2::f0-2001:db8:2::fa"]}
- {name: annex, protocol: layer2, auto-assign: false, addresses: [192.0.3.240-192.0.3.250]}
`);
  [v4, v6] = await startPrinter(lab, { withEcho: true });
});
after(() => lab.close());

const isAnswered = () => printerAnswers(lab, [v4, v6]);

const owner = () => untilOwner(lab, v4);

/** State in the neighbour table of the near client, e.g. `REACHABLE` or `STALE`, and the MAC address. */
async function neighbour(address: string): Promise<{ readonly state: string; readonly mac: string }> {
  const line = await lab.fabric.near.exec('ip', 'neigh', 'show', address, 'dev', 'eth0');
  const [, mac = '', state = ''] = /lladdr (\S+) (?:\S+ )*?([A-Z]+)\s*$/.exec(line.trim()) ?? [];
  return { state, mac };
}

test("another kernel's probes of the address move its neighbour entry from STALE to REACHABLE, for both families", async () => {
  const { near } = lab.fabric;
  // When the reachable time of an entry ends, the kernel probes the entry if it was used within the last probe delay. Otherwise the entry becomes
  // stale, as this test needs it. So the reachable time must exceed the probe delay.
  for (const family of ['ipv4', 'ipv6'])
    await near.exec(
      'sysctl',
      '-qw',
      `net.${family}.neigh.eth0.base_reachable_time_ms=3000`,
      `net.${family}.neigh.eth0.delay_first_probe_time=1`,
    );
  const mac = await lab.macOf(await owner());
  // Existing entries keep their old timers, so they are removed.
  await near.ip('neigh', 'flush', 'dev', 'eth0');
  for (const address of [v4, v6]) {
    await lab.curl(near, address);
    await lab.until(`${address} is stale`, async () => (await neighbour(address)).state === 'STALE');
    // A datagram to a closed port gets no confirmation, so the kernel must probe the known neighbour.
    await near.exec('bash', '-c', `echo > /dev/udp/${address}/9`);
    const seen = new Set<string>();
    await lab.until(`${address} is reachable`, async () => {
      const { state, mac: now } = await neighbour(address);
      seen.add(state);
      assert.equal(now, mac);
      return state === 'REACHABLE';
    });
    assert.ok(!seen.has('FAILED') && !seen.has('INCOMPLETE'), [...seen].join());
  }
});

test('after a takeover the switch forwards to the port of the new node', async () => {
  const { segment, near } = lab.fabric;
  const old = await owner();
  await segment.exec('bridge', 'fdb', 'flush', 'dev', 'lan').catch(() => '');
  await lab.killNode(old);
  await lab.until('another node answers', async () => {
    const now = await ownerOf(lab, v4);
    return now !== undefined && now !== old && (await isAnswered());
  });
  const now = await owner();
  const mac = await lab.macOf(now);
  const entries = (await segment.exec('bridge', 'fdb', 'show', 'br', 'lan')).split('\n');
  const learned = entries.filter((entry) => entry.startsWith(mac) && !entry.includes('permanent'));
  assert.equal(learned.length, 1, entries.join('\n'));
  assert.match(learned[0] ?? '', new RegExp(`dev ${now.name}\\b`));
  assert.equal((await neighbour(v4)).mac, mac);
  await lab.curl(near, v6);
  assert.equal((await neighbour(v6)).mac, mac);
  await lab.reviveNode(old);
});

/**
 * Lets the near client claim the address with a gratuitous ARP reply. The reply also reaches the router, whose neighbour entry may then lead to the
 * client.
 */
async function claim(): Promise<void> {
  const { near } = lab.fabric;
  await near.ip('address', 'add', `${v4}/32`, 'dev', 'eth0');
  await near.exec('arping', '-q', '-c', '1', '-A', '-I', 'eth0', v4);
}

async function routersNeighbour(): Promise<string> {
  const line = await lab.fabric.router.exec('ip', 'neigh', 'show', v4, 'dev', 'eth0');
  return /lladdr (\S+)/.exec(line)?.[1] ?? '';
}

test('a host that claims the address is reported in an event, the log and a metric, and the owner defends the address', async () => {
  const { near, router } = lab.fabric;
  const node = await owner();
  await lab.curl(router, v4);
  await claim();
  await lab.until('the event appears', async () =>
    /AddressConflict.*claims 192\.0\.2\.240 too: defended/.test(await lab.kubectl('get', 'events')),
  );
  await lab.until(
    'the router resolves the address to the owner again',
    async () => (await routersNeighbour()) === (await lab.macOf(node)),
  );
  assert.match(lab.log(`speaker-${node.name}`), /another host uses an address of this node/);
  await lab.until('the metric counts the conflict', async () =>
    /bellman_layer2_conflicts_total\{ip="192\.0\.2\.240"\} [1-9]/.test(await lab.metrics(node.namespace)),
  );
  await near.ip('address', 'del', `${v4}/32`, 'dev', 'eth0');
});

test('no node answers for an address that another host uses, not even after the speaker that found the host is killed', async () => {
  const { near, nodes, router } = lab.fabric;
  const held = '192.0.2.245';
  await near.ip('address', 'add', `${held}/32`, 'dev', 'eth0');
  const nearMac = (await near.exec('cat', '/sys/class/net/eth0/address')).trim();
  await lab.addPods('held', nodes);
  await lab.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'held', namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      loadBalancerIP: held,
      ipFamilyPolicy: 'SingleStack',
      ipFamilies: ['IPv4'],
      selector: { app: 'held' },
      ports: [{ port: 80, targetPort: 8080 }],
    },
  });
  const waiting = async (among: readonly LabNode[]) => {
    const found: LabNode[] = [];
    for (const node of among) {
      const { inUse } = (await lab.status(node.namespace)) as { inUse: Record<string, string> };
      if (inUse[held] === `${nearMac} on eth0`) found.push(node);
    }
    return found;
  };
  let finder: LabNode | undefined;
  await lab.until('one node finds the address in use', async () => {
    const found = await waiting(nodes);
    [finder] = found;
    return found.length === 1;
  });
  assert.ok(finder);
  await lab.stop(`speaker-${finder.name}`, 'SIGKILL');
  const others = nodes.filter((node) => node !== finder);
  await lab.until('another node finds the address in use', async () => (await waiting(others)).length === 1);
  const macs = (await router.exec('arping', '-c', '3', '-w', '3', '-I', 'eth0', held)).matchAll(
    /\[([0-9A-Fa-f:]+)\]/g,
  );
  assert.deepEqual([...new Set([...macs].map(([, mac]) => mac?.toLowerCase()))], [nearMac]);
  await near.ip('address', 'del', `${held}/32`, 'dev', 'eth0');
  await lab.until('the successor answers', async () => (await lab.curl(near, held)).includes('held-'));
  lab.startSpeaker(finder);
  await lab.kubectl('delete', 'service', 'held');
});

test('with --conflict-policy yield no speaker answers until the claimant gives the address up', async () => {
  const { near, nodes } = lab.fabric;
  for (const node of nodes) {
    await lab.stop(`speaker-${node.name}`);
    lab.startSpeaker(node, '--conflict-policy', 'yield');
  }
  await lab.until('printer answers', () => isAnswered());
  const asked = () => lab.fabric.router.exec('arping', '-c', '2', '-w', '2', '-I', 'eth0', v4);
  await lab.until('a speaker answers', async () => /Received [12] response/.test(await asked()));
  await claim();
  const nearMac = (await near.exec('cat', '/sys/class/net/eth0/address')).trim();
  await lab.until('only the claimant answers', async () => {
    const macs = [...(await asked()).matchAll(/\[([0-9A-Fa-f:]+)\]/g)].map(([, mac]) => mac?.toLowerCase());
    return macs.length > 0 && macs.every((mac) => mac === nearMac);
  });
  await near.ip('address', 'del', `${v4}/32`, 'dev', 'eth0');
  await lab.until('a speaker answers again', () => isAnswered());
});

test('with --leave-when-cordoned a cordoned node hands over without a lost datagram', async () => {
  for (const node of lab.fabric.nodes) {
    await lab.stop(`speaker-${node.name}`);
    lab.startSpeaker(node, '--leave-when-cordoned', '--announce-every', '1');
  }
  await lab.until('printer answers', () => isAnswered());
  await lab.until('every speaker sees the others alive', async () => {
    const views = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
    return views.every((view) => JSON.stringify(view).match(/"state":"alive"/g)?.length === 2);
  });
  const before = await owner();
  const cordon = (unschedulable: boolean) =>
    lab.kubectl('patch', 'node', before.name, '-p', JSON.stringify({ spec: { unschedulable } }));
  await assertNoDatagramLost(lab, v4, async () => {
    await cordon(true);
    await untilOwner(lab, v4, before);
  });
  const now = await owner();
  await cordon(false);
  await lab.until('the node is eligible again', async () =>
    /"notAnnounced":\[\]/.test(JSON.stringify(await lab.status(before.namespace))),
  );
  assert.equal((await owner()).name, now.name, 'a returning node takes no address back');
});

test('with --announce-every a host that has lost its neighbour entry learns the address again', async () => {
  const { near } = lab.fabric;
  const mac = await lab.macOf(await owner());
  // A new owner announces the address for four seconds. After five, it announces the address only because of --announce-every.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  await near.exec('sysctl', '-qw', 'net.ipv4.conf.eth0.arp_accept=1');
  await near.ip('neigh', 'flush', 'dev', 'eth0');
  await lab.until(
    'the near client has learned the address without asking',
    async () => (await neighbour(v4)).mac === mac,
  );
});

test('only the node with the subnet answers for an address in it, and after the death of that node no node does', async () => {
  const { segment, near, nodes } = lab.fabric;
  const third = nodes[2];
  assert.ok(third);
  await bridge(segment, 'annex');
  const client = await NetworkNamespace.create('annex-client');
  await plug(
    { namespace: client, interface: 'eth0', addresses: ['192.0.3.100/24'] },
    segment,
    'annex',
    'annex-client',
  );
  await plug(
    { namespace: third.namespace, interface: 'eth1', addresses: ['192.0.3.13/24'] },
    segment,
    'annex',
    'annex-node',
  );
  await lab.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'annex', namespace: 'default', annotations: { 'bellman.dev/address-pool': 'annex' } },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'annex' } },
  });
  await lab.addPods('annex', [third]);
  await lab.until('annex has an address', async () => (await lab.addressesOf('annex')).length === 1);
  const [address = ''] = await lab.addressesOf('annex');
  await lab.until('annex answers in its subnet', async () =>
    (await lab.curl(client, address)).includes('annex-'),
  );
  await lab.until('the record names node and interface', async () =>
    (await lab.announcingRecordOf('annex')).includes(`${address}=${third.name}/eth1`),
  );
  const elsewhere = near.exec('arping', '-c', '2', '-w', '2', '-I', 'eth0', address);
  await assert.rejects(elsewhere, 'no answer in the other subnet');
  await lab.killNode(third);
  await lab.until('no node answers', async () => {
    const asked = client.exec('arping', '-c', '1', '-w', '1', '-I', 'eth0', address);
    return asked.then(
      () => false,
      () => true,
    );
  });
  for (const { namespace } of [nodes[0], nodes[1]].flatMap((node) => node ?? []))
    assert.doesNotMatch(JSON.stringify(await lab.status(namespace)), new RegExp(`"${address}":"`));
});
