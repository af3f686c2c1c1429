/**
 * A complete speaker with BFD to four routers, while everything else on the node is busy: all Services are resynced again and again, busy loops
 * burn the CPUs, and a neighbour asks for a layer-2 address thousands of times a second.
 *   sudo BELLMAN_WORLD_AS_ROOT=1 lab/world .cache/bin/node bench/bfd-node.ts [--minutes 10] [--services 10000] [--loops 6] [--arp 10000]
 *                                                                            [--interval 50] [--scheduling fifo,nice]
 * `--scheduling` lists kinds of scheduling for the BFD process. The load lasts for `--minutes` with each kind:
 *
 * - `fifo`: real-time scheduling, if the kernel permits it.
 * - `nice`: the nice value -20, but no real-time scheduling. The capability SYS_NICE grants both, so the speaker runs
 *   without this capability, and this program sets the nice value.
 * - `normal`: neither. BFD has the nice value of this program.
 *
 * Without sudo the kernel refuses real-time scheduling and the nice value -20. Without real-time scheduling, BFD raises its intervals to its
 * floor. The routers get real-time scheduling where the kernel permits it.
 *
 * Prints how late packets were, as a histogram. Fails when a BFD session goes down, or when the neighbour sends fewer than half of its requests.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Lab } from '../lab/lab.ts';
import { NetworkNamespace, plug } from '../lab/netns.ts';
import { bfdProcessOf } from '../test/e2e/bfd-fixtures.ts';
import type { FrameAttack } from './attackers/frames.ts';
import { sentBy } from './support/attacker.ts';
import { knownNames } from './support/choice.ts';
import { makeManyServices } from './support/many-services.ts';
import { usageOf } from './support/processes.ts';
import { realtime } from './support/realtime.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    services: { type: 'string', default: '10000' },
    loops: { type: 'string', default: '6' },
    arp: { type: 'string', default: '10000' },
    interval: { type: 'string', default: '50' },
    scheduling: { type: 'string', default: 'fifo,nice' },
  },
});
const kinds = knownNames('--scheduling', values.scheduling.split(','), ['fifo', 'nice', 'normal']);
const services = Number(values.services);
const seconds = Number(values.minutes) * 60;
const intervalMs = Number(values.interval);
const multiplier = 3;
const setUpMs = 1_800_000;
const layer2Address = '192.0.2.240';
const routers = [1, 2, 3, 4].map((n) => ({ name: `r${n}`, asn: 64500 + n, address: `192.0.2.${20 + n}` }));
const lab = await Lab.start({ nodes: 1 });
const node = lab.node('node-1');
const speaker = `speaker-${node.name}`;
// The stand-in for kube-proxy cannot handle so many Services, and this bench sends no packets to them.
await lab.stop('kube-proxy');
await lab.stop('bird');

/** Restarts the speaker. Except with `fifo`, it starts without the capability SYS_NICE. */
async function startSpeaker(scheduling: string): Promise<void> {
  await lab.stop(speaker, 'SIGKILL');
  if (scheduling === 'fifo') return lab.startSpeaker(node);
  const program = process.env.BELLMAN_PROGRAM ?? fileURLToPath(new URL('../bin/bellman', import.meta.url));
  lab.startSpeakerAs(
    node,
    ...['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-sys_nice'],
    ...[program, 'speaker', '--node-name', node.name, '--metrics-address', ':7472'],
  );
}

function raisePriority(pid: number): void {
  try {
    setPriority(pid, -20);
  } catch {
    console.log('the kernel refuses the nice value -20');
  }
}

async function startRouter({ name, asn, address }: (typeof routers)[number]): Promise<void> {
  const namespace = await NetworkNamespace.create(name);
  await plug({ namespace, interface: 'eth0', addresses: [`${address}/24`] }, lab.fabric.segment, 'lan', name);
  writeFileSync(
    `/run/lab/${name}.conf`,
    `router id ${address};
protocol device {}
protocol bfd { interface "eth0" { interval ${intervalMs} ms; multiplier ${multiplier}; }; }
protocol bgp node {
  local ${address} as ${asn};
  neighbor ${node.addresses[0]} as 64512;
  bfd on;
  connect retry time 5;
  ipv4 { import all; export none; };
}
`,
  );
  const [command = '', ...rest] = realtime;
  const bird = ['bird', '-f', '-c', `/run/lab/${name}.conf`, '-s', `/run/lab/${name}.ctl`];
  lab.processes.start(name, namespace, command, [...rest, ...bird]);
}

