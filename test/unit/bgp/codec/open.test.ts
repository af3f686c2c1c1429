import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage } from '../../../../src/bgp/codec/index.ts';
import type { Capability, OpenMessage } from '../../../../src/bgp/message.ts';
import { decoded, external, hex, message, number, octets } from './wire.ts';

/** An OPEN with these optional parameters. By default it has AS 64500, a hold time of 90 s and the identifier 192.0.2.2. */
function open(
  parameters: string,
  fields: { version?: string; asn?: string; hold?: string; id?: string } = {},
) {
  const { version = '04', asn = 'fbf4', hold = '005a', id = 'c0000202' } = fields;
  return message(1, version + asn + hold + id + parameters);
}

/** Encodes optional parameters in the form of RFC 4271. */
function parameters(...list: [type: number, value: string][]): string {
  const body = list
    .map(([type, value]) => number(type, 1) + number(octets(value).length, 1) + value)
    .join('');
  return number(octets(body).length, 1) + body;
}

function capability(code: number, value: string): string {
  return number(code, 1) + number(octets(value).length, 1) + value;
}

const mp4 = capability(1, '00010001');

function capabilitiesOf(bytes: Uint8Array): readonly Capability[] {
  const result = decoded(bytes);
  assert.equal(result.kind, 'open');
  return result.kind === 'open' ? result.capabilities : [];
}

function errorOf(bytes: Uint8Array): [code: number, subcode: number, data: string] {
  const result = decodeMessage(bytes, external);
  assert.ok(!result.ok, 'decoded without an error');
  return [result.error.code, result.error.subcode, hex(result.error.data)];
}

test('an OPEN without parameters has the layout of RFC 4271 section 4.2', () => {
  const bytes = octets(`${'ff'.repeat(16)} 001d 01 04 fc00 00b4 0a000001 00`);
  const value: OpenMessage = {
    kind: 'open',
    version: 4,
    myAs: 64512,
    holdTimeSeconds: 180,
    routerId: 0x0a000001,
    capabilities: [],
  };
  assert.deepEqual(decoded(bytes), value);
  assert.equal(hex(encodeMessage(value, external)), hex(bytes));
});

/** Errors of RFC 4271 section 6.2 and of the RFCs that extend it. */
const refused: readonly [name: string, bytes: Uint8Array, error: [number, number, string]][] = [
  ['version 3', open('00', { version: '03' }), [2, 1, '0004']],
  ['version 5 and malformed parameters', open('ffeeddccbbaa', { version: '05' }), [2, 1, '0004']],
  ['AS 0 (RFC 7607)', open('00', { asn: '0000' }), [2, 2, '']],
  ['AS 0 in four octets (RFC 7607)', open(parameters([2, capability(65, '00000000')])), [2, 2, '']],
  [
    'AS_TRANS in four octets (RFC 6793 section 9)',
    open(parameters([2, capability(65, '00005ba0')]), { asn: '5ba0' }),
    [2, 2, ''],
  ],
  ['identifier 0 (RFC 6286)', open('00', { id: '00000000' }), [2, 3, '']],
  ['hold time 1', open('00', { hold: '0001' }), [2, 6, '0001']],
  ['hold time 2', open('00', { hold: '0002' }), [2, 6, '0002']],
  ['the authentication parameter', open(parameters([1, '00'])), [2, 4, '010100']],
  ['parameter 77', open(parameters([2, mp4], [77, 'aabb'])), [2, 4, '4d02aabb']],
  ['two roles (RFC 9234)', open(parameters([2, capability(9, '00') + capability(9, '03')])), [2, 11, '']],
  ['parameters longer than the message', open('08 0206 0104'), [2, 0, '0802060104']],
  ['parameters shorter than the message', open('02 0200 ffff'), [2, 0, '020200ffff']],
  ['a parameter that overruns the parameters field', open('04 0206 0104'), [2, 0, '02060104']],
  ['a parameter without a length', open('01 02'), [2, 0, '02']],
  ['a capability without a length', open(parameters([2, '01'])), [2, 0, '01']],
  ['a capability longer than its parameter', open(parameters([2, '0104000100'])), [2, 0, '0104000100']],
  ['extended parameters without a length (RFC 9072)', open('ff ff'), [2, 0, 'ffff']],
  ['extended parameters with half a length', open('ff ff 00'), [2, 0, 'ffff00']],
  [
    'extended parameters of a wrong length',
    open('ff ff 0009 02 0006 010400010001 00'),
    [2, 0, 'ffff0009020006010400010001' + '00'],
  ],
  ['an extended parameter with half a length', open('ff ff 0002 02 00'), [2, 0, '0200']],
  ['an extended parameter that is too long', open('ff ff 0004 02 0009 01'), [2, 0, '02000901']],
  ['an extended parameter of type 255 (the RFC 9072 mark)', open('ff ff 0003 ff 0000'), [2, 4, 'ff0000']],
  [
    'a second parameter of type 255 (the RFC 9072 mark)',
    open(parameters([2, mp4], [255, ''])),
    [2, 4, 'ff00'],
  ],
  ['a parameter length and no parameters after it (CVE-2022-43681)', open('ff'), [2, 0, 'ff']],
];

