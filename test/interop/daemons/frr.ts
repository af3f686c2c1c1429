import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { NetworkNamespace } from '../../../lab/netns.ts';
import { collectLog } from './collect-log.ts';
import type { Daemon, RouterConfig, RunningDaemon, SeenRoute } from './daemon.ts';

const run = promisify(execFile);
const daemonPath = '/usr/lib/frr/bgpd';

function configText({ asn, routerId, localAddress, neighbor }: RouterConfig): string {
  const line = (text: string) => ` neighbor ${neighbor.address} ${text}`;
  const hold = neighbor.holdTimeSeconds ?? 90;
  const family = (name: 'ipv4' | 'ipv6') => [
    ` address-family ${name} unicast`,
    ` ${line('activate')}`,
    ' exit-address-family',
  ];
  return [
    'log stdout debugging',
    'debug bgp neighbor-events',
    `router bgp ${asn}`,
    ` bgp router-id ${routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    ' no bgp network import-check',
    ...(neighbor.longLivedGracefulRestart ? [' bgp long-lived-graceful-restart stale-time 3600'] : []),
    line(`remote-as ${neighbor.asn}`),
    line(`update-source ${localAddress}`),
    line(`timers ${Math.max(1, Math.floor(hold / 3))} ${hold}`),
    line(`timers connect ${neighbor.connectRetrySeconds ?? 1}`),
    ...(neighbor.passive ? [line('passive')] : []),
    ...(neighbor.password === undefined ? [] : [line(`password ${neighbor.password}`)]),
    ...(neighbor.ttlSecurity ? [line('ttl-security hops 1')] : []),
    ...(neighbor.extendedNextHop ? [line('capability extended-nexthop')] : []),
    ...family('ipv4'),
    ...family('ipv6'),
    '',
  ].join('\n');
}

interface FrrPath {
  readonly aspath?: { readonly segments?: readonly { readonly list: readonly number[] }[] };
  readonly community?: { readonly list?: readonly string[] };
  readonly largeCommunity?: { readonly list?: readonly string[] };
  readonly metric?: number;
  readonly med?: number;
  readonly locPrf?: number;
  readonly localPref?: number;
  readonly nexthops?: readonly { readonly ip?: string; readonly scope?: string }[];
}

function seen(prefix: string, path: FrrPath): SeenRoute {
  const med = path.metric ?? path.med;
  const localPref = path.locPrf ?? path.localPref;
  return {
    prefix,
    nextHop: path.nexthops?.find(({ scope }) => scope !== 'link-local')?.ip ?? '',
    asPath: (path.aspath?.segments ?? []).flatMap(({ list }) => list),
    communities: path.community?.list ?? [],
    largeCommunities: path.largeCommunity?.list ?? [],
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
  };
}

export const frr: Daemon = {
  name: 'FRR',
  cannot: {},
  async version() {
    const { stdout } = await run(daemonPath, ['--version']);
    return /version (\S+)/.exec(stdout)?.[1] ?? 'unknown';
  },
  async start(namespace: NetworkNamespace, config: RouterConfig, directory: string): Promise<RunningDaemon> {
    await writeFile(`${directory}/bgpd.conf`, configText(config));
    const child = namespace.spawn(
      daemonPath,
      [
        ...['-f', `${directory}/bgpd.conf`, '-i', `${directory}/bgpd.pid`, '--vty_socket', directory],
        // Without zebra (-Z), all next hops count as reachable. A private world has a single user, so bgpd keeps its privileges (-S).
        ...['-S', '-Z', '-p', '179', '-l', config.localAddress, '-P', '0'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const log = collectLog(child);
    const vtysh = async (...commands: string[]) =>
      (
        await run(
          'vtysh',
          ['--vty_socket', directory, '-d', 'bgpd', ...commands.flatMap((command) => ['-c', command])],
          { maxBuffer: 64 * 1024 * 1024 },
        )
      ).stdout;
    const { address } = config.neighbor;
    const prefixesOf = async (family: 'ipv4' | 'ipv6'): Promise<string[]> => {
      const table: { routes?: Record<string, unknown> } = JSON.parse(
        await vtysh(`show bgp ${family} unicast json`),
      );
      return Object.keys(table.routes ?? {});
    };
    const routesOf = async (family: 'ipv4' | 'ipv6'): Promise<SeenRoute[]> => {
      const routes: SeenRoute[] = [];
      for (const prefix of await prefixesOf(family)) {
        const detail: { paths?: FrrPath[] } = JSON.parse(
          await vtysh(`show bgp ${family} unicast ${prefix} json`),
        );
        for (const path of detail.paths ?? []) routes.push(seen(prefix, path));
      }
      return routes;
    };
    return {
      process: child,
      log,
      async isEstablished() {
        const all: Record<string, { bgpState?: string }> = JSON.parse(await vtysh('show bgp neighbors json'));
        return all[address]?.bgpState === 'Established';
      },
      prefixes: async () => [...(await prefixesOf('ipv4')), ...(await prefixesOf('ipv6'))],
      routes: async () => [...(await routesOf('ipv4')), ...(await routesOf('ipv6'))],
      async refresh() {
        await vtysh(`clear bgp ipv4 unicast ${address} soft in`);
        await vtysh(`clear bgp ipv6 unicast ${address} soft in`);
      },
      async shutdown(message) {
        await vtysh(
          'configure terminal',
          `router bgp ${config.asn}`,
          `neighbor ${address} shutdown message ${message}`,
        );
      },
    };
  },
};
