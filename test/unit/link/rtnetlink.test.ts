import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatIp, formatPrefix } from '../../../src/address/index.ts';
import { carries, LinkTable } from '../../../src/link/link-table.ts';
import {
  decodeMessage,
  encodeDumpRequest,
  type LinkMessage,
  type RtnetlinkMessage,
  requestType,
  splitDatagram,
} from '../../../src/link/rtnetlink-message.ts';
import { ip } from '../../support/addresses.ts';
import { frame, hex } from '../../support/neighbour-frames.ts';

/** Decodes all messages of a datagram. */
function decodeMessages(datagram: Uint8Array): RtnetlinkMessage[] {
  return [...splitDatagram(datagram)].flatMap((raw) => decodeMessage(raw) ?? []);
}

/** RTM_NEWADDR of Linux 6 (x86-64) for 192.0.2.2/24 and 2001:db8::b/64 on interface 2, and the end of the dump. */
const dumped = [
  '4c00000014000200010000001d000000021880000200000008000100c000020208000200c00002020700030065620000080008008000000014000600ffffffffffffffff08332e0008332e00',
  '4800000014000200010000001d0000000a408000020000001400010020010db800000000000000000000000b14000600ffffffffffffffff82332e0082332e000800080080000000',
  '1400000003000200010000001d00000000000000',
].join('');

test('decodeMessage() reads the addresses of a kernel dump', () => {
  const messages = decodeMessages(frame(dumped));
  assert.deepEqual(
    messages.map((message) =>
      message.kind === 'address'
        ? `${message.index} ${formatIp(message.address)} ${formatIp(message.network)}/${message.prefixLength}`
        : message.kind,
    ),
    ['2 192.0.2.2 192.0.2.2/24', '2 2001:db8::b 2001:db8::b/64', 'done'],
  );
});

test('decodeMessage() reads a link with its master, and ignores messages of bridges about their ports', () => {
  const attributes = [
    '0700030065620000', // name "eb"
    '0a00010002000000000b0000', // address
    '08000a0005000000', // master 5
    '140012000b00040062726964676500000500010000000000'.slice(0, 40), // info: member kind "bridge"
  ].join('');
  const link = (type: string, family: string) => {
    const body = `${family}000100020000004310010000000000${attributes}`;
    const length = 16 + body.length / 2;
    return `${length.toString(16).padStart(2, '0')}000000${type}0000000000000000000000${body}`;
  };
  assert.deepEqual(decodeMessages(frame(link('10', '00'))), [
    {
      kind: 'link',
      index: 2,
      name: 'eb',
      hardwareType: 1,
      flags: 0x11043,
      mac: Uint8Array.of(2, 0, 0, 0, 0, 11),
      master: 5,
      memberKind: 'bridge',
    },
  ]);
  assert.deepEqual(decodeMessages(frame(link('11', '00'))), [{ kind: 'link-gone', index: 2 }]);
  assert.deepEqual(
    decodeMessages(frame(link('11', '07'))),
    [],
    'a port that leaves a bridge is not a deleted link',
  );
});

test('decodeMessage() ignores a wireless event, which has the message type of a link but lacks the MAC address of the link', () => {
  const body = [
    '00000100030000004310010000000000', // wlan0 is interface 3, up with carrier
    '0a000300776c616e30000000', // name "wlan0"
    '0c000b000800198b00000000', // the event SIOCGIWSCAN: a scan is over
  ].join('');
  const length = (16 + body.length / 2).toString(16).padStart(2, '0');
  assert.deepEqual(decodeMessages(frame(`${length}000000100000000000000000000000${body}`)), []);
});

test('splitDatagram() and decodeMessage() survive truncation at every octet and changes of any octet', () => {
  const bytes = frame(dumped);
  for (let length = 0; length <= bytes.length; length++)
    assert.ok(decodeMessages(bytes.subarray(0, length)).length <= 3);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      assert.ok(decodeMessages(copy).length <= 3);
    }),
    { numRuns: 2000 },
  );
});

test('decodeMessage() reads the end of a dump that has failed as an error', () => {
  assert.deepEqual(decodeMessages(frame('1400000003000200010000001d000000f4ffffff')), [
    { kind: 'error', errno: 12 },
  ]);
});

test('encodeDumpRequest() writes the same request as iproute2', () => {
  assert.equal(
    hex(encodeDumpRequest(requestType.addresses, 1)),
    '2000000016000103010000000000000000000000000000000000000000000000',
  );
});

const running = 0x11043;
const eth0: LinkMessage = {
  kind: 'link',
  index: 2,
  name: 'eth0',
  hardwareType: 1,
  flags: running,
  mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
};

function address(text: string, prefixLength: number, index = 2, network = text) {
  return { kind: 'address', index, address: ip(text), network: ip(network), prefixLength } as const;
}

