import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, FrameReader } from '../../../../src/bgp/codec/index.ts';
import { everyCapture, keepalive, opens } from './captures.ts';
import { external, hex, marker, message, number, octets } from './wire.ts';

const stream = octets(everyCapture.map(({ bytes }) => hex(bytes)).join(''));

/** Pushes the stream in pieces and collects the messages. */
function cut(pieces: Iterable<Uint8Array>, limit = 4096): string[] {
  const reader = new FrameReader();
  const frames: string[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let frame = reader.next(limit); frame; frame = reader.next(limit)) {
      assert.ok(frame.ok);
      frames.push(hex(frame.value));
    }
  }
  return frames;
}

function* piecesOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

const expected = everyCapture.map(({ bytes }) => hex(bytes));

test('FrameReader returns the same messages for pieces of any size', () => {
  for (let size = 1; size <= 200; size++) assert.deepEqual(cut(piecesOf(stream, size)), expected);
  assert.deepEqual(cut([stream]), expected);
});

test('FrameReader returns the same messages for a stream cut in two at any octet', () => {
  for (let at = 0; at <= stream.length; at++)
    assert.deepEqual(cut([stream.slice(0, at), stream.slice(at)]), expected);
});

test('FrameReader does not copy a message that lies inside one chunk', () => {
  const reader = new FrameReader();
  reader.push(stream);
  const first = reader.next(4096);
  assert.ok(first?.ok);
  assert.equal(first.value.buffer, stream.buffer);
});

test('FrameReader accepts a chunk before all messages of the previous chunk are read', () => {
  const reader = new FrameReader();
  reader.push(keepalive);
  reader.push(keepalive);
  assert.ok(reader.next(4096)?.ok);
  assert.ok(reader.next(4096)?.ok);
  assert.equal(reader.next(4096), undefined);
});

test('FrameReader judges the header before it allocates space for the message', (t) => {
  for (const pieces of [[marker, 'ffff 02'], [`${marker} ffff 02`]]) {
    const reader = new FrameReader();
    const chunks = pieces.map(octets);
    const allocated: number[] = [];
    const recorded = new Proxy(Uint8Array, {
      construct(target, of) {
        if (typeof of[0] === 'number') allocated.push(of[0]);
        return Reflect.construct(target, of);
      },
    });
    const mocked = t.mock.property(globalThis, 'Uint8Array', recorded);
    const answers = chunks.map((chunk) => {
      reader.push(chunk);
      return reader.next(4096);
    });
    mocked.mock.restore();
    const last = answers.pop();
    assert.ok(last && !last.ok);
    assert.deepEqual([last.error.code, last.error.subcode, hex(last.error.data)], [1, 2, 'ffff']);
    assert.deepEqual(
      answers,
      pieces.slice(1).map(() => undefined),
    );
    assert.deepEqual(
      allocated,
      pieces.slice(1).map(() => 19),
      'only the buffer for a header in pieces',
    );
  }
});

interface HeaderCase {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly limit?: number;
  readonly error?: readonly [code: number, subcode: number, data: string];
}

const sized = (type: number, length: number) =>
  octets(marker + number(length, 2) + number(type, 1) + '00'.repeat(Math.max(0, length - 19)));

