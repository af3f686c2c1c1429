/** Fuzzes the BGP codec with one message, and sometimes also with a stream of messages that arrives in pieces. */
import assert from 'node:assert/strict';
import { FrameReader } from '../../src/bgp/codec/index.ts';
import { checkDecode } from './bgp-message-check.ts';
import { nextMessage } from './bgp-messages.ts';
import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

const streamLength = 16;

export const bgpDecoder: FuzzTarget = {
  name: 'bgp-decoder',
  weight: 60,
  budget: { cpuMs: 30, heapOctets: 16 * 1024 * 1024 },
  expectedVerdicts: ['refused', 'with faults', 'sound'],
  run(random, meter) {
    if (random.oneIn(32)) checkStream(random);
    const { bytes, options } = nextMessage(random);
    try {
      return meter.measure(() => checkDecode(bytes, options));
    } catch (cause) {
      const message = Buffer.from(bytes).toString('hex');
      throw new Error(`message ${message} with ${JSON.stringify(options)}`, { cause });
    }
  },
};

/** Checks that a stream cut into pieces gives the same messages as the whole stream, up to the first wrong header. */
function checkStream(random: Random): void {
  const stream = Buffer.concat(Array.from({ length: streamLength }, () => nextMessage(random).bytes));
  const whole = framesOf([stream]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = 1 + random.below(random.oneIn(2) ? 8 : 200);
    pieces.push(stream.subarray(at, at + size));
    at += size;
  }
  assert.deepEqual(framesOf(pieces), whole);
}

function framesOf(pieces: readonly Uint8Array[]): string[] {
  const reader = new FrameReader();
  const frames: string[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let frame = reader.next(4096); frame; frame = reader.next(4096)) {
      if (!frame.ok) return [...frames, `(${frame.error.code},${frame.error.subcode})`];
      frames.push(Buffer.from(frame.value).toString('latin1'));
    }
  }
  return frames;
}
