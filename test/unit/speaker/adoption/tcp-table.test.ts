import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { formatIp } from '../../../../src/address/index.ts';
import { peersWithSession } from '../../../../src/speaker/adoption/other-sessions.ts';
import { readConnections } from '../../../../src/speaker/adoption/tcp-table.ts';
import { ip } from '../../../support/addresses.ts';
import { peer } from '../fixtures.ts';

const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid';
const line = (local: string, remote: string, state: string) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 1`;
const shown = (text: string) =>
  readConnections(text).map((each) => `${each.localPort} ${formatIp(each.remote)} ${each.remotePort}`);

const tables: readonly (readonly [string, string, string[]])[] = [
  ['an IPv4 connection', line('0B0200C0:B3CE', '010200C0:00B3', '01'), ['46030 192.0.2.1 179']],
  [
    'an IPv6 connection',
    line('B80D0120000002000000000011000000:B3CE', 'B80D0120000002000000000001000000:00B3', '01'),
    ['46030 2001:db8:2::1 179'],
  ],
  [
    'an IPv4-mapped IPv6 address as IPv4',
    line('0000000000000000FFFF00000B0200C0:00B3', '0000000000000000FFFF0000010200C0:9C40', '01'),
    ['179 192.0.2.1 40000'],
  ],
  ['nothing from a listening socket', line('00000000:00B3', '00000000:0000', '0A'), []],
  ['nothing from a connection that is being closed', line('0B0200C0:B3CE', '010200C0:00B3', '04'), []],
  ['nothing from lines that do not parse', `x\n1: a b 01\n${line('1:1', 'ZZ0200C0:00B3', '01')}`, []],
];
for (const [name, text, expected] of tables)
  test(`readConnections() reads ${name}`, () => assert.deepEqual(shown(`${header}\n${text}\n`), expected));

test("readConnections() finds a connection in this kernel's table", async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  const connections = readConnections(readFileSync('/proc/net/tcp', 'latin1'));
  assert.ok(
    connections.some(
      ({ localPort, remote, remotePort }) =>
        localPort === socket.localPort && formatIp(remote) === '127.0.0.1' && remotePort === port,
    ),
  );
});

test('peersWithSession() finds sessions that either end has opened', () => {
  const router = peer('router', { address: ip('192.0.2.1') });
  const found = (localPort: number, remotePort: number, remote = '192.0.2.1') => [
    ...peersWithSession([router], [{ localPort, remote: ip(remote), remotePort }]),
  ];
  assert.deepEqual(found(40000, 179), ['router']);
  assert.deepEqual(found(179, 40000), ['router']);
  assert.deepEqual(found(40000, 443), []);
  assert.deepEqual(found(40000, 179, '192.0.2.2'), []);
});
