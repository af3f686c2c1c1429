/** Common parts of the test and the bench of leaving nodes: a lab with a Service by BGP and one in layer 2, routers, and the signals. */
import { writeFileSync } from 'node:fs';
import { addresses, birdConfig, type LabNode } from '../../lab/fabric.ts';
import { birdSocketPath, Lab } from '../../lab/lab.ts';
import { ownerOf } from '../../lab/steps.ts';
import { paths } from '../../src/kubernetes/write.ts';
import { startFrr, vtysh } from './lab-frr.ts';

/** `drainDelaySeconds` is short, so that the routers soon lose the routes. A test that looks at the drain itself takes a long one. */
export const drainConfig = (drainDelaySeconds = 2, announceDelaySeconds = 0) => `
peers:
- my-asn: 64512
  peer-asn: 64500
  peer-address: ${addresses.router[0]}
leave-on-taints:
- key: example.com/reboot
drain-delay: ${drainDelaySeconds}s
announce-delay: ${announceDelaySeconds}s
address-pools:
- name: public
  protocol: bgp
  addresses: [198.51.100.0/24]
- name: office
  protocol: layer2
  auto-assign: false
  addresses: [192.0.2.240-192.0.2.250]
`;

/** A Service whose pods echo datagrams and answer HTTP requests. */
export function echoService(name: string, pool: string, policy: 'Cluster' | 'Local' = 'Cluster'): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: { 'bellman.dev/address-pool': pool } },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: policy,
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
  /** Address of the Service that is announced by BGP. */
  readonly routed: string;
  /** Address of the Service in layer 2. */
  readonly local: string;
}

/** A lab of three nodes with the Services `web` (BGP) and `printer` (layer 2), and a Pod of each on every node. BIRD runs on the router. */
export async function startDrainLab(): Promise<DrainLab> {
  const lab = await Lab.start();
  await configureBird(lab);
  await lab.configure(drainConfig());
  await lab.apply(echoService('web', 'public'), echoService('printer', 'office'));
  for (const name of ['web', 'printer']) await lab.addPods(name, lab.fabric.nodes);
  const [routed, local] = [await addressOf(lab, 'web'), await addressOf(lab, 'printer')];
  await untilAnswered(lab, local);
  return { lab, routed, local };
}

/** Waits for the address of a Service. */
export async function addressOf(lab: Lab, name: string): Promise<string> {
  await lab.until(`${name} has an address`, async () => (await lab.addressesOf(name)).length === 1);
  return (await lab.addressesOf(name))[0] ?? '';
}

/** Waits until a node answers for an address in layer 2. */
export function untilAnswered(lab: Lab, address: string): Promise<void> {
  return lab.until(`a node answers for ${address}`, async () => {
    // The near client asks for the owner when it has something to send.
    await lab.fabric.near.exec('bash', '-c', `echo > /dev/udp/${address}/9`);
    return (await ownerOf(lab, address)) !== undefined;
  });
}

/** Lets BIRD prefer other routes to those with GRACEFUL_SHUTDOWN, as RFC 8326 section 4 asks. */
export async function configureBird(lab: Lab): Promise<void> {
  const file = '/run/lab/bird-drain.conf';
  const filter = 'import filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; };';
  writeFileSync(file, birdConfig(lab.fabric).replaceAll('import all;', filter));
  await lab.stop('bird');
  lab.processes.start('bird', lab.fabric.router, 'bird', ['-f', '-c', file, '-s', birdSocketPath]);
}

/** A routing daemon of the lab's router. */
export interface Router {
  readonly name: string;
  /** Whether the router has a route to the address from the node, preferred or not. */
  hasRoute(lab: Lab, address: string, node: LabNode): Promise<boolean>;
  /** Whether a route to the address carries GRACEFUL_SHUTDOWN. */
  hasMarkedRoute(lab: Lab, address: string): Promise<boolean>;
}

export const bird: Router = {
  name: 'BIRD with a filter',
  hasRoute: async (lab, address, { addresses: [v4] }) =>
    (await lab.birdc('show', 'route', 'for', `${address}/32`, 'all')).includes(`via ${v4} `),
  hasMarkedRoute: async (lab, address) =>
    (await lab.birdc('show', 'route', 'for', `${address}/32`, 'all')).includes('(65535,0)'),
};

export const frr: Router = {
  name: 'FRR',
  hasRoute: async (lab, address, { addresses: [v4] }) =>
    (await vtysh(lab, `show bgp ipv4 unicast ${address}/32 json`)).includes(`"ip":"${v4}"`),
  hasMarkedRoute: async (lab, address) =>
    /graceful-?shutdown/i.test(await vtysh(lab, `show bgp ipv4 unicast ${address}/32 json`)),
};

/** Replaces BIRD on the router by FRR, which acts on GRACEFUL_SHUTDOWN by itself. */
export async function replaceBirdByFrr(lab: Lab): Promise<void> {
  await lab.stop('bird');
  await startFrr(lab, {
    bfdd: [],
    bgpd: [
      'router bgp 64500',
      ` bgp router-id ${addresses.router[0]}`,
      ' no bgp ebgp-requires-policy',
      ' maximum-paths 8',
      ...lab.fabric.nodes.flatMap(({ addresses: [v4] }) => [
        ` neighbor ${v4} remote-as 64512`,
        ` neighbor ${v4} timers connect 1`,
      ]),
    ],
  });
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

export const signals: readonly Signal[] = [
  {
    name: 'the annotation',
    begin: (lab, { name }) => lab.kubectl('annotate', 'node', name, 'bellman.dev/maintenance=new kernel'),
    end: (lab, { name }) => lab.kubectl('annotate', 'node', name, 'bellman.dev/maintenance-'),
  },
  rebootTaint,
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
];
