/** A misbehaving peer must not disturb another session, exhaust the memory, or flood the log. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { type DestinationStream, pino } from 'pino';
import { Registry } from 'prom-client';
import { encodeMessage } from '../../src/bgp/codec/index.ts';
import type { ResolvedPeer } from '../../src/bgp/peer.ts';
import { createBgpSpeaker } from '../../src/bgp/speaker.ts';
import type { BgpSpeaker } from '../../src/bgp/speaker-api.ts';
import { ip, prefix } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';
import { bird } from './daemons/bird.ts';
import type { RunningDaemon } from './daemons/daemon.ts';
import { endProcess, peer, plain, router, startRouter, theirAsn, type Wire, wire } from './scenario.ts';

const badPort = 1790;
const listenPort = 1179;
const bad = (changes: Partial<ResolvedPeer['settings']> = {}) =>
  peer({
    name: 'bad',
    address: ip('127.0.0.1'),
    port: badPort,
    holdTimeSeconds: 3,
    keepaliveTimeSeconds: 1,
    ...changes,
  });
const good = peer({ holdTimeSeconds: 30, keepaliveTimeSeconds: 10 });

const options = { fourOctetAs: true };
const open = (asn: number, holdTimeSeconds = 90) =>
  encodeMessage(
    {
      kind: 'open',
      version: 4,
      myAs: asn,
      holdTimeSeconds,
      routerId: 0x7f000001,
      capabilities: [
        { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
        { kind: 'four-octet-as', asn },
      ],
    },
    options,
  );
const keepalive = encodeMessage({ kind: 'keepalive' }, options);

/** The n-th UPDATE, filled with 800 host routes that no other UPDATE has. */
function routes(n: number): Uint8Array {
  return encodeMessage(
    {
      kind: 'update',
      withdrawn: [],
      attributes: {
        origin: 'igp',
        asPath: [{ type: 'sequence', asns: [theirAsn] }],
        nextHop: ip('127.0.0.1'),
      },
      nlri: Array.from(
        { length: 800 },
        (_, i) => ({ family: 4, value: BigInt(0x0a000000 + n * 800 + i), length: 32 }) as const,
      ),
    },
    options,
  );
}

/** Calls `work` in slices. The speaker is in this process, and must send its KEEPALIVEs between two slices, even on a busy machine. */
async function inSlices(count: number, work: (index: number) => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (i % 5000 === 0) await turn();
    work(i);
  }
}

