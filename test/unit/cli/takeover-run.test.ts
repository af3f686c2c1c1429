/** `bellman takeover status` against a server that plays the API server and the daemons of Bellman. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { takeoverStatus } from '../../../src/cli/takeover/run.ts';
import { systemClock } from '../../../src/clock.ts';
import { kubeconfigFor } from '../../support/kubeconfig.ts';
import { acceptedConfigMap } from './fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'bellman-takeover-'));
after(() => rmSync(folder, { recursive: true }));

const key = 'bellman.dev/takeover';
const config = 'address-pools:\n- {name: office, protocol: layer2, addresses: [192.0.2.150-192.0.2.160]}\n';
/** Labels of MetalLB's manifests, and of its Helm chart. */
const plain = (component: string) => ({ app: 'metallb', component });
const chart = (component: string) => ({
  'app.kubernetes.io/name': 'metallb',
  'app.kubernetes.io/component': component,
});

interface Cluster {
  readonly labels: (component: string) => Readonly<Record<string, string>>;
  readonly controllers: number;
  readonly adoptOnly: boolean;
  readonly admitted?: string;
  readonly announcing?: readonly string[];
  readonly isNodeAdmitted?: boolean;
  readonly daemonSet?: object;
  /** Whether the API server lists a Pod of Bellman's speaker, which is on node-1. There is then also node-2, which has no speaker. */
  readonly inPods?: boolean;
  /** The path that the user may not read. */
  readonly forbidden?: string;
}

function bodyOf(path: string, cluster: Cluster): object | undefined {
  const {
    labels,
    controllers,
    adoptOnly,
    admitted,
    announcing = [],
    isNodeAdmitted,
    daemonSet = {},
    inPods = false,
  } = cluster;
  const { annotations, data, ...metadata } = acceptedConfigMap(config);
  const list = (...items: object[]) => ({ items });
  const pods = [
    ...Array.from({ length: controllers }, (_, i) => ({
      metadata: { name: `controller-${i}`, labels: labels('controller') },
      spec: { nodeName: 'node-1' },
    })),
    // Pods that have ended, for instance because their node evicted them, stay until they are cleaned up.
    ...['Failed', 'Succeeded'].map((phase) => ({
      metadata: { name: `ended-${phase}`, labels: labels('controller') },
      ...{ spec: { nodeName: 'node-1' }, status: { phase } },
    })),
    { metadata: { name: 'speaker-x', labels: labels('speaker') }, spec: { nodeName: 'node-1' } },
    { metadata: { name: 'other', labels: {} }, spec: { nodeName: 'node-1' } },
  ];
  const held = {
    ...{ service: 'default/web', address: '192.0.2.150', pool: 'office', protocol: 'layer2', peers: [] },
    ...{ isAdmitted: false, isCandidate: true, seenOn: 'node-1', seenMac: '02:00:00:00:00:01' },
  };
  const answers: Record<string, object> = {
    '/api/v1/services': list({
      metadata: { namespace: 'default', name: 'web', annotations: {} },
      spec: { type: 'LoadBalancer' },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.150' }] } },
    }),
    '/api/v1/nodes': list(
      {
        metadata: { name: 'node-1', labels: isNodeAdmitted ? { [key]: 'true' } : {} },
        status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
      },
      ...(inPods ? [{ metadata: { name: 'node-2' } }] : []),
    ),
    '/api/v1/namespaces/bellman-system/pods': list(
      ...(inPods ? [{ metadata: { name: 'speaker-b' }, spec: { nodeName: 'node-1' } }] : []),
    ),
    '/api/v1/namespaces/bellman-system/configmaps/config': {
      metadata: { ...metadata, annotations: { ...annotations, ...(admitted ? { [key]: admitted } : {}) } },
      data,
    },
    '/api/v1/namespaces/bellman-system/serviceaccounts/viewer/token': { status: { token: 't' } },
    '/apis/coordination.k8s.io/v1/namespaces/bellman-system/leases/bellman-controller': {
      spec: { holderIdentity: 'controller-abc_uuid', renewTime: new Date().toISOString() },
    },
    '/api/v1/namespaces/bellman-system/pods/controller-abc': { status: { podIPs: [{ ip: '127.0.0.1' }] } },
    '/api/v1/namespaces/metallb-system/pods': list(...pods),
    '/apis/apps/v1/namespaces/metallb-system/deployments': list({
      metadata: { name: 'metallb-controller', labels: labels('controller') },
    }),
    '/apis/apps/v1/namespaces/metallb-system/daemonsets': list({
      metadata: { name: 'metallb-speaker', labels: labels('speaker') },
      ...daemonSet,
    }),
    // The server plays the controller and the speaker, so one answer has the fields of both.
    '/status': {
      ...{
        version: 1,
        identity: 'controller-abc_uuid',
        leading: true,
        adoptOnly,
        config: { status: 'active', hash: 'h', acceptedAt: '' },
      },
      ...{ services: [{ service: 'default/web', addresses: [{ ip: '192.0.2.150', pool: 'office' }] }] },
      ...{ peers: [], inUse: {}, advertised: {}, members: [], notAnnounced: [] },
      announcing: Object.fromEntries(announcing.map((address) => [address, ''])),
      adoption: {
        bgp: isNodeAdmitted ? 'live' : 'held',
        otherSessions: [],
        pools: [],
        held: announcing.length ? [] : [held],
      },
    },
  };
  return answers[path];
}

