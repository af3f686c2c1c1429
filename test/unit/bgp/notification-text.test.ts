import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cease, cease, describeNotification, hardReset } from '../../../src/bgp/notification-text.ts';

const bytes = (text: string) => Uint8Array.of(...Buffer.from(text));

describe('describeNotification()', () => {
  const rows: readonly (readonly [number, number, Uint8Array, string])[] = [
    [6, 2, new Uint8Array(0), 'Cease/Administrative Shutdown'],
    [6, 2, Uint8Array.of(4, ...bytes('noon')), 'Cease/Administrative Shutdown: "noon"'],
    [6, 2, Uint8Array.of(4, ...bytes('a\nb\u0007')), 'Cease/Administrative Shutdown: "a b"'],
    [6, 2, Uint8Array.of(9, ...bytes('short')), 'Cease/Administrative Shutdown: 0973686f7274'],
    [6, 2, Uint8Array.of(2, 0xff, 0xfe), 'Cease/Administrative Shutdown: 02fffe'],
    [6, 9, Uint8Array.of(6, 3), 'Cease/Hard Reset: Cease/Peer De-configured'],
    [4, 0, new Uint8Array(0), 'Hold Timer Expired'],
    [2, 6, Uint8Array.of(0, 1), 'OPEN Message Error/Unacceptable Hold Time (data 0001)'],
    [6, 77, new Uint8Array(0), 'Cease/subcode 77'],
    [99, 3, new Uint8Array(0), 'error code 99/subcode 3'],
  ];
  for (const [code, subcode, data, text] of rows)
    test(text, () => assert.equal(describeNotification({ code, subcode, data }), text));

  test('does not let a peer fill the log', () => {
    assert.ok(describeNotification({ code: 3, subcode: 1, data: new Uint8Array(4000) }).length < 250);
  });
});

describe('cease()', () => {
  test('bears the reason as RFC 9003 has it', () => {
    const { code, subcode, data } = cease(Cease.administrativeShutdown, 'node drain: worker-3');
    assert.deepEqual([code, subcode, data], [6, 2, Uint8Array.of(20, ...bytes('node drain: worker-3'))]);
    assert.deepEqual(cease(Cease.peerDeconfigured).data, new Uint8Array(0));
  });

  test('cuts a long reason between characters', () => {
    const { data } = cease(Cease.administrativeShutdown, 'ü€'.repeat(60));
    assert.ok(data.length <= 129);
    assert.equal(data[0], data.length - 1);
    assert.ok(
      Buffer.from(data.subarray(1)).toString().endsWith('€') ||
        Buffer.from(data.subarray(1)).toString().endsWith('ü'),
    );
  });

  test('is wrapped by a hard reset (RFC 8538 section 3.1)', () => {
    assert.deepEqual(hardReset(cease(Cease.administrativeShutdown, 'x')), {
      code: 6,
      subcode: 9,
      data: Uint8Array.of(6, 2, 1, 0x78),
    });
  });
});
