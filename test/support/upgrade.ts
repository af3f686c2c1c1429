/** Common parts of the test and the bench of upgrades: a lab whose speakers are replaced one by one, and what the router sees. */
import { writeFileSync } from 'node:fs';
import { addresses, birdConfig, type LabNode } from '../../lab/fabric.ts';
import { birdSocketPath, Lab } from '../../lab/lab.ts';
import { closeOnFailure } from './close-on-failure.ts';
import { echoService } from './drain.ts';
import { startFrr, stopFrr, vtysh } from './lab-frr.ts';
import { nextHops } from './next-hops.ts';

/** The routing daemon on the router of the lab, and the settings of the sessions with it. */
export interface UpgradeCase {
  readonly router: 'BIRD' | 'FRR';
  readonly gracefulRestart: boolean;
  readonly bfd: BfdTimers | undefined;
}

export interface BfdTimers {
  readonly intervalMs: number;
  readonly multiplier: number;
}

const fast: BfdTimers = { intervalMs: 100, multiplier: 3 };

export const upgradeCases: readonly UpgradeCase[] = (['BIRD', 'FRR'] as const).flatMap((router) =>
  [false, true].flatMap((gracefulRestart) =>
    [undefined, fast].map((bfd) => ({ router, gracefulRestart, bfd })),
  ),
);

export function caseName({ router, gracefulRestart, bfd }: UpgradeCase): string {
  const timers = bfd ? `BFD at ${bfd.intervalMs} ms × ${bfd.multiplier}` : 'no BFD';
  return `${router}, ${gracefulRestart ? 'with' : 'without'} graceful restart, ${timers}`;
}

function config({ gracefulRestart, bfd }: UpgradeCase): string {
  return JSON.stringify({
    peers: [
      {
        ...{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] },
        ...(gracefulRestart ? { 'graceful-restart': {} } : {}),
        ...(bfd ? { 'bfd-profile': 'fast' } : {}),
      },
    ],
    'bfd-profiles': bfd ? [bfdProfile('fast', bfd)] : [],
    'address-pools': [
      { name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] },
      { name: 'office', protocol: 'layer2', 'auto-assign': false, addresses: ['192.0.2.240-192.0.2.250'] },
    ],
  });
}

/** An entry of `bfd-profiles` in the configuration. */
export function bfdProfile(name: string, { intervalMs, multiplier }: BfdTimers): object {
  return {
    name,
    'receive-interval': intervalMs,
    'transmit-interval': intervalMs,
    'detect-multiplier': multiplier,
  };
}

export interface UpgradeLab {
  readonly lab: Lab;
  /** Address of the Service that all nodes announce by BGP. */
  readonly routed: string;
  /** Address of the Service in layer 2. */
  readonly local: string;
}

/** A lab with the Services `web` (BGP) and `printer` (layer 2), and a Pod of each on every node. No routing daemon runs on the router. */
export async function startUpgradeLab(first: UpgradeCase, nodes = 5): Promise<UpgradeLab> {
  const lab = await Lab.start({ nodes });
  return closeOnFailure(lab, async () => {
    await lab.stop('bird');
    await lab.configure(config(first));
    await lab.apply(echoService('web', 'public'), echoService('printer', 'office'));
    for (const name of ['web', 'printer']) await lab.addPods(name, lab.fabric.nodes);
    const addressOf = async (name: string) => {
      await lab.until(`${name} has an address`, async () => (await lab.addressesOf(name)).length === 1);
      return (await lab.addressesOf(name))[0] ?? '';
    };
    return { lab, routed: await addressOf('web'), local: await addressOf('printer') };
  });
}

