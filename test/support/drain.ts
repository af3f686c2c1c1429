/** Common parts of the test and the bench of leaving nodes: a lab with Services by BGP and in layer 2, routers, and the signals. */
import { writeFileSync } from 'node:fs';
import { addresses, birdConfig, type LabNode } from '../../lab/fabric.ts';
import { birdSocketPath, Lab } from '../../lab/lab.ts';
import { isKubernetes } from '../../lab/start-api-server.ts';
import { untilOwner } from '../../lab/steps.ts';
import { paths } from '../../src/kubernetes/write.ts';
import { closeOnFailure } from './close-on-failure.ts';
import { startFrr, stopFrr, vtysh } from './lab-frr.ts';
import { type GobgpPath, gobgpRoutes, isMarked, nextHopOf, startGobgp } from './lab-gobgp.ts';

/** The drain delay is short, so that the routers soon lose the routes. A test of the drain itself sets a long delay. */
export const drainConfig = ({
  drainDelaySeconds = 2,
  announceDelaySeconds = 0,
  gracefulRestart = false,
} = {}) => `
peers:
- my-asn: 64512
  peer-asn: 64500
  peer-address: ${addresses.router[0]}
  ${gracefulRestart ? 'graceful-restart: {restart-time: 120s}' : ''}
leave-on-taints:
- key: example.com/reboot
- key: node.kubernetes.io/unschedulable
drain-delay: ${drainDelaySeconds}s
announce-delay: ${announceDelaySeconds}s
address-pools:
- name: public
  protocol: bgp
  addresses: [198.51.100.0/24, '2001:db8:100::/112']
- name: office
  protocol: layer2
  auto-assign: false
  addresses: [192.0.2.240-192.0.2.250]
`;

/** A Service whose pods echo datagrams and answer HTTP requests. */
export function echoService(
  name: string,
  pool: string,
  policy: 'Cluster' | 'Local' = 'Cluster',
  family: 'IPv4' | 'IPv6' = 'IPv4',
): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: { 'bellman.dev/address-pool': pool } },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: policy,
      ipFamilyPolicy: 'SingleStack',
      ipFamilies: [family],
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 },
        { name: 'echo', protocol: 'UDP', port: 80, targetPort: 8080 },
      ],
      selector: { app: name },
    },
  };
}

export interface DrainLab {
  readonly lab: Lab;
  /** Address of the IPv4 Service that is announced by BGP. */
  readonly routed: string;
  /** Address of the IPv6 Service that is announced by BGP. */
  readonly routedV6: string;
  /** Address of the Service in layer 2. */
  readonly local: string;
}

/**
 * A lab of three nodes with the Services `web` (BGP), `six` (BGP, IPv6) and `printer` (layer 2), and a Pod of each on every node. BIRD runs on the
 * router.
 */
export async function startDrainLab(): Promise<DrainLab> {
  const lab = await Lab.start();
  return closeOnFailure(lab, async () => {
    await configureBird(lab);
    await lab.configure(drainConfig());
    await lab.apply(
      echoService('web', 'public'),
      echoService('six', 'public', 'Cluster', 'IPv6'),
      echoService('printer', 'office'),
    );
    for (const name of ['web', 'six', 'printer']) await lab.addPods(name, lab.fabric.nodes);
    const [routed, routedV6] = [await addressOf(lab, 'web'), await addressOf(lab, 'six')];
    const local = await addressOf(lab, 'printer');
    await untilOwner(lab, local);
    return { lab, routed, routedV6, local };
  });
}

/** Waits for the address of a Service. */
export async function addressOf(lab: Lab, name: string): Promise<string> {
  await lab.until(`${name} has an address`, async () => (await lab.addressesOf(name)).length === 1);
  return (await lab.addressesOf(name))[0] ?? '';
}

/** Makes BIRD prefer routes without GRACEFUL_SHUTDOWN. */
export async function configureBird(lab: Lab): Promise<void> {
  await lab.stop('bird');
  await bird.start(lab);
}

/** A routing daemon of the lab's router. It prefers routes without GRACEFUL_SHUTDOWN, as RFC 8326 section 4 asks. */
export interface Router {
  readonly name: string;
  /** Starts the daemon. The returned function ends it. */
  start(lab: Lab): Promise<() => Promise<void>>;
  /** Whether the router has a route to the address from the node, preferred or not. */
  hasRoute(lab: Lab, address: string, node: LabNode): Promise<boolean>;
  /** Whether a route to the address carries GRACEFUL_SHUTDOWN. */
  hasMarkedRoute(lab: Lab, address: string): Promise<boolean>;
}

export const bird: Router = {
  name: 'BIRD with a filter',
  async start(lab) {
    const file = '/run/lab/bird-drain.conf';
    const filter = 'import filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; };';
    writeFileSync(file, birdConfig(lab.fabric).replaceAll('import all;', filter));
    lab.processes.start('bird', lab.fabric.router, 'bird', ['-f', '-c', file, '-s', birdSocketPath]);
    return () => lab.stop('bird');
  },
  hasRoute: async (lab, address, { addresses: own }) => birdHasNextHop(await birdRoute(lab, address), own),
  hasMarkedRoute: async (lab, address) => (await birdRoute(lab, address)).includes('(65535,0)'),
};

function birdRoute(lab: Lab, address: string): Promise<string> {
  return lab.birdc('show', 'route', 'for', prefixOf(address), 'all');
}

function birdHasNextHop(text: string, own: LabNode['addresses']): boolean {
  return own.some((address) => text.includes(`via ${address} `));
}

