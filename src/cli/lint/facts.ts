/** Makes the facts that warnings need. The input is what a command has read: API objects, and the states of speakers. Pure. */
import { type Prefix, parsePrefix } from '../../address/index.ts';
import type { Labels } from '../../config/index.ts';
import type { RawObject } from '../../kubernetes/api.ts';
import { decodeNamespace } from '../../kubernetes/decode.ts';
import {
  type LintedCluster,
  lintedClusterIPs,
  lintedNode,
  lintedServiceCIDRs,
  loadBalancerLabels,
} from '../../lint/facts.ts';
import type { SpeakerView } from '../../report/status/view.ts';

export interface ClusterObjects {
  readonly nodes: readonly RawObject[];
  readonly services: readonly RawObject[];
  /** `undefined` when the user may not list them. */
  readonly serviceCIDRs: readonly RawObject[] | undefined;
  /** Labels by name; `undefined` when the user may not list them. */
  readonly namespaces: ReadonlyMap<string, Labels> | undefined;
}

export function lintedCluster(
  { nodes, services, serviceCIDRs, namespaces }: ClusterObjects,
  speakers: readonly SpeakerView[],
): LintedCluster {
  return {
    nodes: nodes.map(lintedNode),
    loadBalancers: loadBalancerLabels(services),
    serviceCIDRs: (serviceCIDRs ?? []).flatMap(lintedServiceCIDRs),
    clusterIPs: services.flatMap(lintedClusterIPs),
    namespaces,
    links: linksOf(speakers),
  };
}

export function labelsByName(namespaces: readonly RawObject[]): Map<string, Labels> {
  return new Map(namespaces.map(decodeNamespace).map(({ name, labels }) => [name, labels]));
}

/** The subnets of all links. `undefined` when a speaker does not report its links, or when there is no speaker. */
function linksOf(speakers: readonly SpeakerView[]): Prefix[] | undefined {
  const subnets: Prefix[] = [];
  for (const { status } of speakers) {
    if (!status.ok || !status.value.links) return undefined;
    for (const link of status.value.links)
      subnets.push(...link.subnets.flatMap((text) => parsePrefix(text) ?? []));
  }
  return speakers.length === 0 ? undefined : subnets;
}
