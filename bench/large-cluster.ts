/**
 * A whole speaker in a large cluster. Many Nodes at once turn NotReady and Ready again. Then, with BGP, an edit of the configuration changes all
 * routes.
 *   lab/world .cache/bin/node bench/large-cluster.ts [--services 50000] [--nodes 2000] [--not-ready 500] [--seconds 60] [--protocol bgp|layer2]
 * To measure only an edit, with 100,000 Services: `--services 100000 --nodes 10 --not-ready 0`.
 *
 * In both phases, a program asks for `/healthz` 20 ms after each answer. While the Nodes change, another host sends 1,000 ARP requests a second,
 * and the bench reads BIRD's hold timer, which shows late keepalives. Fails when `/healthz` takes longer than 100 ms, when the p99 of the ARP
 * answers exceeds 10 ms, when a keepalive is late, or when the memory exceeds twice its size at rest. Also fails when the edit costs more than 5 s
 * of CPU per 100,000 Services (1 s is always allowed), or holds the event loop for longer than 10 ms. A turn of the loop is measured in CPU time,
 * because on a busy machine a turn also waits for a processor. Collections of garbage that V8 decides on do not count, because slicing the work
 * cannot shorten them.
 */
import { mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Lab } from '../lab/lab.ts';
import { askDuring, paced } from './support/asker.ts';
import { layer2Processes, speakerProcesses } from './support/bellman-processes.ts';
import { bgpRoutes } from './support/bgp-routes.ts';
import { makeManyServices } from './support/many-services.ts';
import { longestTurnOf, loopProbeVariables, probeHealth, turnText } from './support/process-probes.ts';
import { usageOf } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '50000' },
    nodes: { type: 'string', default: '2000' },
    'not-ready': { type: 'string', default: '500' },
    seconds: { type: 'string', default: '60' },
    protocol: { type: 'string', default: 'bgp' },
  },
});
const [services, nodes, notReady] = [values.services, values.nodes, values['not-ready']].map(Number) as [
  number,
  number,
  number,
];
const { protocol } = values;
if (protocol !== 'bgp' && protocol !== 'layer2') throw new Error(`--protocol ${protocol}: use bgp or layer2`);
const limits = {
  healthMs: 100,
  arpMs: 10,
  /**
   * The bench fails when BIRD's hold timer falls below this value. BIRD starts the timer at 6.75 to 9 s, at random, and a keepalive that is due
   * every 3 s finds it at 3.75 s or more. With a limit of 3.5 s, a keepalive may be a quarter of a second late.
   */
  holdTimerSeconds: 3.5,
  memory: 2,
  editCpuSeconds: Math.max(1, (5 * services) / 100_000),
  turnCpuMs: 10,
};
const patienceMs = 300_000 + services * 30;
const probes = '/run/lab/loop-probes';
const program = process.env.BELLMAN_PROGRAM ?? fileURLToPath(new URL('../bin/bellman', import.meta.url));
const office = '192.0.2.240';

function report(what: string, figure: string, isRight = true): void {
  console.log(`${what.padEnd(70)} ${figure}${isRight ? '' : '  TOO MUCH'}`);
  if (!isRight) process.exitCode = 1;
}

const lab = await Lab.start({ nodes: 1 });
const node = lab.node('node-1');
// The stand-in for kube-proxy cannot handle so many Services, and this bench sends no packets to them.
await lab.stop('kube-proxy');
// A node answers only for addresses of its subnets.
if (protocol === 'layer2') await node.namespace.ip('address', 'add', '10.32.0.1/14', 'dev', 'eth0');
const configuration = (more: string) => `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: 9s}
address-pools:
- {name: office, protocol: layer2, auto-assign: false, addresses: [${office}/32]}
- {name: big, protocol: ${protocol}, addresses: [10.32.0.0/14]${more}}
`;
await lab.configure(configuration(''));
await lab.stop('speaker-node-1');

