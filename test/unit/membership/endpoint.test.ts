import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { isDeliverable } from '../../../src/membership/endpoint.ts';
import { openDatagramSocket } from '../../../src/membership/socket.ts';

const undeliverable = [
  { host: '127.0.0.1', port: 0 },
  { host: '127.0.0.1', port: 65_536 },
  { host: '127.0.0.1', port: 1.5 },
  { host: '', port: 7946 },
  { host: 'node-1', port: 7946 },
  { host: '224.0.0.1', port: 7946 },
  { host: '255.255.255.255', port: 7946 },
  { host: '0.0.0.0', port: 7946 },
  { host: '0.1.2.3', port: 7946 },
  { host: '::', port: 7946 },
  { host: '::0', port: 7946 },
  { host: '0:0:0:0:0:0:0:0', port: 7946 },
  { host: '::%lo', port: 7946 },
  { host: '::0.0.0.0', port: 7946 },
  { host: 'FF02::1', port: 7946 },
  { host: 'ff02::1%lo', port: 7946 },
];

test('isDeliverable() accepts literal unicast addresses with a port, and nothing else', () => {
  for (const host of [
    '192.0.2.1',
    '2001:db8::1',
    'fe80::1%eth0',
    '127.0.0.1',
    '223.255.255.255',
    'ff::1',
    '::1',
    '::ffff:192.0.2.1',
  ])
    assert.ok(isDeliverable({ host, port: 7946 }), host);
  for (const endpoint of undeliverable)
    assert.equal(isDeliverable(endpoint), false, JSON.stringify(endpoint));
});

test('the datagram socket does not throw on an undeliverable endpoint, and keeps sending', async (t) => {
  const target = createSocket('udp4');
  t.after(() => target.close());
  target.bind(0, '127.0.0.1');
  await once(target, 'listening');
  const { port } = target.address();
  const socket = await openDatagramSocket(0, () => {});
  try {
    for (const endpoint of undeliverable) socket.send(Buffer.from('x'), endpoint);
    const received = once(target, 'message');
    socket.send(Buffer.from('good'), { host: '127.0.0.1', port });
    const [datagram] = await received;
    assert.equal(String(datagram), 'good');
  } finally {
    socket.close();
    socket.send(Buffer.from('late'), { host: '127.0.0.1', port });
  }
});
