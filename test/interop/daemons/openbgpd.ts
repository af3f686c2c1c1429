import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { NetworkNamespace } from '../../../lab/netns.ts';
import { collectLog } from './collect-log.ts';
import type { Daemon, RouterConfig, RunningDaemon, SeenRoute } from './daemon.ts';

const run = promisify(execFile);

function configText({ asn, routerId, localAddress, neighbor }: RouterConfig, socket: string): string {
  return [
    `AS ${asn}`,
    `router-id ${routerId}`,
    `listen on ${localAddress}`,
    `socket "${socket}"`,
    'fib-update no',
    'log updates',
    `connect-retry ${neighbor.connectRetrySeconds ?? 1}`,
    `neighbor ${neighbor.address} {`,
    `  remote-as ${neighbor.asn}`,
    `  local-address ${localAddress}`,
    `  holdtime ${neighbor.holdTimeSeconds ?? 90}`,
    ...(neighbor.passive ? ['  passive'] : []),
    ...(neighbor.password === undefined ? [] : [`  tcp md5sig password ${neighbor.password}`]),
    ...(neighbor.ttlSecurity ? ['  ttl-security yes'] : []),
    '  announce IPv4 unicast',
    '  announce IPv6 unicast',
    '  announce refresh yes',
    '  announce enhanced refresh yes',
    `  announce restart ${neighbor.gracefulRestartSeconds === undefined ? 'no' : 'yes'}`,
    '}',
    'allow from any',
    '',
  ].join('\n');
}

interface OpenbgpdRoute {
  readonly prefix: string;
  readonly exit_nexthop?: string;
  readonly true_nexthop?: string;
  readonly aspath?: string;
  readonly metric?: number;
  readonly localpref?: number;
  readonly communities?: readonly string[];
  readonly large_communities?: readonly string[];
}

function seen(route: OpenbgpdRoute): SeenRoute {
  return {
    prefix: route.prefix,
    nextHop: route.exit_nexthop ?? route.true_nexthop ?? '',
    asPath: (route.aspath ?? '').split(' ').filter(Boolean).map(Number),
    communities: route.communities ?? [],
    largeCommunities: route.large_communities ?? [],
    ...(route.metric === undefined ? {} : { med: route.metric }),
    ...(route.localpref === undefined ? {} : { localPref: route.localpref }),
  };
}

/**
 * Lets the processes of OpenBGPD drop their privileges although root is the only user of a private world. Mounts a user database in which
 * OpenBGPD's user has the UID of root, and builds a library in which `setgroups` always succeeds. Returns the path of the library. The caller
 * must preload the library into `bgpd`.
 */
async function allowPrivilegeDrop(directory: string): Promise<string> {
  const passwd = (await readFile('/etc/passwd', 'utf8')).replace(
    /^_openbgpd:.*$/m,
    '_openbgpd:x:0:0::/run/openbgpd:/bin/false',
  );
  await writeFile(`${directory}/passwd`, passwd);
  await run('mkdir', ['-p', '/run/openbgpd']);
  await run('mount', ['--bind', `${directory}/passwd`, '/etc/passwd']);
  const source = `${directory}/setgroups.c`;
  await writeFile(
    source,
    'int setgroups(unsigned long n, const unsigned *g) { (void)n; (void)g; return 0; }\n',
  );
  await run('gcc', ['-shared', '-fPIC', '-o', `${directory}/setgroups.so`, source]);
  return `${directory}/setgroups.so`;
}

export const openbgpd: Daemon = {
  name: 'OpenBGPD',
  cannot: {
    'TCP MD5': 'with a password, the listener of the daemon accepts no connection on Linux',
    'IPv4 with an IPv6 next hop': 'this version does not implement RFC 8950',
    'extended messages': 'this version does not implement RFC 8654',
    'long-lived graceful restart': 'this version does not implement RFC 9494',
  },
  async version() {
    const { stdout, stderr } = await run('bgpd', ['-V']);
    return /\d+\.\d+/.exec(stdout + stderr)?.[0] ?? 'unknown';
  },
  async start(namespace: NetworkNamespace, config: RouterConfig, directory: string): Promise<RunningDaemon> {
    const socket = `${directory}/bgpd.sock`;
    const file = `${directory}/bgpd.conf`;
    await writeFile(file, configText(config, socket));
    await chmod(file, 0o600);
    const preload = await allowPrivilegeDrop(directory);
    const child = namespace.spawn('bgpd', ['-d', '-v', '-f', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LD_PRELOAD: preload },
    });
    const log = collectLog(child);
    const bgpctl = async (...command: string[]) => (await run('bgpctl', ['-s', socket, ...command])).stdout;
    const { address } = config.neighbor;
    return {
      process: child,
      log,
      async isEstablished() {
        const { neighbors }: { neighbors?: { state?: string }[] } = JSON.parse(
          await bgpctl('-j', 'show', 'neighbor', address),
        );
        return neighbors?.[0]?.state === 'Established';
      },
      async routes() {
        const { rib }: { rib?: OpenbgpdRoute[] } = JSON.parse(
          await bgpctl('-j', 'show', 'rib', 'in', 'detail'),
        );
        return (rib ?? []).map(seen);
      },
      refresh: async () => void (await bgpctl('neighbor', address, 'refresh')),
      shutdown: async (message) => void (await bgpctl('neighbor', address, 'down', message)),
    };
  },
};
