/** `bellman convert` against a small API server on the loopback interface, which serves fixed lists. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatIp } from '../../../src/address/index.ts';
import { readCluster } from '../../../src/cli/convert-cluster.ts';
import { convert, sources } from '../../../src/convert/index.ts';

type Lists = Readonly<Record<string, readonly object[]>>;

/** Runs `use` beside a server that answers each path of `lists` with its list, and every other path with 404. Returns the paths that were read. */
async function withServer(lists: Lists, use: (kubeconfig: string) => Promise<void>): Promise<string[]> {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const items = lists[url];
    response.writeHead(items ? 200 : 404, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(items ? { kind: 'List', apiVersion: 'v1', items } : { kind: 'Status', code: 404 }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'bellman-convert-'));
  try {
    const kubeconfig = join(folder, 'config');
    const { port } = server.address() as AddressInfo;
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
        users: [{ name: 'u', user: {} }],
      }),
    );
    await use(kubeconfig);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
  return asked;
}

const service = (name: string, type: string, ...ips: string[]) => ({
  metadata: { name, namespace: 'default' },
  spec: { type },
  status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
});
const pool = (name: string, spec: object) => ({ metadata: { name }, spec });
const services = '/api/v1/services';

test('readCluster() reads each resource in its newest version, and the addresses of all load balancers', async () => {
  const asked = await withServer(
    {
      [services]: [
        service('web', 'LoadBalancer', '192.0.2.7', '2001:db8::7'),
        service('inner', 'ClusterIP', '192.0.2.9'),
        service('waiting', 'LoadBalancer'),
      ],
      '/apis/metallb.io/v1beta1/ipaddresspools': [pool('a', { addresses: ['192.0.2.0/24'] })],
      '/apis/metallb.io/v1beta2/bgppeers': [
        pool('p', { myASN: 64512, peerASN: 64501, peerAddress: '10.0.0.1' }),
      ],
      '/apis/metallb.io/v1beta1/bgppeers': [pool('p', { myASN: 1, peerASN: 1, peerAddress: '10.0.0.9' })],
    },
    async (kubeconfig) => {
      const { objects, assigned } = await readCluster(kubeconfig, { from: 'metallb' });
      assert.deepEqual(
        objects.map(({ apiVersion, kind, name }) => `${apiVersion} ${kind} ${name}`),
        ['metallb.io/v1beta1 IPAddressPool a', 'metallb.io/v1beta2 BGPPeer p'],
      );
      const result = convert(objects, { from: 'metallb', assigned });
      assert.ok(result.ok);
      assert.deepEqual(
        result.value.orphans.map(({ service: holder, address }) => `${holder} ${formatIp(address)}`),
        ['default/web 2001:db8::7'],
      );
    },
  );
  assert.ok(
    !asked.includes('/apis/metallb.io/v1beta1/bgppeers'),
    'the older version is not read, because it shows the same objects',
  );
  assert.ok(!asked.some((path) => path.includes('purelb')), 'only the chosen source is read');
});

test('readCluster() falls back to an older version, and reads the ConfigMap of kube-vip by name', async () => {
  await withServer(
    {
      [services]: [],
      '/apis/purelb.io/v1/servicegroups': [
        pool('default', { local: { pool: '192.0.2.0/24', subnet: '192.0.2.0/24' } }),
      ],
    },
    async (kubeconfig) => {
      const { objects } = await readCluster(kubeconfig, { from: 'auto' });
      assert.deepEqual(
        objects.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
        ['purelb.io/v1 ServiceGroup'],
      );
      assert.ok(convert(objects, { from: 'auto' }).ok);
    },
  );
  await withServer(
    {
      [services]: [],
      '/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Dkubevip': [
        { metadata: { name: 'kubevip', namespace: 'kube-system' }, data: { 'cidr-global': '192.0.2.0/24' } },
      ],
    },
    async (kubeconfig) => {
      const { objects } = await readCluster(kubeconfig, { from: 'kube-vip' });
      assert.ok(convert(objects, { from: 'auto' }).ok);
    },
  );
});

test('readCluster() without a source reads only the addresses in use', async () => {
  const asked = await withServer(
    { [services]: [service('web', 'LoadBalancer', '192.0.2.7')] },
    async (kubeconfig) => {
      const { objects, assigned } = await readCluster(kubeconfig, {});
      assert.deepEqual([objects.length, assigned.length], [0, 1]);
    },
  );
  assert.deepEqual(asked, [services]);
});

test('readCluster() names the list that holds an invalid object', async () => {
  await withServer(
    { [services]: [], '/apis/metallb.io/v1beta1/ipaddresspools': [{ spec: {} }] },
    async (kubeconfig) => {
      await assert.rejects(
        readCluster(kubeconfig, { from: 'metallb' }),
        /cannot read \/apis\/metallb.io\/v1beta1\/ipaddresspools: items\[0\]: IPAddressPool without a name/,
      );
    },
  );
});

test('every source names at least one list to read from the API server', () => {
  for (const { lists, name } of sources) assert.ok(lists.length > 0, name);
});
