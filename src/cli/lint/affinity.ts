/** Warns of Services whose session affinity depends on the routers. Pure. */
import { parseIp } from '../../address/index.ts';
import { excludeFromLoadBalancersLabel } from '../../cluster/names.ts';
import { anySelectorMatches, type Config, type PoolConfig, poolIndexOf } from '../../config/index.ts';
import { type Node, objectKey } from '../../kubernetes/model.ts';
import type { LintWarning } from '../../lint/cluster.ts';
import { affinityGuide } from '../../report/explain/remedies.ts';
import { shortList } from '../../report/status/words.ts';
import { peersOfNode } from '../../speaker/plan/peer-routes.ts';
import { counted } from '../counted.ts';
import type { EditFacts } from './edit.ts';

/**
 * Returns a warning for each pool that several nodes may announce by BGP, if a Service with `sessionAffinity: ClientIP` has an address of the
 * pool. kube-proxy keeps the affinity on each node separately, so the affinity is lost when routers send one client to several nodes.
 */
export function affinityWarnings(
  config: Config,
  { services, nodes, nodeRules }: Pick<EditFacts, 'services' | 'nodes' | 'nodeRules'>,
): LintWarning[] {
  const index = poolIndexOf(config);
  const affine = new Map<PoolConfig, Set<string>>();
  for (const service of services) {
    if (service.type !== 'LoadBalancer' || service.sessionAffinity === undefined) continue;
    for (const { ip } of service.ingress) {
      const address = parseIp(ip);
      const pool = address && index.poolOf(address);
      if (pool) affine.set(pool, (affine.get(pool) ?? new Set()).add(objectKey(service)));
    }
  }
  return config.pools.flatMap((pool, i) => {
    const found = [...(affine.get(pool) ?? [])];
    if (found.length === 0 || !pool.protocols.includes('bgp')) return [];
    const announcers = nodes.filter((node) => {
      const ignoresLabel = config.ignoreExcludedNodes || nodeRules.get(node.name)?.ignoresExcludeLabel;
      return (ignoresLabel || !(excludeFromLoadBalancersLabel in node.labels)) && hasPeer(config, pool, node);
    });
    if (announcers.length < 2) return [];
    const message = `${counted(announcers.length, 'node')} may announce it by BGP, and sessionAffinity: ClientIP of ${shortList(found)} holds only if the routers send all connections of a client to one node; see ${affinityGuide}`;
    return [{ path: `address-pools[${i}].protocol`, message }];
  });
}

/** Whether an advertisement of the pool selects the node and one of its peers. */
function hasPeer(config: Config, { bgpAdvertisements }: PoolConfig, node: Node): boolean {
  return bgpAdvertisements.some(
    ({ nodeSelectors, peers }) =>
      anySelectorMatches(nodeSelectors, node.labels) &&
      peersOfNode(config, node).some(({ name }) => peers.length === 0 || peers.includes(name)),
  );
}