async function statusOf(cluster: Cluster, output: 'text' | 'json' = 'json'): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    const [path = ''] = url.split('?');
    if (path === cluster.forbidden)
      return response.writeHead(403).end(JSON.stringify({ message: `no right to ${path}` }));
    const body = bodyOf(path, cluster);
    return response.writeHead(body ? 200 : 404).end(JSON.stringify(body ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(folder, String(port));
  writeFileSync(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`));
  const source = { kubeconfig, namespace: 'bellman-system', speakerPort: port, controllerPort: port };
  try {
    const request = { source: { ...source, clock: systemClock }, metalLbNamespace: 'metallb-system', output };
    const { text, mayGoOn } = await takeoverStatus(request);
    assert.equal(mayGoOn, true, text);
    return text;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const commandOf = (text: string) => (JSON.parse(text) as { step: { command: string } }).step.command;
const patched = {
  spec: {
    template: {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'DoesNotExist' }] }],
            },
          },
        },
      },
    },
  },
};
const assigning = { labels: chart, controllers: 0, adoptOnly: false };
const answered = { ...assigning, admitted: 'office', announcing: ['192.0.2.150'] };

for (const [name, labels] of [
  ['manifests', plain],
  ['chart', chart],
] as const)
  test(`takeoverStatus() finds the controller of MetalLB by the labels of its ${name}`, async () => {
    assert.equal(
      commandOf(await statusOf({ labels, controllers: 1, adoptOnly: true })),
      'kubectl -n metallb-system scale deployment metallb-controller --replicas=0',
    );
  });

test('takeoverStatus() names the next step after each change of the cluster', async () => {
  assert.match(commandOf(await statusOf({ ...assigning, adoptOnly: true })), /deployment\/controller .*-$/);
  assert.match(
    commandOf(await statusOf(assigning)),
    /annotate --overwrite service web bellman.dev\/takeover=true$/,
  );
  assert.match(commandOf(await statusOf(answered)), /patch daemonset metallb-speaker /);
  assert.match(
    commandOf(await statusOf({ ...answered, daemonSet: patched })),
    /^kubectl label --overwrite node node-1 /,
  );
});

for (const forbidden of [
  '/api/v1/namespaces/metallb-system/pods',
  '/apis/apps/v1/namespaces/metallb-system/deployments',
  '/apis/apps/v1/namespaces/metallb-system/daemonsets',
])
  test(`takeoverStatus() names no step when the user may not read ${forbidden}`, async () => {
    await assert.rejects(
      statusOf({ labels: plain, controllers: 1, adoptOnly: true, forbidden }),
      /no right to/,
    );
  });

test('takeoverStatus() goes on although a node has no speaker, and shows that it has none', async () => {
  const text = await statusOf({ labels: plain, controllers: 1, adoptOnly: true, inPods: true }, 'text');
  assert.match(text, /^node-2 +gone +no speaker$/m);
});

test('takeoverStatus() expects a speaker on each node when the user may not list the Pods of Bellman', async () => {
  const forbidden = '/api/v1/namespaces/bellman-system/pods';
  const cluster = { labels: plain, controllers: 1, adoptOnly: true, forbidden };
  assert.match(commandOf(await statusOf(cluster)), /--replicas=0$/);
  await assert.rejects(statusOf({ ...cluster, inPods: true }), /the speaker of node-2 was not reached/);
});

test('takeoverStatus() prints tables and the step', async () => {
  assert.equal(
    await statusOf({ labels: plain, controllers: 1, adoptOnly: true }, 'text'),
    `             METALLB             BELLMAN
controller   assigns addresses   adopts only: 1 address in the books, no conflict

POOL IN LAYER 2   ADDRESSES   ANSWERED BY OTHERS   ANSWERED BY BELLMAN   ADMITTED
office            1           1                    0                     nothing

NODE     METALLB   BELLMAN       BGP                            LAYER 2
node-1   runs      adopts only   ready: 0 addresses held back   answers for 0, 1 held back

NEXT   stop the controller of MetalLB; assigned addresses stay, and new Services wait
  kubectl -n metallb-system scale deployment metallb-controller --replicas=0
BACK
  kubectl -n metallb-system scale deployment metallb-controller --replicas=1
`,
  );
});
