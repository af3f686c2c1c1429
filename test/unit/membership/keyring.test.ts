import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Keyring, parseKeys, retiredKeyMs } from '../../../src/membership/keyring.ts';

const key = (octet: number) => new Uint8Array(32).fill(octet);

describe('Keyring', () => {
  test('seals with the first key, and opens with a replaced key for ten more minutes', () => {
    const ring = new Keyring([key(1)]);
    const old = ring.sealing.id;
    ring.replace([key(2)], 1000);
    assert.notEqual(ring.sealing.id, old);
    assert.ok(ring.opening(old, 1000 + retiredKeyMs - 1));
    assert.equal(ring.opening(old, 1000 + retiredKeyMs), undefined);
    assert.equal(retiredKeyMs, 600_000);
  });

  test('later changes do not extend the time of a retired key, and a key that is configured again stays valid', () => {
    const ring = new Keyring([key(1)]);
    const old = ring.sealing.id;
    ring.replace([key(2)], 0);
    ring.replace([key(3)], retiredKeyMs / 2);
    assert.equal(ring.opening(old, retiredKeyMs), undefined);
    ring.replace([key(3), key(1)], retiredKeyMs);
    assert.ok(ring.opening(old, 10 * retiredKeyMs));
  });
});

test('parseKeys reads 32 octets in base64 from each line and names the line that is invalid', () => {
  const good = Buffer.from(key(1)).toString('base64');
  assert.ok(parseKeys([good]).ok);
  for (const bad of ['c2hvcnQ=', `!!${good}`, `${good}!`, ''])
    assert.deepEqual(parseKeys([good, bad]), { ok: false, error: 'key 2 must be 32 octets in base64' });
  assert.deepEqual(parseKeys([]), { ok: false, error: 'no key' });
});
