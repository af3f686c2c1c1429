/**
 * Stands in for kube-proxy on all nodes of the lab. It follows Services and EndpointSlices, and maintains one nftables ruleset per node.
 *   node lab/kube-proxy.ts --kubeconfig FILE --node NAME… [--late MS]
 * One process serves all nodes: it runs `nft` in the network namespace of each. `--late` delays the load of each ruleset by MS milliseconds.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { V1Service } from '@kubernetes/client-node';
import { systemClock } from '../src/clock.ts';
import type { RawObject } from '../src/kubernetes/api.ts';
import { decodeEndpointSlice } from '../src/kubernetes/decode.ts';
import { watch } from '../src/kubernetes/watch.ts';
import { paths } from '../src/kubernetes/write.ts';
import { createLogger } from '../src/log.ts';
import { labClient } from './client.ts';
import { type ProxiedEndpoint, type ProxiedService, rulesetOf } from './kube-proxy-rules.ts';

/** Time from a change to the new rulesets. Further changes that arrive in this time share those rulesets. */
const settleMs = 5;

const { values } = parseArgs({
  options: {
    kubeconfig: { type: 'string', default: '' },
    node: { type: 'string', multiple: true, default: [] },
    late: { type: 'string', default: '0' },
  },
});
const client = labClient(values.kubeconfig, 'kube-proxy');
const logger = createLogger('kube-proxy', 'warn');
const stop = new AbortController();
const services = new Map<string, ProxiedService>();
const slices = new Map<string, readonly ProxiedEndpoint[]>();

function serviceOf(raw: RawObject): ProxiedService {
  const { spec, status } = raw as unknown as V1Service;
  return {
    key: `${raw.metadata.namespace}/${raw.metadata.name}`,
    ingress: (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
    clusterIps: (spec?.clusterIPs ?? []).filter((ip) => ip !== 'None'),
    local: spec?.externalTrafficPolicy === 'Local',
    ports: (spec?.ports ?? []).map(({ protocol = 'TCP', port, targetPort }) => ({
      protocol,
      port,
      targetPort: typeof targetPort === 'string' ? undefined : (targetPort ?? port),
    })),
  };
}

function endpointsOf(raw: RawObject): ProxiedEndpoint[] | undefined {
  const slice = decodeEndpointSlice(raw);
  return slice?.endpoints
    .filter(({ serving }) => serving)
    .flatMap(({ addresses: [address], nodeName, ready }) =>
      address === undefined
        ? []
        : [
            {
              service: `${slice.namespace}/${slice.serviceName}`,
              address,
              node: nodeName,
              isReady: ready,
            },
          ],
    );
}

/** The newest ruleset of each node, loaded or not. */
const wanted = new Map<string, string>();
/** The rulesets that are to be loaded next. */
const due = new Map<string, string>();
const busy = new Set<string>();
let isSettling = false;

function schedule(): void {
  if (isSettling) return;
  isSettling = true;
  setTimeout(() => {
    isSettling = false;
    for (const node of values.node) {
      const ruleset = rulesetOf(node, [...services.values()], [...slices.values()].flat());
      if (wanted.get(node) === ruleset) continue;
      wanted.set(node, ruleset);
      setTimeout(() => {
        due.set(node, ruleset);
        if (!busy.has(node)) load(node);
      }, Number(values.late));
    }
  }, settleMs);
}

/** Runs `nft` on a node, one process at a time, and always with the newest ruleset that is due. */
function load(node: string): void {
  const ruleset = due.get(node);
  if (ruleset === undefined) {
    busy.delete(node);
    return;
  }
  due.delete(node);
  busy.add(node);
  const nft = spawn('ip', ['netns', 'exec', node, 'nft', '-f', '-'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  nft.on('close', (code) => {
    if (code !== 0) logger.error({ node, code }, 'nft refused the ruleset');
    load(node);
  });
  nft.stdin.end(ruleset);
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
// This timer keeps the process alive during an outage of the API server, when no connection is open. The timers of `systemClock` do not keep it
// alive.
const alive = setInterval(() => {}, 2 ** 30);
process.on('SIGTERM', () => {
  stop.abort();
  clearInterval(alive);
  client.close();
});
await Promise.all([
  follow(paths.services, services, serviceOf),
  follow(paths.endpointSlices, slices, endpointsOf),
]);
