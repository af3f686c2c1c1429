/**
 * Warnings about a configuration in its cluster: selectors that match nothing, namespaces that do not exist, two sessions of one node with the
 * same router, addresses of a pool that something else uses, and addresses of a layer-2 pool for which no node has a link. Pure.
 */
import {
  formatIp,
  formatPrefix,
  type IpRange,
  rangeContains,
  rangeOfPrefix,
  rangesOverlap,
} from '../address/index.ts';
import {
  anySelectorMatches,
  type Config,
  type ConfigError,
  type Labels,
  type PeerConfig,
  type PoolConfig,
  printRange,
} from '../config/index.ts';
import type { LintedCluster } from './facts.ts';

/** A warning has a place in the document, such as `address-pools[0].addresses[1]`. */
export type LintWarning = Pick<ConfigError, 'path' | 'message'>;

/** Computes the warnings in small steps, so that a large configuration keeps nothing else waiting (`turns.ts`). Each step yields its warnings. */
export function* lintSteps(config: Config, cluster: LintedCluster): Generator<readonly LintWarning[]> {
  yield* selectorWarnings(config, cluster);
  yield* doubleSessionWarnings(config, cluster);
  for (const [i, pool] of config.pools.entries()) {
    yield* overlapWarnings(pool, i, cluster);
    yield subnetWarnings(pool, i, cluster);
  }
}

export function lintCluster(config: Config, cluster: LintedCluster): LintWarning[] {
  return [...lintSteps(config, cluster)].flat();
}

/** A warning as one line of text. */
export function formatLintWarning({ path, message }: LintWarning): string {
  return `${path}: ${message}`;
}

interface Selected {
  readonly path: string;
  readonly selectors: Parameters<typeof anySelectorMatches>[0];
  readonly among: readonly Labels[] | undefined;
  readonly noun: string;
}

function* selectorWarnings({ peers, pools }: Config, cluster: LintedCluster): Generator<LintWarning[]> {
  const nodes = { among: cluster.nodes.map(({ labels }) => labels), noun: 'node' };
  const services = {
    among: cluster.loadBalancers,
    noun: 'Service of type LoadBalancer',
  };
  const namespaces = { among: cluster.namespaces && [...cluster.namespaces.values()], noun: 'namespace' };
  const all: Selected[] = [
    ...peers.map((peer, i) => ({
      path: `peers[${i}].node-selectors`,
      selectors: peer.nodeSelectors,
      ...nodes,
    })),
    ...pools.flatMap((pool, i): Selected[] => {
      const at = `address-pools[${i}]`;
      return [
        { path: `${at}.namespace-selectors`, selectors: pool.namespaceSelectors, ...namespaces },
        { path: `${at}.service-selectors`, selectors: pool.serviceSelectors, ...services },
        ...(['bgp', 'l2'] as const).flatMap((kind) =>
          (kind === 'bgp' ? pool.bgpAdvertisements : pool.l2Advertisements).flatMap((each, n) => [
            {
              path: `${at}.${kind}-advertisements[${n}].node-selectors`,
              selectors: each.nodeSelectors,
              ...nodes,
            },
            {
              path: `${at}.${kind}-advertisements[${n}].service-selectors`,
              selectors: each.serviceSelectors,
              ...services,
            },
          ]),
        ),
      ];
    }),
  ];
  for (const { path, selectors, among, noun } of all) {
    const isMatched =
      among === undefined ||
      selectors.length === 0 ||
      among.some((labels) => anySelectorMatches(selectors, labels));
    yield isMatched ? [] : [{ path, message: `no ${noun} of the cluster matches` }];
  }
  const { namespaces: known } = cluster;
  if (known === undefined) return;
  for (const [i, pool] of pools.entries())
    yield pool.namespaces.flatMap((name, n) =>
      known.has(name)
        ? []
        : [{ path: `address-pools[${i}].namespaces[${n}]`, message: `there is no namespace ${name}` }],
    );
}

