/**
 * Silent death: the cable of a node is cut behind a switch, so that both ends keep their carrier.
 *   sudo BELLMAN_WORLD_AS_ROOT=1 lab/world .cache/bin/node bench/bfd-cut.ts [--rounds 20] [--routers bird,frr] [--timers 50x3,300x3]
 * A complete speaker announces one Service to a router. In each round, the bench cuts the cable. It measures how long it takes until our BFD session
 * is down, until our BGP session has ended, and until the kernel of the router has lost the route. All three times start just before the command that
 * cuts the cable. Without sudo the kernel refuses real-time scheduling. Our end then raises its intervals: `50x3` runs at 100 ms × 3.
 *
 * The router, the program that cuts the cable, and the program that watches the routes get real-time scheduling where the kernel permits it. The
 * speaker starts again after every fourth round, because damping begins at the fifth loss and would ignore the sixth. Fails when either end needs
 * longer than the limit: 200 ms at 50 ms × 3, 350 ms where BFD raises its intervals to 100 ms, and 1 s at 300 ms × 3.
 */
import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { addresses, birdConfig } from '../lab/fabric.ts';
import { birdSocketPath, Lab } from '../lab/lab.ts';
import { floors } from '../src/bfd/floor.ts';
import { isUp } from '../test/e2e/bfd-fixtures.ts';
import { startFrr, stopFrr } from '../test/support/lab-frr.ts';
import { nextHops } from '../test/support/next-hops.ts';
import { now, realtime, watchKernelOf } from './support/realtime.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    routers: { type: 'string', default: 'bird,frr' },
    timers: { type: 'string', default: '50x3,300x3' },
  },
});
const isRealtime = realtime[0] === 'chrt';
const roundsPerSpeaker = 4;
const service = '198.51.100.1';

interface Timers {
  readonly intervalMs: number;
  readonly multiplier: number;
}

/** Times in milliseconds from the cut. */
interface Round {
  readonly bfdDown: number;
  readonly bgpEnded: number;
  readonly routeGone: number;
}

const lab = await Lab.start({ nodes: 1 });
const node = lab.node('node-1');
const speaker = `speaker-${node.name}`;
await lab.stop('bird');
await lab.addPods('web', [node]);

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const [program = '', ...programArgs] = realtime;
/** `ip` waits for commands, so a cut does not wait for the start of a process. */
const cutter = lab.fabric.segment.spawn(program, [...programArgs, 'ip', '-force', '-batch', '-'], {
  stdio: ['pipe', 'ignore', 'inherit'],
});
const plug = (isPlugged: boolean) =>
  cutter.stdin?.write(`link set ${node.name} ${isPlugged ? 'master lan' : 'nomaster'}\n`);
const routes = watchKernelOf(lab.fabric.router, 'route');

async function configure({ intervalMs, multiplier }: Timers): Promise<void> {
  const profile = {
    ...{ name: 'fast', 'receive-interval': intervalMs, 'transmit-interval': intervalMs },
    'detect-multiplier': multiplier,
  };
  await lab.configure(
    JSON.stringify({
      peers: [
        {
          ...{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] },
          ...{ 'bfd-profile': profile.name },
        },
      ],
      'bfd-profiles': [profile],
      'address-pools': [{ name: 'public', protocol: 'bgp', addresses: [`${service}/32`] }],
    }),
  );
}

interface Router {
  start(timers: Timers): Promise<void>;
  stop(): Promise<void>;
}

const routers: Readonly<Record<string, Router>> = {
  bird: {
    async start({ intervalMs, multiplier }) {
      const bgp = birdConfig(lab.fabric).replaceAll(
        '  connect retry time 5',
        '  bfd on;\n  connect retry time 1',
      );
      const bfd = `protocol bfd { interface "eth0" { interval ${intervalMs} ms; multiplier ${multiplier}; }; }`;
      writeFileSync('/run/lab/bird-bfd.conf', `${bgp}\n${bfd}\n`);
      const bird = ['bird', '-f', '-c', '/run/lab/bird-bfd.conf', '-s', birdSocketPath];
      lab.processes.start('bird', lab.fabric.router, program, [...programArgs, ...bird]);
    },
    stop: () => lab.stop('bird', 'SIGKILL'),
  },
  frr: {
    async start({ intervalMs, multiplier }) {
      const [ours] = node.addresses;
      await startFrr(lab, {
        runBy: realtime,
        bfdd: [
          ...['bfd', ` peer ${ours} interface eth0`, `  detect-multiplier ${multiplier}`],
          ...[`  receive-interval ${intervalMs}`, `  transmit-interval ${intervalMs}`, ' !', '!'],
        ],
        bgpd: [
          ...['router bgp 64500', ` bgp router-id ${addresses.router[0]}`, ' no bgp ebgp-requires-policy'],
          ...[
            ` neighbor ${ours} remote-as 64512`,
            ` neighbor ${ours} bfd`,
            ` neighbor ${ours} timers connect 1`,
          ],
        ],
      });
    },
    stop: () => stopFrr(lab),
  },
};

