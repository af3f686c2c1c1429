import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { formatIp } from '../../../src/address/index.ts';
import { createTcpTransport } from '../../../src/bgp/transport/tcp.ts';
import { TcpStream } from '../../../src/bgp/transport/tcp-stream.ts';
import type { ListenFailure, Stream, StreamHandler } from '../../../src/bgp/transport/transport.ts';
import { systemClock } from '../../../src/clock.ts';
import { ip } from '../../support/addresses.ts';
import { eventually, patienceMs } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const tcpTransport = createTcpTransport(systemClock);

/** A router on loopback, and a stream of ours that is connected to it. */
async function connected(handler: Partial<StreamHandler>) {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const isConnected = Promise.withResolvers<void>();
  const stream = tcpTransport.connect(
    { address: ip('127.0.0.1'), port: (server.address() as AddressInfo).port, userTimeoutMs: 0 },
    {
      onConnected: isConnected.resolve,
      onData: () => undefined,
      onDrain: () => undefined,
      onClosed: () => undefined,
      ...handler,
    },
  );
  await isConnected.promise;
  const [router] = (await accepted) as [Socket];
  server.close();
  return { stream, router };
}

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('the last octets before a close are read, even when our own write fails first', async () => {
  let received = '';
  const closed = Promise.withResolvers<string>();
  const { stream, router } = await connected({
    onData: (bytes) => {
      received += new TextDecoder().decode(bytes);
    },
    onClosed: closed.resolve,
  });
  stream.write(new Uint8Array(1000));
  // All of this happens in one turn of the event loop, so the reset arrives before anything is read.
  router.write('last words');
  router.destroy();
  stream.write(new Uint8Array(1000));
  assert.match(await closed.promise, /^connection (reset|closed) by the peer$/);
  assert.equal(received, 'last words');
});

test('a stream whose octets take 5 ms to handle waits for the next turn of the event loop', () => {
  const clock = new VirtualClock();
  const socket = new Socket();
  const handler: StreamHandler = {
    onConnected: () => undefined,
    onData: () => clock.advance(2),
    onDrain: () => undefined,
    onClosed: () => undefined,
  };
  const stream = new TcpStream({ socket, fd: -1, family: 4, handler, clock });
  const pausedAfter = Array.from({ length: 3 }, () => {
    socket.emit('data', new Uint8Array(65_536));
    return socket.isPaused();
  });
  assert.deepEqual(pausedAfter, [false, false, true]);
  clock.advance(1);
  assert.equal(socket.isPaused(), false);
  stream.destroy();
});

test('octets that arrive faster than they are handled are delivered whole and in order', async () => {
  const total = 4 * 1024 * 1024;
  let received = 0;
  let inOrder = true;
  const closed = Promise.withResolvers<string>();
  const { stream, router } = await connected({
    onData: (bytes) => {
      for (const octet of bytes) inOrder &&= octet === received++ % 251;
      busy(3);
    },
    onClosed: closed.resolve,
  });
  router.end(Uint8Array.from({ length: total }, (_, at) => at % 251));
  assert.equal(await closed.promise, 'connection closed by the peer');
  assert.ok(inOrder);
  assert.equal(received, total);
  stream.destroy();
});

test('when a connection breaks while its stream is paused, the waiting chunk is delivered before the octets in the kernel', async () => {
  const total = 600_000;
  let received = 0;
  let inOrder = true;
  const closed = Promise.withResolvers<string>();
  const { stream, router } = await connected({
    onData: (bytes) => {
      for (const octet of bytes) inOrder &&= octet === received++ % 251;
      busy(6);
      // The peer has gone, so this write fails while the stream waits.
      stream.write(new Uint8Array(100));
    },
    onClosed: closed.resolve,
  });
  router.write(
    Uint8Array.from({ length: total }, (_, at) => at % 251),
    () => router.destroy(),
  );
  await closed.promise;
  assert.ok(inOrder);
  assert.ok(received > 65_536, `${received} octets`);
});

