import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { octetsOf } from '../../../../src/bfd/transport/address-octets.ts';
import { packetProgram } from '../../../../src/bfd/transport/packet-program.ts';
import type { PacketFilter } from '../../../../src/bfd/transport/transport.ts';
import { isLittleEndian } from '../../../../src/linux/libc.ts';
import {
  jumpIfEqual,
  jumpIfGreaterOrEqual,
  loadOctet,
  loadWord,
  networkHeader,
} from '../../../../src/linux/socket-filter.ts';

interface Arrival {
  readonly source: string;
  readonly ttl: number;
  readonly discriminator?: number;
}

/** Whether the kernel would accept the packet: runs the program on an IP packet without options. */
function accepts(program: Uint8Array, { source, ttl, discriminator = 1 }: Arrival): boolean {
  const octets = octetsOf(source);
  const isIpv4 = octets.length === 4;
  const headerOctets = isIpv4 ? 20 : 40;
  const packet = Buffer.alloc(headerOctets + 8 + 24);
  packet.writeUInt8(ttl, isIpv4 ? 8 : 7);
  packet.set(octets, isIpv4 ? 12 : 8);
  packet.writeUInt32BE(discriminator, headerOctets + 8 + 8);
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  let accumulator = 0;
  for (let at = 0; ; at += 8) {
    const code = view.getUint16(at, isLittleEndian);
    const operand = view.getUint32(at + 4, isLittleEndian);
    const signed = operand | 0;
    const position = signed < 0 ? signed - networkHeader : signed + headerOctets;
    const jump = (condition: boolean) => 8 * view.getUint8(at + (condition ? 2 : 3));
    if (code === loadOctet) accumulator = packet.readUInt8(position);
    else if (code === loadWord) accumulator = packet.readUInt32BE(position);
    else if (code === jumpIfEqual) at += jump(accumulator === operand);
    else if (code === jumpIfGreaterOrEqual) at += jump(accumulator >= operand);
    else return operand !== 0;
  }
}

describe('packetProgram', () => {
  for (const [family, a, b, stranger] of [
    [4, '192.0.2.2', '203.0.113.2', '198.51.100.1'],
    [6, '2001:db8::2', '2001:db8::3', '2001:db8::1:2'],
  ] as const)
    test(`accepts a packet over IPv${family} only if its TTL is at least the minimum for its sender, and the filter allows its discriminator`, () => {
      const filter: PacketFilter = {
        minimumTtl: 64,
        peerMinimumTtls: [
          { peerAddress: a, minimumTtl: 254 },
          { peerAddress: b, minimumTtl: 200 },
        ],
      };
      const least = new Map([
        [a, 254],
        [b, 200],
        [stranger, 64],
      ]);
      const plain = packetProgram(family, filter);
      const shielded = packetProgram(family, { ...filter, discriminators: [7, 0xffff_fff0] });
      for (const [source, minimum] of least)
        for (const ttl of [0, 63, 64, 199, 200, 253, 254, 255]) {
          assert.equal(accepts(plain, { source, ttl }), ttl >= minimum, `${source} with TTL ${ttl}`);
          for (const discriminator of [7, 0xffff_fff0])
            assert.equal(accepts(shielded, { source, ttl, discriminator }), ttl >= minimum);
          assert.equal(accepts(shielded, { source, ttl, discriminator: 8 }), false);
        }
    });

  test('refuses a program that is too long for the kernel', () => {
    const discriminators = (length: number) => Array.from({ length }, (_, i) => i + 1);
    const program = packetProgram(4, { minimumTtl: 255, discriminators: discriminators(2045) });
    assert.equal(program.length / 8, 4095);
    assert.throws(
      () => packetProgram(4, { minimumTtl: 255, discriminators: discriminators(2046) }),
      /a program of 4097 instructions is longer than the limit of 4096/,
    );
  });
});
