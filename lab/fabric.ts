/**
 * The lab's network: hosts as network namespaces on one segment, a router in front of it, and a management network for the API server.
 *
 *                       far 203.0.113.2
 *                        │ 203.0.113.0/24, 2001:db8:f::/64
 *                      router (BIRD 2, AS 64500)
 *                        │ .1
 *   ─────┬───────────┬───┴───────┬───────────┬────  segment 192.0.2.0/24, 2001:db8:2::/64
 *      node-1 .11  node-2 .12  node-3 .13   near .100
 *       │pods         │pods       │pods             10.244.N.0/24, fd00:244:N::/64
 *   ────┴─────────────┴───────────┴──── control     management 10.255.0.0/24 (API server at .1)
 *
 * No interface has a load balancer address. Only Bellman makes these addresses known: to the router by BGP, and to the hosts of the segment
 * by ARP and NDP.
 */
import { bridge, cable, connectWorld, NetworkNamespace, plug, routeFromWorld } from './netns.ts';

export interface Fabric {
  readonly nodes: readonly LabNode[];
  readonly near: NetworkNamespace;
  readonly far: NetworkNamespace;
  readonly router: NetworkNamespace;
  readonly control: NetworkNamespace;
  readonly segment: NetworkNamespace;
}

export interface LabNode {
  readonly name: string;
  /** Starts at 1. */
  readonly index: number;
  readonly namespace: NetworkNamespace;
  readonly addresses: readonly [v4: string, v6: string];
}

export const addresses = {
  router: ['192.0.2.1', '2001:db8:2::1'],
  near: ['192.0.2.100', '2001:db8:2::100'],
  far: ['203.0.113.2', '2001:db8:f::2'],
  control: '10.255.0.1',
  /** A second host for an API server. */
  secondControl: '10.255.0.2',
  /** An address that moves between the hosts of API servers. */
  virtualControl: '10.255.0.3',
} as const;

const routerAsn = 64500;
const nodeAsn = 64512;

/** Builds the network. A world can hold only one such network. */
export async function buildFabric(nodeCount: number): Promise<Fabric> {
  const [segment, control, router, near, far] = (await Promise.all(
    ['segment', 'control', 'router', 'near', 'far'].map((name) => NetworkNamespace.create(name)),
  )) as [NetworkNamespace, NetworkNamespace, NetworkNamespace, NetworkNamespace, NetworkNamespace];
  await bridge(segment, 'lan');
  await bridge(control, 'mgmt');
  await control.ip('address', 'add', `${addresses.control}/24`, 'dev', 'mgmt');
  await connectWorld(control, 'mgmt', '10.255.0.254/24');
  await plug(
    { namespace: router, interface: 'eth0', addresses: ['192.0.2.1/24', '2001:db8:2::1/64'] },
    segment,
    'lan',
    'router',
  );
  await cable(
    { namespace: router, interface: 'eth1', addresses: ['203.0.113.1/24', '2001:db8:f::1/64'] },
    { namespace: far, interface: 'eth0', addresses: ['203.0.113.2/24', '2001:db8:f::2/64'] },
  );
  await plug(
    { namespace: near, interface: 'eth0', addresses: ['192.0.2.100/24', '2001:db8:2::100/64'] },
    segment,
    'lan',
    'near',
  );
  await forwarding(router);
  // The router chooses a next hop for each flow, not for each client, so that one client reaches several nodes.
  await router.exec(
    'sysctl',
    '-qw',
    'net.ipv4.fib_multipath_hash_policy=1',
    'net.ipv6.fib_multipath_hash_policy=1',
  );
  await defaultRoute(near, '192.0.2.1', '2001:db8:2::1');
  await defaultRoute(far, '203.0.113.1', '2001:db8:f::1');
  const nodes: LabNode[] = [];
  for (let index = 1; index <= nodeCount; index++) nodes.push(await buildNode(index, segment, control));
  // These routes let the control host, and the world itself, reach the nodes' addresses on the segment.
  const [first] = nodes;
  if (first) {
    const route = ['192.0.2.0/24', 'via', `10.255.0.${10 + first.index}`] as const;
    await control.ip('route', 'add', ...route);
    await routeFromWorld(...route);
  }
  for (const node of nodes)
    for (const other of nodes) {
      if (other === node) continue;
      await node.namespace.ip('route', 'add', `10.244.${other.index}.0/24`, 'via', other.addresses[0]);
      await node.namespace.ip('route', 'add', `fd00:244:${other.index}::/64`, 'via', other.addresses[1]);
    }
  return { nodes, near, far, router, control, segment };
}

