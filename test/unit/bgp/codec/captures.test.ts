import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage } from '../../../../src/bgp/codec/index.ts';
import { keepalive, notification, opens, refreshMarks, updates } from './captures.ts';
import { decoded, decodedUpdate, hex, readable } from './wire.ts';

for (const { name, bytes, options, means, isOurForm } of opens)
  test(`decodeMessage() understands the ${name}`, () => {
    const open = decoded(bytes);
    assert.partialDeepStrictEqual(open, { kind: 'open', ...means });
    const encoded = encodeMessage(open, options);
    assert.deepEqual(decoded(encoded), open);
    if (isOurForm) assert.equal(hex(encoded), hex(bytes));
  });

for (const { name, bytes, options, means, isOurForm } of updates)
  test(`decodeMessage() understands the UPDATE: ${name}`, () => {
    const update = decodedUpdate(bytes, options);
    assert.deepEqual(readable(update), means);
    const encoded = encodeMessage(update, options);
    assert.deepEqual(readable(decodedUpdate(encoded, options)), means);
    if (isOurForm) assert.equal(hex(encoded), hex(bytes));
  });

test('decodeMessage() understands the NOTIFICATION, route refresh marks and KEEPALIVE of other implementations', () => {
  assert.deepEqual(decoded(notification), {
    kind: 'notification',
    code: 1,
    subcode: 3,
    data: Uint8Array.of(9),
  });
  assert.deepEqual(
    refreshMarks.map((bytes) => decoded(bytes)),
    [1, 2].map((subtype) => ({ kind: 'route-refresh', afi: 1, subtype, safi: 1 })),
  );
  assert.deepEqual(decoded(keepalive), { kind: 'keepalive' });
  for (const bytes of [notification, ...refreshMarks, keepalive])
    assert.equal(hex(encodeMessage(decoded(bytes), { fourOctetAs: true })), hex(bytes));
});