/** The host route to an address. */
function prefixOf(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

/** FRR acts on GRACEFUL_SHUTDOWN by itself. */
export const frr: Router = {
  name: 'FRR',
  async start(lab) {
    await startFrr(lab, {
      bfdd: [],
      bgpd: [
        'router bgp 64500',
        ` bgp router-id ${addresses.router[0]}`,
        ' no bgp ebgp-requires-policy',
        ' maximum-paths 8',
        ' bgp graceful-restart notification',
        ' bgp hard-administrative-reset',
        ...lab.fabric.nodes.flatMap(({ addresses: [v4] }) => [
          ` neighbor ${v4} remote-as 64512`,
          ` neighbor ${v4} timers connect 1`,
        ]),
      ],
    });
    return () => stopFrr(lab);
  },
  hasRoute: async (lab, address, { addresses: [v4] }) =>
    (await frrRoute(lab, address)).includes(`"ip":"${v4}"`),
  hasMarkedRoute: async (lab, address) => /graceful-?shutdown/i.test(await frrRoute(lab, address)),
};

/** All routes of FRR to an IPv4 address, as JSON in text. */
export function frrRoute(lab: Lab, address: string): Promise<string> {
  return vtysh(lab, `show bgp ipv4 unicast ${address}/32 json`);
}

/** Replaces BIRD on the router with FRR. */
export async function replaceBirdByFrr(lab: Lab): Promise<void> {
  await lab.stop('bird');
  await frr.start(lab);
}

export const gobgp: Router = {
  name: 'GoBGP with a policy',
  start: startGobgp,
  hasRoute: async (lab, address, { addresses: [v4] }) =>
    (await gobgpPaths(lab, address)).some((path) => nextHopOf(path) === v4),
  hasMarkedRoute: async (lab, address) => (await gobgpPaths(lab, address)).some(isMarked),
};

async function gobgpPaths(lab: Lab, address: string): Promise<readonly GobgpPath[]> {
  return (await gobgpRoutes(lab))[prefixOf(address)] ?? [];
}

/** A change of a Node that makes the node leave, or stop announcing at once. */
export interface Signal {
  readonly name: string;
  begin(lab: Lab, node: LabNode): Promise<unknown>;
  end(lab: Lab, node: LabNode): Promise<unknown>;
}

const strategic = 'application/strategic-merge-patch+json';
const merge = 'application/merge-patch+json';

function patch(
  lab: Lab,
  { name }: LabNode,
  body: object,
  contentType: typeof strategic | typeof merge,
  subresource = '',
): Promise<unknown> {
  const path = `${paths.nodes}/${name}${subresource}`;
  return lab.client.request({ method: 'PATCH', path, contentType, body });
}

function taint(key: string): Signal {
  return {
    name: `the taint ${key}`,
    begin: (lab, node) => patch(lab, node, { spec: { taints: [{ key, effect: 'NoSchedule' }] } }, merge),
    end: (lab, node) => patch(lab, node, { spec: { taints: null } }, merge),
  };
}

function condition(name: string, on: object, off: object): Signal {
  const set = (one: object) => (lab: Lab, node: LabNode) =>
    patch(lab, node, { status: { conditions: [one] } }, strategic, '/status');
  return { name, begin: set(on), end: set(off) };
}

export const rebootTaint = taint('example.com/reboot');

/** `kubectl cordon`, with the taint that Kubernetes then adds. */
export const cordon: Signal = {
  name: 'a cordon',
  begin: (lab, node) =>
    patch(
      lab,
      node,
      {
        spec: {
          unschedulable: true,
          taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }],
        },
      },
      merge,
    ),
  end: (lab, node) => patch(lab, node, { spec: { unschedulable: null, taints: null } }, merge),
};

/**
 * A finalizer delays the deletion. After the deletion, Kubernetes would also delete the Pods of the node, so this signal needs the embedded API
 * server.
 */
const deletion: Signal = {
  name: 'the deletion of the Node',
  async begin(lab, node) {
    await patch(lab, node, { metadata: { finalizers: ['example.com/machine'] } }, merge);
    await lab.kubectl('delete', 'node', node.name, '--wait=false');
  },
  async end(lab, node) {
    await patch(lab, node, { metadata: { finalizers: null } }, merge);
    await lab.registerNode(node);
  },
};

export const signals: readonly Signal[] = [
  {
    name: 'the annotation',
    begin: (lab, { name }) => lab.kubectl('annotate', 'node', name, 'bellman.dev/maintenance=new kernel'),
    end: (lab, { name }) => lab.kubectl('annotate', 'node', name, 'bellman.dev/maintenance-'),
  },
  rebootTaint,
  cordon,
  taint('ToBeDeletedByClusterAutoscaler'),
  condition(
    'the condition DrainInProgress',
    { type: 'DrainInProgress', status: 'True', reason: 'AdminRequested' },
    { type: 'DrainInProgress', status: 'False', reason: 'AdminRequested' },
  ),
  condition(
    'the shutdown of the kubelet',
    { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'node is shutting down' },
    { type: 'Ready', status: 'True', reason: 'Lab', message: '' },
  ),
  {
    name: 'the exclude label',
    begin: (lab, { name }) =>
      lab.kubectl('label', 'node', name, 'node.kubernetes.io/exclude-from-external-load-balancers='),
    end: (lab, { name }) =>
      lab.kubectl('label', 'node', name, 'node.kubernetes.io/exclude-from-external-load-balancers-'),
  },
  taint('node.kubernetes.io/out-of-service'),
  ...(isKubernetes ? [] : [deletion]),
];
