import assert from 'node:assert/strict';
import { test } from 'node:test';
import { carriesRoutesOf, decodeControllerStatus, decodeSpeakerStatus } from '../../../src/cluster/status.ts';
import { decodedStatus, leastStatus } from '../cli/fixtures.ts';

test('decodeSpeakerStatus() reads a status from a release that sends no version', () => {
  const status = decodedStatus({
    notAnnounced: [{ service: 'a/b', address: '192.0.2.1', reason: 'r' }],
  });
  assert.deepEqual([status.version, status.troubles, status.waitingFor], [0, [], []]);
});

test('carriesRoutesOf() asks for a session that is up and carries the family, and counts both families as carried when the field is absent', () => {
  const carried = (state: string, families?: readonly string[]) =>
    ['192.0.2.1', '2001:db8::1'].filter((address) => carriesRoutesOf({ state, families }, address));
  assert.deepEqual(carried('Established', ['ipv4-unicast']), ['192.0.2.1']);
  assert.deepEqual(carried('Established', ['ipv6-unicast']), ['2001:db8::1']);
  assert.deepEqual(carried('Established', []), []);
  assert.deepEqual(carried('Established'), ['192.0.2.1', '2001:db8::1']);
  assert.deepEqual(carried('OpenConfirm'), []);
  const peer = { name: 'router', state: 'Established', since: '', routesSent: 1 };
  const decoded = (fields: object) => decodedStatus({ peers: [{ ...peer, ...fields }] }).peers[0]?.families;
  assert.deepEqual(decoded({ families: ['ipv4-unicast'] }), ['ipv4-unicast']);
  assert.equal(decoded({}), undefined);
});

test('decodeSpeakerStatus() ignores fields and causes that it does not know', () => {
  const refusal = { service: 'a/b', address: '192.0.2.1', reason: 'r', cause: 'of a later release' };
  const status = decodedStatus({ version: 1, novelty: { deep: true }, notAnnounced: [refusal] });
  assert.equal(status.notAnnounced[0]?.cause, undefined);
  assert.equal('novelty' in status, false);
});

test('decodeSpeakerStatus() makes every received text printable and bounded, keys included', () => {
  const hostile = '\u001b]0;x\u0007\u202Eevil\u2028\u2066\u0085';
  const { peers, inUse, troubles } = decodedStatus({
    peers: [{ name: hostile, state: 'Idle', since: '', routesSent: 0, lastError: 'y'.repeat(5000) }],
    inUse: { [hostile]: hostile },
    troubles: [hostile],
  });
  const texts = [peers[0]?.name, ...Object.entries(inUse).flat(), ...troubles].join('');
  assert.doesNotMatch(texts, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.match(texts, /evil/);
  assert.equal(peers[0]?.lastError?.length, 1025);
});

for (const [name, body, error] of [
  ['text that is not JSON', '<html>', /^not JSON$/],
  ['JSON from another service on the port', '{"hello":"world"}', /^not a status of this version: peers /],
  ['a list', '[]', /^not a status of this version/],
  ['a later version', JSON.stringify({ ...leastStatus, version: 2 }), /version is newer than this program/],
  [
    'a field of the wrong type',
    JSON.stringify({ ...leastStatus, members: [{ node: 1, state: 'alive' }] }),
    /members\.0\.node/,
  ],
] as const)
  test(`decodeSpeakerStatus() refuses ${name}`, () => {
    const result = decodeSpeakerStatus(body);
    assert.equal(result.ok, false);
    assert.match(result.ok ? '' : result.error, error);
  });

test('decodeControllerStatus() reads the addresses of Services and the reasons why they wait', () => {
  const result = decodeControllerStatus(
    JSON.stringify({
      version: 1,
      identity: 'a_1',
      leading: true,
      leader: 'a_1',
      config: { status: 'active', hash: 'h' },
      services: [
        { service: 'a/b', addresses: [], refusal: { cause: 'exhausted', message: 'full' } },
        { service: 'a/c', addresses: [{ ip: '192.0.2.1', pool: 'office' }] },
      ],
    }),
  );
  assert.ok(result.ok);
  assert.deepEqual(result.value.services, [
    { service: 'a/b', addresses: [], refusal: { cause: 'exhausted', message: 'full' } },
    { service: 'a/c', addresses: [{ ip: '192.0.2.1', pool: 'office' }] },
  ]);
  assert.equal(result.value.adoptOnly, false);
});
