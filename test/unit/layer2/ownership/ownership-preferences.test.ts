import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstClaim } from '../../../support/layer2-cluster.ts';
import { entry, patienceMs, Subject, settleMs, web } from './subject.ts';

const prefersA = entry(web, { preferences: { a: 50 } });
const prefersB = entry(web, { preferences: { b: 50 } });

test('a preferred node takes the address over from an eligible owner, in a handover', () => {
  const subject = new Subject({ entries: [prefersA], claims: { [web]: 'b' } });
  assert.deepEqual(subject.start(), [`answer ${web} handover from b`, `claim ${web} 2 by a from b`]);
});

test('when the preferred node returns, the owner answers until that node claims the address', () => {
  const subject = new Subject({ live: ['a', 'c'], entries: [prefersB], claims: { [web]: 'a' } });
  assert.deepEqual(subject.start(), [`answer ${web} failover from a`]);
  assert.deepEqual(subject.see({}), []);
  assert.deepEqual(subject.hear(web, 'b', 2, 'a'), [`silence ${web}: b owns it`]);
});

test('an owner keeps the address while the preferred node is not ready, leaves, has no link, or in a minority', () => {
  const subject = new Subject({ live: ['a', 'c'], entries: [prefersB], claims: { [web]: 'a' } });
  subject.start();
  for (const seen of [{ starting: ['b'] }, { leaving: ['b'] }, { unlinked: ['b'] }, { minority: true }]) {
    assert.deepEqual(subject.see(seen), [], JSON.stringify(seen));
    assert.deepEqual(subject.pass(5000), [], JSON.stringify(seen));
  }
});

test('an owner whose preferred successor does not claim goes on to answer, and releases the address to it once', () => {
  const owned = { ...firstClaim(web, 'a'), observedVersion: 7 };
  const subject = new Subject({ live: ['a', 'c'], entries: [{ ...prefersB, observedVersion: 7 }] });
  subject.claims.merge(owned);
  subject.start();
  assert.deepEqual(subject.see({}), []);
  assert.deepEqual(subject.pass(5000), [`release ${web} 2 by a to a successor`]);
});

test('when the owner is dead and the preferred node does not claim, the other nodes follow', () => {
  const subject = new Subject({ live: ['a', 'b'], entries: [prefersB], claims: { [web]: 'c' } });
  assert.deepEqual(subject.start(), []);
  assert.deepEqual(subject.pass(patienceMs), [`answer ${web} failover from c`, `claim ${web} 2 by a from c`]);
});

test('a first placement goes to a preferred node', () => {
  const subject = new Subject({ entries: [prefersA] });
  subject.start();
  assert.deepEqual(subject.pass(settleMs), [
    `probe ${web} first from no owner`,
    `claim ${web} 1 by a from no owner`,
  ]);
});

test('a node does not take an address over from an owner that has observed a newer version of the preferences', () => {
  const subject = new Subject({ entries: [{ ...prefersA, observedVersion: 5 }] });
  subject.claims.merge({ ...firstClaim(web, 'b'), observedVersion: 6 });
  assert.deepEqual(subject.start(), []);
  assert.deepEqual(subject.pass(5000), []);
});
