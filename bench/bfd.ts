/**
 * The BFD process against BIRD, each in a network namespace of its own.
 *   lab/world .cache/bin/node bench/bfd.ts [--part silence,load,many] [--minutes 10] [--rounds 20] [--loops 6]
 *   sudo BELLMAN_WORLD_AS_ROOT=1 lab/world .cache/bin/node bench/bfd.ts …
 * Only the form with sudo measures real-time scheduling, because the kernel refuses it in a user namespace. BELLMAN_PROGRAM names the program
 * that `make build` wrote. Without this variable, the BFD process runs from source.
 *
 *   silence  BIRD falls silent. Measures the time until our session is down.
 *   load     Keeps four sessions for `--minutes` beside six busy loops. Counts the sessions that go down, and measures how late packets are.
 *   many     Keeps one session, then 100, at 100 ms × 3. Measures CPU time and memory of the BFD process.
 *
 * BIRD gets real-time scheduling where the kernel grants it to our process, because a late BIRD would count as a fault of ours. Fails when a
 * session goes down in `load` or `many`, or when our session in `silence` goes down more than 50 ms after the Detection Time.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { NetworkNamespace } from '../lab/netns.ts';
import type { BfdChange, BfdProcessStatus, BfdSessionStatus, FromBfd, ToBfd } from '../src/bfd/messages.ts';
import { bfdNodeFlags } from '../src/bfd/parent.ts';
import type { BfdSessionSettings } from '../src/bfd/session-settings.ts';
import { wire } from '../test/interop/scenario.ts';
import { eventually } from '../test/support/eventually.ts';
import { knownNames } from './support/choice.ts';
import { usageOf } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    part: { type: 'string', default: 'silence,load,many' },
    minutes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '20' },
    loops: { type: 'string', default: '6' },
  },
});
const parts = knownNames('--part', values.part.split(','), ['silence', 'load', 'many']);
const { BELLMAN_PROGRAM: program } = process.env;

/** The BFD process, with its last report. */
class BfdProcess {
  readonly #child: ChildProcess;
  sessions: readonly BfdSessionStatus[] = [];
  process: BfdProcessStatus | undefined;
  onChange: (change: BfdChange) => void = () => undefined;

