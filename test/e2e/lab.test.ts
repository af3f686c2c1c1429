/** The lab's network without Bellman: nodes forward load balancer traffic that reaches them, but only Bellman could attract it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addresses, type LabNode } from '../../lab/fabric.ts';
import { apiUrl, Lab } from '../../lab/lab.ts';
import type { NetworkNamespace } from '../../lab/netns.ts';

const v4 = '198.51.100.7';
const v6 = '2001:db8:100::7';
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    type: 'LoadBalancer',
    ipFamilyPolicy: 'RequireDualStack',
    selector: { app: 'web' },
    ports: [{ port: 80, targetPort: 8080 }],
  },
};

let lab: Lab;
before(async () => {
  lab = await Lab.start({ bellman: false });
  await lab.apply(service);
  await giveAddresses('web', v4, v6);
  await lab.addPods('web', lab.fabric.nodes);
});
after(() => lab.close());

/** Writes the status that Bellman's controller would write. */
async function giveAddresses(name: string, ...ips: string[]): Promise<void> {
  await lab.client.request({
    method: 'PATCH',
    path: `/api/v1/namespaces/default/services/${name}/status`,
    contentType: 'application/merge-patch+json',
    body: { status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } } },
  });
}

/** The answers to a number of requests. Each request is a flow of its own. */
async function heard(host: NetworkNamespace, address: string, times: number): Promise<string[]> {
  const answers: string[] = [];
  for (let i = 0; i < times; i++) answers.push((await lab.curl(host, address)).trim());
  return answers;
}

const nodesIn = (answers: readonly string[]) =>
  new Set(answers.map((answer) => /on (node-\d+)/.exec(answer)?.[1]));
const clientsIn = (answers: readonly string[]) =>
  new Set(answers.map((answer) => /you are (\S+)/.exec(answer)?.[1]));

async function fails(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}

/** Makes the router forward an address to these nodes, as BGP would. */
async function route(address: string, nodes: readonly LabNode[]): Promise<void> {
  const family = address.includes(':') ? 1 : 0;
  const hops = nodes.flatMap((node) => ['nexthop', 'via', node.addresses[family]]);
  await lab.fabric.router.ip('route', 'replace', address, ...hops);
}

describe('hosts', () => {
  test('every host reaches every other host over IPv4 and IPv6', async () => {
    const { nodes, near, far } = lab.fabric;
    const targets = [
      ...nodes.flatMap((node) => node.addresses),
      ...addresses.router,
      ...addresses.near,
      ...addresses.far,
    ];
    const pings = [near, far, ...nodes.map(({ namespace }) => namespace)].flatMap((host) =>
      targets.map((target) => host.exec('ping', '-c', '1', '-W', '2', target)),
    );
    await Promise.all(pings);
    assert.equal(pings.length, (nodes.length + 2) * (nodes.length + 3) * 2);
  });

  test('every node reaches the API server, and no client does', async () => {
    const url = `${apiUrl}/readyz`;
    const ask = (host: NetworkNamespace) => host.exec('curl', '-sSk', '--max-time', '2', url);
    for (const { namespace } of lab.fabric.nodes) assert.equal(await ask(namespace), 'ok');
    for (const host of [lab.fabric.near, lab.fabric.far]) assert.ok(await fails(ask(host)));
  });

  test('nodes and pods appear in the API', async () => {
    await lab.until('the nodes are ready', async () =>
      /node-1 +Ready .* 192\.0\.2\.11\b.*\nnode-2 +Ready/.test(
        await lab.kubectl('get', 'nodes', '-o', 'wide'),
      ),
    );
    await lab.until('three pods run', async () => {
      const pods = await lab.kubectl('get', 'pods', '-o', 'wide', '-l', 'app=web');
      return pods.match(/1\/1 +Running .* 10\.244\.\d\.\d+ +node-\d/g)?.length === 3;
    });
    // kubectl sorts the EndpointSlices of the two families by their random names, so an endpoint of either family may come first.
    await lab.until('the Service has endpoints', async () =>
      /Endpoints: +\S+:8080\b/.test(await lab.kubectl('describe', 'service', 'web')),
    );
  });
});

