/** The facts about a cluster that warnings need, and how they are read from API objects. Pure. */
import { type IpAddress, type Prefix, parseIp, parsePrefix } from '../../address/index.ts';
import type { Labels } from '../../config/index.ts';
import type { RawObject } from '../../kubernetes/api.ts';
import { decodeNode, decodeService } from '../../kubernetes/decode.ts';
import { objectKey } from '../../kubernetes/model.ts';
import type { SpeakerView } from '../status/view.ts';

export interface LintedCluster {
  readonly nodes: readonly {
    readonly name: string;
    readonly labels: Labels;
    readonly internalIPs: readonly IpAddress[];
    readonly podCIDRs: readonly Prefix[];
  }[];
  /** All Services; the labels are those of load balancers. */
  readonly services: readonly {
    readonly key: string;
    readonly labels: Labels;
    readonly clusterIPs: readonly IpAddress[];
  }[];
  /** Labels by name; `undefined` when they were not read. */
  readonly namespaces: ReadonlyMap<string, Labels> | undefined;
  /** Subnets of the links of all nodes; `undefined` unless every speaker reports its links. */
  readonly links: readonly Prefix[] | undefined;
}

export function lintedCluster(
  nodes: readonly RawObject[],
  services: readonly RawObject[],
  namespaces: ReadonlyMap<string, Labels> | undefined,
  speakers: readonly SpeakerView[],
): LintedCluster {
  return {
    nodes: nodes.map((raw) => {
      const { name, labels, internalIPs } = decodeNode(raw);
      return {
        ...{ name, labels },
        internalIPs: internalIPs.flatMap((ip) => parseIp(ip) ?? []),
        podCIDRs: textsOf(raw, 'podCIDRs').flatMap((text) => parsePrefix(text) ?? []),
      };
    }),
    services: services.map((raw) => {
      const service = decodeService(raw);
      return {
        key: objectKey(service),
        labels: service.type === 'LoadBalancer' ? service.labels : {},
        clusterIPs: textsOf(raw, 'clusterIPs').flatMap((text) => parseIp(text) ?? []),
      };
    }),
    namespaces,
    links: linksOf(speakers),
  };
}

function textsOf(raw: RawObject, key: 'podCIDRs' | 'clusterIPs'): readonly string[] {
  const value = (raw as RawObject & { readonly spec?: Readonly<Record<string, unknown>> }).spec?.[key];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function linksOf(speakers: readonly SpeakerView[]): Prefix[] | undefined {
  const subnets: Prefix[] = [];
  for (const { status } of speakers) {
    if (!status.ok || !status.value.links) return undefined;
    for (const link of status.value.links)
      subnets.push(...link.subnets.flatMap((text) => parsePrefix(text) ?? []));
  }
  return speakers.length === 0 ? undefined : subnets;
}
