/** The BFD process and real sockets: the TTL, the port, interfaces that come and go, and the death of the process. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { afterEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { encodePacket } from '../../src/bfd/codec/packet.ts';
import type { BfdChange } from '../../src/bfd/messages.ts';
import { type Bfd, createBfd } from '../../src/bfd/parent.ts';
import type { BfdSessionSettings } from '../../src/bfd/session-settings.ts';
import { createLogger } from '../../src/log.ts';
import { eventually } from '../support/eventually.ts';
import { packet } from '../unit/bfd/packets.ts';
import { bird } from './bfd/daemons/bird.ts';
import { endProcess, ourIpv4, ourIpv6, theirIpv4, theirIpv6, type Wire, wire } from './scenario.ts';

const run = promisify(execFile);

/** A program for `node -e` in the router's namespace. It sends one datagram with the given TTL. */
const sender = `
const [octets, address, port, ttl, source] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.bind({ port: 0, ...(source ? { address: source } : {}) }, () => {
  socket.setTTL(Number(ttl));
  socket.send(Buffer.from(octets, 'hex'), Number(port), address, () => socket.close());
});`;

/** A program for `node -e` in the router's namespace. It sends one datagram with TTL 255 again and again, without a pause. */
const flooder = `
const [octets, address] = process.argv.slice(1);
const socket = require('node:dgram').createSocket('udp4');
socket.bind(0, () => {
  socket.setTTL(255);
  const again = () => {
    for (let i = 0; i < 200; i++) socket.send(Buffer.from(octets, 'hex'), 3784, address, () => {});
    setImmediate(again);
  };
  again();
});`;

async function send(
  { namespace }: Wire,
  octets: Uint8Array,
  to: string,
  port: number,
  ttl: number,
  from = '',
): Promise<void> {
  const hex = Buffer.from(octets).toString('hex');
  await namespace.exec(process.execPath, '-e', sender, hex, to, String(port), String(ttl), from);
}

const base = {
  ...{ id: 'router', name: 'router', peerAddress: theirIpv4, mode: { kind: 'single-hop' }, passive: false },
  ...{ transmitIntervalMs: 1000, receiveIntervalMs: 1000, detectMultiplier: 100 },
} as const satisfies BfdSessionSettings;
const hello = encodePacket(packet({ state: 'Down', yourDiscriminator: 0 }));

