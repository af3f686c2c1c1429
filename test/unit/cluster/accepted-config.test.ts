import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  annotationLimit,
  annotationRoom,
  configHash,
  decodeAcceptedConfig,
  encodeAcceptedConfig,
} from '../../../src/cluster/accepted-config.ts';
import { annotations } from '../../../src/cluster/names.ts';

/** Text that gzip can hardly compress. */
function noise(octets: number): string {
  let state = 1;
  return Array.from({ length: octets }, () => {
    state = (state * 48271) % 2147483647;
    return String.fromCharCode(33 + (state % 94));
  }).join('');
}

function stored(text: string): string {
  const encoded = encodeAcceptedConfig(text);
  assert.ok(encoded.ok);
  return encoded.value;
}

const cases: readonly (readonly [string, string, 'plain' | 'compressed'])[] = [
  ['an empty text', '', 'plain'],
  ['a small text', 'peers: []\n', 'plain'],
  ['a text of 16 KiB', 'x'.repeat(16 * 1024), 'plain'],
  ['a larger text', 'x'.repeat(16 * 1024 + 1), 'compressed'],
  ['a text of 1 MiB', 'é'.repeat(512 * 1024), 'compressed'],
  ['a text that looks compressed', 'gzip:H4sIAAAA', 'compressed'],
];
for (const [name, text, how] of cases) {
  test(`encodeAcceptedConfig() stores ${name} in ${how} form`, () => {
    const value = stored(text);
    assert.equal(value === text, how === 'plain');
    assert.equal(decodeAcceptedConfig({ [annotations.acceptedConfig]: value }), text);
  });
}

test('encodeAcceptedConfig() refuses a text that stays too large after compression', () => {
  const encoded = encodeAcceptedConfig(noise(220 * 1024));
  assert.ok(!encoded.ok);
  assert.match(encoded.error, new RegExp(`${annotationLimit} are free`));
  assert.ok(encodeAcceptedConfig(noise(150 * 1024)).ok);
});

test('encodeAcceptedConfig() leaves room for other annotations within the limit of Kubernetes', () => {
  const apply = { 'kubectl.kubernetes.io/last-applied-configuration': 'x'.repeat(100_000) };
  const room = annotationRoom({ ...apply, [annotations.acceptedConfig]: 'y'.repeat(50_000) });
  assert.equal(room, annotationLimit - 100_000 - 'kubectl.kubernetes.io/last-applied-configuration'.length);
  assert.ok(encodeAcceptedConfig(noise(150 * 1024)).ok);
  assert.ok(!encodeAcceptedConfig(noise(150 * 1024), room).ok);
  assert.equal(annotationRoom({ a: 'x'.repeat(300_000) }), 0);
});

test('decodeAcceptedConfig() returns nothing for a missing, damaged or oversized text', () => {
  const read = (value: string) => decodeAcceptedConfig({ [annotations.acceptedConfig]: value });
  assert.equal(decodeAcceptedConfig({}), undefined);
  assert.equal(read('gzip:'), undefined);
  assert.equal(read('gzip:not base64 at all'), undefined);
  assert.equal(read(stored('x'.repeat(20_000)).slice(0, -12)), undefined);
  assert.equal(read(`gzip:${gzipSync('x'.repeat(2_000_000)).toString('base64')}`), undefined);
});

test('configHash() returns the first 16 digits of SHA-256', () => {
  assert.equal(configHash('abc'), 'ba7816bf8f01cfea');
});