test('when the TCP MD5 key of a peer cannot be set, no connection is accepted from its address, not even for a peer without a key', async () => {
  const address = ip('127.0.0.4');
  const port = await freePort();
  const tooLong = 'x'.repeat(81);
  const failures: ListenFailure[] = [];
  const listener = tcpTransport.listen(
    port,
    [{ address, password: tooLong }, { address, password: tooLong }, { address }],
    () => assert.fail('a connection was accepted'),
    (failure) => failures.push(failure),
  );
  try {
    assert.equal(failures.length, 3);
    const stranger = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.4' });
    stranger.on('error', () => undefined);
    await once(stranger, 'close');
  } finally {
    listener.close();
  }
});

test('listen() reports which peers cannot connect and why, and accepts no connection without the TCP MD5 key of the peer', async () => {
  const taken = createServer();
  taken.listen(0, '0.0.0.0');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const [first, second] = [ip('127.0.0.2'), ip('127.0.0.3')];
  const failures: ListenFailure[] = [];
  const listen = (at: number) =>
    tcpTransport.listen(
      at,
      [
        { address: first, password: 'a' },
        { address: second },
        { address: first, password: 'b' },
        { address: second },
      ],
      () => assert.fail('a connection was accepted'),
      (failure) => failures.push(failure),
    );
  try {
    listen(port).close();
    assert.deepEqual(failures.splice(0), [{ family: 4, reason: 'address and port already in use' }]);
  } finally {
    taken.close();
    await once(taken, 'close');
  }
  const listener = listen(port);
  try {
    assert.deepEqual(failures, [
      {
        family: 4,
        peer: { address: first, password: 'b' },
        reason:
          'another peer at the address has a different password, and the kernel keeps one for each address',
      },
    ]);
    // The kernel drops the stranger's SYN, which has no signature.
    const stranger = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    const outcome = await Promise.race([
      once(stranger, 'connect').then(() => 'connected'),
      setTimeout(100, 'no answer', { ref: false }),
    ]);
    stranger.destroy();
    assert.equal(outcome, 'no answer');
  } finally {
    listener.close();
  }
});

test('an incoming connection carries the password in force for its address, which is that of the first peer there', async () => {
  const port = await freePort();
  const unsigned = ip('127.0.0.5');
  const signed = ip('127.0.0.6');
  const passwords: [string, string | undefined][] = [];
  const listener = tcpTransport.listen(
    port,
    [
      { address: unsigned },
      { address: unsigned, password: 'a' },
      { address: signed, password: 'b' },
      { address: signed },
    ],
    (incoming) => {
      passwords.push([formatIp(incoming.remoteAddress), incoming.password]);
      incoming.reject();
    },
    () => undefined,
  );
  try {
    assert.ok(await handshake(port, '127.0.0.5', 64, { deadlineMs: patienceMs }));
    assert.ok(await handshake(port, '127.0.0.6', 64, { deadlineMs: patienceMs, password: 'b' }));
    await eventually('both connections', () => passwords.length === 2);
    assert.deepEqual(passwords.toSorted(), [
      ['127.0.0.5', undefined],
      ['127.0.0.6', 'b'],
    ]);
  } finally {
    listener.close();
  }
});

/** Connects from the address with the TTL, and returns whether the handshake completes before the deadline. */
async function handshake(
  port: number,
  localAddress: string,
  ttl: number,
  {
    to = '127.0.0.1',
    deadlineMs,
    ...key
  }: { readonly to?: string; readonly deadlineMs: number; readonly password?: string },
): Promise<boolean> {
  const target = ip(to);
  const outcome = Promise.withResolvers<boolean>();
  const stream = tcpTransport.connect(
    { address: target, port, sourceAddress: ip(localAddress), ttl, userTimeoutMs: 0, ...key },
    {
      onConnected: () => outcome.resolve(true),
      onData: () => undefined,
      onDrain: () => undefined,
      onClosed: (reason) => outcome.reject(new Error(reason)),
    },
  );
  const isConnected = await Promise.race([outcome.promise, setTimeout(deadlineMs, false, { ref: false })]);
  stream.destroy();
  return isConnected;
}