describe('the BFD process', { concurrency: false }, () => {
  const undo: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });

  async function connected(): Promise<Wire> {
    const cable = await wire();
    undo.push(cable.cut);
    return cable;
  }

  function start(onChange: (change: BfdChange) => void = () => undefined): Bfd {
    const bfd = createBfd({ logLevel: 'error', logger: createLogger('test', 'error'), onChange });
    undo.push(() => bfd.stop());
    return bfd;
  }

  const state = (bfd: Bfd) => bfd.status()[0]?.state;
  const sent = (bfd: Bfd) => bfd.status()[0]?.sent ?? 0;

  for (const [family, ours, theirs] of [
    ['IPv4', ourIpv4, theirIpv4],
    ['IPv6', ourIpv6, theirIpv6],
  ] as const)
    test(`accepts a single-hop packet over ${family} only if its TTL is 255`, async () => {
      const cable = await connected();
      const bfd = start();
      bfd.setSessions([{ ...base, peerAddress: theirs, interface: cable.device }]);
      await eventually('the session', () => state(bfd) === 'Down' && sent(bfd) > 0);
      for (const ttl of [254, 64, 1]) await send(cable, hello, ours, 3784, ttl);
      await eventually(
        'three packets dropped by the kernel',
        () => (bfd.processStatus()?.dropped.ttl ?? 0) >= 3,
      );
      assert.equal(bfd.status()[0]?.received, 0);
      await send(cable, hello, ours, 3784, 255);
      await eventually('the packet with TTL 255', () => state(bfd) === 'Init');
    });

  test('accepts multihop packets with the minimum TTL or a larger one', async () => {
    const cable = await connected();
    const bfd = start();
    const multihop = { ...base, localAddress: ourIpv4, mode: { kind: 'multihop', minimumTtl: 200 } } as const;
    bfd.setSessions([multihop]);
    await eventually('the session', () => sent(bfd) > 0);
    await send(cable, hello, ourIpv4, 4784, 199);
    await eventually('a packet dropped by the kernel', () => bfd.processStatus()?.dropped.ttl === 1);
    await send(cable, hello, ourIpv4, 4784, 200);
    await eventually('the packet with TTL 200', () => state(bfd) === 'Init');
    bfd.setSessions([{ ...multihop, mode: { kind: 'multihop', minimumTtl: 240 } }]);
    await send(cable, hello, ourIpv4, 4784, 239);
    await eventually('a packet below the new minimum', () => bfd.processStatus()?.dropped.ttl === 2);
  });

  test('serves sessions that are bound to an interface, to a source address, or to neither, all on one port', async () => {
    const cable = await connected();
    const bfd = start();
    const session = (id: string, changes: Partial<BfdSessionSettings>) => ({
      ...base,
      id,
      name: id,
      ...changes,
    });
    const sessions = [
      session('bound to the interface', { peerAddress: '192.0.2.11', interface: cable.device }),
      session('bound to the address', { peerAddress: '192.0.2.12', localAddress: ourIpv4 }),
      session('free', { peerAddress: '192.0.2.13' }),
    ];
    bfd.setSessions(sessions);
    await eventually(
      'all sessions',
      () => bfd.status().length === 3 && bfd.status().every(({ fault }) => !fault),
    );
    for (const { peerAddress } of sessions) {
      await cable.namespace.ip('address', 'add', `${peerAddress}/24`, 'dev', 'eth0');
      await send(cable, hello, ourIpv4, 3784, 255, peerAddress);
    }
    await eventually('all sessions in Init', () => bfd.status().every(({ state: each }) => each === 'Init'));
  });

  test('names the process that holds the port, and takes the port over when it is free', async () => {
    await connected();
    const script = "require('node:dgram').createSocket('udp4').bind(3784, () => console.log('bound'))";
    const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    undo.push(() => endProcess({ process: holder }));
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const bfd = start();
    bfd.setSessions([base]);
    await eventually('the fault', () => bfd.status()[0]?.fault?.includes(`(process ${holder.pid})`));
    assert.match(bfd.status()[0]?.fault ?? '', /^UDP port 3784 is in use by /);
    await endProcess({ process: holder });
    await eventually('no fault', () => bfd.status()[0] && bfd.status()[0]?.fault === undefined);
  });

  test('keeps a session up while a flood of packets arrives', async () => {
    const cable = await connected();
    const timers = { transmitIntervalMs: 200, receiveIntervalMs: 200, detectMultiplier: 20 };
    const config = { ...timers, localAddress: theirIpv4, peerAddress: ourIpv4, interface: 'eth0' };
    const daemon = await bird.start(
      cable.namespace,
      { ...config, multihop: false, passive: false },
      await mkdtemp('/tmp/bfd-'),
    );
    undo.push(() => endProcess(daemon));
    const bfd = start();
    bfd.setSessions([{ ...base, ...timers, interface: cable.device, localAddress: ourIpv4 }]);
    await eventually('the session up', async () => state(bfd) === 'Up' && (await daemon.isUp()));
    const junk = Buffer.from(encodePacket(packet({ state: 'Down', yourDiscriminator: 5 }))).toString('hex');
    const flood = cable.namespace.spawn(process.execPath, ['-e', flooder, junk, ourIpv4], {
      stdio: 'ignore',
    });
    undo.push(() => endProcess({ process: flood }));
    // The counter `ttl` includes packets that the kernel drops during a flood because no session has their discriminator.
    await eventually(
      'a flood that the kernel keeps out',
      () => (bfd.processStatus()?.dropped.ttl ?? 0) > 100_000,
    );
    const { received = 0 } = bfd.status()[0] ?? {};
    await eventually('packets of the peer', () => (bfd.status()[0]?.received ?? 0) > received + 10);
    assert.deepEqual([state(bfd), bfd.status()[0]?.downs], ['Up', 0]);
  });

  test('says that an interface or a source address is missing, and goes on when it appears', async () => {
    const bfd = start();
    bfd.setSessions([{ ...base, interface: 'to-nowhere' }]);
    await eventually('the fault', () => bfd.status()[0]?.fault === 'this node has no interface to-nowhere');
    const cable = await connected();
    bfd.setSessions([{ ...base, interface: cable.device, localAddress: '192.0.2.77' }]);
    const missing = `interface ${cable.device} does not have the source address 192.0.2.77`;
    await eventually('the fault of the address', () => bfd.status()[0]?.fault === missing);
    await run('ip', ['address', 'add', '192.0.2.77/24', 'dev', cable.device]);
    await eventually('no fault', () => bfd.status()[0] && bfd.status()[0]?.fault === undefined);
  });

  test('opens its sockets again when the interface is replaced', async () => {
    const first = await connected();
    const bfd = start();
    const device = 'uplink';
    await run('ip', ['link', 'set', first.device, 'down']);
    await run('ip', ['link', 'set', first.device, 'name', device, 'up']);
    bfd.setSessions([{ ...base, interface: device }]);
    await eventually('packets', () => (bfd.status()[0]?.sent ?? 0) > 0);
    await run('ip', ['link', 'del', device]);
    undo.splice(undo.indexOf(first.cut), 1);
    await eventually('the fault', () => bfd.status()[0]?.fault !== undefined);
    const second = await connected();
    await run('ip', ['link', 'set', second.device, 'down']);
    await run('ip', ['link', 'set', second.device, 'name', device, 'up']);
    undo.splice(undo.indexOf(second.cut), 1);
    await eventually('no fault', () => bfd.status()[0]?.fault === undefined);
    await send(second, hello, ourIpv4, 3784, 255);
    await eventually('a packet over the new interface', () => state(bfd) === 'Init');
  });

  test('does not run while no session is configured', async () => {
    const bfd = start();
    assert.equal(bfd.processStatus(), undefined);
    assert.deepEqual([bfd.unhealthy(), await bfd.events()], [[], []]);
    bfd.setSessions([base]);
    await eventually('the process', () => bfd.processStatus());
    await assert.doesNotReject(bfd.events(), 'the process answers');
    bfd.setSessions([]);
    await eventually('no process', () => bfd.processStatus() === undefined && pidsOfProcess().length === 0);
    assert.deepEqual(bfd.unhealthy(), []);
  });

  test('is restarted when it dies, and its sessions count as AdminDown meanwhile', async () => {
    const changes: BfdChange[] = [];
    const bfd = start((change) => changes.push(change));
    bfd.setSessions([base]);
    await eventually('the process', () => state(bfd) === 'Down');
    const [pid = 0] = pidsOfProcess();
    process.kill(pid, 'SIGKILL');
    await eventually('the change', () => changes.some(({ state: each }) => each === 'AdminDown'));
    assert.equal(changes.at(-1)?.diagnostic, 0);
    await eventually(
      'another process',
      () => state(bfd) === 'Down' && pidsOfProcess().some((each) => each !== pid),
    );
  });
});

/** Process ids of the BFD processes in this world. */
function pidsOfProcess(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('src/bfd/process.ts');
      } catch {
        return false;
      }
    })
    .map(Number);
}
