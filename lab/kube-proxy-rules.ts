/** The nftables ruleset of a node, made from Services and their endpoints. */

export interface ProxiedService {
  /** `namespace/name`. */
  readonly key: string;
  /** Load balancer addresses. */
  readonly ingress: readonly string[];
  readonly clusterIps: readonly string[];
  /**
   * Whether `externalTrafficPolicy` is Local. Traffic from outside then reaches only the node's own endpoints, which see the client's
   * address.
   */
  readonly local: boolean;
  readonly ports: readonly {
    readonly protocol: string;
    readonly port: number;
    /** `undefined` for a name. Endpoints have no names of ports here, so a ruleset leaves such a port out. */
    readonly targetPort: number | undefined;
  }[];
}

export interface ProxiedEndpoint {
  /** The Service's `namespace/name`. */
  readonly service: string;
  readonly address: string;
  readonly node: string | undefined;
  /** False for an endpoint that terminates and still serves. */
  readonly isReady: boolean;
}

/** Marks the packets in which the node replaces the source by its own address, so that the answers return through the node. */
const masqueradeMark = '0x4000';

/**
 * The complete ruleset of a node, which `nft -f` loads in one transaction. Each flow goes to a random endpoint. A flow that arrives and has no
 * endpoint is dropped. A flow that the node itself begins and that has no endpoint goes on into the network. As in Kubernetes (KEP-1669), endpoints
 * that terminate get traffic only while no endpoint is ready.
 */
export function rulesetOf(
  node: string,
  services: readonly ProxiedService[],
  endpoints: readonly ProxiedEndpoint[],
): string {
  // The drop rules are in a filter chain, which sees every packet. They therefore also drop a flow that had an endpoint when it began. A nat chain
  // sees only the first packet of a flow.
  const drops: string[] = [];
  const translations: string[] = [];
  for (const service of services) {
    const own = endpoints.filter((endpoint) => endpoint.service === service.key);
    const near = service.local ? own.filter((endpoint) => endpoint.node === node) : own;
    for (const [addresses, candidates, keepsClient] of [
      [service.ingress, near, service.local],
      [service.clusterIps, own, false],
    ] as const)
      for (const address of addresses)
        for (const { protocol, port, targetPort } of service.ports) {
          if (targetPort === undefined) continue;
          const family = familyOf(address);
          const match = `${family} daddr ${address} ${protocol.toLowerCase()} dport ${port}`;
          const backends = usable(candidates.filter((endpoint) => familyOf(endpoint.address) === family));
          if (backends.length === 0) {
            drops.push(`${match} drop`);
            continue;
          }
          const map = backends.map((endpoint, index) => `${index} : ${endpoint.address}`).join(', ');
          const mark = keepsClient ? '' : `meta mark set ${masqueradeMark} `;
          translations.push(
            `${match} ${mark}dnat ${family} to numgen random mod ${backends.length} map { ${map} } : ${targetPort}`,
          );
        }
  }
  // The first line creates the table if it does not exist, because otherwise `delete` would fail.
  return `table inet kube-proxy
delete table inet kube-proxy
table inet kube-proxy {
${chain('filter', 'filter hook prerouting priority -150', drops)}
  chain services {
${translations.map((rule) => `    ${rule}`).join('\n')}
  }
${chain('prerouting', 'nat hook prerouting priority dstnat', ['jump services'])}
${chain('output', 'nat hook output priority -100', ['jump services'])}
${chain('postrouting', 'nat hook postrouting priority srcnat', [`meta mark ${masqueradeMark} masquerade`])}
}
`;
}

function usable(endpoints: readonly ProxiedEndpoint[]): readonly ProxiedEndpoint[] {
  const ready = endpoints.filter(({ isReady }) => isReady);
  return ready.length > 0 ? ready : endpoints;
}

function familyOf(address: string): 'ip' | 'ip6' {
  return address.includes(':') ? 'ip6' : 'ip';
}

function chain(name: string, type: string, rules: readonly string[]): string {
  return [`  chain ${name} {`, `    type ${type};`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n');
}
