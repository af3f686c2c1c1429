import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RefusedDatagrams } from '../../../src/membership/refused-datagrams.ts';

describe('RefusedDatagrams', () => {
  test('remembers the datagrams that were added, and forgets the oldest datagrams beyond its limit', () => {
    const refused = new RefusedDatagrams();
    const datagram = (identity: number) => ({ identity: `${identity}`, bytes: Buffer.from('octets') });
    for (let i = 0; i < 5000; i++) refused.add(datagram(i));
    assert.equal(refused.has(datagram(4999)), true);
    assert.equal(refused.has(datagram(904)), true);
    assert.equal(refused.has(datagram(903)), false);
    assert.equal(refused.has(datagram(5000)), false);
  });

  test('of the datagrams with the same identity, remembers only the last one', () => {
    const refused = new RefusedDatagrams();
    const datagram = (text: string) => ({ identity: '', bytes: Buffer.from(text) });
    refused.add(datagram('a'));
    refused.add(datagram('b'));
    assert.deepEqual(
      ['a', 'b', 'c'].map((text) => refused.has(datagram(text))),
      [false, true, false],
    );
  });
});