test('the listener drops a SYN with too low a TTL only for a peer that has a minimum TTL (RFC 5082)', async () => {
  const port = await freePort();
  const accepted: string[] = [];
  const listener = tcpTransport.listen(
    port,
    [
      { address: ip('127.0.0.2'), minimumTtl: 255 },
      { address: ip('127.0.0.3') },
      { address: ip('127.0.0.4'), minimumTtl: 200 },
      { address: ip('::1'), minimumTtl: 255 },
    ],
    (incoming) => {
      accepted.push(formatIp(incoming.remoteAddress));
      incoming.reject();
    },
    ({ reason }) => assert.fail(reason),
  );
  try {
    const rows: [from: string, ttl: number, connects: boolean, to?: string][] = [
      ['127.0.0.2', 254, false],
      ['127.0.0.2', 255, true],
      ['127.0.0.3', 1, true],
      ['127.0.0.4', 199, false],
      ['127.0.0.4', 200, true],
      ['::1', 64, false, '::1'],
      ['::1', 255, true, '::1'],
    ];
    for (const [from, ttl, connects, to] of rows) {
      const deadlineMs = connects ? patienceMs : 150;
      const isConnected = await handshake(port, from, ttl, { ...(to ? { to } : {}), deadlineMs });
      assert.equal(isConnected, connects, `${from} with TTL ${ttl}`);
    }
    const expected = rows.filter(([, , connects]) => connects).map(([from]) => from);
    await eventually('all connections', () => accepted.length >= expected.length);
    assert.deepEqual(accepted.toSorted(), expected.toSorted());
  } finally {
    listener.close();
  }
});

test('a change of the TTL security of a peer applies to a connection that the peer has already made', async () => {
  const port = await freePort();
  let received = '';
  const handler = { onConnected: () => undefined, onDrain: () => undefined, onClosed: () => undefined };
  const accepted = Promise.withResolvers<Stream>();
  const listener = tcpTransport.listen(
    port,
    [{ address: ip('127.0.0.2'), minimumTtl: 255 }],
    (incoming) => {
      const onData = (bytes: Uint8Array) => {
        received += new TextDecoder().decode(bytes);
      };
      accepted.resolve(incoming.accept({ minimumTtl: 255, userTimeoutMs: 0 }, { ...handler, onData }));
    },
    ({ reason }) => assert.fail(reason),
  );
  const peer = tcpTransport.connect(
    { address: ip('127.0.0.1'), port, sourceAddress: ip('127.0.0.2'), ttl: 255, userTimeoutMs: 0 },
    { ...handler, onData: () => undefined },
  );
  const stream = await accepted.promise;
  try {
    peer.apply({ ttl: 64, userTimeoutMs: 0 });
    peer.write(new TextEncoder().encode('from afar'));
    await setTimeout(100);
    assert.equal(received, '');
    stream.apply({ userTimeoutMs: 0 });
    await eventually('the octets', () => received === 'from afar');
  } finally {
    peer.destroy();
    stream.destroy();
    listener.close();
  }
});

for (const moment of ['right after octets arrive', 'in the turn after it has paused for other work'] as const)
  test(`a stream that freezes ${moment} reads nothing more from a peer that floods it, and loses no octet when it thaws`, async (t) => {
    const total = 2 * 2 ** 20;
    const sent = Buffer.alloc(total, 0).map((_, i) => (i >> 10) & 0xff);
    let received = 0;
    let isRight = true;
    let isFrozen = false;
    const flooded = Promise.withResolvers<void>();
    const all = Promise.withResolvers<void>();
    const { stream, router } = await connected({
      onData: (bytes) => {
        if (isFrozen) isRight = false;
        isRight &&= Buffer.compare(bytes, sent.subarray(received, received + bytes.length)) === 0;
        received += bytes.length;
        // This takes longer than a stream may work in one turn.
        busy(6);
        if (received > 2 ** 19) flooded.resolve();
        if (received === total) all.resolve();
      },
    });
    // A paused socket does not keep the process alive.
    const alive = setInterval(() => undefined, 1000);
    t.after(() => {
      clearInterval(alive);
      stream.destroy();
      router.destroy();
    });
    router.write(sent);
    await flooded.promise;
    if (moment !== 'right after octets arrive') await setTimeout(1);
    const descriptor = stream.freeze();
    assert.notEqual(descriptor, undefined);
    isFrozen = true;
    const atFreeze = received;
    for (let i = 0; i < 20; i++) await setTimeout(1);
    assert.equal(received, atFreeze);
    isFrozen = false;
    stream.thaw();
    await all.promise;
    assert.ok(isRight);
  });
