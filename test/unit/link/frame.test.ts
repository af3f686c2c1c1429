import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMac, isStationMac, parseMac, payloadOffset, payloadType } from '../../../src/link/frame.ts';
import { captured, frame, tagged } from '../../support/neighbour-frames.ts';

test('payloadOffset() looks through priority tags and not into VLANs', () => {
  const bytes = frame(captured.arpRequest);
  assert.equal(payloadOffset(bytes, bytes.length), 14);
  assert.equal(payloadOffset(tagged(bytes, 0), 46), 18);
  assert.equal(payloadOffset(tagged(bytes, 0xe000), 46), 18, 'the priority is no VLAN');
  assert.equal(payloadOffset(tagged(bytes, 4095), 46), -2);
  assert.equal(payloadOffset(tagged(bytes, 0), 17), -1);
  assert.equal(payloadOffset(bytes, 13), -1);
});

test('payloadType() tells the type of what is inside', () => {
  const bytes = frame(captured.arpRequest);
  assert.equal(payloadType(tagged(bytes, 0), 46), 0x0806);
  assert.equal(payloadType(frame(captured.solicitation), 86), 0x86dd);
  assert.equal(payloadType(tagged(bytes, 1), 46), -2);
});

test('parseMac() reads what formatMac() writes and nothing else', () => {
  assert.equal(formatMac(parseMac('02:0A:00:00:00:ff') ?? assert.fail()), '02:0a:00:00:00:ff');
  for (const text of ['', '02:0a:00:00:00', '02:0a:00:00:00:0g', '020a000000ff', '02:0a:00:00:00:ff:00'])
    assert.equal(parseMac(text), undefined, text);
});

test('isStationMac() refuses groups and zeros', () => {
  for (const [text, expected] of [
    ['02:00:00:00:00:0a', true],
    ['00:00:00:00:00:01', true],
    ['00:00:00:00:00:00', false],
    ['ff:ff:ff:ff:ff:ff', false],
    ['33:33:00:00:00:01', false],
  ] as const)
    assert.equal(isStationMac(parseMac(text) ?? assert.fail(), 0), expected, text);
});
