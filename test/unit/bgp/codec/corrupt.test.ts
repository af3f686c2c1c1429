import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDecode } from '../../../fuzz/bgp-message-check.ts';
import { everyCapture } from './captures.ts';

/** Each capture, once with the options of its session and twice with options that give the same octets another meaning. */
const corpus = everyCapture.flatMap(({ bytes, options }) => [
  { bytes, options },
  { bytes, options: { ...options, fourOctetAs: !options.fourOctetAs } },
  { bytes, options: { ...options, internal: true, addPath: [{ afi: 2, safi: 1 }] } },
]);

function withLength(bytes: Uint8Array): Uint8Array {
  bytes[16] = bytes.length >> 8;
  bytes[17] = bytes.length;
  return bytes;
}

test('decodeMessage() passes checkDecode() with a message cut off at any octet, whether its header has the old or the new length', () => {
  for (const { bytes, options } of corpus)
    for (let end = 0; end < bytes.length; end++) {
      const cut = bytes.slice(0, end);
      assert.equal(checkDecode(cut, options), 'refused');
      if (end >= 19) checkDecode(withLength(cut), options);
    }
});

test('decodeMessage() passes checkDecode() with any octet of a message changed', () => {
  const seen = new Set<string>();
  for (const { bytes, options } of corpus)
    for (let at = 16; at < bytes.length; at++)
      for (const change of [0x01, 0x80, 0xff, 0x10]) {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ change;
        seen.add(checkDecode(changed, options));
      }
  assert.deepEqual([...seen].sort(), ['refused', 'sound', 'with faults']);
});

test('decodeMessage() passes checkDecode() with any octet of a short message set to every value', () => {
  const short = corpus.filter(({ bytes }) => bytes.length < 90).filter((_, index) => index % 8 === 0);
  for (const { bytes, options } of short)
    for (let at = 18; at < bytes.length; at++)
      for (let value = 0; value < 256; value++) {
        const changed = bytes.slice();
        changed[at] = value;
        checkDecode(changed, options);
      }
});

test('decodeMessage() passes checkDecode() with octets inserted or removed anywhere', () => {
  for (const { bytes, options } of corpus)
    for (let at = 19; at <= bytes.length; at++) {
      const grown = new Uint8Array(bytes.length + 2);
      grown.set(bytes.subarray(0, at));
      grown.set(bytes.subarray(at), at + 2);
      checkDecode(withLength(grown), options);
      const shrunk = new Uint8Array(bytes.length - 1);
      shrunk.set(bytes.subarray(0, at - 1));
      shrunk.set(bytes.subarray(at), at - 1);
      checkDecode(withLength(shrunk), options);
    }
});
