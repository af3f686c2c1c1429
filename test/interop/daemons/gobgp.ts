import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { NetworkNamespace } from '../../../lab/netns.ts';
import { collectLog } from './collect-log.ts';
import type { Daemon, RouterConfig, RunningDaemon, SeenRoute } from './daemon.ts';

const run = promisify(execFile);

function configText({ asn, routerId, localAddress, neighbor }: RouterConfig): string {
  const hold = neighbor.holdTimeSeconds ?? 90;
  const restart = neighbor.gracefulRestartSeconds;
  const family = (name: string) => [
    '  [[neighbors.afi-safis]]',
    '    [neighbors.afi-safis.config]',
    `      afi-safi-name = "${name}"`,
    ...(restart === undefined
      ? []
      : ['    [neighbors.afi-safis.mp-graceful-restart.config]', '      enabled = true']),
    ...(neighbor.longLivedGracefulRestart
      ? [
          '    [neighbors.afi-safis.long-lived-graceful-restart.config]',
          '      enabled = true',
          '      restart-time = 3600',
        ]
      : []),
  ];
  return [
    '[global.config]',
    `  as = ${asn}`,
    `  router-id = "${routerId}"`,
    '  port = 179',
    `  local-address-list = ["${localAddress}"]`,
    '[[neighbors]]',
    '  [neighbors.config]',
    `    neighbor-address = "${neighbor.address}"`,
    `    peer-as = ${neighbor.asn}`,
    ...(neighbor.password === undefined ? [] : [`    auth-password = "${neighbor.password}"`]),
    '  [neighbors.transport.config]',
    `    passive-mode = ${neighbor.passive}`,
    `    local-address = "${localAddress}"`,
    '  [neighbors.timers.config]',
    `    connect-retry = ${neighbor.connectRetrySeconds ?? 1}`,
    `    hold-time = ${hold}`,
    `    keepalive-interval = ${Math.max(1, Math.floor(hold / 3))}`,
    '    idle-hold-time-after-reset = 1',
    ...(neighbor.ttlSecurity
      ? ['  [neighbors.ttl-security.config]', '    enabled = true', '    ttl-min = 255']
      : []),
    ...(restart === undefined
      ? []
      : [
          '  [neighbors.graceful-restart.config]',
          '    enabled = true',
          `    restart-time = ${restart}`,
          '    helper-only = true',
          ...(neighbor.longLivedGracefulRestart ? ['    long-lived-enabled = true'] : []),
        ]),
    ...family('ipv4-unicast'),
    ...family('ipv6-unicast'),
    '',
  ].join('\n');
}

interface GobgpAttribute {
  readonly type: number;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly value?: unknown;
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
  readonly communities?: readonly number[];
}

interface GobgpPath {
  readonly attrs: readonly GobgpAttribute[];
  readonly stale?: boolean;
}

/** Reads a path as `gobgp -j` prints it, with a type code for each attribute. */
function seen(prefix: string, { attrs }: GobgpPath): SeenRoute {
  const attribute = (type: number) => attrs.find((one) => one.type === type);
  const large = attribute(32)?.value;
  const med = attribute(4)?.metric;
  const localPref = attribute(5)?.value;
  return {
    prefix,
    nextHop: attribute(14)?.nexthop ?? attribute(3)?.nexthop ?? '',
    asPath: (attribute(2)?.as_paths ?? []).flatMap(({ asns }) => asns),
    communities: (attribute(8)?.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
    largeCommunities: Array.isArray(large)
      ? large.map((one: { ASN: number; LocalData1: number; LocalData2: number }) =>
          [one.ASN, one.LocalData1, one.LocalData2].join(':'),
        )
      : [],
    ...(med === undefined ? {} : { med }),
    ...(typeof localPref === 'number' ? { localPref } : {}),
  };
}

export const gobgp: Daemon = {
  name: 'GoBGP',
  cannot: {
    'route refresh': 'the daemon keeps the routes that it received and never asks for them again',
    'extended messages': 'the daemon does not implement RFC 8654',
  },
  async version() {
    const { stdout } = await run('gobgpd', ['--version']);
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown';
  },
  async start(namespace: NetworkNamespace, config: RouterConfig, directory: string): Promise<RunningDaemon> {
    await writeFile(`${directory}/gobgpd.toml`, configText(config));
    const child = namespace.spawn(
      'gobgpd',
      ['-f', `${directory}/gobgpd.toml`, '--api-hosts', '127.0.0.1:50051', '-l', 'debug', '-p'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const log = collectLog(child);
    const gobgpCommand = (...command: string[]) => namespace.exec('gobgp', '-u', '127.0.0.1', ...command);
    const { address } = config.neighbor;
    const routesOf = async (family: 'ipv4' | 'ipv6'): Promise<SeenRoute[]> => {
      const table: Record<string, GobgpPath[]> = JSON.parse(
        await gobgpCommand('global', 'rib', '-a', family, '-j'),
      );
      return Object.entries(table).flatMap(([prefix, paths]) => paths.map((path) => seen(prefix, path)));
    };
    return {
      process: child,
      log,
      async isEstablished() {
        const { state }: { state?: { session_state?: number } } = JSON.parse(
          await gobgpCommand('neighbor', address, '-j'),
        );
        return state?.session_state === 6;
      },
      routes: async () => [...(await routesOf('ipv4')), ...(await routesOf('ipv6'))],
      refresh: async () => void (await gobgpCommand('neighbor', address, 'softresetin')),
      shutdown: async (message) =>
        void (await gobgpCommand('neighbor', address, 'shutdown', '--reason', message)),
    };
  },
};
