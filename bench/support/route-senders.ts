/** Senders of host routes. Measures how long BIRD takes to receive the routes of each sender. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cable, NetworkNamespace } from '../../lab/netns.ts';

const run = promisify(execFile);
const deadlineMs = 300_000;

interface Sender {
  readonly name: string;
  /** Starts the sender, which connects to the router at 192.0.2.2. May resolve before the sender connects. */
  start(
    namespace: NetworkNamespace,
    directory: string,
    hosts: readonly string[],
  ): Promise<{ established?(): Promise<void>; withdraw(): Promise<void>; stop(): void }>;
}

/** Host routes of 10.0.0.0/8, from its first address on. */
export function hostRoutes(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`);
}

function ours(kind: 'speaker' | 'bare', name: string): Sender {
  return {
    name,
    async start(namespace, _directory, hosts) {
      const script = fileURLToPath(new URL('bgp-sender.ts', import.meta.url));
      const child = namespace.spawn(process.execPath, [script, kind, String(hosts.length)], {
        stdio: ['pipe', 'inherit', 'inherit'],
      });
      return { withdraw: async () => void child.stdin?.write('now\n'), stop: () => child.kill('SIGKILL') };
    },
  };
}

const birdSender: Sender = {
  name: 'BIRD',
  async start(namespace, directory, hosts) {
    const socket = `${directory}/sender.ctl`;
    await writeFile(
      `${directory}/sender.conf`,
      [
        'router id 192.0.2.1;',
        'protocol device { }',
        `protocol static hosts { ipv4; ${hosts.map((host) => `route ${host} blackhole;`).join('\n')} }`,
        'protocol bgp sender { local 192.0.2.1 as 64512; neighbor 192.0.2.2 as 64500; connect delay time 1; ipv4 { import none; export all; next hop self; }; }',
      ].join('\n'),
    );
    const child = namespace.spawn('bird', ['-f', '-c', `${directory}/sender.conf`, '-s', socket], {
      stdio: 'ignore',
    });
    return {
      withdraw: async () => void (await run('birdc', ['-s', socket, 'disable', 'hosts'])),
      stop: () => child.kill('SIGKILL'),
    };
  },
};

const gobgpSender: Sender = {
  name: 'GoBGP',
  async start(namespace, directory, hosts) {
    await writeFile(
      `${directory}/gobgpd.toml`,
      [
        '[global.config]\nas = 64512\nrouter-id = "192.0.2.1"\nport = 1790\nlocal-address-list = ["127.0.0.1"]',
        '[[neighbors]]\n[neighbors.config]\nneighbor-address = "127.0.0.1"\npeer-as = 64499',
        '[neighbors.transport.config]\npassive-mode = true',
        '[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 9',
      ].join('\n'),
    );
    const gobgp = (...command: string[]) => namespace.exec('gobgp', '-u', '127.0.0.1', ...command);
    const daemon = namespace.spawn(
      'gobgpd',
      ['-f', `${directory}/gobgpd.toml`, '--api-hosts', '127.0.0.1:50051'],
      {
        stdio: 'ignore',
      },
    );
    // A second BIRD supplies the routes, because GoBGP's command line is too slow for so many.
    await writeFile(
      `${directory}/feeder.conf`,
      [
        'router id 127.0.0.2;',
        'protocol device { }',
        `protocol static hosts { ipv4; ${hosts.map((host) => `route ${host} blackhole;`).join('\n')} }`,
        'protocol bgp gobgp { local 127.0.0.1 as 64499; neighbor 127.0.0.1 port 1790 as 64512; multihop; connect delay time 1;',
        ' ipv4 { import none; export filter { bgp_next_hop = 192.0.2.1; accept; }; }; }',
      ].join('\n'),
    );
    const feeder = namespace.spawn(
      'bird',
      ['-f', '-c', `${directory}/feeder.conf`, '-s', `${directory}/feeder.ctl`],
      { stdio: 'ignore' },
    );
    await until(`${hosts.length} routes at GoBGP`, async () => {
      const summary: { num_path?: number } = JSON.parse(await gobgp('global', 'rib', 'summary', '-j'));
      return (summary.num_path ?? 0) >= hosts.length;
    });
    await gobgp('neighbor', 'add', '192.0.2.2', 'as', '64500');
    return {
      withdraw: async () => void (await run('birdc', ['-s', `${directory}/feeder.ctl`, 'disable', 'hosts'])),
      stop: () => {
        feeder.kill('SIGKILL');
        daemon.kill('SIGKILL');
      },
    };
  },
};

const exabgpSender: Sender = {
  name: 'ExaBGP',
  async start(namespace, directory, hosts) {
    const block = (verb: string) =>
      Array.from({ length: Math.ceil(hosts.length / 500) }, (_, i) => {
        const some = hosts.slice(i * 500, i * 500 + 500).join(' ');
        return `${verb} attributes next-hop 192.0.2.1 nlri ${some}`;
      }).join('\n');
    await writeFile(`${directory}/announce`, `${block('announce')}\n`);
    await writeFile(`${directory}/withdraw`, `${block('withdraw')}\n`);
    await writeFile(
      `${directory}/api.sh`,
      `while [ ! -e ${directory}/up ]; do sleep 0.01; done\ncat ${directory}/announce\nwhile [ ! -e ${directory}/withdrawing ]; do sleep 0.01; done\ncat ${directory}/withdraw\nexec sleep 1000\n`,
    );
    await writeFile(
      `${directory}/exabgp.conf`,
      [
        'process api {',
        `  run /bin/sh ${directory}/api.sh;`,
        '  encoder text;',
        '}',
        'neighbor 192.0.2.2 {',
        '  router-id 192.0.2.1;',
        '  local-address 192.0.2.1;',
        '  local-as 64512;',
        '  peer-as 64500;',
        '  family { ipv4 unicast; }',
        '  api { processes [ api ]; }',
        '}',
        '',
      ].join('\n'),
    );
    const child: ChildProcess = namespace.spawn('exabgp', [`${directory}/exabgp.conf`], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        'exabgp.daemon.user': 'root',
        'exabgp.api.cli': 'false',
        'exabgp.api.ack': 'false',
        'exabgp.log.level': 'WARNING',
      },
    });
    return {
      // ExaBGP gets the routes only now. If it loaded them at its start, it would read for minutes before it connected.
      established: () => writeFile(`${directory}/up`, ''),
      withdraw: () => writeFile(`${directory}/withdrawing`, ''),
      stop: () => child.kill('SIGKILL'),
    };
  },
};

async function until(what: string, check: () => Promise<boolean>, pollMs = 100): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const isThere = await check().catch(() => false);
    if (isThere) return;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await sleep(pollMs);
  }
}

/** An open control socket of BIRD, so that a query costs a round trip instead of a process. */
async function openControl(
  path: string,
): Promise<{ ask(question: string, end: RegExp): Promise<string>; close(): void }> {
  const socket = createConnection(path);
  let text = '';
  let waiting: (() => void) | undefined;
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    waiting?.();
  });
  const answer = async (end: RegExp): Promise<string> => {
    while (!end.test(text))
      await new Promise<void>((resolve) => {
        waiting = resolve;
      });
    const whole = text;
    text = '';
    return whole;
  };
  await answer(/^0001 .*\n/m);
  return {
    ask(question, end) {
      socket.write(`${question}\n`);
      return answer(end);
    },
    close: () => socket.destroy(),
  };
}

let measured = 0;

/**
 * Starts the sender and a router in namespaces of their own. Measures the time from the established session until the router holds all routes, and
 * the time from the withdrawal until it holds none.
 */
export async function measureSender(
  sender: Sender,
  hosts: readonly string[],
): Promise<{ announceMs: number; withdrawMs: number }> {
  const index = measured++;
  const directory = await mkdtemp('/tmp/bench-');
  const router = await NetworkNamespace.create(`router${index}`);
  const host = await NetworkNamespace.create(`host${index}`);
  await cable(
    { namespace: host, interface: 'eth0', addresses: ['192.0.2.1/24'] },
    { namespace: router, interface: 'eth0', addresses: ['192.0.2.2/24'] },
  );
  await writeFile(
    `${directory}/bird.conf`,
    [
      'router id 192.0.2.2;\nlog stderr all;\ndebug protocols { states, events };\nprotocol device { }',
      'protocol bgp sender { local 192.0.2.2 as 64500; neighbor 192.0.2.1 as 64512; passive on; ipv4 { import all; export none; }; }',
    ].join('\n'),
  );
  const bird = spawn(
    'ip',
    [
      'netns',
      'exec',
      router.name,
      'bird',
      '-f',
      '-c',
      `${directory}/bird.conf`,
      '-s',
      `${directory}/bird.ctl`,
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const established = new Promise<number>((resolve) => {
    bird.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('BGP session established')) resolve(performance.now());
    });
  });
  let stop = (): void => undefined;
  try {
    await until('BIRD', async () => {
      await run('birdc', ['-s', `${directory}/bird.ctl`, 'show', 'status']);
      return true;
    });
    const control = await openControl(`${directory}/bird.ctl`);
    const held = async () =>
      Number(
        /(\d+) of \d+ routes/.exec(
          await control.ask('show route count', /^0014 Total.*\n|^\d{4} .*routes for.*\n(?![\s\S])/m),
        )?.[1] ?? -1,
      );
    const started = await sender.start(host, directory, hosts);
    stop = started.stop;
    const up = await Promise.race([established, sleep(deadlineMs, undefined, { ref: false })]);
    if (up === undefined)
      throw new Error(`${sender.name} has established no session within ${deadlineMs} ms`);
    await started.established?.();
    const end = performance.now() + deadlineMs;
    const wait = async (count: number) => {
      while ((await held()) !== count) {
        if (performance.now() > end) throw new Error(`${sender.name}: deadline`);
        // Polling without a pause would take a processor from the measured processes.
        await sleep(2);
      }
    };
    await wait(hosts.length);
    const announceMs = performance.now() - up;
    await sleep(300);
    const withdrawnAt = performance.now();
    await started.withdraw();
    await wait(0);
    const withdrawMs = performance.now() - withdrawnAt;
    control.close();
    return { announceMs, withdrawMs };
  } finally {
    stop();
    bird.kill('SIGKILL');
  }
}

/** A socket that replays the octets of Bellman's messages, so that only the network and the router need time. */
const bareSocket = ours('bare', 'bare socket');
const bellmanSender = ours('speaker', 'Bellman');

export const senders: readonly Sender[] = [bareSocket, bellmanSender, birdSender, gobgpSender, exabgpSender];