/** Starts the routing daemon of the case, configures the speakers for the case, and waits until all sessions are up. */
export async function beginCase({ lab, routed }: UpgradeLab, one: UpgradeCase): Promise<void> {
  if (lab.isRunning('bird')) await lab.stop('bird');
  if (lab.isRunning('zebra')) await stopFrr(lab);
  // BFD notices the end of a routing daemon only after the detection time. A session with the earlier daemon must not count as one with the next.
  for (const node of lab.fabric.nodes)
    await lab.until(`${node.name} has no session`, async () => {
      const peer = await peerOf(lab, node);
      return peer?.state !== 'Established' && peer?.bfd?.state !== 'Up';
    });
  await lab.configure(config(one));
  if (one.router === 'BIRD') startBird(lab, one);
  else await startFrrOf(lab, one);
  for (const node of lab.fabric.nodes)
    await lab.until(`the sessions of ${node.name}`, async () => {
      const peer = await peerOf(lab, node);
      return (
        peer?.state === 'Established' &&
        (one.bfd ? peer.bfd?.state === 'Up' : peer.bfd === undefined) &&
        (peer.capabilities.includes('graceful-restart') || !one.gracefulRestart)
      );
    });
  await lab.until(
    'all nodes announce',
    async () => (await nextHops(lab, routed)).length === lab.fabric.nodes.length,
  );
}

interface PeerView {
  readonly state: string;
  readonly capabilities: readonly string[];
  readonly bfd?: { readonly state: string };
}

/** The router as the speaker of the node sees it; `undefined` before the speaker has a configuration. */
async function peerOf(lab: Lab, node: LabNode): Promise<PeerView | undefined> {
  return ((await lab.status(node.namespace)) as { readonly peers: readonly PeerView[] }).peers[0];
}

/** Starts BIRD on the router. */
export function startBird(
  lab: Lab,
  { gracefulRestart, bfd }: Pick<UpgradeCase, 'gracefulRestart' | 'bfd'>,
): void {
  const file = '/run/lab/bird-upgrade.conf';
  const options = `  graceful restart ${gracefulRestart ? 'on' : 'off'};\n${bfd ? '  bfd on;\n' : ''}  connect retry time`;
  const bgp = birdConfig(lab.fabric).replaceAll('  connect retry time', options);
  writeFileSync(file, `${bgp}${bfd ? birdBfd(bfd) : ''}`);
  lab.processes.start('bird', lab.fabric.router, 'bird', ['-f', '-c', file, '-s', birdSocketPath]);
}

function birdBfd({ intervalMs, multiplier }: BfdTimers): string {
  const intervals = `min rx interval ${intervalMs} ms; min tx interval ${intervalMs} ms; multiplier ${multiplier};`;
  return `protocol bfd { interface "eth0" { ${intervals} }; }\n`;
}

/**
 * Without these lines, FRR only helps: it keeps the routes of a peer that restarts, if the peer asks for that. With these lines, FRR restarts
 * gracefully too. In this mode, FRR uses no route after its start until it has End-of-RIB from all peers or `select-defer-time` has passed
 * (RFC 4724 section 4.1).
 */
const frrGracefulRestart = [
  ' bgp graceful-restart',
  ' bgp graceful-restart preserve-fw-state',
  ' bgp graceful-restart select-defer-time 10',
];

async function startFrrOf(lab: Lab, { gracefulRestart, bfd }: UpgradeCase): Promise<void> {
  const peers = lab.fabric.nodes.map(({ addresses: [v4] }) => v4);
  await startFrr(lab, {
    bfdd: bfd
      ? [
          'bfd',
          ...peers.flatMap((v4) => [
            ` peer ${v4} interface eth0`,
            ...[`  receive-interval ${bfd.intervalMs}`, `  transmit-interval ${bfd.intervalMs}`],
            ...[`  detect-multiplier ${bfd.multiplier}`, ' !'],
          ]),
          '!',
        ]
      : [],
    bgpd: [
      'router bgp 64500',
      ` bgp router-id ${addresses.router[0]}`,
      ...[' no bgp ebgp-requires-policy', ' maximum-paths 8'],
      ...(gracefulRestart ? frrGracefulRestart : []),
      ...peers.flatMap((v4) => [
        ` neighbor ${v4} remote-as 64512`,
        ` neighbor ${v4} timers connect 1`,
        ...(bfd ? [` neighbor ${v4} bfd`] : []),
      ]),
    ],
  });
}

