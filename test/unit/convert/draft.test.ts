import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addBgpAdvertisement } from '../../../src/convert/draft.ts';

describe('addBgpAdvertisement()', () => {
  const pool = () => ({
    at: 'address-pools[0]',
    value: { name: 'big', protocol: 'bgp' as const, addresses: [] },
  });

  test('puts two advertisements with the same effect into one', () => {
    const into = pool();
    const first = addBgpAdvertisement(into, { 'as-path-prepend': 0, 'aggregation-length': 32 });
    assert.equal(addBgpAdvertisement(into, {}), first);
  });

  for (const [key, advertisement] of Object.entries({
    'aggregation-length': { 'aggregation-length': 24 },
    'aggregation-length-v6': { 'aggregation-length-v6': 64 },
    localpref: { localpref: 50 },
    med: { med: 50 },
    'as-path-prepend': { 'as-path-prepend': 2 },
    communities: { communities: ['64512:1'] },
    peers: { peers: ['router'] },
    'node-selectors': { 'node-selectors': [{ 'match-labels': { a: 'b' } }] },
    'service-selectors': { 'service-selectors': [{ 'match-labels': { a: 'b' } }] },
  }))
    test(`keeps two that differ in ${key}`, () => {
      const into = pool();
      addBgpAdvertisement(into, {});
      assert.equal(addBgpAdvertisement(into, advertisement), 'address-pools[0].bgp-advertisements[1]');
    });
});
