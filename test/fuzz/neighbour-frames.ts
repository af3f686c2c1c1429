/**
 * Fuzzes the code that reads Ethernet frames. Its inputs are ARP and Neighbour Discovery frames of Linux, tagged or untagged. Most of them are
 * mutated. A capture reuses its buffer, so the verdict on a frame must not depend on octets behind that frame.
 */
import assert from 'node:assert/strict';
import { isArp } from '../../src/arp/packet.ts';
import { etherType, payloadOffset, readUint16 } from '../../src/link/frame.ts';
import { NeighbourMessage } from '../../src/ndp/packet.ts';
import { captured, frame, tagged, withChecksum } from '../support/neighbour-frames.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

const frames = Object.values(captured).map(frame);
const bufferOctets = 2048;

export const neighbourFrames: FuzzTarget = {
  name: 'neighbour-frames',
  weight: 20,
  budget: { cpuMs: 5, heapOctets: 4 * 1024 * 1024 },
  expectedVerdicts: ['ARP', 'other', 'malformed', 'checksum', 'valid'],
  run(random, meter) {
    const octets = nextFrame(random);
    const zeros = inBuffer(octets, 0);
    const ones = inBuffer(octets, 0xff);
    const verdict = meter.measure(() => judge(zeros, octets.length));
    assert.equal(judge(ones, octets.length), verdict, 'octets behind the frame change its verdict');
    assert.deepEqual(zeros, inBuffer(octets, 0), 'reading changes the frame');
    return verdict;
  },
};

function nextFrame(random: Random): Buffer {
  let octets = random.pick(frames);
  if (random.oneIn(4)) octets = tagged(octets, random.pick([0, 1, 0xfff]));
  if (!random.oneIn(4)) octets = Buffer.from(mutate(octets, random)).subarray(0, bufferOctets);
  const isCompleteNdp = octets.length > 58 && readUint16(octets, 12) === etherType.ipv6;
  return isCompleteNdp && random.oneIn(2) ? withChecksum(octets) : octets;
}

function inBuffer(octets: Uint8Array, filler: number): Uint8Array {
  const buffer = new Uint8Array(bufferOctets).fill(filler);
  buffer.set(octets);
  return buffer;
}

/** Judges the frame as the responders do. */
function judge(buffer: Uint8Array, length: number): string {
  const at = payloadOffset(buffer, length);
  if (at < 0) return 'other';
  switch (readUint16(buffer, at - 2)) {
    case etherType.arp:
      return isArp(buffer, length, at) ? 'ARP' : 'malformed';
    case etherType.ipv6: {
      const message = new NeighbourMessage();
      const problem = message.read(buffer, length, at);
      if (problem !== undefined) return problem;
      assert.ok(message.linkLayerAt + 6 <= length, 'the link-layer address lies behind the frame');
      return 'valid';
    }
    default:
      return 'other';
  }
}