await Promise.all(routers.map(startRouter));
await lab.configure(
  JSON.stringify({
    peers: routers.map(({ name, asn, address }) => ({
      ...{ name, 'my-asn': 64512, 'peer-asn': asn, 'peer-address': address, 'bfd-profile': 'fast' },
    })),
    'bfd-profiles': [
      {
        ...{ name: 'fast', 'receive-interval': intervalMs, 'transmit-interval': intervalMs },
        'detect-multiplier': multiplier,
      },
    ],
    'address-pools': [
      { name: 'office', protocol: 'layer2', 'auto-assign': false, addresses: [`${layer2Address}/32`] },
      { name: 'big', protocol: 'bgp', addresses: ['10.32.0.0/15'] },
    ],
  }),
);
await lab.addPods('printer', [node]);
await lab.apply({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'printer',
    namespace: 'default',
    annotations: { 'bellman.dev/address-pool': 'office' },
  },
  spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], selector: { app: 'printer' } },
});
await makeManyServices(lab, node, { from: 0, to: services });

interface Peer {
  readonly state: string;
  readonly bfd?: { readonly state: string; readonly transmitIntervalMs: number };
}
const peers = async () => ((await lab.status(node.namespace)) as { readonly peers: readonly Peer[] }).peers;
async function areReady(): Promise<void> {
  await lab.until(
    'all sessions',
    async () =>
      (await peers()).filter(({ state, bfd }) => state === 'Established' && bfd?.state === 'Up').length ===
      routers.length,
    setUpMs,
  );
  for (const { name } of routers)
    await lab.until(
      `all routes at ${name}`,
      async () => {
        const count = await lab.fabric.router.exec(
          'birdc',
          '-s',
          `/run/lab/${name}.ctl`,
          'show',
          'route',
          'count',
        );
        return Number(/(\d+) of \d+ routes for/.exec(count)?.[1] ?? 0) >= services;
      },
      setUpMs,
    );
  await lab.until('the layer-2 address is answered', async () =>
    /Received 1 response/.test(
      await lab.fabric.near.exec('arping', '-c', '1', '-w', '1', '-I', 'eth0', layer2Address),
    ),
  );
}

/** The values of a metric of the speaker, by their labels. */
async function metric(name: string): Promise<ReadonlyMap<string, number>> {
  const lines = (await lab.metrics(node.namespace)).match(new RegExp(`^${name}(\\{.*\\})? .*$`, 'gm')) ?? [];
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(name.length, at), Number(line.slice(at + 1))];
    }),
  );
}

/** The number of packets in each bucket of lateness, from the smallest bound to the largest. */
async function latenessCounts(): Promise<readonly (readonly [bound: string, count: number])[]> {
  let before = 0;
  return [...(await metric('bellman_bfd_lateness_seconds_bucket'))].map(([labels, total]) => {
    const count = total - before;
    before = total;
    const bound = /le="([^"]+)"/.exec(labels)?.[1] ?? '';
    return [bound === '+Inf' ? 'later' : `≤ ${Number(bound) * 1000} ms`, count] as const;
  });
}

const countLines = (message: RegExp) => lab.log(speaker).match(message)?.length ?? 0;
const bfdDowns = () => countLines(/"BFD session went down"/g);
const bgpDowns = () => countLines(/"session down"/g);
const resyncs = async () =>
  [...(await lab.requests())]
    .filter(([request]) => request.includes('bellman-speaker') && /LIST services/.test(request))
    .reduce((sum, [, times]) => sum + times, 0);
const answers = async () => sum(await metric('bellman_layer2_responses_sent'));
const sum = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);

