import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { parseIp } from '../../../src/address/index.ts';
import { tcpTransport } from '../../../src/bgp/transport/tcp.ts';
import type { ListenFailure } from '../../../src/bgp/transport/transport.ts';

test('what the peer said before it closed is read, also when our own write is the first to notice', async () => {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = parseIp('127.0.0.1');
  assert.ok(address);
  let heard = '';
  const connected = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<string>();
  try {
    const accepted = once(server, 'connection');
    const stream = tcpTransport.connect(
      { address, port: (server.address() as AddressInfo).port, userTimeoutMs: 0 },
      {
        onConnected: connected.resolve,
        onData: (bytes) => {
          heard += new TextDecoder().decode(bytes);
        },
        onDrain: () => undefined,
        onClosed: closed.resolve,
      },
    );
    await connected.promise;
    const [peer] = (await accepted) as [Socket];
    stream.write(new Uint8Array(1000));
    // All in one turn of the loop: the reset is there before anything can be read.
    peer.write('last words');
    peer.destroy();
    stream.write(new Uint8Array(1000));
    assert.match(await closed.promise, /^connection (reset|closed) by the peer$/);
    assert.equal(heard, 'last words');
  } finally {
    server.close();
  }
});

test('where a key cannot be set nobody is let in from the address, whoever else is configured there', async () => {
  const address = parseIp('127.0.0.4');
  assert.ok(address);
  const free = createServer();
  free.listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  const tooLong = 'x'.repeat(81);
  const failures: ListenFailure[] = [];
  const listener = tcpTransport.listen(
    port,
    [{ address, password: tooLong }, { address, password: tooLong }, { address }],
    () => assert.fail('nobody may come in'),
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

test('listen() says which peers cannot connect and why, and lets nobody in without the key', async () => {
  const taken = createServer();
  taken.listen(0, '0.0.0.0');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const [first, second] = [parseIp('127.0.0.2'), parseIp('127.0.0.3')];
  assert.ok(first && second);
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
      () => assert.fail('nobody may come in'),
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
        reason: 'another peer at the address has another password, and there can be one only',
      },
    ]);
    // Its SYN has no signature: the kernel drops it.
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