for (const [name, bytes, error] of refused)
  test(`an OPEN with ${name} is refused with (${error[0]},${error[1]})`, () =>
    assert.deepEqual(errorOf(bytes), error));

test('decodeMessage() accepts hold times 0, 3 and 65,535', () => {
  for (const hold of ['0000', '0003', 'ffff']) assert.equal(decoded(open('00', { hold })).kind, 'open');
});

const ipv4 = { afi: 1, safi: 1 };

/**
 * Code, value and decoded capability. `malformed` means that the value has a forbidden length, so that the OPEN is refused. `unknown` means
 * that the capability is kept as octets.
 */
const capabilities: readonly [code: number, value: string, means: Capability | 'malformed' | 'unknown'][] = [
  [1, '00010001', { kind: 'multiprotocol', family: ipv4 }],
  [1, '0002ff80', { kind: 'multiprotocol', family: { afi: 2, safi: 128 } }],
  [1, '000100', 'malformed'],
  [1, '0001000100', 'malformed'],
  [2, '', { kind: 'route-refresh' }],
  [2, '00', 'malformed'],
  [5, '', { kind: 'extended-next-hop', tuples: [] }],
  [5, '000100010002', { kind: 'extended-next-hop', tuples: [{ ...ipv4, nextHopAfi: 2 }] }],
  [5, '00010001', 'malformed'],
  [6, '', { kind: 'extended-message' }],
  [6, '01', 'malformed'],
  [9, '03', { kind: 'role', role: 3 }],
  [9, '', 'malformed'],
  [9, '0303', 'malformed'],
  [
    64,
    '0000',
    { kind: 'graceful-restart', restarting: false, notification: false, restartTimeSeconds: 0, families: [] },
  ],
  [
    64,
    'ffff 0001 01 80 0002 01 7f',
    {
      kind: 'graceful-restart',
      restarting: true,
      notification: true,
      restartTimeSeconds: 4095,
      families: [
        { ...ipv4, forwarding: true },
        { afi: 2, safi: 1, forwarding: false },
      ],
    },
  ],
  [64, '', 'malformed'],
  [64, '00', 'malformed'],
  [64, '0078 0001 01', 'malformed'],
  [65, 'fa56ea00', { kind: 'four-octet-as', asn: 4200000000 }],
  [65, 'fbf4', 'malformed'],
  [65, '', 'malformed'],
  [69, '00010103', { kind: 'add-path', tuples: [{ ...ipv4, mode: 3 }] }],
  [69, '000101', 'malformed'],
  [70, '', { kind: 'enhanced-route-refresh' }],
  [70, '00', 'malformed'],
  [73, '03 666f6f 03 62c3a9', { kind: 'fqdn', host: 'foo', domain: 'bé' }],
  [73, '00 00', { kind: 'fqdn', host: '', domain: '' }],
  [73, '03 efbfbd 00', { kind: 'fqdn', host: '\ufffd', domain: '' }],
  [73, '', 'unknown'],
  [73, '03 666f6f', 'unknown'],
  [73, '04 666f6f 00', 'unknown'],
  [73, '03 666f6f 05 61', 'unknown'],
  [73, '01 ff 00', 'unknown'],
  [74, '', { kind: 'bfd-strict' }],
  [74, '01', 'unknown'],
  [3, '0102', 'unknown'],
  [75, '04 74657374', 'unknown'],
  [0, '', 'unknown'],
  [255, 'ff'.repeat(64), 'unknown'],
];

for (const [code, value, means] of capabilities)
  test(`the capability ${code} with "${value.slice(0, 30)}" is ${typeof means === 'string' ? means : means.kind}`, () => {
    const bytes = open(parameters([2, capability(code, value)]));
    if (means === 'malformed') {
      assert.deepEqual(errorOf(bytes), [2, 0, hex(octets(capability(code, value)))]);
      return;
    }
    const expected: Capability =
      means === 'unknown' ? { kind: 'unknown', code, value: octets(value) } : means;
    assert.deepEqual(capabilitiesOf(bytes), [expected]);
    const again = encodeMessage(decoded(bytes), external);
    // Capabilities 1 and 64 have reserved bits, which we send as zero.
    if (code !== 64 && code !== 1) assert.equal(hex(again), hex(bytes));
    assert.deepEqual(capabilitiesOf(again), [expected]);
  });

test('decodeMessage() reads capabilities from one or several parameters, and keeps repeated capabilities (RFC 5492)', () => {
  const two = capability(1, '00020001');
  const families = (bytes: Uint8Array) =>
    capabilitiesOf(bytes).map((found) => (found.kind === 'multiprotocol' ? found.family.afi : found.kind));
  assert.deepEqual(families(open(parameters([2, mp4 + two]))), [1, 2]);
  assert.deepEqual(families(open(parameters([2, mp4], [2, two]))), [1, 2]);
  assert.deepEqual(families(open(parameters([2, mp4], [2, mp4]))), [1, 1]);
  assert.deepEqual(families(open(parameters([2, '']))), []);
});

