import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { parseIp } from '../../../src/address/index.ts';
import { tcpTransport } from '../../../src/bgp/transport/tcp.ts';

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
