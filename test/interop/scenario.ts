/** A speaker in this process, a router in a namespace, and a cable between them. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { Registry } from 'prom-client';
import { NetworkNamespace } from '../../lab/netns.ts';
import type { PeerSettings, ResolvedPeer } from '../../src/bgp/peer.ts';
import { type BgpSpeakerOptions, createBgpSpeaker } from '../../src/bgp/speaker.ts';
import type { BgpSpeaker, RouteAttributes } from '../../src/bgp/speaker-api.ts';
import { createLogger } from '../../src/log.ts';
import { ip } from '../support/addresses.ts';
import type { Daemon, RouterConfig, RunningDaemon } from './daemons/daemon.ts';

const run = promisify(execFile);

export const ourAsn = 64512;
export const theirAsn = 64500;
export const ourIpv4 = '192.0.2.1';
export const theirIpv4 = '192.0.2.2';
export const ourIpv6 = '2001:db8:0:1::1';
export const theirIpv6 = '2001:db8:0:1::2';
const ourRouterId = 0xc0000201;

export const plain: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] };

/** A peer with the default settings of the configuration, except that the speaker retries a failed connection after 1 s. */
export function peer(changes: Partial<PeerSettings> = {}, password?: string): ResolvedPeer {
  return {
    settings: {
      name: 'router',
      localAsn: ourAsn,
      peerAsn: theirAsn,
      address: ip(theirIpv4),
      port: 179,
      holdTimeSeconds: 90,
      keepaliveTimeSeconds: 30,
      connectRetrySeconds: 1,
      ttlSecurity: false,
      passive: false,
      ...changes,
    },
    id: changes.name ?? 'router',
    routerId: ourRouterId,
    ...(password === undefined ? {} : { password }),
  };
}

/** The router's side of `peer()`. The router waits for our connection. */
export function router(
  changes: Partial<Omit<RouterConfig, 'neighbor'>> = {},
  neighbor: Partial<RouterConfig['neighbor']> = {},
): RouterConfig {
  return {
    asn: theirAsn,
    routerId: '192.0.2.2',
    localAddress: theirIpv4,
    ...changes,
    neighbor: { address: ourIpv4, asn: ourAsn, passive: true, ...neighbor },
  };
}

export interface OurSide {
  readonly speaker: BgpSpeaker;
  readonly registry: Registry;
}

export function ourSide(options: Partial<BgpSpeakerOptions> = {}): OurSide {
  const registry = new Registry();
  const level = process.env.BELLMAN_TEST_LOG === undefined ? 'error' : 'debug';
  const logger = createLogger('speaker', level);
  return { registry, speaker: createBgpSpeaker({ logger, registry, hostName: 'node-1', ...options }) };
}

let count = 0;

/** A router's namespace and its cable to the namespace of this process. */
export interface Wire {
  readonly namespace: NetworkNamespace;
  /** Our interface. */
  readonly device: string;
  cut(): Promise<void>;
}

const bothFamilies = { ours: [ourIpv4, ourIpv6], theirs: [theirIpv4, theirIpv6] };

/** Connects a new namespace to the namespace of this process. Without IPv4 addresses, the cable carries IPv6 only. */
export async function wire(addresses: { ours: string[]; theirs: string[] } = bothFamilies): Promise<Wire> {
  const id = ++count;
  const namespace = await NetworkNamespace.create(`router${id}`);
  const device = `to-router${id}`;
  await run('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace.name]);
  const length = (text: string) => (text.includes(':') ? [`${text}/64`, 'nodad'] : [`${text}/24`]);
  await run('sysctl', ['-qw', `net.ipv6.conf.${device}.accept_dad=0`]);
  await namespace.exec('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=0');
  for (const one of addresses.ours) await run('ip', ['address', 'add', ...length(one), 'dev', device]);
  for (const one of addresses.theirs) await namespace.ip('address', 'add', ...length(one), 'dev', 'eth0');
  await run('ip', ['link', 'set', device, 'up']);
  await namespace.ip('link', 'set', 'eth0', 'up');
  return {
    namespace,
    device,
    cut: async () => {
      await run('ip', ['link', 'del', device]);
      await run('ip', ['netns', 'del', namespace.name]);
    },
  };
}

export async function startRouter(
  daemon: Daemon,
  { namespace }: Wire,
  config: RouterConfig,
): Promise<RunningDaemon> {
  return daemon.start(namespace, config, await mkdtemp('/tmp/router-'));
}

/** Signals a process and all its descendants, because a daemon with privilege separation runs several processes. */
async function signalTree(
  { pid }: { readonly pid?: number | undefined },
  signal: NodeJS.Signals,
): Promise<void> {
  if (pid === undefined) return;
  process.kill(pid, signal);
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  for (const child of children.split(' ').filter(Boolean)) await signalTree({ pid: Number(child) }, signal);
}

/**
 * Suspends a process and all its descendants while the work is done, and then resumes all of them. A descendant that stayed suspended would keep
 * the test from ending.
 */
export async function whileStopped(
  stopped: { readonly pid?: number | undefined },
  work: () => Promise<unknown>,
): Promise<void> {
  await signalTree(stopped, 'SIGSTOP');
  try {
    await work();
  } finally {
    await signalTree(stopped, 'SIGCONT');
  }
}

/** Ends a process and waits for its exit. */
export async function endProcess(
  { process: child }: Pick<RunningDaemon, 'process'>,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}
