import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RefusedDatagrams } from '../../../src/membership/refused-datagrams.ts';

describe('RefusedDatagrams', () => {
  test('remembers the datagrams that were added, and forgets the oldest datagrams beyond its limit', () => {
    const refused = new RefusedDatagrams();
    for (let i = 0; i < 5000; i++) refused.add(`${i}`);
    assert.equal(refused.has('4999'), true);
    assert.equal(refused.has('904'), true);
    assert.equal(refused.has('903'), false);
    assert.equal(refused.has('5000'), false);
  });
});
