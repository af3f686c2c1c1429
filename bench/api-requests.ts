/**
 * Counts the requests that each process of Bellman sends to Kubernetes: while nothing happens, and for each kind of event. It reads the audit log
 * of kube-apiserver, and prints two tables for docs/design/api-server.md.
 *   BELLMAN_KUBERNETES=$(lab/kubernetes/build.sh) lab/world .cache/bin/node bench/api-requests.ts [--minutes N] [--repeat N]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Kubernetes } from '../lab/kubernetes/kubernetes.ts';
import { countRequests, type ProcessRequests } from '../lab/kubernetes/request-counts.ts';
import { Lab } from '../lab/lab.ts';
import { paths } from '../src/kubernetes/write.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, repeat: { type: 'string', default: '10' } },
});
const minutes = Number(values.minutes);
const repeat = Number(values.repeat);
/** Longer than any process waits before it writes a record or a Kubernetes event. */
const quietMs = 15_000;
/** Requests that come even when nothing happens: renewals of the leader's Lease and of watches, and checks of the membership Secret. */
const isPeriodic = (kind: string) => /^(list|watch) | leases$| secrets$/.test(kind);

const lab = await Lab.start();
if (!(lab.server instanceof Kubernetes))
  throw new Error('BELLMAN_KUBERNETES is not set: the audit log of kube-apiserver counts the requests');
const { server } = lab;

function service(name: string, pool: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: { 'bellman.dev/address-pool': pool } },
    spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

async function assigned(name: string): Promise<void> {
  await lab.until(`${name} has an address`, async () => (await lab.addressesOf(name)).length === 1);
}

/**
 * Kubernetes stores a status report only if the report changes something. The times in a report are whole seconds, so this function dates each
 * report at least one second after the previous one.
 */
async function reportStatus(node: string, i: number): Promise<void> {
  const lastHeartbeatTime = new Date(Date.now() + i * 1000).toISOString().replace(/\.\d+/, '');
  await lab.client.request({
    method: 'PATCH',
    path: `${paths.nodes}/${node}/status`,
    contentType: 'application/merge-patch+json',
    body: { status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Lab', lastHeartbeatTime }] } },
  });
}

/**
 * Runs the action `repeat` times. Resolves to the requests that the controller and the speakers send from the first run until `quietMs` after
 * the last run.
 */
async function requestsOf(action: (i: number) => Promise<unknown>) {
  const fromMs = Date.now();
  for (let i = 0; i < repeat; i++) await action(i);
  await sleep(quietMs);
  const all = countRequests(server.auditEvents(), { fromMs, toMs: Date.now() });
  const of = (program: string) => all.filter(({ process }) => process.startsWith(`${program} `));
  return { controller: of('bellman-controller'), speakers: of('bellman-speaker') };
}

/** The requests that an event causes, each kind with its number per event. */
function perEvent(processes: readonly ProcessRequests[]): string {
  const sums = new Map<string, number>();
  for (const { byKind } of processes)
    for (const [kind, count] of byKind) if (!isPeriodic(kind)) sums.set(kind, (sums.get(kind) ?? 0) + count);
  const parts = [...sums].sort().map(([kind, count]) => `${Number((count / repeat).toFixed(2))} ${kind}`);
  return parts.join(', ') || 'none';
}

try {
  await lab.applyExample('config');
  await lab.addPods('web', lab.fabric.nodes);
  for (const [name, pool] of [
    ['web', 'public'],
    ['printer', 'office'],
  ] as const) {
    await lab.apply(service(name, pool));
    await assigned(name);
  }
  await sleep(2 * quietMs);

  const fromMs = Date.now();
  await sleep(minutes * 60_000);
  const toMs = Date.now();
  console.log(`Requests per minute of each process, over ${minutes} minutes without an event:\n`);
  console.log('| process | all | of which |\n|---|---|---|');
  for (const { process, total, byKind } of countRequests(server.auditEvents(), { fromMs, toMs })) {
    const perMinute = (count: number) => Number((count / minutes).toFixed(1));
    const kinds = [...byKind].sort(([, a], [, b]) => b - a).map(([kind, n]) => `${perMinute(n)} ${kind}`);
    console.log(`| ${process.replace('bellman-', '')} | ${perMinute(total)} | ${kinds.join(', ')} |`);
  }

  const byBgp = (i: number) => `bgp-${i}`;
  const byLayer2 = (i: number) => `layer2-${i}`;
  const rows: readonly (readonly [string, (i: number) => Promise<unknown>])[] = [
    [
      'a Service gets an address of a BGP pool',
      (i) => lab.apply(service(byBgp(i), 'public')).then(() => assigned(byBgp(i))),
    ],
    [
      'a Service gets an address of a layer-2 pool',
      (i) => lab.apply(service(byLayer2(i), 'office')).then(() => assigned(byLayer2(i))),
    ],
    [
      'a label of a Service changes',
      (i) => lab.kubectl('label', 'service', byBgp(i), 'colour=blue').then(() => sleep(200)),
    ],
    [
      'an endpoint of all Services comes or goes',
      (i) =>
        i % 2 === 0
          ? lab.removePods('web', lab.node('node-3')).then(() => sleep(2000))
          : lab.addPods('web', [lab.node('node-3')]).then(() => sleep(2000)),
    ],
    ['a Node reports its status', (i) => reportStatus('node-2', i).then(() => sleep(200))],
    ['a Service of a BGP pool is deleted', (i) => lab.kubectl('delete', 'service', byBgp(i))],
    ['a Service of a layer-2 pool is deleted', (i) => lab.kubectl('delete', 'service', byLayer2(i))],
  ];
  console.log(`\nRequests per event, mean of ${repeat}, with three speakers:\n`);
  console.log('| event | controller | all speakers together |\n|---|---|---|');
  for (const [event, action] of rows) {
    const { controller, speakers } = await requestsOf(action);
    console.log(`| ${event} | ${perEvent(controller)} | ${perEvent(speakers)} |`);
  }
} finally {
  await lab.close();
}