  constructor() {
    const source = fileURLToPath(new URL('../src/bfd/process.ts', import.meta.url));
    const folder = program === undefined ? '' : dirname(program);
    const [path, options] =
      program === undefined
        ? [source, { execArgv: [...process.execArgv, ...bfdNodeFlags] }]
        : [
            join(folder, 'app/bfd-process.js'),
            {
              execPath: join(folder, 'bin/node'),
              execArgv: ['--max-semi-space-size=1', ...bfdNodeFlags],
              env: {
                MALLOC_ARENA_MAX: '1',
                NODE_COMPILE_CACHE: join(folder, 'compiled'),
                NODE_COMPILE_CACHE_PORTABLE: '1',
              },
            },
          ];
    this.#child = fork(path, ['error'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], ...options });
    this.#child.on('message', (raw) => {
      const message = raw as FromBfd;
      if (message.kind === 'change') this.onChange(message.change);
      if (message.kind !== 'status') return;
      this.sessions = message.sessions;
      this.process = message.process;
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  set(sessions: readonly BfdSessionSettings[]): void {
    this.#child.send({ kind: 'sessions', sessions } satisfies ToBfd);
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.send({ kind: 'stop' } satisfies ToBfd);
    await gone;
  }

  areUp(): boolean {
    return (
      this.sessions.length > 0 && this.sessions.every(({ state, isPolling }) => state === 'Up' && !isPolling)
    );
  }
}

interface Timers {
  readonly intervalMs: number;
  readonly multiplier: number;
}

interface Pair {
  readonly ours: string;
  readonly theirs: string;
}

/** BIRD accepts a neighbour only in a subnet of one of its interfaces, so all addresses are in one subnet. */
const pairs = (count: number): Pair[] =>
  Array.from({ length: count }, (_, i) => ({ ours: `10.7.1.${i + 1}`, theirs: `10.7.1.${i + 101}` }));

async function startBird(
  namespace: NetworkNamespace,
  addresses: readonly Pair[],
  { intervalMs, multiplier }: Timers,
): Promise<ChildProcess> {
  const folder = await mkdtemp('/tmp/bird-');
  const lines = [
    'router id 192.0.2.2;',
    'protocol device { scan time 10; }',
    'protocol bfd {',
    `  interface "*" { interval ${intervalMs} ms; multiplier ${multiplier}; };`,
    ...addresses.map(({ ours, theirs }) => `  neighbor ${ours} dev "eth0" local ${theirs};`),
    '}',
  ];
  await writeFile(`${folder}/bird.conf`, `${lines.join('\n')}\n`);
  const bird = ['bird', '-f', '-c', `${folder}/bird.conf`, '-s', `${folder}/bird.ctl`] as const;
  return scheduling === 'fifo'
    ? namespace.spawn('chrt', ['-f', '20', ...bird], { stdio: 'ignore' })
    : namespace.spawn(bird[0], bird.slice(1), { stdio: 'ignore' });
}

let scheduling: BfdProcessStatus['scheduling'] = 'normal';

interface Testbed {
  readonly bfd: BfdProcess;
  readonly bird: ChildProcess;
  end(): Promise<void>;
}

/** Starts both sides and waits until all sessions are up. */
async function startTestbed(count: number, timers: Timers): Promise<Testbed> {
  const addresses = pairs(count);
  const cable = await wire({
    ours: addresses.map(({ ours }) => `${ours}`),
    theirs: addresses.map(({ theirs }) => `${theirs}`),
  });
  const bfd = new BfdProcess();
  const bird = await startBird(cable.namespace, addresses, timers);
  bfd.set(
    addresses.map(({ ours, theirs }, i) => ({
      ...{ id: `${i}`, name: `${i}`, peerAddress: theirs, localAddress: ours, interface: cable.device },
      ...{ mode: { kind: 'single-hop' }, passive: false, detectMultiplier: timers.multiplier },
      ...{ transmitIntervalMs: timers.intervalMs, receiveIntervalMs: timers.intervalMs },
    })),
  );
  await eventually('all sessions up', () => bfd.areUp(), {
    explain: () => `: ${JSON.stringify(bfd.sessions.find(({ state }) => state !== 'Up'))}`,
  });
  return {
    bfd,
    bird,
    async end() {
      await bfd.stop();
      bird.kill('SIGKILL');
      await cable.cut();
    },
  };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function silence(timers: Timers, rounds: number): Promise<boolean> {
  const { bfd, bird, end } = await startTestbed(1, timers);
  const tookMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await eventually('the session up', () => bfd.areUp());
    await sleep(500);
    const down = new Promise<number>((resolve) => {
      bfd.onChange = ({ state, sinceEpochMs }) => {
        if (state === 'Down') resolve(sinceEpochMs);
      };
    });
    const stoppedMs = Date.now();
    bird.kill('SIGSTOP');
    tookMs.push((await down) - stoppedMs);
    bird.kill('SIGCONT');
    await eventually('the session is seen down', () => !bfd.areUp());
  }
  await end();
  tookMs.sort((a, b) => a - b);
  const limitMs = timers.intervalMs * timers.multiplier + 50;
  const median = tookMs[tookMs.length >> 1];
  console.log(
    `silence at ${timers.intervalMs} ms × ${timers.multiplier}, ${scheduling}, ${rounds} times: ` +
      `down after ${median} ms in the median, ${tookMs.at(-1)} ms at most (limit ${limitMs} ms)`,
  );
  return (tookMs.at(-1) ?? 0) <= limitMs;
}

async function load(timers: Timers, minutes: number): Promise<boolean> {
  const { bfd, end } = await startTestbed(4, timers);
  const loops = Array.from({ length: Number(values.loops) }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  const downs: BfdChange[] = [];
  bfd.onChange = (change) => {
    if (change.state === 'Down') downs.push(change);
  };
  await sleep(minutes * 60_000);
  const { lateness } = bfd.process ?? {};
  for (const loop of loops) loop.kill('SIGKILL');
  await end();
  console.log(
    `load at ${timers.intervalMs} ms × ${timers.multiplier}, ${scheduling}, 4 peers, ${loops.length} loops, ${minutes} min: ` +
      `${downs.length} sessions went down ${downs.map(({ diagnostic, remoteDiagnostic }) => `(${diagnostic}, peer ${remoteDiagnostic})`).join(' ')}`,
  );
  if (lateness)
    console.log(
      `packets by lateness: ${lateness.counts
        .map(
          (count, i) =>
            `${i < lateness.boundsMs.length ? `≤ ${lateness.boundsMs[i]} ms` : 'later'}: ${count}`,
        )
        .join(', ')}; at most ${lateness.maxMs.toFixed(1)} ms`,
    );
  return downs.length === 0;
}

async function many(timers: Timers, count: number): Promise<boolean> {
  const { bfd, end } = await startTestbed(count, timers);
  await sleep(5000);
  const before = usageOf([bfd.pid]);
  const [sent, received] = packets(bfd);
  const seconds = 30;
  await sleep(seconds * 1000);
  const after = usageOf([bfd.pid]);
  const [sentLater, receivedLater] = packets(bfd);
  const areUp = bfd.sessions.every(({ downs }) => downs === 0);
  await end();
  console.log(
    `${count} sessions at ${timers.intervalMs} ms × ${timers.multiplier}, ${scheduling}: ` +
      `${(((after.cpuSeconds - before.cpuSeconds) / seconds) * 100).toFixed(1)} % of a core, ` +
      `${((sentLater - sent + receivedLater - received) / seconds).toFixed(0)} packets/s, ` +
      `PSS ${after.pssMb.toFixed(1)} MB, not shared ${after.anonymousMb.toFixed(1)} MB`,
  );
  return areUp;
}

function packets({ sessions }: BfdProcess): [number, number] {
  return [
    sessions.reduce((sum, each) => sum + each.sent, 0),
    sessions.reduce((sum, each) => sum + each.received, 0),
  ];
}

/** Starts a BFD process to learn what scheduling the kernel grants to it. */
async function probeScheduling(): Promise<BfdProcessStatus['scheduling']> {
  const bfd = new BfdProcess();
  const { scheduling: granted } = await eventually('the process', () => bfd.process);
  await bfd.stop();
  return granted;
}

scheduling = await probeScheduling();
const fast: Timers = { intervalMs: scheduling === 'fifo' ? 50 : 100, multiplier: 3 };
const results: boolean[] = [];
if (parts.includes('many'))
  for (const count of [1, 100]) results.push(await many({ intervalMs: 100, multiplier: 3 }, count));
if (parts.includes('silence'))
  for (const timers of [fast, { intervalMs: 300, multiplier: 3 }])
    results.push(await silence(timers, Number(values.rounds)));
if (parts.includes('load')) results.push(await load(fast, Number(values.minutes)));
process.exit(results.every(Boolean) ? 0 : 1);
