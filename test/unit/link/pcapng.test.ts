/** Checks the octets of pcapng files. `test/e2e/capture.test.ts` checks that `tcpdump` can read such a file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../src/address/index.ts';
import { peerFilter, resolutionFilter } from '../../../src/link/capture-filter.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../../src/link/pcapng.ts';

/** The blocks of a file: type and body. Checks both lengths of each block. */
function blocksOf(file: Buffer): { type: number; body: Buffer }[] {
  const blocks: { type: number; body: Buffer }[] = [];
  for (let at = 0; at < file.length; ) {
    const length = file.readUInt32LE(at + 4);
    assert.equal(length % 4, 0);
    assert.equal(file.readUInt32LE(at + length - 4), length);
    blocks.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

test('a file has a section, interfaces and packets with their times', () => {
  const frame = Buffer.from('0123456789abc');
  const file = Buffer.concat([
    sectionHeader('bellman on node-1'),
    interfaceDescription('node-1/eth0', 65_535),
    interfaceDescription('node-1/eth1', 65_535),
    enhancedPacket(1, 1_767_225_600_123.456, frame),
  ]);
  const [section, first, second, packet, ...others] = blocksOf(file);
  assert.ok(section && first && second && packet);
  assert.deepEqual(others, []);
  assert.deepEqual([section.type, first.type, second.type, packet.type], [0x0a0d0d0a, 1, 1, 6]);
  assert.equal(section.body.readUInt32LE(0), 0x1a2b3c4d);
  assert.ok(first.body.includes('node-1/eth0') && second.body.includes('node-1/eth1'));
  assert.equal(packet.body.readUInt32LE(0), 1);
  const microseconds = (BigInt(packet.body.readUInt32LE(4)) << 32n) | BigInt(packet.body.readUInt32LE(8));
  assert.equal(microseconds, 1_767_225_600_123_456n);
  assert.deepEqual([packet.body.readUInt32LE(12), packet.body.readUInt32LE(16)], [13, 13]);
  assert.deepEqual(packet.body.subarray(20, 33), frame);
  assert.equal(packet.body.length, 36);
});

test('filters let through only the control traffic of an address or a peer', () => {
  const ip = (text: string) => {
    const address = parseIp(text);
    assert.ok(address);
    return address;
  };
  assert.equal(resolutionFilter(ip('192.0.2.240')), '(arp host 192.0.2.240)');
  assert.equal(
    resolutionFilter(ip('2001:db8::f0')),
    '(icmp6 and (ip6[40] = 135 or ip6[40] = 136) and ip6[48:4] = 0x20010db8 and ip6[52:4] = 0x0 and ip6[56:4] = 0x0 and ip6[60:4] = 0xf0)',
  );
  assert.equal(
    peerFilter(ip('192.0.2.1'), 1790),
    '(host 192.0.2.1 and (tcp port 179 or tcp port 1790 or udp port 3784 or udp port 3785 or udp port 4784))',
  );
});
