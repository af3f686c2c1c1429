import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeNotification } from '../../../src/bgp/notification-text.ts';

const bytes = (text: string) => Uint8Array.of(...Buffer.from(text));
/** Every text is shorter than this. The longest is a shutdown communication of 255 quotation marks, each of them escaped. */
const maxCharacters = 600;

describe('describeNotification()', () => {
  const rows: readonly (readonly [number, number, Uint8Array, string])[] = [
    [6, 2, new Uint8Array(0), 'Cease/Administrative Shutdown'],
    [6, 2, Uint8Array.of(4, ...bytes('noon')), 'Cease/Administrative Shutdown: "noon"'],
    [6, 2, Uint8Array.of(4, ...bytes('a\nb\u0007')), 'Cease/Administrative Shutdown: "a b"'],
    [6, 2, Uint8Array.of(9, ...bytes('short')), 'Cease/Administrative Shutdown: 0973686f7274'],
    [6, 2, Uint8Array.of(2, 0xff, 0xfe), 'Cease/Administrative Shutdown: 02fffe'],
    [6, 9, Uint8Array.of(6, 3), 'Cease/Hard Reset: Cease/Peer De-configured'],
    [4, 0, new Uint8Array(0), 'Hold Timer Expired'],
    [6, 9, Uint8Array.of(6), 'Cease/Hard Reset: 06'],
    [6, 9, Uint8Array.of(6, 9, 6, 9, 6, 2), 'Cease/Hard Reset: Cease/Hard Reset: 06090602'],
    [
      6,
      9,
      Uint8Array.of(6, 2, 4, ...bytes('noon')),
      'Cease/Hard Reset: Cease/Administrative Shutdown: "noon"',
    ],
    [
      6,
      1,
      Uint8Array.of(0, 2, 1, 0, 0, 1, 0),
      'Cease/Maximum Number of Prefixes Reached (ipv6-unicast, limit 256)',
    ],
    [6, 2, Uint8Array.of(6, ...bytes('\u202ea\u2028')), 'Cease/Administrative Shutdown: 06e280ae61e280a8'],
    [6, 2, Uint8Array.of(7, ...bytes('\u202ea\u2028')), 'Cease/Administrative Shutdown: "a"'],
    [6, 2, Uint8Array.of(8, ...bytes('a\u2066\u2029b')), 'Cease/Administrative Shutdown: "a  b"'],
    [1, 2, Uint8Array.of(0x10, 1), 'Message Header Error/Bad Message Length (length 4097)'],
    [1, 3, Uint8Array.of(9), 'Message Header Error/Bad Message Type (type 9)'],
    [2, 1, Uint8Array.of(0, 4), 'OPEN Message Error/Unsupported Version Number (supports version 4)'],
    [2, 2, Uint8Array.of(0, 0, 0xfc, 0), 'OPEN Message Error/Bad Peer AS (the OPEN says AS 64512)'],
    [2, 2, Uint8Array.of(0xfc, 0), 'OPEN Message Error/Bad Peer AS (the OPEN says AS 64512)'],
    [2, 2, Uint8Array.of(0xfc), 'OPEN Message Error/Bad Peer AS (data fc)'],
    [2, 3, Uint8Array.of(10, 0, 0, 1), 'OPEN Message Error/Bad BGP Identifier (the OPEN says 10.0.0.1)'],
    [2, 6, Uint8Array.of(0, 1), 'OPEN Message Error/Unacceptable Hold Time (the OPEN says 1 s)'],
    [
      2,
      7,
      Uint8Array.of(6, 0, 99, 1, 7),
      'OPEN Message Error/Unsupported Capability (extended-message, code-99)',
    ],
    [2, 7, Uint8Array.of(6), 'OPEN Message Error/Unsupported Capability (data 06)'],
    [3, 3, Uint8Array.of(3), 'UPDATE Message Error/Missing Well-known Attribute (NEXT_HOP)'],
    [
      3,
      6,
      Uint8Array.of(0x40, 1, 1, 9),
      'UPDATE Message Error/Invalid ORIGIN Attribute (ORIGIN, data 40010109)',
    ],
    [5, 3, Uint8Array.of(1), 'Finite State Machine Error/Unexpected Message in Established (OPEN)'],
    [5, 3, Uint8Array.of(5), 'Finite State Machine Error/Unexpected Message in Established (ROUTE-REFRESH)'],
    [6, 77, new Uint8Array(0), 'Cease/subcode 77'],
    [99, 3, new Uint8Array(0), 'error code 99/subcode 3'],
  ];
  for (const [code, subcode, data, text] of rows)
    test(text, () => assert.equal(describeNotification({ code, subcode, data }), text));

  test('unwraps only the outermost of many nested Hard Resets', () => {
    const data = Uint8Array.from({ length: 2 * 32_000 }, (_, at) => (at % 2 === 0 ? 6 : 9));
    assert.match(
      describeNotification({ code: 6, subcode: 9, data }),
      /^Cease\/Hard Reset: Cease\/Hard Reset: 0609/,
    );
  });

  test('is a bounded line of printable text for any code and any data', () => {
    for (const octet of [0, 1, 9, 0x22, 0x5c, 0xff])
      for (const length of [1, 2, 4, 7, 256, 65_514])
        for (let code = 0; code <= 9; code++)
          for (let subcode = 0; subcode <= 12; subcode++) {
            const data = new Uint8Array(length).fill(octet);
            data[0] = length - 1;
            for (const error of [
              { code, subcode, data },
              { code: 6, subcode: 9, data: Uint8Array.of(code, subcode, ...data.subarray(0, 300)) },
            ]) {
              const text = describeNotification(error);
              assert.ok(text.length < maxCharacters && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text), text);
            }
          }
  });
});
