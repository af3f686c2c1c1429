import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodePassedSession, encodePassedSession } from '../../../../src/bfd/codec/passed-session.ts';
import { packet } from '../packets.ts';

const session = {
  remote: { ...packet(), authentication: undefined },
  sentSequence: 0xffff_fffe,
  receivedSequence: 7,
  path: '["192.0.2.2","eth0",null,"single-hop"]',
};
const { authentication: _, ...remote } = session.remote;

describe('a BFD session that is passed on', () => {
  for (const receivedSequence of [undefined, 0, 7])
    test(`keeps its values with the received sequence number ${receivedSequence}`, () => {
      const passed = { ...session, remote, receivedSequence };
      const decoded = decodePassedSession(encodePassedSession(passed));
      assert.ok(decoded.ok);
      assert.deepEqual({ ...decoded.value, remote: { ...decoded.value.remote } }, passed);
    });

  test('is refused when it ends before its path, and causes no exception when octets are changed', () => {
    const octets = encodePassedSession({ ...session, remote });
    for (let end = 0; end <= 33; end++) assert.equal(decodePassedSession(octets.subarray(0, end)).ok, false);
    for (let at = 0; at < octets.length; at++) {
      const changed = Uint8Array.from(octets);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      assert.doesNotThrow(() => decodePassedSession(changed));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80, size: 'max' }), (any) => void decodePassedSession(any)),
    );
  });

  test('is refused without our discriminator', () => {
    const octets = encodePassedSession({ ...session, remote });
    octets.fill(0, 8, 12);
    assert.equal(decodePassedSession(octets).ok, false);
  });
});