describe('load balancer traffic', () => {
  test('no kernel answers ARP or NDP for the addresses', async () => {
    const { near } = lab.fabric;
    const onSegment = '192.0.2.200';
    const onSegment6 = '2001:db8:2::200';
    await lab.apply({ ...service, metadata: { ...service.metadata, name: 'office' } });
    await giveAddresses('office', onSegment, onSegment6);
    await lab.until('every node knows the address', () => everyRuleset((rules) => rules.includes(onSegment)));
    assert.ok(await fails(near.exec('arping', '-c', '2', '-w', '2', '-I', 'eth0', onSegment)));
    assert.ok(await fails(near.exec('ndisc6', '-1', '-r', '2', '-w', '500', onSegment6, 'eth0')));
  });

  test('the router has no route to the addresses by itself', async () => {
    assert.equal(await lab.birdc('show', 'route', 'where', 'source', '=', 'RTS_BGP').then(countVia), 0);
    assert.ok(await fails(lab.curl(lab.fabric.far, v4)));
  });

  for (const address of [v4, v6])
    test(`with policy Cluster, requests for ${address} at one node reach pods on all nodes, and no pod sees the client's address`, async () => {
      const [first] = lab.fabric.nodes;
      assert.ok(first);
      await route(address, [first]);
      let answers: string[] = [];
      await lab.until('pods on all nodes answer', async () => {
        answers = await heard(lab.fabric.far, address, 24);
        return nodesIn(answers).size === 3;
      });
      assert.ok(!clientsIn(answers).has(addresses.far[address === v4 ? 0 : 1]));
    });

  test('the router spreads flows over equal next hops', async () => {
    await route(v4, lab.fabric.nodes);
    const seen = clientsIn(await heard(lab.fabric.far, v4, 48));
    const from = lab.fabric.nodes.filter(
      ({ addresses: [own], index }) => seen.has(own) || seen.has(`10.244.${index}.1`),
    );
    assert.equal(from.length, 3, `${[...seen]}`);
  });

  test('with policy Local, a node forwards only to its own pods, which see the address of the client', async () => {
    await lab.apply({ ...service, spec: { ...service.spec, externalTrafficPolicy: 'Local' } });
    for (const node of lab.fabric.nodes) {
      await route(v4, [node]);
      await route(v6, [node]);
      for (const [index, address] of [v4, v6].entries())
        await lab.until(`${node.name} forwards ${address} to its own pods only`, async () => {
          const answers = await heard(lab.fabric.far, address, 4);
          return answers.every((answer) =>
            answer.endsWith(`on ${node.name}, you are ${addresses.far[index]}`),
          );
        });
    }
  });

  test('with policy Local, a node without pods answers no request', async () => {
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    await route(v4, [node]);
    await lab.removePods('web', node);
    await lab.until('the node has no pod', () => fails(lab.curl(lab.fabric.far, v4)));
    assert.equal((await lab.kubectl('get', 'pods', '-o', 'name')).trim().split('\n').length, 2);
    await lab.addPods('web', [node]);
    await lab.until('the node answers again', async () =>
      (await lab.curl(lab.fabric.far, v4)).includes(node.name),
    );
  });

  test('with policy Local, the cluster IP still reaches all pods from a node', async () => {
    const [, node] = lab.fabric.nodes;
    assert.ok(node);
    const clusterIp = await lab.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    await lab.until(
      'the pods of all nodes answer',
      async () => nodesIn(await heard(node.namespace, clusterIp, 24)).size === 3,
    );
  });
});

test('a node without its segment cable still reaches the API server', async () => {
  const node = lab.node('node-2');
  const ping = () => lab.fabric.near.exec('ping', '-c', '1', '-W', '1', node.addresses[0]);
  await lab.plugNode(node, false);
  assert.ok(await fails(ping()));
  const url = `${apiUrl}/readyz`;
  assert.equal(await node.namespace.exec('curl', '-sSk', '--max-time', '2', url), 'ok');
  await lab.plugNode(node, true);
  await lab.until('the node is back', async () => !(await fails(ping())));
});

async function everyRuleset(holds: (rules: string) => boolean): Promise<boolean> {
  const all = await Promise.all(
    lab.fabric.nodes.map(({ namespace }) => namespace.exec('nft', 'list', 'ruleset')),
  );
  return all.every(holds);
}

function countVia(output: string): number {
  return output.match(/\bvia\b/g)?.length ?? 0;
}