describe('LinkTable leaves out', () => {
  for (const [name, change] of [
    ['loopback', { flags: running | 0x8 }],
    ['a link without ARP', { flags: running | 0x80 }],
    ['a point-to-point link', { flags: running | 0x10 }],
    ['a link that is down', { flags: running & ~1 }],
    ['a link without carrier', { flags: running & ~0x10000 }],
    ['a tunnel', { hardwareType: 768 }],
    ['a port of a bridge', { master: 5, memberKind: 'bridge' }],
    ['a member of a bond', { master: 5, memberKind: 'bond' }],
    ['a member of an unknown kind', { master: 5 }],
  ] as const)
    test(name, () => {
      const table = new LinkTable(0);
      table.apply({ ...eth0, ...change });
      assert.deepEqual(table.links(), []);
    });
});

test('LinkTable keeps a member of a VRF', () => {
  const table = new LinkTable(0);
  table.apply({ ...eth0, master: 5, memberKind: 'vrf' });
  assert.equal(table.links().length, 1);
});

test('LinkTable lists the subnets of current addresses, without link-local subnets and host routes', () => {
  const table = new LinkTable(0);
  table.apply(eth0);
  for (const message of [
    address('192.0.2.5', 24),
    address('192.0.2.6', 24),
    address('198.51.100.1', 32),
    address('fe80::1', 64),
    address('2001:db8::5', 64),
    address('2001:db8:1::5', 128),
  ])
    assert.equal(table.apply(message), true);
  assert.deepEqual(table.links()[0]?.subnets.map(formatPrefix), ['192.0.2.0/24', '2001:db8::/64']);
  table.apply({ ...address('192.0.2.5', 24), kind: 'address-gone' });
  assert.equal(table.links()[0]?.subnets.length, 2, 'the other address keeps the subnet');
  table.apply({ ...address('192.0.2.6', 24), kind: 'address-gone' });
  assert.deepEqual(table.links()[0]?.subnets.map(formatPrefix), ['2001:db8::/64']);
  assert.ok(table.localAddresses().some((local) => formatIp(local.address) === '198.51.100.1'));
});

test('LinkTable keeps an address with one peer when the same address with another peer is deleted', () => {
  const table = new LinkTable(0);
  table.apply(eth0);
  const one = address('192.0.2.5', 24, 2, '198.51.100.1');
  const other = address('192.0.2.5', 24, 2, '203.0.113.1');
  for (const message of [one, other]) table.apply(message);
  assert.deepEqual(table.links()[0]?.subnets.map(formatPrefix), ['198.51.100.0/24', '203.0.113.0/24']);
  table.apply({ ...one, kind: 'address-gone' });
  assert.deepEqual(table.links()[0]?.subnets.map(formatPrefix), ['203.0.113.0/24']);
  assert.equal(table.localAddresses().length, 1);
});

test('LinkTable begins a new epoch only when a link goes down or gets a new MAC', () => {
  const table = new LinkTable(10);
  const epoch = () => table.links()[0]?.epoch;
  table.apply(eth0);
  assert.equal(epoch(), 10);
  table.apply(eth0);
  table.apply(address('192.0.2.5', 24));
  assert.equal(epoch(), 10);
  table.apply({ ...eth0, flags: running & ~0x10000 });
  assert.equal(epoch(), undefined);
  table.apply(eth0);
  assert.equal(epoch(), 11);
  table.apply({ ...eth0, mac: Uint8Array.of(2, 0, 0, 0, 0, 2) });
  assert.equal(epoch(), 12);
  table.apply({ kind: 'link-gone', index: 2 });
  assert.deepEqual(table.links(), []);
  assert.deepEqual(table.localAddresses(), []);
});

test('LinkTable gives a new epoch to a link that has the index of an earlier link', () => {
  const table = new LinkTable(10);
  const epochs: (number | undefined)[] = [];
  for (let turn = 0; turn < 3; turn++) {
    table.apply(eth0);
    table.apply({ ...eth0, flags: running & ~1 });
    table.apply(eth0);
    epochs.push(table.links()[0]?.epoch);
    table.apply({ kind: 'link-gone', index: 2 });
  }
  assert.deepEqual(epochs, [11, 13, 15]);
});

test('carries() looks for the link among the named links, or for the address in the subnets of the link when no link is named', () => {
  const table = new LinkTable(0);
  table.apply(eth0);
  table.apply(address('192.0.2.5', 24));
  const [link] = table.links();
  assert.ok(link);
  assert.equal(carries(link, ip('192.0.2.200'), []), true);
  assert.equal(carries(link, ip('198.51.100.7'), []), false);
  assert.equal(carries(link, ip('2001:db8::7'), []), false);
  assert.equal(carries(link, ip('198.51.100.7'), ['eth0']), true);
  assert.equal(carries(link, ip('192.0.2.200'), ['eth1']), false);
});
