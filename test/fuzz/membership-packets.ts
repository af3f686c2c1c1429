/** Fuzzes the decoder of membership packets, which decrypted datagrams carry. Its inputs are packets, mutated packets and random octets. */
import assert from 'node:assert/strict';
import { decodePacket, encodePacket } from '../../src/membership/codec.ts';
import { treeWidth } from '../../src/membership/hash-tree.ts';
import { type Body, maxBranches, type Packet, type Update } from '../../src/membership/packet.ts';
import { textPayload, textPayloads } from '../support/text-payloads.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

const epochMs = 1_700_000_000_000;
const context = { payloads: textPayloads, epochMs, readsBranches: true };
const states = ['alive', 'suspect', 'dead', 'left'] as const;
const hosts = ['', '192.0.2.1', '2001:db8::1', 'fe80::1%eth0', '0.0.0.0', 'ff02::1', 'no address'];

export const membershipPackets: FuzzTarget = {
  name: 'membership-packets',
  weight: 20,
  budget: { cpuMs: 5, heapOctets: 4 * 1024 * 1024 },
  expectedVerdicts: ['decoded', 'truncated', 'update out of bounds'],
  run(random, meter) {
    const octets = nextDatagram(random);
    const decoded = meter.measure(() => decodePacket(octets, context));
    if (!decoded.ok) return decoded.error;
    const again = decodePacket(encodePacket(decoded.value), context);
    assert.ok(again.ok, 'the encoding of a decoded packet is refused');
    assert.deepEqual(again.value, decoded.value);
    return 'decoded';
  },
};

function nextDatagram(random: Random): Buffer {
  if (random.oneIn(10)) return Buffer.from(random.octets(random.below(1500)));
  const octets = encodePacket(nextPacket(random));
  return random.oneIn(4) ? octets : Buffer.from(mutate(octets, random));
}

/** A packet with any content that its encoding can carry. */
export function nextPacket(random: Random): Packet {
  return {
    from: text(random),
    incarnation: incarnation(random),
    summary: random.uint32(),
    readsBranches: true,
    body: body(random),
    updates: Array.from({ length: random.below(6) }, () => update(random)),
  };
}

function body(random: Random): Body {
  const sequence = random.uint32();
  const hashes = () => Uint32Array.from({ length: treeWidth }, () => random.uint32());
  switch (random.below(7)) {
    case 0:
      return { kind: 'ping', sequence };
    case 1:
      return { kind: 'ack', sequence, target: text(random) };
    case 2:
      return { kind: 'ping-request', sequence, target: text(random), endpoint: endpoint(random) };
    case 3:
      return { kind: 'verify', target: text(random), incarnation: incarnation(random) };
    case 4:
      return { kind: 'digest', members: hashes(), payloads: hashes(), wantsReply: random.oneIn(2) };
    case 5:
      return {
        kind: 'branches',
        branches: Array.from({ length: random.below(maxBranches + 1) }, () => ({
          tree: random.pick(['members', 'payloads'] as const),
          bucket: random.below(treeWidth),
          leaves: hashes(),
        })),
        wantsReply: random.oneIn(2),
      };
    default:
      return { kind: random.oneIn(2) ? 'gossip' : 'records' };
  }
}

function update(random: Random): Update {
  if (random.oneIn(3)) return textPayload(text(random));
  return {
    kind: 'member',
    name: text(random),
    state: random.pick(states),
    incarnation: incarnation(random),
    endpoint: endpoint(random),
    metadata: text(random),
  };
}

function endpoint(random: Random): { host: string; port: number } {
  return { host: random.pick(hosts), port: random.pick([0, 1, 7946, 65_535]) };
}

function incarnation(random: Random): number {
  return random.pick([0, 1, epochMs, epochMs + 86_400_000, epochMs + 3 * 86_400_000, 2 ** 47]);
}

function text(random: Random): string {
  const length = random.oneIn(30) ? 255 : random.pick([0, 1, 1, 253]);
  return 'node-1.example'.slice(0, random.below(14)).padEnd(length, 'x');
}
