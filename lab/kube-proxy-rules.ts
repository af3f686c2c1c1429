/** What the stand-in for kube-proxy tells nftables: a ruleset per node, from Services and their endpoints. */

export interface ProxiedService {
  /** `namespace/name`. */
  readonly key: string;
  /** Addresses by which it is reached from outside. */
  readonly ingress: readonly string[];
  readonly clusterIps: readonly string[];
  /** `externalTrafficPolicy: Local`: from outside only the node's own endpoints are reached, and see the client's address. */
  readonly local: boolean;
  readonly ports: readonly {
    readonly protocol: string;
    readonly port: number;
    readonly targetPort: number;
  }[];
}

export interface ProxiedEndpoint {
  /** The Service's `namespace/name`. */
  readonly service: string;
  readonly address: string;
  readonly node: string | undefined;
}

/** Marks a packet whose client is to be hidden behind the node, so that the answer comes back this way. */
const masqueradeMark = '0x4000';

/**
 * The whole ruleset of a node, as `nft -f` takes it in one transaction. Each flow goes to an endpoint at random; without any endpoint it is dropped.
 */
export function rulesetOf(
  node: string,
  services: readonly ProxiedService[],
  endpoints: readonly ProxiedEndpoint[],
): string {
  // A drop is for the filter chain: a nat chain sees the first packet of a flow only.
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
          const family = familyOf(address);
          const match = `${family} daddr ${address} ${protocol.toLowerCase()} dport ${port}`;
          const backends = candidates.filter((endpoint) => familyOf(endpoint.address) === family);
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

function familyOf(address: string): 'ip' | 'ip6' {
  return address.includes(':') ? 'ip6' : 'ip';
}

function chain(name: string, type: string, rules: readonly string[]): string {
  return [`  chain ${name} {`, `    type ${type};`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n');
}