/** Valid and malformed headers, with the error that each malformed one gets (RFC 4271 section 6.1, RFC 8654 section 4). */
const headerCases: readonly HeaderCase[] = [
  { name: 'a marker with one bit off', bytes: octets(`ff7f${marker.slice(4)} 0013 04`), error: [1, 1, ''] },
  { name: 'a marker of zeros', bytes: octets(`${'00'.repeat(16)} 0013 04`), error: [1, 1, ''] },
  {
    name: 'a header with a wrong marker, length and type',
    bytes: octets(`${'00'.repeat(16)} 0000 09`),
    error: [1, 1, ''],
  },
  { name: 'length 18', bytes: octets(`${marker} 0012 04`), error: [1, 2, '0012'] },
  { name: 'length 0', bytes: octets(`${marker} 0000 04`), error: [1, 2, '0000'] },
  { name: 'length over 4096', bytes: sized(2, 4097), error: [1, 2, '1001'] },
  { name: 'length 4096', bytes: sized(3, 4096) },
  { name: 'length 4097 with extended messages', bytes: sized(3, 4097), limit: 65535 },
  { name: 'length 65535 with extended messages', bytes: sized(3, 65535), limit: 65535 },
  {
    name: 'an OPEN of 4097 octets despite extended messages',
    bytes: sized(1, 4097),
    limit: 65535,
    error: [1, 2, '1001'],
  },
  { name: 'a KEEPALIVE of 20 octets', bytes: sized(4, 20), error: [1, 2, '0014'] },
  { name: 'an OPEN of 28 octets', bytes: sized(1, 28), error: [1, 2, '001c'] },
  { name: 'an UPDATE of 22 octets', bytes: sized(2, 22), error: [1, 2, '0016'] },
  { name: 'a NOTIFICATION of 20 octets', bytes: sized(3, 20), error: [1, 2, '0014'] },
  { name: 'type 0', bytes: sized(0, 19), error: [1, 3, '00'] },
  { name: 'type 6', bytes: sized(6, 40), error: [1, 3, '06'] },
  { name: 'type 255 with length over 4096', bytes: sized(255, 5000), error: [1, 2, '1388'] },
];

for (const { name, bytes, limit = 4096, error } of headerCases)
  test(`FrameReader ${error ? 'refuses' : 'accepts'} ${name}${error ? ` with (${error[0]},${error[1]})` : ''}`, () => {
    const reader = new FrameReader();
    reader.push(bytes);
    const whole = reader.next(limit);
    const inPieces = new FrameReader();
    inPieces.push(bytes.slice(0, 7));
    assert.equal(inPieces.next(limit), undefined);
    inPieces.push(bytes.slice(7));
    const answers = [
      whole,
      inPieces.next(limit),
      ...(error ? [reader.next(limit), inPieces.next(limit)] : []),
    ];
    for (const answer of answers) {
      if (error) {
        assert.ok(answer && !answer.ok);
        assert.deepEqual([answer.error.code, answer.error.subcode, hex(answer.error.data)], error);
      } else {
        assert.ok(answer?.ok);
        assert.equal(hex(answer.value), hex(bytes));
      }
    }
    if (error) {
      const decoded = decodeMessage(bytes, { ...external, receiveLimit: limit });
      assert.ok(!decoded.ok && decoded.error.code === 1);
    }
  });

test('decodeMessage() refuses a short ROUTE-REFRESH with (7,1) and the whole message as data (RFC 7313 section 5)', () => {
  for (const length of [19, 20, 22]) {
    const decoded = decodeMessage(sized(5, length), external);
    assert.ok(!decoded.ok);
    const { code, subcode, data } = decoded.error;
    assert.deepEqual([code, subcode, hex(data)], [7, 1, hex(sized(5, length))]);
  }
});

for (const [name, subtype] of [
  ['Begin', '01'],
  ['End', '02'],
] as const)
  test(`decodeMessage() refuses a ${name} mark of a route refresh with (7,1) when the mark is longer than 23 octets (RFC 7313 section 5)`, () => {
    assert.ok(decodeMessage(message(5, `0001 ${subtype} 01`), external).ok);
    const long = message(5, `0001 ${subtype} 01 00`);
    const decoded = decodeMessage(long, external);
    assert.ok(!decoded.ok);
    assert.deepEqual([decoded.error.code, decoded.error.subcode, hex(decoded.error.data)], [7, 1, hex(long)]);
  });

test('decodeMessage() accepts a ROUTE-REFRESH request that carries filters, and ignores them (RFC 5291)', () => {
  const decoded = decodeMessage(message(5, '0002 00 01 01 80 0001 00'), external);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value.message, { kind: 'route-refresh', afi: 2, subtype: 0, safi: 1 });
});

test('decodeMessage() refuses octets that are not exactly one message', () => {
  const open = opens[0]?.bytes ?? keepalive;
  for (const bytes of [
    new Uint8Array(0),
    keepalive.slice(0, 18),
    open.slice(0, -1),
    octets(`${hex(open)}00`),
  ]) {
    const decoded = decodeMessage(bytes, external);
    assert.ok(!decoded.ok);
    assert.deepEqual([decoded.error.code, decoded.error.subcode], [1, 2]);
  }
  assert.ok(decodeMessage(message(4, ''), external).ok);
});