const post = (path: string, body: object) => lab.client.request({ method: 'POST', path, body });
await lab.addPods('printer', [node]);
await post('/api/v1/namespaces/default/services', {
  metadata: { name: 'printer', annotations: { 'bellman.dev/address-pool': 'office' } },
  spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], selector: { app: 'printer' } },
});
const far = Array.from({ length: nodes - 1 }, (_, i) => `far-${String(i).padStart(5, '0')}`);
const condition = (isReady: boolean) => ({
  type: 'Ready',
  status: isReady ? 'True' : 'False',
  reason: 'Bench',
});
const inGroups = async (names: readonly string[], each: (name: string, i: number) => Promise<unknown>) => {
  for (let at = 0; at < names.length; at += 100)
    await Promise.all(names.slice(at, at + 100).map((name, i) => each(name, at + i)));
};
await inGroups(far, (name, i) =>
  post('/api/v1/nodes', {
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: {},
    status: {
      conditions: [condition(true)],
      addresses: [{ type: 'InternalIP', address: `172.16.${i >> 8}.${i & 255}` }],
    },
  }),
);
const setReady = (names: readonly string[], isReady: boolean) =>
  inGroups(names, (name) =>
    lab.client.request({
      method: 'PATCH',
      path: `/api/v1/nodes/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { conditions: [condition(isReady)] } },
    }),
  );
await makeManyServices(lab, node, { from: 0, to: services });

mkdirSync(probes, { recursive: true });
const variables = Object.entries(loopProbeVariables(probes)).map(([name, value]) => `${name}=${value}`);
const listen = ['--metrics-address', `127.0.0.1:7472,${node.addresses[0]}`];
lab.startSpeakerAs(node, ...['env', ...variables, program, 'speaker', '--node-name', node.name, ...listen]);
const speakerStatus = async () =>
  (await lab.status(node.namespace)) as { longWork: object[]; announcing: object; advertised: object };
const announced = async () => {
  await pause(1000);
  if (protocol === 'bgp') return bgpRoutes(lab);
  return Object.keys((await speakerStatus()).announcing).length;
};
await lab.until('all addresses are announced', async () => (await announced()) >= services, patienceMs);
const main = speakerProcesses();
const all = [...main, ...layer2Processes()];

async function longestTurns(): Promise<string> {
  const turns = await Promise.all(all.map((pid) => longestTurnOf(pid, probes)));
  return turns.map(turnText).join('; ');
}

await pause(10_000);
const rest = usageOf(all);
report(
  `${services} Services, ${nodes} nodes, ${protocol}: memory at rest, PSS`,
  `${rest.pssMb.toFixed(0)} MB`,
);
report('CPU of the start', `${rest.cpuSeconds.toFixed(1)} s`);
report('longest turn at the start: CPU (wall), speaker, layer 2', await longestTurns());

async function nodeStorm(): Promise<void> {
  const changing = far.slice(0, notReady);
  let mostMb = 0;
  const left: number[] = [];
  let isOver = false;
  const watch = async () => {
    while (!isOver) {
      mostMb = Math.max(mostMb, usageOf(all).pssMb);
      const shown = await lab.birdc('show', 'protocols', 'all');
      left.push(Number(/Hold timer:\s*([\d.]+)\//.exec(shown)?.[1] ?? 0));
      await pause(200);
    }
  };
  const watching = watch();
  const health = await probeHealth(node.namespace, 'http://127.0.0.1:7472/healthz');
  const cpuBefore = usageOf(all).cpuSeconds;
  let rounds = 0;
  const isAnswered = await askDuring(
    { host: lab.fabric.near, kernel: '192.0.2.11', service: office, limitMs: limits.arpMs },
    paced(Number(values.seconds)),
    async () => {
      await setReady(changing, rounds++ % 2 === 1);
      await pause(3000);
    },
  );
  await setReady(changing, true);
  isOver = true;
  await watching;
  const answers = await health();
  const least = Math.min(...left);
  const cpu = (usageOf(all).cpuSeconds - cpuBefore) / rounds;
  report(
    `${notReady} nodes turn NotReady or Ready at once, ${rounds} times: CPU each time`,
    `${cpu.toFixed(2)} s`,
  );
  report(`ARP answers: p99 at most ${limits.arpMs} ms`, isAnswered ? 'yes' : 'no', isAnswered);
  report(
    `/healthz, ${answers.count} requests: median, p99, most`,
    `${answers.medianMs.toFixed(1)}, ${answers.p99Ms.toFixed(1)}, ${answers.mostMs.toFixed(1)} ms`,
    answers.bad === 0 && answers.mostMs <= limits.healthMs,
  );
  report("BIRD's hold timer of 9 s: least", `${least} s`, least >= limits.holdTimerSeconds);
  report('memory: most', `${mostMb.toFixed(0)} MB`, mostMb <= limits.memory * rest.pssMb);
  report('longest turn: CPU (wall), speaker, layer 2', await longestTurns());
}

async function edit(): Promise<void> {
  await longestTurns();
  const cpuBefore = usageOf(main).cpuSeconds;
  const health = await probeHealth(node.namespace, 'http://127.0.0.1:7472/healthz');
  await lab.configure(configuration(', bgp-advertisements: [{med: 50}]'));
  await lab.until(
    'the edit is in force',
    async () => {
      await pause(1000);
      return (await bgpRoutes(lab, 'bgp_med = 50')) >= services;
    },
    patienceMs,
  );
  const answers = await health();
  const cpu = usageOf(main).cpuSeconds - cpuBefore;
  const [pid] = main;
  if (pid === undefined) throw new Error('the speaker does not run');
  const turn = await longestTurnOf(pid, probes);
  report(
    `an edit that changes ${services} routes: CPU of the speaker, at most ${limits.editCpuSeconds} s`,
    `${cpu.toFixed(1)} s`,
    cpu <= limits.editCpuSeconds,
  );
  report(
    `longest turn meanwhile: CPU (wall), at most ${limits.turnCpuMs} ms`,
    turnText(turn),
    turn.ownCpuMs <= limits.turnCpuMs,
  );
  report(
    '/healthz meanwhile: most',
    `${answers.mostMs.toFixed(1)} ms`,
    answers.bad === 0 && answers.mostMs <= limits.healthMs,
  );
}

if (notReady > 0) await nodeStorm();
if (protocol === 'bgp') await edit();
await lab.close();
process.exit();
