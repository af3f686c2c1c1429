/** 5,000 Services at once in Kubernetes: each gets one address by one write, the speakers send few requests, and traffic goes on. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kubernetes } from '../../lab/kubernetes/kubernetes.ts';
import { countRequests } from '../../lab/kubernetes/request-counts.ts';
import { Lab } from '../../lab/lab.ts';
import { skippedOnEmbedded } from '../../lab/start-api-server.ts';
import { eventually } from '../support/eventually.ts';

const total = 5000;
const writers = 24;
/** A busy machine needs 0.1 s for each Service, 500 s for all. The deadline is three times as long. */
const slow = { deadlineMs: 1_500_000 } as const;
/** A list of all Services costs the server much CPU time. */
const pollMs = 2000;
const services = '/api/v1/namespaces/default/services';

interface ServiceList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status: { readonly loadBalancer: { readonly ingress?: readonly { readonly ip: string }[] } };
  }[];
}

const skip = skippedOnEmbedded('controller-scale.test.ts does the same');

describe('5,000 Services at once', { concurrency: false, skip }, () => {
  let lab: Lab;
  let web = '';
  before(async () => {
    lab = await Lab.start({ nodes: 2 });
    await lab.configure(`peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
address-pools:
- {name: public, protocol: bgp, auto-assign: false, addresses: [198.51.100.0/24]}
- {name: big, protocol: bgp, addresses: [10.64.0.0/16]}
`);
    await lab.addPods('web', lab.fabric.nodes);
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default', annotations: { 'bellman.dev/address-pool': 'public' } },
      spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await lab.until('web has an address', async () => (await lab.addressesOf('web')).length === 1);
    [web = ''] = await lab.addressesOf('web');
    await lab.until('web answers', () => lab.curl(lab.fabric.far, web).then(() => true));
  });
  after(() => lab?.close());

  async function ingress(): Promise<ReadonlyMap<string, readonly string[]>> {
    const list = await lab.client.request<ServiceList>({ method: 'GET', path: services, timeoutMs: 60_000 });
    return new Map(
      list.items.map(({ metadata, status }) => [
        metadata.name,
        (status.loadBalancer.ingress ?? []).map(({ ip }) => ip),
      ]),
    );
  }

  const sessionsLost = () =>
    lab.fabric.nodes.map(({ name }) => lab.log(`speaker-${name}`).split('"msg":"session down"').length);

  test('each gets one address with one write, and the router keeps its sessions', async (t) => {
    const { server } = lab;
    assert.ok(server instanceof Kubernetes);
    const lostBefore = sessionsLost();
    const fromMs = Date.now();
    let next = 0;
    const worker = async () => {
      while (next < total) {
        const body = {
          metadata: { name: `s${next++}` },
          spec: { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports: [{ port: 80 }] },
        };
        await lab.client.request({ method: 'POST', path: services, body, timeoutMs: 60_000 });
      }
    };
    const made = Promise.all(Array.from({ length: writers }, worker));
    let isMade = false;
    void made.finally(() => {
      isMade = true;
    });
    // While kube-proxy commits new rules for nftables, a new connection may miss the rule for its address. Its packets then circle between the
    // node and the router until their TTL is used up, and the client gets "No route to host". The route is there, so the next attempt works.
    const retry = ['--retry', '3', '--retry-all-errors', '--retry-delay', '1'];
    const traffic = async () => {
      while (!isMade)
        await lab.fabric.far.exec('curl', '-sS', '--max-time', '20', ...retry, `http://${web}/`);
    };
    await Promise.all([made, traffic()]);
    const madeMs = Date.now();
    await eventually('every Service has an address', async () => (await countAssigned()) === total + 1, slow);
    t.diagnostic(`made in ${madeMs - fromMs} ms, the last address ${Date.now() - madeMs} ms later`);
    await eventually('every event is written', async () => (await countOf('create events')) >= total, slow);

    const assigned = [...(await ingress()).values()].flat();
    assert.equal(new Set(assigned).size, total + 1, 'no two Services have the same address');
    assert.deepEqual(await lab.addressesOf('web'), [web]);
    assert.deepEqual(sessionsLost(), lostBefore);
    await lab.curl(lab.fabric.far, web);

    const processes = countRequests(server.auditEvents(), { fromMs, toMs: Date.now() });
    for (const { process, byKind } of processes)
      t.diagnostic(`${process}: ${[...byKind].map(([kind, n]) => `${kind} ${n}`).join(', ')}`);
    // Kubernetes itself may change a Service while a write of the controller is on its way. The write then conflicts and is repeated.
    const writes = await countOf('patch services/status');
    assert.ok(writes >= total && writes <= total * 1.02, `${writes} writes`);
    assert.ok((await countOf('create events')) <= total * 1.02);
    const isSpeaker = ({ process }: { readonly process: string }) => process.startsWith('bellman-speaker ');
    // A speaker may send nothing during the storm. Its earlier requests show that this count finds speakers.
    const known = countRequests(server.auditEvents(), { fromMs: 0, toMs: fromMs }).filter(isSpeaker);
    assert.equal(known.length, lab.fabric.nodes.length, 'the requests of each speaker are counted');
    for (const { process, total: sent } of processes.filter(isSpeaker))
      assert.ok(sent < 100, `${process} sent ${sent} requests`);

    async function countAssigned(): Promise<number> {
      await sleep(pollMs);
      return [...(await ingress()).values()].filter((ips) => ips.length === 1).length;
    }
    async function countOf(kind: string): Promise<number> {
      await sleep(pollMs);
      const span = { fromMs, toMs: Date.now() };
      assert.ok(server instanceof Kubernetes);
      const controller = countRequests(server.auditEvents(), span).find(({ process }) =>
        process.startsWith('bellman-controller'),
      );
      return controller?.byKind.get(kind) ?? 0;
    }
  });
});