/** The time of the speaker's first log line after `sinceEpochMs` with this message, in milliseconds since the epoch. */
function loggedAt(sinceEpochMs: number, message: RegExp): number | undefined {
  for (const line of lab.log(speaker).split('\n')) {
    if (!message.test(line)) continue;
    const at = Date.parse((JSON.parse(line) as { ts: string }).ts);
    if (at >= Math.floor(sinceEpochMs)) return at;
  }
  return undefined;
}

/**
 * A cluster runs the speaker with the nice value 0. This program may have a larger one, which the speaker has inherited. The BFD process may have
 * given itself a smaller one, and keeps it.
 */
async function giveOrdinaryPriority(): Promise<void> {
  const pids = (await lab.fabric.control.exec('ip', 'netns', 'pids', node.name))
    .trim()
    .split('\n')
    .map(Number);
  for (const pid of pids)
    try {
      if (getPriority(pid) > 0) setPriority(pid, 0);
    } catch {
      // Only root may do this, and a process may have ended.
    }
}

async function isReady(): Promise<boolean> {
  return (await isUp(lab, node)) && (await nextHops(lab, service)).length === 1;
}

async function round(): Promise<Round> {
  await lab.until('both sessions and the route', isReady);
  await giveOrdinaryPriority();
  // BFD shortens its intervals only after it is Up. The random part of the wait lets the cut come at any point of an interval.
  await sleep(1500 + Math.random() * 300);
  routes.forget();
  const cutAt = now();
  plug(false);
  const seen = await (async () => {
    for (;;) {
      const bfdDown = loggedAt(cutAt, /"BFD session went down"/);
      const bgpEnded = loggedAt(cutAt, /BFD has lost the peer.*"session down"/);
      const routeGone = routes.firstAt(new RegExp(`Deleted ${service} `));
      if (bfdDown !== undefined && bgpEnded !== undefined && routeGone !== undefined)
        return { bfdDown: bfdDown - cutAt, bgpEnded: bgpEnded - cutAt, routeGone: routeGone - cutAt };
      if (now() - cutAt > 60_000) throw new Error(`no end of the session:\n${lab.processes.lastLines(10)}`);
      await sleep(50);
    }
  })();
  plug(true);
  return seen;
}

async function restartSpeaker(): Promise<void> {
  await lab.stop(speaker, 'SIGKILL');
  lab.startSpeaker(node);
}

function show(name: string, times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  return `${name} ${sorted[sorted.length >> 1]?.toFixed(0)} ms in the median, ${sorted.at(-1)?.toFixed(0)} ms at most`;
}

/** The detection time and an allowance: 200 ms at 50 ms × 3, 350 ms at 100 ms × 3, and 1 s at 300 ms × 3. */
function limitOf({ intervalMs, multiplier }: Timers): number {
  const inForceMs = isRealtime ? intervalMs : Math.max(intervalMs, floors.ordinary.minimumIntervalMs);
  const detectionMs = inForceMs * multiplier;
  return detectionMs + (detectionMs < 500 ? 50 : 100);
}

async function measure(name: string, timers: Timers): Promise<boolean> {
  const router = routers[name];
  if (!router) throw new Error(`no router ${name}: one of ${Object.keys(routers)}`);
  await configure(timers);
  await router.start(timers);
  const rounds: Round[] = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    if (i % roundsPerSpeaker === 0) await restartSpeaker();
    rounds.push(await round());
  }
  await router.stop();
  const limitMs = limitOf(timers);
  console.log(
    `${name}, ${timers.intervalMs} ms × ${timers.multiplier}, ${isRealtime ? 'real-time' : 'normal'} scheduling, ` +
      `${rounds.length} cuts (limit ${limitMs} ms):`,
  );
  for (const [what, key] of [
    ['our BFD session is down after', 'bfdDown'],
    ['our BGP session has ended after', 'bgpEnded'],
    ["the router's kernel has no route after", 'routeGone'],
  ] as const)
    console.log(
      `  ${show(
        what,
        rounds.map((each) => each[key]),
      )}`,
    );
  return rounds.every(({ bgpEnded, routeGone }) => bgpEnded <= limitMs && routeGone <= limitMs);
}

await lab.apply({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'web' } },
});
const results: boolean[] = [];
for (const name of values.routers.split(','))
  for (const text of values.timers.split(',')) {
    const [intervalMs = 0, multiplier = 0] = text.split('x').map(Number);
    results.push(await measure(name, { intervalMs, multiplier }));
  }
cutter.kill('SIGKILL');
routes.stop();
await lab.close();
process.exit(results.every(Boolean) ? 0 : 1);
