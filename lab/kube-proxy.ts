/**
 * Stands in for kube-proxy on every node of the lab: follows Services and EndpointSlices and keeps one nftables ruleset per node.
 *   node lab/kube-proxy.ts --kubeconfig FILE --node NAME…
 * Traffic to a Service's load balancer and cluster addresses is translated to a random endpoint. `externalTrafficPolicy: Cluster` hides
 * the client behind the node, `Local` keeps it and uses the node's own endpoints only.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/clock.ts';
import { connect } from '../src/kubernetes/client.ts';
import { decodeEndpointSlice } from '../src/kubernetes/decode.ts';
import type { EndpointSlice } from '../src/kubernetes/model.ts';
import { type RawObject, watch } from '../src/kubernetes/watch.ts';
import { paths } from '../src/kubernetes/write.ts';
import { createLogger } from '../src/log.ts';
import { field } from './apiserver/resources.ts';

const { values } = parseArgs({
  options: { kubeconfig: { type: 'string' }, node: { type: 'string', multiple: true, default: [] } },
});
const client = connect(values.kubeconfig, 'kube-proxy');
const logger = createLogger('kube-proxy', 'warn');
const stop = new AbortController();
const services = new Map<string, RawObject>();
const slices = new Map<string, EndpointSlice>();
const applied = new Map<string, string>();

interface Port {
  readonly protocol: string;
  readonly port: number;
  readonly targetPort: number;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function rulesOf(key: string, service: RawObject, node: string): string[] {
  const local = field(service, 'spec', 'externalTrafficPolicy') === 'Local';
  const ingress = (field(service, 'status', 'loadBalancer', 'ingress') ?? []) as { ip?: string }[];
  const external = ingress.flatMap(({ ip }) => ip ?? []);
  const cluster = strings(field(service, 'spec', 'clusterIPs')).filter((ip) => ip !== 'None');
  const ports = (field(service, 'spec', 'ports') ?? []) as Port[];
  return [...external.map((ip) => ({ ip, local })), ...cluster.map((ip) => ({ ip, local: false }))].flatMap(
    ({ ip, local: own }) => {
      const family = ip.includes(':') ? 'ip6' : 'ip';
      const backends = [...slices.values()]
        .filter(
          (slice) =>
            `${slice.namespace}/${slice.serviceName}` === key &&
            (slice.family === 'IPv6') === (family === 'ip6'),
        )
        .flatMap(({ endpoints }) => endpoints)
        .filter((endpoint) => endpoint.serving && (!own || endpoint.nodeName === node))
        .flatMap((endpoint) => endpoint.addresses[0] ?? []);
      return ports.map(({ protocol, port, targetPort }) => {
        const match = `${family} daddr ${ip} ${protocol.toLowerCase()} dport ${port}`;
        if (backends.length === 0) return `${match} drop`;
        const map = backends.map((backend, i) => `${i} : ${backend}`).join(', ');
        return `${match} ${own ? '' : 'meta mark set 0x4000 '}dnat ${family} to numgen random mod ${backends.length} map { ${map} } : ${targetPort}`;
      });
    },
  );
}

function ruleset(node: string): string {
  const rules = [...services].flatMap(([key, service]) => rulesOf(key, service, node));
  // A drop is for the filter chain: a nat chain sees the first packet of a flow only.
  const drops = rules.filter((rule) => rule.endsWith(' drop'));
  const translations = rules.filter((rule) => !rule.endsWith(' drop'));
  const lines = (list: readonly string[]) => list.map((rule) => `    ${rule}\n`).join('');
  return `table inet kube-proxy
delete table inet kube-proxy
table inet kube-proxy {
  chain filter {
    type filter hook prerouting priority -150;
${lines(drops)}  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
${lines(translations)}  }
  chain output {
    type nat hook output priority -100;
${lines(translations)}  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    meta mark 0x4000 masquerade
  }
}
`;
}

/** One `nft` at a time on a node, each with the newest picture. */
const busy = new Set<string>();
function schedule(): void {
  for (const node of values.node) {
    if (busy.has(node)) continue;
    busy.add(node);
    // A little later, so that changes that come together are applied together.
    setTimeout(() => applyTo(node), 5);
  }
}

function applyTo(node: string): void {
  const text = ruleset(node);
  if (applied.get(node) === text) {
    busy.delete(node);
    return;
  }
  applied.set(node, text);
  const nft = spawn('ip', ['netns', 'exec', node, 'nft', '-f', '-'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  nft.on('close', (code) => {
    if (code !== 0) logger.error({ node, code }, 'nft refused the ruleset');
    applyTo(node);
  });
  nft.stdin.end(text);
}

const follow = <T>(path: string, into: Map<string, T>, decode: (raw: RawObject) => T | undefined) =>
  watch({
    client,
    path,
    decode,
    handler: {
      changed: (key, object) => {
        if (object === undefined) into.delete(key);
        else into.set(key, object);
        schedule();
      },
      synced: schedule,
    },
    clock: systemClock,
    logger,
    signal: stop.signal,
  });
const alive = setInterval(() => {}, 1_000_000);
process.on('SIGTERM', () => {
  stop.abort();
  clearInterval(alive);
});
await Promise.all([
  follow(paths.services, services, (raw) => raw),
  follow(paths.endpointSlices, slices, decodeEndpointSlice),
]);
