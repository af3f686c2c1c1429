/** Without `dead-nodes` in the configuration, the layer-2 process of a speaker runs only while a pool is announced in layer 2. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LabNode } from '../../lab/fabric.ts';
import { kubeconfigPath, Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';
import { ownerOf } from '../../lab/steps.ts';
import { defaultHttpPort } from '../../src/cli/flags.ts';

const bgp = `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
address-pools:
- {name: public, protocol: bgp, addresses: [198.51.100.0/24]}
`;
const office = (protocol: string) => `- {name: office, protocol: ${protocol}, addresses: [192.0.2.240/29]}\n`;

interface Status {
  readonly usesLayer2: boolean;
  readonly members: readonly { readonly state: string }[];
  readonly troubles: readonly string[];
}

describe('the layer-2 process runs while a pool is announced in layer 2', { concurrency: false }, () => {
  let lab: Lab;
  let address = '';

  before(async () => {
    lab = await Lab.start();
    await lab.configure(bgp);
    for (const name of ['web', 'printer']) await lab.addPods(name, lab.fabric.nodes);
    await lab.apply(loadBalancer('web', 'public'), loadBalancer('printer', 'office'));
  });
  after(() => lab.close());

  function loadBalancer(name: string, pool: string): object {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', annotations: { 'bellman.dev/address-pool': pool } },
      spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: name } },
    };
  }

  function eachNode<T>(ask: (node: LabNode) => Promise<T>): Promise<T[]> {
    return Promise.all(lab.fabric.nodes.map(ask));
  }

  function statuses(): Promise<Status[]> {
    return eachNode(async ({ namespace }) => (await lab.status(namespace)) as Status);
  }

  function processes(): Promise<number[]> {
    return eachNode(async (node) => (await lab.layer2Processes(node)).length);
  }

  function readiness(): Promise<string[]> {
    const options = ['-s', '-o', '/dev/null', '-w', '%{http_code}'];
    return eachNode(({ namespace }) =>
      namespace.exec('curl', ...options, `http://127.0.0.1:${defaultHttpPort.speaker}/readyz`),
    );
  }

  async function advertised(): Promise<string[][]> {
    return eachNode(async ({ namespace }) => {
      const status = (await lab.status(namespace)) as { advertised: object };
      return Object.keys(status.advertised);
    });
  }

  const record = () => lab.announcingRecordOf('printer');

  test('with BGP pools only, no speaker has a layer-2 process, and each is ready without a complaint', async () => {
    await lab.until('every node announces web', async () =>
      (await advertised()).every((addresses) => addresses.length === 1),
    );
    assert.deepEqual(await processes(), [0, 0, 0]);
    for (const { usesLayer2, members, troubles } of await statuses())
      assert.deepEqual([usesLayer2, members, troubles], [false, [], []]);
    assert.deepEqual(await readiness(), ['200', '200', '200']);
    const status = `${bellman} status --kubeconfig ${kubeconfigPath} || true`;
    const text = await lab.node('node-1').namespace.exec('sh', '-c', status);
    assert.match(text, /^node-1 +layer 2 is not used$/m);
    assert.doesNotMatch(lab.log('speaker-node-1'), /membership/);
  });

  test('with a layer-2 pool, each speaker starts its layer-2 process, and one node answers', async () => {
    await lab.configure(bgp + office('layer2'));
    await lab.until('printer has an address', async () => (await lab.addressesOf('printer')).length === 1);
    [address = ''] = await lab.addressesOf('printer');
    await lab.until('printer answers', async () =>
      (await lab.curl(lab.fabric.near, address)).includes('printer-'),
    );
    await lab.until('every speaker sees the others alive', async () =>
      (await statuses()).every(
        ({ members }) => members.length === 2 && members.every(({ state }) => state === 'alive'),
      ),
    );
    assert.deepEqual(await processes(), [1, 1, 1]);
    const answers = await lab.fabric.near.exec('arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', address);
    assert.equal(new Set(answers.match(/(?<=\[)[0-9A-Fa-f:]{17}(?=\])/g)).size, 1);
    const owner = await ownerOf(lab, address);
    await lab.until('the record names the owner', async () => (await record()).includes(`=${owner?.name}/`));
  });

  test('when BGP announces the pool, no node answers, the record is removed, and the processes end', async () => {
    await lab.configure(bgp + office('bgp'));
    await lab.until('every node announces both Services by BGP', async () =>
      (await advertised()).every((addresses) => addresses.length === 2),
    );
    await lab.until('no layer-2 process runs', async () => (await processes()).every((count) => count === 0));
    for (const { usesLayer2, members, troubles } of await statuses())
      assert.deepEqual([usesLayer2, members, troubles], [false, [], []]);
    assert.deepEqual(await readiness(), ['200', '200', '200']);
    await lab.until('the record is empty', async () => (await record()) === '');
    const [answer] = await Promise.allSettled([
      lab.fabric.near.exec('arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', address),
    ]);
    assert.doesNotMatch(JSON.stringify(answer), /\[[0-9A-Fa-f:]{17}\]/);
  });

  test('a record that a dead node left behind is removed while no layer-2 process runs', async () => {
    const dead = lab.node('node-3');
    await lab.killNode(dead);
    await lab.markReady(dead, false);
    await lab.kubectl(
      'annotate',
      'service',
      'printer',
      `bellman.dev/announcing=${address}=${dead.name}/eth0`,
    );
    await lab.until('the record is empty', async () => (await record()) === '');
  });
});