/** Warns of two peers with the same endpoint whose selectors match the same node. */
function* doubleSessionWarnings({ peers }: Config, { nodes }: LintedCluster): Generator<LintWarning[]> {
  const known = new Map<string, { readonly peer: PeerConfig; readonly index: number }[]>();
  for (const [i, peer] of peers.entries()) {
    const key = endpointOf(peer);
    const others = known.get(key) ?? [];
    for (const { peer: other, index } of others) {
      const node = nodes.find(
        ({ labels }) =>
          anySelectorMatches(peer.nodeSelectors, labels) && anySelectorMatches(other.nodeSelectors, labels),
      );
      yield node ? [{ path: `peers[${i}].node-selectors`, message: doubleSession(node.name, index) }] : [];
      if (node) break;
    }
    others.push({ peer, index: i });
    known.set(key, others);
  }
}

function doubleSession(node: string, other: number): string {
  return `peers[${other}] has the same address and also matches node ${node}: that node opens two sessions, and most routers keep only one of them`;
}

function endpointOf({ address, port, interface: zone, sourceAddress }: PeerConfig): string {
  return JSON.stringify([formatIp(address), port, zone, sourceAddress && formatIp(sourceAddress)]);
}

/** Warns of ranges of a pool that contain addresses of nodes, or overlap Pod addresses or the range of ClusterIPs. */
function* overlapWarnings(
  { ranges }: PoolConfig,
  pool: number,
  cluster: LintedCluster,
): Generator<LintWarning[]> {
  for (const [i, range] of ranges.entries()) {
    const [first, ...others] = conflictsOf(range, cluster);
    if (first === undefined) {
      yield [];
      continue;
    }
    const more =
      others.length === 0
        ? ''
        : `; and ${others.length} more ${others.length === 1 ? 'conflict' : 'conflicts'}`;
    const path = `address-pools[${pool}].addresses[${i}]`;
    yield [{ path, message: `${printRange(range)}: ${first}${more}` }];
  }
}

function conflictsOf(range: IpRange, { nodes, serviceCIDRs, clusterIPs }: LintedCluster): string[] {
  const found: string[] = [];
  for (const { name, internalIPs, podCIDRs } of nodes) {
    const own = internalIPs.find((ip) => rangeContains(range, ip));
    if (own) found.push(`${formatIp(own)} is the address of node ${name}`);
    const pods = podCIDRs.find((prefix) => rangesOverlap(range, rangeOfPrefix(prefix)));
    if (pods) found.push(`it overlaps ${formatPrefix(pods)}, the Pod addresses of node ${name}`);
  }
  for (const { name, prefix } of serviceCIDRs)
    if (rangesOverlap(range, rangeOfPrefix(prefix)))
      found.push(`it overlaps ${formatPrefix(prefix)}, the range of ClusterIPs of ServiceCIDR ${name}`);
  const withClusterIp =
    serviceCIDRs.length > 0 ? undefined : clusterIPs.find(({ address }) => rangeContains(range, address));
  if (withClusterIp)
    found.push(
      `it contains the ClusterIP of Service ${withClusterIp.service}, so it overlaps the range of ClusterIPs`,
    );
  return found;
}

/** Warns of ranges of a layer-2 pool for which no node has a link. It warns only when every speaker reports its links. */
function subnetWarnings(pool: PoolConfig, index: number, { links }: LintedCluster): LintWarning[] {
  if (!links || !pool.protocols.includes('layer2')) return [];
  // An advertisement that names interfaces needs no subnet.
  if (pool.l2Advertisements.some(({ interfaces }) => interfaces.length > 0)) return [];
  return pool.ranges.flatMap((range, i) =>
    links.some((subnet) => rangesOverlap(range, rangeOfPrefix(subnet)))
      ? []
      : [
          {
            path: `address-pools[${index}].addresses[${i}]`,
            message: `no node has a link whose subnet overlaps ${printRange(range)}, so no node answers for the addresses of this range in layer 2`,
          },
        ],
  );
}
