/** Warns of Services whose session affinity depends on the routers. Pure. */
import { parseIp } from '../../address/index.ts';
import { anySelectorMatches, type Config, type PoolConfig, poolIndexOf } from '../../config/index.ts';
import { type Node, objectKey, type Service } from '../../kubernetes/model.ts';
import type { LintWarning } from '../../lint/cluster.ts';
import { affinityGuide } from '../../report/explain/remedies.ts';
import { shortList } from '../../report/status/words.ts';
import { counted } from '../counted.ts';

/**
 * A warning for each pool that several nodes may announce by BGP and that has addresses of Services with `sessionAffinity: ClientIP`. kube-proxy
 * keeps the affinity on each node separately.
 */
export function affinityWarnings(
  config: Config,
  services: readonly Service[],
  nodes: readonly Node[],
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
    const announcers = nodes.filter(({ labels }) =>
      pool.bgpAdvertisements.some(({ nodeSelectors }) => anySelectorMatches(nodeSelectors, labels)),
    );
    if (announcers.length < 2) return [];
    const message = `${counted(announcers.length, 'node')} may announce it by BGP, and sessionAffinity: ClientIP of ${shortList(found)} holds only if the routers send all connections of a client to one node; see ${affinityGuide}`;
    return [{ path: `address-pools[${i}].protocol`, message }];
  });
}
