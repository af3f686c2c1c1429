import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { promisify } from 'node:util';
import { cable, NetworkNamespace } from '../../../lab/netns.ts';
import { diagnostic } from '../../../src/bfd/codec/diagnostic.ts';
import type { BfdChange, BfdSessionStatus } from '../../../src/bfd/messages.ts';
import { type Bfd, createBfd } from '../../../src/bfd/parent.ts';
import type { BfdAuthentication, BfdSessionSettings } from '../../../src/bfd/session-settings.ts';
import { createLogger } from '../../../src/log.ts';
import { reasonOf } from '../../../src/result.ts';
import { eventually } from '../../support/eventually.ts';
import {
  endProcess,
  ourIpv4,
  ourIpv6,
  theirIpv4,
  theirIpv6,
  type Wire,
  whileStopped,
  wire,
} from '../scenario.ts';
import { type Capture, startCapture } from './capture.ts';
import type { BfdDaemon, BfdFeature, PeerConfig, RunningBfdDaemon } from './daemons/daemon.ts';

const run = promisify(execFile);

/**
 * A private world cannot have real-time scheduling. Without real-time scheduling, Bellman raises each interval to at least 100 ms, so the tests
 * use no interval below 100 ms. The multiplier is large, because the tests also run on machines that are busy. `bench/bfd.ts` measures speed.
 */
const timers = { transmitIntervalMs: 200, receiveIntervalMs: 200, detectMultiplier: 20 } as const;

interface Setting {
  readonly ours?: Partial<BfdSessionSettings>;
  readonly theirs?: Partial<PeerConfig>;
}

interface Scene {
  readonly bfd: Bfd;
  /** Where the daemon runs. */
  readonly namespace: NetworkNamespace;
  readonly daemon: RunningBfdDaemon;
  readonly settings: BfdSessionSettings;
  readonly config: PeerConfig;
  readonly changes: readonly BfdChange[];
  readonly capture: Capture;
}

/** Runs a body with a daemon and a BFD process, and ends both even when the body fails. */
async function scene(
  daemon: BfdDaemon,
  network: Network,
  setting: Setting,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { namespace, wire: ourWire, ours, theirs } = await network();
  const config: PeerConfig = {
    ...timers,
    localAddress: theirs,
    peerAddress: ours,
    interface: 'eth0',
    multihop: false,
    passive: false,
    ...setting.theirs,
  };
  const settings: BfdSessionSettings = {
    ...timers,
    id: 'router',
    name: 'router',
    peerAddress: theirs,
    localAddress: ours,
    interface: ourWire.device,
    mode: { kind: 'single-hop' },
    passive: false,
    ...setting.ours,
  };
  const changes: BfdChange[] = [];
  const level = process.env.BELLMAN_TEST_LOG === undefined ? 'error' : 'debug';
  const bfd = createBfd({
    logLevel: level,
    logger: createLogger('test', level),
    onChange: (change) => changes.push(change),
  });
  const capture = startCapture(ourWire.device);
  let running: RunningBfdDaemon | undefined;
  try {
    running = await daemon.start(namespace, config, await mkdtemp('/tmp/bfd-'));
    bfd.setSessions([settings]);
    await body({ bfd, namespace, daemon: running, settings, config, changes, capture });
  } catch (error) {
    throw new Error(
      `${reasonOf(error)}; our side: ${JSON.stringify(bfd.status())}; the daemon's log ends: ${running?.log().slice(-3000)}`,
      { cause: error },
    );
  } finally {
    await bfd.stop();
    if (running) await endProcess(running);
    capture.stop();
    await ourWire.cut();
  }
}

interface Topology {
  readonly wire: Wire;
  /** Where the daemon runs. */
  readonly namespace: NetworkNamespace;
  readonly ours: string;
  readonly theirs: string;
}

type Network = () => Promise<Topology>;

async function overIpv4(): Promise<Topology> {
  const direct = await wire();
  return { wire: direct, namespace: direct.namespace, ours: ourIpv4, theirs: theirIpv4 };
}

async function overIpv6(): Promise<Topology> {
  return { ...(await overIpv4()), ours: ourIpv6, theirs: theirIpv6 };
}

async function overLinkLocal(): Promise<Topology> {
  const [ours, theirs] = ['fe80::b:1', 'fe80::b:2'];
  const direct = await wire({ ours: [ours, ourIpv4], theirs: [theirs, theirIpv4] });
  return { wire: direct, namespace: direct.namespace, ours, theirs };
}

/** The daemon is behind a router, two hops away. */
async function overTwoHops(): Promise<Topology> {
  const theirs = '10.99.0.2';
  const near = await wire();
  const namespace = await NetworkNamespace.create(`far-${near.namespace.name}`);
  await near.namespace.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await cable(
    { namespace: near.namespace, interface: 'eth1', addresses: ['10.99.0.1/24'] },
    { namespace, interface: 'eth0', addresses: [`${theirs}/24`] },
  );
  await namespace.ip('route', 'add', 'default', 'via', '10.99.0.1');
  await run('ip', ['route', 'add', '10.99.0.0/24', 'via', theirIpv4]);
  const cut = async () => {
    await near.cut();
    await run('ip', ['netns', 'del', namespace.name]);
  };
  return { wire: { ...near, cut }, namespace, ours: ourIpv4, theirs };
}

