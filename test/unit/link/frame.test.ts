import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMac, isStationMac, payloadOffset, payloadType } from '../../../src/link/frame.ts';
import { captured, frame, mac as macFrom, tagged } from '../../support/neighbour-frames.ts';

test('payloadOffset() skips priority tags and rejects VLAN tags', () => {
  const bytes = frame(captured.arpRequest);
  assert.equal(payloadOffset(bytes, bytes.length), 14);
  assert.equal(payloadOffset(tagged(bytes, 0), 46), 18);
  assert.equal(payloadOffset(tagged(bytes, 0xe000), 46), 18, 'a priority alone is not a VLAN');
  assert.equal(payloadOffset(tagged(bytes, 4095), 46), -2);
  assert.equal(payloadOffset(tagged(bytes, 0), 17), -1);
  assert.equal(payloadOffset(bytes, 13), -1);
});

test('payloadType() returns the type after a priority tag', () => {
  const bytes = frame(captured.arpRequest);
  assert.equal(payloadType(tagged(bytes, 0), 46), 0x0806);
  assert.equal(payloadType(frame(captured.solicitation), 86), 0x86dd);
  assert.equal(payloadType(tagged(bytes, 1), 46), -2);
});

test('formatMac() writes lower-case octets separated by colons', () => {
  assert.equal(formatMac(Uint8Array.of(9, 2, 10, 0, 0, 0, 255), 1), '02:0a:00:00:00:ff');
});

test('isStationMac() rejects group addresses and the zero address', () => {
  for (const [text, expected] of [
    ['02:00:00:00:00:0a', true],
    ['00:00:00:00:00:01', true],
    ['00:00:00:00:00:00', false],
    ['ff:ff:ff:ff:ff:ff', false],
    ['33:33:00:00:00:01', false],
  ] as const)
    assert.equal(isStationMac(macFrom(text), 0), expected, text);
});