test('decodeMessage() keeps the last of several graceful restart capabilities (RFC 4724 section 3)', () => {
  const found = capabilitiesOf(open(parameters([2, capability(64, '0001') + mp4 + capability(64, '0002')])));
  assert.deepEqual(
    found.map((one) => (one.kind === 'graceful-restart' ? one.restartTimeSeconds : one.kind)),
    ['multiprotocol', 2],
  );
});

test('decodeMessage() accepts two equal role capabilities', () => {
  assert.equal(capabilitiesOf(open(parameters([2, capability(9, '04') + capability(9, '04')]))).length, 2);
});

test('decodeMessage() reads extended parameters whatever non-zero value the one-octet length field has (RFC 9072)', () => {
  for (const short of ['ff', '01', '0a'])
    assert.deepEqual(capabilitiesOf(open(`${short} ff 0009 02 0006 ${mp4}`)), [
      { kind: 'multiprotocol', family: ipv4 },
    ]);
});

test('decodeMessage() reads 255 octets of parameters in the short form, although a length field of 255 also begins the extended form (RFC 9072)', () => {
  const value = 'ab'.repeat(251);
  const bytes = open(parameters([2, capability(200, value)]));
  assert.equal(bytes[28], 255);
  assert.deepEqual(capabilitiesOf(bytes), [{ kind: 'unknown', code: 200, value: octets(value) }]);
  assert.equal(hex(encodeMessage(decoded(bytes), external)), hex(bytes));
});

test('encodeMessage() uses the extended form only for parameters over 255 octets', () => {
  const unknown = (length: number): Capability => ({
    kind: 'unknown',
    code: 200,
    value: new Uint8Array(length),
  });
  const withCapabilities = (list: readonly Capability[]): OpenMessage => ({
    kind: 'open',
    version: 4,
    myAs: 64512,
    holdTimeSeconds: 90,
    routerId: 1,
    capabilities: list,
  });
  const short = encodeMessage(withCapabilities([unknown(251)]), external);
  assert.deepEqual([...short.slice(28, 31)], [255, 2, 253]);
  const long = encodeMessage(withCapabilities([unknown(252)]), external);
  assert.deepEqual([...long.slice(28, 35)], [255, 255, 1, 1, 2, 0, 254]);
  const several = withCapabilities(Array.from({ length: 15 }, () => unknown(255)));
  assert.deepEqual(decoded(encodeMessage(several, external)), several);
});

test('encodeMessage() refuses an OPEN over 4096 octets, with a capability over 255 octets, or with an AS number over 65,535 in `myAs`', () => {
  const value: OpenMessage = {
    kind: 'open',
    version: 4,
    myAs: 1,
    holdTimeSeconds: 90,
    routerId: 1,
    capabilities: [],
  };
  const long: Capability = { kind: 'unknown', code: 200, value: new Uint8Array(256) };
  assert.throws(() => encodeMessage({ ...value, myAs: 65536 }, external), RangeError);
  assert.throws(() => encodeMessage({ ...value, capabilities: [long] }, external), RangeError);
  const many = Array.from({ length: 16 }, (): Capability => ({ ...long, value: new Uint8Array(255) }));
  assert.throws(() => encodeMessage({ ...value, capabilities: many }, external), RangeError);
});

test('encodeMessage() accepts AS 65535, and an OPEN of 4096 octets (RFC 8654 section 4)', () => {
  // 29 fixed octets, 3 for the extended form, 3 for the header of the parameter, 15 capabilities of 257 octets, and a last capability that
  // fills the rest. The header of a capability has 2 octets.
  const sizes = [...Array.from({ length: 15 }, () => 255), 4096 - 35 - 15 * 257 - 2];
  const capabilities = sizes.map(
    (size): Capability => ({ kind: 'unknown', code: 200, value: new Uint8Array(size) }),
  );
  const value: OpenMessage = {
    kind: 'open',
    version: 4,
    myAs: 65535,
    holdTimeSeconds: 90,
    routerId: 1,
    capabilities,
  };
  const bytes = encodeMessage(value, external);
  assert.equal(bytes.length, 4096);
  assert.deepEqual(decoded(bytes), value);
});

test('encodeMessage() cuts a long host name at a character boundary', () => {
  const fqdn: Capability = { kind: 'fqdn', host: `${'a'.repeat(63)}é`, domain: 'b'.repeat(64) };
  const value: OpenMessage = {
    kind: 'open',
    version: 4,
    myAs: 1,
    holdTimeSeconds: 90,
    routerId: 1,
    capabilities: [fqdn],
  };
  assert.deepEqual(capabilitiesOf(encodeMessage(value, external)), [
    { kind: 'fqdn', host: 'a'.repeat(63), domain: 'b'.repeat(64) },
  ]);
});