function status({ bfd }: Scene): BfdSessionStatus {
  const [session] = bfd.status();
  assert.ok(session, 'the process reports the session');
  return session;
}

/** Waits until both ends are up and our end has ended its Poll Sequence. */
async function up(running: Scene): Promise<void> {
  await eventually('both ends up', async () => {
    const { state, isPolling } = status(running);
    return state === 'Up' && !isPolling && (await running.daemon.isUp());
  });
}

async function comesUp(daemon: BfdDaemon, network: Network, setting: Setting = {}): Promise<void> {
  await scene(daemon, network, setting, async (running) => {
    await up(running);
    await eventually('the negotiated intervals', () => {
      const { remoteDetectMultiplier, transmitIntervalMs, detectionTimeMs } = status(running);
      return remoteDetectMultiplier === 20 && transmitIntervalMs === 200 && detectionTimeMs === 200 * 20;
    });
    const ttls = new Set(sentBy(running, 'us').map(({ ttl }) => ttl));
    assert.deepEqual([...ttls], [255]);
  });
}

/** Whether one side has sent a Poll with these intervals, and the other side has sent a Final after that Poll. */
function hasPolled(
  running: Scene,
  side: 'us' | 'them',
  {
    transmitIntervalMs,
    receiveIntervalMs,
  }: Pick<BfdSessionSettings, 'transmitIntervalMs' | 'receiveIntervalMs'>,
): boolean {
  const { packets } = running.capture;
  const poll = sentBy(running, side).find(
    ({ packet }) =>
      packet.poll &&
      packet.desiredMinTxInterval === transmitIntervalMs * 1000 &&
      packet.requiredMinRxInterval === receiveIntervalMs * 1000,
  );
  if (!poll) return false;
  const finals = sentBy(running, side === 'us' ? 'them' : 'us').filter(({ packet }) => packet.final);
  return finals.some((final) => packets.indexOf(final) > packets.indexOf(poll));
}

/** Packets of one side in the capture. */
function sentBy(running: Scene, side: 'us' | 'them') {
  const { localDiscriminator } = status(running);
  return running.capture.packets.filter(
    ({ packet }) => (packet.myDiscriminator === localDiscriminator) === (side === 'us'),
  );
}

function authenticated(type: BfdAuthentication['type'], ...keys: [number, string][]): Setting {
  const [[sendKeyId]] = keys as [[number, string]];
  return {
    ours: {
      authentication: { type, sendKeyId, keys: keys.map(([id, text]) => ({ id, secret: btoa(text) })) },
    },
    theirs: { authentication: { type, keys: keys.map(([id, password]) => ({ id, password })) } },
  };
}

async function authenticates(daemon: BfdDaemon, type: BfdAuthentication['type']): Promise<void> {
  await comesUp(daemon, overIpv4, authenticated(type, [7, 'correct horse']));
  const wrong: Setting = {
    theirs: authenticated(type, [7, 'correct horse']).theirs ?? {},
    ours: authenticated(type, [7, 'battery staple']).ours ?? {},
  };
  await scene(daemon, overIpv4, wrong, async (running) => {
    await eventually('refused packets', () => (status(running).dropped.authentication ?? 0) >= 3);
    assert.equal(status(running).state, 'Down');
    assert.equal(status(running).ups, 0);
  });
}