async function buildNode(
  index: number,
  segment: NetworkNamespace,
  control: NetworkNamespace,
): Promise<LabNode> {
  const name = `node-${index}`;
  const namespace = await NetworkNamespace.create(name);
  const own = [`192.0.2.${10 + index}`, `2001:db8:2::${10 + index}`] as const;
  await forwarding(namespace);
  await plug(
    { namespace, interface: 'eth0', addresses: [`${own[0]}/24`, `${own[1]}/64`] },
    segment,
    'lan',
    name,
  );
  await plug(
    { namespace, interface: 'mgmt0', addresses: [`10.255.0.${10 + index}/24`] },
    control,
    'mgmt',
    name,
  );
  const number = index.toString(16).padStart(4, '0');
  await bridge(namespace, 'pods', `02:00:0a:f4:${number.slice(0, 2)}:${number.slice(2)}`);
  await namespace.ip('address', 'add', `10.244.${index}.1/24`, 'dev', 'pods');
  await namespace.ip('address', 'add', `fd00:244:${index}::1/64`, 'dev', 'pods', 'nodad');
  await defaultRoute(namespace, '192.0.2.1', '2001:db8:2::1');
  return { name, index, namespace, addresses: own };
}

/** Makes a network namespace for a pod and attaches it to its node. */
export async function buildPod(
  node: LabNode,
  name: string,
  hostNumber: number,
): Promise<{ namespace: NetworkNamespace; addresses: readonly [string, string] }> {
  const namespace = await NetworkNamespace.create(name);
  const own = [`10.244.${node.index}.${hostNumber}`, `fd00:244:${node.index}::${hostNumber}`] as const;
  await cable(
    { namespace, interface: 'eth0', addresses: [`${own[0]}/24`, `${own[1]}/64`] },
    { namespace: node.namespace, interface: `pod${hostNumber}` },
  );
  await node.namespace.ip('link', 'set', `pod${hostNumber}`, 'master', 'pods');
  await defaultRoute(namespace, `10.244.${node.index}.1`, `fd00:244:${node.index}::1`);
  return { namespace, addresses: own };
}

async function forwarding(namespace: NetworkNamespace): Promise<void> {
  await namespace.exec(
    'sysctl',
    '-qw',
    'net.ipv4.ip_forward=1',
    'net.ipv6.conf.all.forwarding=1',
    'net.ipv4.conf.all.rp_filter=0',
    'net.ipv4.conf.default.rp_filter=0',
  );
}

async function defaultRoute(namespace: NetworkNamespace, v4: string, v6: string): Promise<void> {
  await namespace.ip('route', 'add', 'default', 'via', v4);
  await namespace.ip('-6', 'route', 'add', 'default', 'via', v6);
}

/** Configuration of BIRD 2 on the router. It has a session with each node, and puts all equal paths into the kernel's routing table. */
export function birdConfig(fabric: Fabric): string {
  const sessions = fabric.nodes.map(
    ({ name, addresses: [v4] }) => `protocol bgp ${name.replaceAll('-', '_')} {
  local ${addresses.router[0]} as ${routerAsn};
  neighbor ${v4} as ${nodeAsn};
  connect retry time 5;
  error wait time 2, 10;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}`,
  );
  return `router id ${addresses.router[0]};
protocol device {}
protocol direct { ipv4; ipv6; }
protocol kernel { ipv4 { export where source = RTS_BGP; import none; }; merge paths yes; }
protocol kernel { ipv6 { export where source = RTS_BGP; import none; }; merge paths yes; }
${sessions.join('\n')}
`;
}
