import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { NetworkNamespace } from '../../../lab/netns.ts';
import { collectLog } from './collect-log.ts';
import type { Daemon, RouterConfig, RunningDaemon, SeenRoute } from './daemon.ts';

const run = promisify(execFile);

function configText(config: RouterConfig): string {
  const { neighbor, localAddress } = config;
  const channel = (family: 'ipv4' | 'ipv6') =>
    `  ${family} { import all; export none;${family === 'ipv4' && neighbor.extendedNextHop ? ' extended next hop on;' : ''} };`;
  return [
    `router id ${config.routerId};`,
    'log stderr all;',
    'debug protocols { states, events };',
    'protocol device { scan time 1; }',
    'protocol bgp speaker {',
    `  local ${localAddress} as ${config.asn};`,
    `  neighbor ${neighbor.address} as ${neighbor.asn};`,
    `  passive ${neighbor.passive ? 'on' : 'off'};`,
    `  hold time ${neighbor.holdTimeSeconds ?? 90};`,
    '  error wait time 1, 2;',
    `  connect retry time ${neighbor.connectRetrySeconds ?? 1};`,
    '  connect delay time 0;',
    ...(neighbor.multihop ? ['  multihop;'] : []),
    '  strict bind on;',
    ...(neighbor.password === undefined ? [] : [`  password "${neighbor.password}";`]),
    ...(neighbor.ttlSecurity ? ['  ttl security on;'] : []),
    ...(neighbor.extendedMessages ? ['  enable extended messages on;'] : []),
    neighbor.gracefulRestartSeconds === undefined
      ? '  graceful restart off;'
      : `  graceful restart aware; graceful restart time ${neighbor.gracefulRestartSeconds};`,
    channel('ipv4'),
    channel('ipv6'),
    '}',
    '',
  ].join('\n');
}

/** Parses BIRD's `show route all`, which prints a line with the prefix and then tab-indented lines `BGP.attribute: value`. */
function parseBirdRoutes(text: string): SeenRoute[] {
  const routes: SeenRoute[] = [];
  let prefix = '';
  let fields = new Map<string, string>();
  const finish = () => {
    if (fields.size === 0) return;
    const numbers = (key: string) => (fields.get(key) ?? '').split(' ').filter(Boolean).map(Number);
    const tuples = (key: string) =>
      [...(fields.get(key) ?? '').matchAll(/\(([^)]*)\)/g)].map(([, tuple = '']) =>
        tuple.replaceAll(/, ?/g, ':'),
      );
    const med = fields.get('med');
    const localPref = fields.get('local_pref');
    routes.push({
      prefix,
      nextHop: fields.get('next_hop') ?? '',
      asPath: numbers('as_path'),
      communities: tuples('community'),
      largeCommunities: tuples('large_community'),
      ...(med === undefined ? {} : { med: Number(med) }),
      ...(localPref === undefined ? {} : { localPref: Number(localPref) }),
    });
    fields = new Map();
  };
  for (const line of text.split('\n')) {
    const head = /^([0-9a-f.:]+\/\d+|\s)\s+.*\[speaker /.exec(line);
    if (head) {
      finish();
      if (head[1]?.trim()) prefix = head[1];
      continue;
    }
    const attribute = /^\s*BGP\.(\w+): ?(.*)$/.exec(line);
    if (attribute?.[1] !== undefined) fields.set(attribute[1], attribute[2] ?? '');
  }
  finish();
  return routes;
}

export const bird: Daemon = {
  name: 'BIRD',
  cannot: {},
  async version() {
    const { stdout, stderr } = await run('bird', ['--version']);
    return /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] ?? 'unknown';
  },
  async start(namespace: NetworkNamespace, config: RouterConfig, directory: string): Promise<RunningDaemon> {
    const socket = `${directory}/bird.ctl`;
    await writeFile(`${directory}/bird.conf`, configText(config));
    const child = namespace.spawn('bird', ['-f', '-c', `${directory}/bird.conf`, '-s', socket], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const log = collectLog(child);
    const ctl = async (...command: string[]) =>
      (await run('birdc', ['-r', '-s', socket, ...command], { maxBuffer: 256 * 1024 * 1024 })).stdout;
    const write = async (...command: string[]) => void (await run('birdc', ['-s', socket, ...command]));
    return {
      process: child,
      log,
      isEstablished: async () => /^speaker\s+BGP.*Established/m.test(await ctl('show', 'protocols')),
      routes: async () => parseBirdRoutes(await ctl('show', 'route', 'all')),
      refresh: () => write('reload', 'in', 'speaker'),
      shutdown: (message) => write('disable', 'speaker', `"${message}"`),
    };
  },
};
