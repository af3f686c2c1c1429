/**
 * A partition cuts one node off from the four others for some seconds. The node keeps its access to the API server, so both sides write
 * events and records. No false event or record may remain.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { parseAnnouncing } from '../../src/cluster/announcing.ts';

const services = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
/** Long enough for speakers to declare a death, and for a node to overwrite another node's line of a record. */
const partitionMs = 14_000;
/** Longer than a node waits before it removes a line that it believes to be stale. */
const aftermathMs = 14_000;

let lab: Lab;
before(async () => {
  lab = await Lab.start({ nodes: 5 });
  await lab.configure(
    'address-pools: [{name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250]}]',
  );
  for (const name of services) await lab.addPods(name, lab.fabric.nodes.slice(0, 1));
  await lab.apply(
    ...services.map((name) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: name } },
    })),
  );
  await settled();
});
after(() => lab.close());

/** For each address, the nodes that report that they answer for it. */
async function answerers(): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { name, namespace } of lab.fabric.nodes) {
    const { announcing } = (await lab.status(namespace)) as { announcing: object };
    for (const address of Object.keys(announcing)) found.set(address, [...(found.get(address) ?? []), name]);
  }
  return found;
}

/** For each address, the node that the announcing record names. */
async function records(): Promise<Map<string, string>> {
  const { items } = await lab.client.request<{
    items: { metadata: { annotations?: Record<string, string> } }[];
  }>({ method: 'GET', path: '/api/v1/namespaces/default/services' });
  const named = items.flatMap(({ metadata: { annotations = {} } }) => [...parseAnnouncing({ annotations })]);
  return new Map(named.map(([address, { node }]) => [address, node]));
}

/** Waits until one node answers for each address, and the record names it. Returns that node by address. */
async function settled(): Promise<Map<string, string>> {
  let named = new Map<string, string>();
  await lab.until('one node answers for each address, and the record names it', async () => {
    const nodes = await answerers();
    named = await records();
    return (
      named.size === services.length &&
      nodes.size === services.length &&
      [...nodes].every(([address, each]) => each.length === 1 && each[0] === named.get(address))
    );
  });
  return named;
}

async function unassigned(): Promise<string[]> {
  return (await lab.kubectl('get', 'events')).split('\n').filter((line) => line.includes('NodeUnassigned'));
}

/** Drops all IPv4 traffic of a node on the segment. IPv6 and ARP stay. The returned function undoes it. */
async function cutIpv4(node: LabNode): Promise<() => Promise<void>> {
  const rules = ['input iifname', 'output oifname'].flatMap((rule) => {
    const [hook = '', field = ''] = rule.split(' ');
    return [
      `add chain ip cut ${hook} { type filter hook ${hook} priority 0; }`,
      `add rule ip cut ${hook} ${field} eth0 drop`,
    ];
  });
  await node.namespace.exec('nft', ['add table ip cut', ...rules].join('; '));
  return async () => {
    await node.namespace.exec('nft', 'delete table ip cut');
  };
}

for (const [what, cut] of [
  ['is cut off from the other speakers', (node: LabNode) => lab.cut(node, 'udp 7946')],
  ['loses IPv4 but keeps IPv6', cutIpv4],
] as const)
  test(`a node that ${what} for 14 s leaves neither a false event nor a false record behind`, async () => {
    const before = await settled();
    const isolated = lab.fabric.nodes.find(({ name }) => [...before.values()].includes(name));
    assert.ok(isolated);
    const heal = await cut(isolated);
    try {
      const healAt = performance.now() + partitionMs;
      while (performance.now() < healAt) {
        assert.deepEqual([...(await records()).keys()].sort(), [...before.keys()].sort());
        await sleep(250);
      }
    } finally {
      await heal();
    }
    const healed = await settled();
    await sleep(aftermathMs);
    assert.deepEqual(await settled(), healed, 'no address moves once the partition is over');
    assert.deepEqual(await unassigned(), []);
  });
