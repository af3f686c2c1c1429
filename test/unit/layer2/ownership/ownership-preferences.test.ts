import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstClaim } from '../../../support/layer2-cluster.ts';
import { entry, mail, patienceMs, Subject, settleMs, web } from './subject.ts';

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

test('an owner keeps the address while the preferred node is not ready, leaves or has no link, and while the owner is in a minority', () => {
  const subject = new Subject({ live: ['a', 'c'], entries: [prefersB], claims: { [web]: 'a' } });
  subject.start();
  for (const seen of [{ starting: ['b'] }, { leaving: ['b'] }, { unlinked: ['b'] }, { minority: true }]) {
    assert.deepEqual(subject.see(seen), [], JSON.stringify(seen));
    assert.deepEqual(subject.pass(5000), [], JSON.stringify(seen));
  }
});

test('when the preferred successor makes no claim, the owner keeps answering and does not release the address', () => {
  const owned = { ...firstClaim(web, 'a'), observedVersion: 7 };
  const subject = new Subject({ live: ['a', 'c'], entries: [{ ...prefersB, observedVersion: 7 }] });
  subject.claims.merge(owned);
  subject.start();
  assert.deepEqual(subject.see({}), []);
  assert.deepEqual(subject.pass(5000), []);
});

test('when the owner is dead and the preferred node does not claim, another node takes the address over', () => {
  const subject = new Subject({ live: ['a', 'b'], entries: [prefersB], claims: { [web]: 'c' } });
  assert.deepEqual(subject.start(), []);
  assert.deepEqual(subject.pass(patienceMs), [`answer ${web} failover from c`, `claim ${web} 2 by a from c`]);
});

test('a first placement and a failover choose a node that is not avoided', () => {
  const placed = new Subject({ entries: [entry(web, { avoided: ['b', 'c'] })] });
  placed.start();
  assert.deepEqual(placed.pass(settleMs), [
    `probe ${web} first from no owner`,
    `claim ${web} 1 by a from no owner`,
  ]);
  const entries = [entry(web, { avoided: ['b'] })];
  const lost = new Subject({ live: ['a', 'b'], entries, claims: { [web]: 'c' } });
  assert.deepEqual(lost.start(), [`answer ${web} failover from c`, `claim ${web} 2 by a from c`]);
});

test('an avoided node keeps what it owns, and takes an address over when no other node can', () => {
  const owner = new Subject({ entries: [entry(web, { avoided: ['a'] })], claims: { [web]: 'a' } });
  assert.deepEqual(owner.start(), [`answer ${web} failover from a`]);
  assert.deepEqual(owner.pass(5000), []);
  const recorded = new Subject({ entries: [entry(web, { avoided: ['a'], recordedOwner: 'a' })] });
  assert.equal(recorded.start()[0], `answer ${web} recorded from a`);
  const alone = new Subject({
    live: ['a'],
    entries: [entry(web, { avoided: ['a'] })],
    claims: { [web]: 'c' },
  });
  assert.deepEqual(alone.start().slice(0, 1), [`answer ${web} failover from c`]);
});

test('an avoided node that owns one address of a group also gets the other one', () => {
  const avoided = ['a'];
  const entries = [entry(web, { avoided, group: 'dual' }), entry(mail, { avoided, group: 'dual' })];
  const subject = new Subject({ entries, claims: { [web]: 'a' } });
  subject.start();
  assert.deepEqual(subject.pass(settleMs), [
    `probe ${mail} first from no owner`,
    `claim ${mail} 1 by a from no owner`,
  ]);
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