/** Loads the node for `--minutes` and prints the figures. Returns whether all BFD sessions stayed up. */
async function measure(): Promise<boolean> {
  const bfdPid = await bfdProcessOf(lab, node);
  const before = {
    ...{
      lateness: await latenessCounts(),
      bfdDowns: bfdDowns(),
      bgpDowns: bgpDowns(),
      resyncs: await resyncs(),
    },
    ...{ usage: usageOf([bfdPid]), downs: sum(await metric('bellman_bfd_session_down_events')) },
    answers: await answers(),
  };
  const isRealtime = sum(await metric('bellman_bfd_realtime')) === 1;
  const scheduling = isRealtime ? 'SCHED_FIFO' : `nice value ${getPriority(bfdPid)}`;
  const [first] = await peers();
  console.log(
    `${services} Services, ${routers.length} routers, ${first?.bfd?.transmitIntervalMs} ms × ${multiplier} in force, BFD process: ${scheduling}, ` +
      `this program: nice value ${getPriority()}`,
  );

  const loops = Array.from({ length: Number(values.loops) }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  const attack: FrameAttack = {
    ...{ kind: 'arp', from: '02:00:00:00:00:66', asked: layer2Address, rate: Number(values.arp), seconds },
    ...{ targets: [{ mac: await lab.macOf(node), addresses: node.addresses }], recorded: [] },
  };
  // The neighbour plays another machine, which the load of the node would not slow down. It therefore gets real-time scheduling.
  const [asksAs = '', ...asksWith] = realtime;
  const asker = lab.fabric.near.spawn(
    asksAs,
    [
      ...asksWith,
      process.execPath,
      ...[fileURLToPath(new URL('attackers/frames.ts', import.meta.url)), 'eth0', JSON.stringify(attack)],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let isOver = false;
  const asking = sentBy(asker, Number(values.arp) * seconds).finally(() => {
    isOver = true;
  });
  const startedAt = performance.now();
  while (!isOver) {
    await lab.api('compact');
    await lab.api('cut-watches');
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const { sent: asked, isEnough } = await asking;
  const usage = usageOf([bfdPid]);
  const lasted = (performance.now() - startedAt) / 1000;
  for (const loop of loops) loop.kill('SIGKILL');
  // The BFD process reports its numbers every second.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const after = {
    ...{
      lateness: await latenessCounts(),
      bfdDowns: bfdDowns(),
      bgpDowns: bgpDowns(),
      resyncs: await resyncs(),
    },
    ...{ downs: sum(await metric('bellman_bfd_session_down_events')), answers: await answers() },
  };
  const cpu = (usage.cpuSeconds - before.usage.cpuSeconds) / lasted;
  console.log(
    `${lasted.toFixed(0)} s, ${loops.length} busy loops, ${after.resyncs - before.resyncs} resyncs of the Services: ` +
      `${after.downs - before.downs} BFD sessions went down (${after.bfdDowns - before.bfdDowns} in the log), ` +
      `${after.bgpDowns - before.bgpDowns} BGP sessions; the BFD process took ${(cpu * 100).toFixed(1)} % of a core`,
  );
  console.log(
    `${(asked / lasted).toFixed(0)} ARP requests a second, ${((after.answers - before.answers) / lasted).toFixed(0)} answers a second`,
  );
  console.log(
    `packets by lateness: ${after.lateness
      .map(([bound, count], i) => `${bound}: ${count - (before.lateness[i]?.[1] ?? 0)}`)
      .join(', ')}`,
  );
  if (!isEnough) console.log(`the neighbour should have sent ${values.arp} ARP requests a second`);
  return isEnough && after.bfdDowns === before.bfdDowns && after.downs === before.downs;
}

const results: boolean[] = [];
for (const scheduling of kinds) {
  await startSpeaker(scheduling);
  await areReady();
  if (scheduling === 'nice') raisePriority(await bfdProcessOf(lab, node));
  results.push(await measure());
}
await lab.close();
process.exit(results.every(Boolean) ? 0 : 1);