/**
 * The BGP and BFD sessions that are up at the router. Each has a number that changes when the session goes down: with BIRD the time at which the
 * session came up, in milliseconds since midnight, and with FRR how often the session has gone down.
 */
async function routerSessions(lab: Lab, { router, bfd }: UpgradeCase): Promise<ReadonlyMap<string, number>> {
  if (router === 'BIRD') {
    const text = await lab.birdc('show', 'protocols');
    const ofBfd = bfd ? await lab.birdc('show', 'bfd', 'sessions') : '';
    const up = /^(\S+) .* (?:up|Up) +(\d+):(\d+):(\d+)\.(\d+) /gm;
    const lines = [...text.split('\n').filter((line) => line.includes(' BGP ')), ...ofBfd.split('\n')];
    return new Map(
      [...lines.join('\n').matchAll(up)].map(([, name = '', ...time]) => {
        const [hours = 0, minutes = 0, seconds = 0, ms = 0] = time.map(Number);
        return [name, ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms];
      }),
    );
  }
  const neighbors = JSON.parse(await vtysh(lab, 'show bgp neighbors json')) as Record<
    string,
    { readonly bgpState: string; readonly connectionsDropped: number }
  >;
  const bfdPeers = async (what: string) =>
    bfd ? (JSON.parse(await vtysh(lab, `show bfd ${what} json`)) as Record<string, unknown>[]) : [];
  const counters = await bfdPeers('peers counters');
  // The counters do not include the state.
  const up = (await bfdPeers('peers')).filter(({ status }) => status === 'up').map(({ peer }) => peer);
  return new Map([
    ...Object.entries(neighbors)
      .filter(([, { bgpState }]) => bgpState === 'Established')
      .map(([peer, { connectionsDropped }]) => [peer, connectionsDropped] as const),
    ...counters
      .filter(({ peer }) => up.includes(peer))
      .map((one) => [`${one.peer} BFD`, Number(one['session-down'])] as const),
  ]);
}

/**
 * Each command makes BIRD compute the time at which a session came up, so the results of two commands may differ by a millisecond. A session takes
 * longer than this tolerance to go down and come up again.
 */
const birdToleranceMs = 100;

function lostSessions(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  { router }: UpgradeCase,
): string[] {
  const tolerance = router === 'BIRD' ? birdToleranceMs : 0;
  return [...before]
    .filter(([name, number]) => !(Math.abs((after.get(name) ?? Number.NaN) - number) <= tolerance))
    .map(([name]) => name);
}

export interface UpgradeResult {
  readonly asked: number;
  readonly lost: number;
  /** Sessions of BGP and BFD that were up at the router before the upgrade. */
  readonly sessions: number;
  /** Those of them that have gone down. */
  readonly lostSessions: readonly string[];
}

/** Replaces the speakers of all nodes one by one, while a client sends a datagram every millisecond. */
export async function upgradeAll({ lab, routed }: UpgradeLab, one: UpgradeCase): Promise<UpgradeResult> {
  const before = await routerSessions(lab, one);
  const probe = lab.probeDatagrams(lab.fabric.far, [routed], 1);
  await closeOnFailure({ close: () => probe.stop() }, async () => {
    await probe.ready;
    for (const node of lab.fabric.nodes) {
      await lab.upgradeSpeaker(node);
      await lab.until(`the new speaker of ${node.name}`, async () => {
        const status = (await lab.status(node.namespace).catch(() => undefined)) as
          | { readonly peers: readonly { readonly state: string }[] }
          | undefined;
        return status?.peers[0]?.state === 'Established';
      });
    }
  });
  const [result] = await probe.stop();
  if (!result || result.asked === 0) throw new Error('the client sent nothing');
  const after = await routerSessions(lab, one);
  return {
    asked: result.asked,
    lost: result.asked - result.answered,
    sessions: before.size,
    lostSessions: lostSessions(before, after, one),
  };
}