export const bfdBodies: Record<BfdFeature, (daemon: BfdDaemon) => Promise<void>> = {
  'single hop over IPv4': (daemon) => comesUp(daemon, overIpv4),
  'single hop over IPv6': (daemon) => comesUp(daemon, overIpv6),
  'single hop over link-local addresses': (daemon) => comesUp(daemon, overLinkLocal),
  multihop: (daemon) =>
    comesUp(daemon, overTwoHops, {
      ours: { mode: { kind: 'multihop', minimumTtl: daemon.multihopTtl } },
      theirs: { multihop: true },
    }),

  'the peer is passive': (daemon) => comesUp(daemon, overIpv4, { theirs: { passive: true } }),
  'Bellman is passive': (daemon) => comesUp(daemon, overIpv4, { ours: { passive: true } }),

  'our intervals change while up': (daemon) =>
    scene(daemon, overIpv4, {}, async (running) => {
      await up(running);
      const slower = { transmitIntervalMs: 400, receiveIntervalMs: 150 };
      running.bfd.setSessions([{ ...running.settings, ...slower }]);
      await eventually('a Poll Sequence for the new intervals', () => hasPolled(running, 'us', slower));
      await eventually('the new intervals in force', () => {
        const { transmitIntervalMs, isPolling, requiredReceiveIntervalMs } = status(running);
        return transmitIntervalMs === 400 && requiredReceiveIntervalMs === 150 && !isPolling;
      });
      assert.equal(status(running).downs, 0);
    }),

  "the peer's intervals change while up": (daemon) =>
    scene(daemon, overIpv4, {}, async (running) => {
      await up(running);
      const slower = { transmitIntervalMs: 500, receiveIntervalMs: 300 };
      await running.daemon.reconfigure({ ...running.config, ...slower });
      await eventually('the new intervals', () => {
        const { remoteDesiredTransmitIntervalMs, remoteRequiredReceiveIntervalMs } = status(running);
        return remoteDesiredTransmitIntervalMs === 500 && remoteRequiredReceiveIntervalMs === 300;
      });
      await eventually('both ends up with them', async () => {
        const { state, transmitIntervalMs, detectionTimeMs } = status(running);
        return state === 'Up' && transmitIntervalMs === 300 && detectionTimeMs === 500 * 20;
      });
      await eventually('a Poll Sequence for the new intervals', () => hasPolled(running, 'them', slower));
    }),

  'AdminDown from us': (daemon) =>
    scene(daemon, overIpv4, {}, async (running) => {
      await up(running);
      running.bfd.setSessions([]);
      await eventually('the peer down', async () => !(await running.daemon.isUp()));
      const last = running.capture.packets.filter(({ packet }) => packet.state === 'AdminDown');
      assert.ok(last.length > 0);
      assert.ok(last.every(({ packet }) => packet.diagnostic === diagnostic.administrativelyDown));
      running.bfd.setSessions([running.settings]);
      await up(running);
    }),

  'AdminDown from the peer': (daemon) =>
    scene(daemon, overIpv4, {}, async (running) => {
      await up(running);
      await running.daemon.setAdminDown(true);
      await eventually('our end down', () => status(running).remoteState === 'AdminDown');
      assert.equal(status(running).state, 'Down');
      assert.equal(status(running).diagnostic, diagnostic.neighborSignaledSessionDown);
      await running.daemon.setAdminDown(false);
      await up(running);
    }),

  'a silent peer': (daemon) =>
    scene(daemon, overIpv4, { theirs: { detectMultiplier: 3 } }, async (running) => {
      await up(running);
      await whileStopped(running.daemon.process, async () => {
        await eventually('our end down', () => status(running).state === 'Down');
        assert.equal(status(running).diagnostic, diagnostic.controlDetectionTimeExpired);
        // The BFD process reports the new state first, and the rest of the status later.
        await eventually('no discriminator of the peer', () => status(running).remoteDiscriminator === 0);
      });
      await up(running);
    }),

  'Echo packets': async (daemon) => {
    const setting: Setting = {
      ours: { echo: { intervalMs: 200 }, detectMultiplier: 20 },
      theirs: { echoIntervalMs: 100 },
    };
    const network = async () => {
      const topology = await overIpv4();
      await topology.namespace.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
      await run('sysctl', ['-qw', `net.ipv4.conf.${topology.wire.device}.forwarding=1`]);
      return topology;
    };
    await scene(daemon, network, setting, async (running) => {
      await up(running);
      await eventually('Echo packets that return', () => (status(running).echo?.received ?? 0) > 10);
      await eventually('slow control packets', () => status(running).requiredReceiveIntervalMs === 1000);
      assert.equal(status(running).warning, undefined);
      assert.equal(status(running).downs, 0);
      // The peer stops forwarding, but its BFD goes on.
      await running.namespace.exec('sysctl', '-qw', 'net.ipv4.ip_forward=0');
      await eventually('the session down', () => status(running).downs === 1);
      assert.ok(running.changes.some((change) => change.diagnostic === diagnostic.echoFunctionFailed));
    });
  },

  'keyed MD5': (daemon) => authenticates(daemon, 'keyed-md5'),
  'meticulous MD5': (daemon) => authenticates(daemon, 'meticulous-md5'),
  'keyed SHA1': (daemon) => authenticates(daemon, 'keyed-sha1'),
  'meticulous SHA1': (daemon) => authenticates(daemon, 'meticulous-sha1'),

  'new keys while up': (daemon) => {
    const [first, second] = [[1, 'the old key'] as [number, string], [2, 'the new key'] as [number, string]];
    const settings = (...keys: [number, string][]) => authenticated('meticulous-sha1', ...keys);
    return scene(daemon, overIpv4, settings(first), async (running) => {
      await up(running);
      const steps = [settings(first, second), settings(second, first), settings(second)];
      for (const { ours, theirs } of steps) {
        running.bfd.setSessions([{ ...running.settings, ...ours }]);
        await running.daemon.reconfigure({ ...running.config, ...theirs });
        const { received } = status(running);
        await eventually('packets with the new keys', () => status(running).received > received + 5);
      }
      for (const side of ['us', 'them'] as const) {
        const used = new Set(sentBy(running, side).map(({ packet }) => keyIdOf(packet)));
        assert.deepEqual([...used].sort(), [1, 2], `keys used by ${side}`);
      }
      assert.equal(status(running).downs, 0);
    });
  },
};

function keyIdOf({
  authentication,
}: {
  authentication?: { type: string; keyId?: number };
}): number | undefined {
  return authentication?.keyId;
}
