/** The facts about a cluster that warnings need, and how they are read from API objects. Pure. */
import { type IpAddress, type Prefix, parseIp, parsePrefix } from '../address/index.ts';
import type { Labels } from '../config/index.ts';
import type { RawObject } from '../kubernetes/api.ts';
import { decodeNode, decodeService } from '../kubernetes/decode.ts';
import { objectKey } from '../kubernetes/model.ts';

/** A fact that was not read is `undefined`. Warnings that need it are left out. */
export interface LintedCluster {
  readonly nodes: readonly LintedNode[];
  /** The labels of each Service of type LoadBalancer. */
  readonly loadBalancers: readonly Labels[];
  /** The prefixes of ServiceCIDR objects. Servers before Kubernetes 1.33 have no such objects. */
  readonly serviceCIDRs: readonly LintedServiceCIDR[];
  /** The ClusterIPs of Services. Warnings need them only while `serviceCIDRs` is empty. */
  readonly clusterIPs: readonly LintedClusterIP[];
  /** Labels by name. */
  readonly namespaces: ReadonlyMap<string, Labels> | undefined;
  /** Subnets of the links of all nodes. */
  readonly links: readonly Prefix[] | undefined;
}

export interface LintedNode {
  readonly name: string;
  readonly labels: Labels;
  readonly internalIPs: readonly IpAddress[];
  readonly podCIDRs: readonly Prefix[];
}

export interface LintedServiceCIDR {
  readonly name: string;
  readonly prefix: Prefix;
}

export interface LintedClusterIP {
  /** `namespace/name`. */
  readonly service: string;
  readonly address: IpAddress;
}

export function lintedNode(raw: RawObject): LintedNode {
  const { name, labels, internalIPs } = decodeNode(raw);
  return {
    ...{ name, labels },
    internalIPs: internalIPs.flatMap((ip) => parseIp(ip) ?? []),
    podCIDRs: textsOf(raw, 'podCIDRs').flatMap((text) => parsePrefix(text) ?? []),
  };
}

/** Reads one ServiceCIDR of `networking.k8s.io/v1`. */
export function lintedServiceCIDRs(raw: RawObject): LintedServiceCIDR[] {
  return textsOf(raw, 'cidrs').flatMap((text) => {
    const prefix = parsePrefix(text);
    return prefix ? [{ name: raw.metadata.name, prefix }] : [];
  });
}

export function loadBalancerLabels(services: readonly RawObject[]): Labels[] {
  return services.map(decodeService).flatMap(({ type, labels }) => (type === 'LoadBalancer' ? [labels] : []));
}

export function lintedClusterIPs(raw: RawObject): LintedClusterIP[] {
  const { name, namespace = '' } = raw.metadata;
  return textsOf(raw, 'clusterIPs').flatMap((text) => {
    const address = parseIp(text);
    return address ? [{ service: objectKey({ namespace, name }), address }] : [];
  });
}

function textsOf(raw: RawObject, key: 'podCIDRs' | 'clusterIPs' | 'cidrs'): readonly string[] {
  const value = (raw as RawObject & { readonly spec?: Readonly<Record<string, unknown>> }).spec?.[key];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