describe('a misbehaving peer', () => {
  let cable: Wire;
  let router1: RunningDaemon;
  let speaker: BgpSpeaker;
  let registry: Registry;
  let server: Server;
  let behave: (socket: Socket) => void;
  const lines: string[] = [];
  const sockets = new Set<Socket>();

  before(async () => {
    cable = await wire();
    router1 = await startRouter(bird, cable, router({}, { holdTimeSeconds: 30 }));
    registry = new Registry();
    const destination: DestinationStream = { write: (line) => void lines.push(line) };
    speaker = createBgpSpeaker({ logger: pino({}, destination), registry, hostName: 'node-1', listenPort });
    behave = (socket) => socket.destroy();
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      behave(socket);
    });
    await new Promise<void>((resolve) => server.listen(badPort, '127.0.0.1', resolve));
    speaker.setPeers([good]);
    for (let i = 0; i < 20_000; i++)
      speaker.announce('router', { family: 4, value: 0xc6120000n + BigInt(i), length: 32 }, plain);
    speaker.announce('bad', prefix('198.51.100.1/32'), plain);
    speaker.synced();
    await eventually('the good session', () => router1.isEstablished());
  });

  after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await speaker.stop({ kind: 'shutdown', reason: 'end of the test' });
    await endProcess(router1);
    await cable.cut();
  });

  const lastError = () => speaker.status().find(({ name }) => name === 'bad')?.lastError;
  const stateOf = (peerName: string) => speaker.status().find(({ name }) => name === peerName)?.state;
  /**
   * The value of a metric of a peer; `to` selects transitions to one state. All samples of a peer are gone as soon as the peer is removed.
   */
  const sample = async (name: string, peerName: string, to?: string) =>
    ((await registry.getSingleMetric(`bellman_bgp_${name}`)?.get())?.values ?? [])
      .filter(({ labels }) => labels.peer === peerName && labels.to === to)
      .reduce((sum, { value }) => sum + value, 0);

  /** Lets a peer misbehave until the condition holds, and checks that the good session never suffers. */
  async function endure(
    how: (socket: Socket) => void,
    what: string,
    until: () => boolean | undefined | Promise<boolean>,
    config = bad(),
  ): Promise<void> {
    behave = how;
    lines.length = 0;
    speaker.setPeers([good]);
    speaker.setPeers([good, config]);
    await eventually(what, until);
    for (const socket of sockets) socket.destroy();
    speaker.setPeers([good]);
    assert.equal(
      await sample('established_transitions_total', 'router'),
      1,
      'the good session never flapped',
    );
    assert.equal(stateOf('router'), 'Established');
    assert.equal(await router1.isEstablished(), true);
    assert.ok(lines.length < 20, `${lines.length} lines were logged: ${lines.slice(0, 5).join('')}`);
  }

  /** Connects to the speaker. Resolves to all that it sends before it closes the connection, or to `undefined` if the connection is refused. */
  async function octetsUntilClosed(): Promise<Buffer | undefined> {
    const socket = connect(listenPort, '127.0.0.1');
    let isConnected = false;
    const heard: Buffer[] = [];
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => heard.push(data));
    await new Promise((resolve) => socket.once('close', resolve));
    return isConnected ? Buffer.concat(heard) : undefined;
  }

  test('that is silent after its OPEN loses its session to the hold timer', () =>
    endure(
      (socket) => socket.write(open(theirAsn)),
      'the hold timer',
      () => lastError() === 'Hold Timer Expired',
    ));

  test('that writes one octet every 200 ms loses its session to the hold timer', () =>
    endure(
      (socket) => {
        socket.write(open(theirAsn));
        socket.write(keepalive);
        const timer = setInterval(() => socket.write(Uint8Array.of(0xff)), 200);
        socket.on('close', () => clearInterval(timer));
      },
      'the hold timer',
      () => lastError() === 'Hold Timer Expired',
    ));

  test('that states another wrong AS number in each OPEN is retried after 1, 2 and 4 seconds, each shortened by jitter of at most 25 %', async () => {
    const askedAtMs: number[] = [];
    await endure(
      (socket) => {
        askedAtMs.push(performance.now());
        socket.write(open(65_000 + askedAtMs.length));
      },
      'refusals',
      () =>
        askedAtMs.length >= 4 && lastError()?.startsWith('NOTIFICATION sent: OPEN Message Error/Bad Peer AS'),
    );
    // The speaker's pause begins after this peer has sent its OPEN. So a busy machine makes the time between two attempts longer, never shorter.
    // The test allows 2 ms less than the shortest pause, because timers have a grain of 1 ms and the measured pauses are rounded.
    const pausesMs = askedAtMs.slice(1, 4).map((atMs, i) => Math.round(atMs - (askedAtMs[i] ?? atMs)));
    for (const [i, pauseMs] of pausesMs.entries())
      assert.ok(pauseMs >= 0.75 * 1000 * 2 ** i - 2, `pauses of ${pausesMs} ms`);
  });

  for (const [what, bytes, error] of [
    [
      'sends HTTP instead of BGP',
      new TextEncoder().encode('GET / HTTP/1.1\r\nHost: node-1\r\n\r\n'),
      'Message Header Error/Connection Not Synchronized',
    ],
    [
      'states a length over the limit',
      Uint8Array.of(...new Uint8Array(16).fill(0xff), 0xff, 0xff, 1),
      'Message Header Error/Bad Message Length',
    ],
    [
      'states a length shorter than the header',
      Uint8Array.of(...new Uint8Array(16).fill(0xff), 0, 18, 4),
      'Message Header Error/Bad Message Length',
    ],
  ] as const)
    test(`that ${what} gets a NOTIFICATION that names the fault`, async () => {
      const heard: Buffer[] = [];
      await endure(
        (socket) => {
          socket.on('data', (data: Buffer) => heard.push(data));
          socket.write(bytes);
        },
        error,
        () => lastError()?.includes(error),
      );
      assert.equal(Buffer.concat(heard).includes(Buffer.from([3, 1])), true, 'a NOTIFICATION of code 1');
    });

  test('that closes in the middle of a message loses only its own session', () =>
    endure(
      (socket) => socket.end(open(theirAsn).subarray(0, 25)),
      'the end of the connection',
      () => lastError() === 'connection closed by the peer',
    ));

  test('that sends a million routes has them counted and dropped', async () => {
    const before = process.memoryUsage().rss;
    let peak = before;
    await endure(
      (socket) => {
        socket.write(open(theirAsn));
        socket.write(keepalive);
        let sent = 0;
        const more = () => {
          while (sent < 1250 && socket.writableLength < 1 << 20) socket.write(routes(sent++));
          if (sent < 1250) socket.once('drain', more);
        };
        more();
      },
      'a million routes',
      async () => {
        peak = Math.max(peak, process.memoryUsage().rss);
        return (await sample('received_prefixes_total', 'bad')) >= 1_000_000;
      },
      bad({ holdTimeSeconds: 90, keepaliveTimeSeconds: 30 }),
    );
    // The measured memory includes that of the sender, which runs in this process too. A table of the routes alone would exceed twice this limit.
    assert.ok(peak - before < 150e6, `memory grew by ${Math.round((peak - before) / 1e6)} MB`);
  });

  test('that reads nothing has a bounded queue and disturbs no other session', async () => {
    await inSlices(300_000, (i) =>
      speaker.announce(
        'bad',
        { family: 4, value: 0x0b000000n + BigInt(i), length: 32 },
        { ...plain, med: i & 0xfff },
      ),
    );
    let queued = 0;
    let ups = 0;
    let state: string | undefined;
    let stuckSince: number | undefined;
    await endure(
      (socket) => {
        socket.pause();
        socket.write(open(theirAsn));
        socket.write(keepalive);
        const timer = setInterval(() => socket.write(keepalive), 500);
        socket.on('close', () => clearInterval(timer));
      },
      'the session to outlast its hold time while the peer reads nothing',
      async () => {
        queued = Math.max(queued, await sample('queued_bytes', 'bad'));
        ups = await sample('established_transitions_total', 'bad');
        state = stateOf('bad');
        // The hold time is 3 s. Only the send hold timer ends such a session, after eight minutes (RFC 9687).
        if (queued === 0 || ups === 0) return false;
        stuckSince ??= performance.now();
        return state !== 'Established' || performance.now() - stuckSince > 9000;
      },
    );
    assert.equal(state, 'Established');
    assert.equal(ups, 1, 'the session never flapped');
    assert.ok(queued > 0 && queued <= 256 * 1024 + 65_536, `${queued} bytes were queued`);
    await inSlices(300_000, (i) =>
      speaker.withdraw('bad', { family: 4, value: 0x0b000000n + BigInt(i), length: 32 }),
    );
  });

  test('that connects and closes a hundred times a second is harmless', async () => {
    let connections = 0;
    let lost = 0;
    const flood = setInterval(() => {
      const socket = connect(listenPort, '127.0.0.1', () => {
        connections++;
        socket.destroy();
      });
      socket.on('error', () => undefined);
    }, 10);
    try {
      await endure(
        (socket) => socket.destroy(),
        'two hundred connections',
        async () => {
          lost = await sample('fsm_transitions_total', 'bad', 'Idle');
          return connections > 200 && lost > 0;
        },
        bad({ passive: true }),
      );
    } finally {
      clearInterval(flood);
    }
    // The speaker accepts no connection in the pause after a lost one, and the pauses grow.
    assert.ok(lost < 20, `${lost} connections were accepted`);
  });

  test('that is not configured has its connection closed without a message', async () => {
    speaker.setPeers([good, bad({ passive: true, address: ip('127.0.0.9') })]);
    // The listener opens in a later turn of the event loop.
    const heard = await eventually('a connection', () => octetsUntilClosed());
    assert.equal(heard.length, 0);
    speaker.setPeers([good]);
    await sleep(0);
    const refused = await new Promise<string>((resolve) => {
      const again = connect(listenPort, '127.0.0.1');
      again.once('error', (error) => resolve('code' in error ? String(error.code) : ''));
      again.once('connect', () => resolve('connected'));
    });
    assert.equal(refused, 'ECONNREFUSED', 'without a passive peer there is no listener');
  });
});
