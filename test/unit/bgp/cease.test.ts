import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cease, cease, hardReset, isCollision } from '../../../src/bgp/cease.ts';

const bytes = (text: string) => Uint8Array.of(...Buffer.from(text));

describe('cease()', () => {
  test('carries the reason as a shutdown communication (RFC 9003)', () => {
    const { code, subcode, data } = cease(Cease.administrativeShutdown, 'node drain: worker-3');
    assert.deepEqual([code, subcode, data], [6, 2, Uint8Array.of(20, ...bytes('node drain: worker-3'))]);
    assert.deepEqual(cease(Cease.peerDeconfigured).data, new Uint8Array(0));
  });

  test('cuts a long reason at a character boundary', () => {
    const { data } = cease(Cease.administrativeShutdown, 'ü€'.repeat(60));
    // `cease()` keeps at most 128 octets. 25 times 5 octets and 2 more are 127. The next character has 3 octets, so it does not fit.
    assert.equal(Buffer.from(data.subarray(1)).toString(), `${'ü€'.repeat(25)}ü`);
    assert.equal(data[0], 127);
  });
});

describe('hardReset()', () => {
  test('wraps code, subcode and data (RFC 8538 section 3.1)', () => {
    assert.deepEqual(hardReset(cease(Cease.administrativeShutdown, 'x')), {
      code: 6,
      subcode: 9,
      data: Uint8Array.of(6, 2, 1, 0x78),
    });
  });
});

describe('isCollision()', () => {
  test('is true for Cease/Connection Collision Resolution only', () => {
    assert.ok(isCollision(cease(Cease.connectionCollision)));
    assert.ok(!isCollision(cease(Cease.bfdDown)));
  });
});
