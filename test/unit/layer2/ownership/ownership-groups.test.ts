import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressEntry } from '../../../../src/layer2/address-entry.ts';
import { electOwners } from '../../../../src/layer2/ownership/election.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';
import { addressOf, entry, mail, Subject, settleMs, web } from './subject.ts';

test('a group stays together: its addresses go to the node that owns one of them, even if other nodes have fewer addresses', () => {
  const family = (address: string, over: Partial<AddressEntry> = {}) =>
    entry(address, { group: 'web', candidates: ['a', 'b'], ...over });
  const subject = new Subject({
    entries: [family(web), family(mail), entry('192.0.2.3')],
    claims: { [web]: 'a', '192.0.2.3': 'a' },
  });
  assert.deepEqual(subject.start(), [`answer ${web} failover from a`, 'answer 192.0.2.3 failover from a']);
  assert.deepEqual(subject.pass(settleMs), [
    `probe ${mail} first from no owner`,
    `claim ${mail} 1 by a from no owner`,
  ]);
});

test('a group moves together when its node dies', () => {
  const hosts = Array.from({ length: 8 }, (_, i) => `192.0.2.${i + 1}`);
  const subject = new Subject({
    entries: hosts.map((address, i) => entry(address, { group: `pair ${i >> 1}` })),
    claims: Object.fromEntries(hosts.map((address) => [address, 'b'])),
  });
  assert.deepEqual(subject.start(), []);
  subject.see({ live: ['a', 'c'] });
  const answered = new Set(subject.ownership.answered());
  assert.equal(answered.size, 4);
  for (let i = 0; i < hosts.length; i += 2)
    assert.equal(answered.has(hosts[i] ?? ''), answered.has(hosts[i + 1] ?? ''));
});

test('an address that has left its group or the table no longer draws addresses of the group to its owner', () => {
  const mine = new Subject({ entries: [entry(web, { group: 'web' })], claims: { [web]: 'a' } });
  mine.start();
  mine.put(entry(web));
  mine.put(entry(mail, { group: 'web', candidates: ['a', 'b'] }));
  assert.deepEqual(mine.pass(settleMs), []);
  const its = new Subject({ entries: [entry(web, { group: 'web' })], claims: { [web]: 'b' } });
  its.start();
  its.remove(web);
  its.put(entry(mail, { group: 'web', candidates: ['a', 'b'] }));
  assert.deepEqual(its.pass(settleMs), [
    `probe ${mail} first from no owner`,
    `claim ${mail} 1 by a from no owner`,
  ]);
});

test('an address that its owner must give away draws no other address of its group to that owner', () => {
  const given = addressOf('a', ['b']);
  const sibling = addressOf('c', ['a']);
  assert.notEqual(given, sibling);
  const subject = new Subject({
    entries: [
      entry(given, { group: 'web', candidates: ['a', 'b'] }),
      entry(sibling, { group: 'web', candidates: ['a', 'c'], recordedOwner: 'gone' }),
    ],
    claims: { [given]: 'c' },
    minority: true,
  });
  subject.start();
  assert.deepEqual(subject.ownership.answered().sort(), [given, sibling].sort());
});

test('a node that receives the claims of other nodes before it learns of a loss takes the addresses that those nodes left to it', () => {
  const hosts = Array.from({ length: 30 }, (_, i) => `192.0.2.${i + 1}`);
  const candidates = ['a', 'b', 'c', 'd'];
  const given = {
    live: candidates,
    entries: hosts.map((address) => entry(address, { candidates })),
    claims: Object.fromEntries(hosts.map((address) => [address, 'b'])),
  };
  const survivors = ['a', 'c', 'd'];
  const vacant = hosts.map((address) => ({ address, group: address, eligible: survivors }));
  const all = complete(electOwners(vacant, { load: () => 0, ownersOf: () => [] }));
  const of = (owner: string) => hosts.filter((address) => all.get(address) === owner);
  for (const heard of [of('c'), of('c').slice(0, 5), of('c').slice(5)]) {
    const late = new Subject(given);
    late.start();
    for (const address of heard) late.hear(address, 'c', 2, 'b');
    late.pass(500);
    late.see({ live: survivors });
    assert.deepEqual(late.ownership.answered().sort(), of('a').sort());
  }
});

test('a node that learns of a loss late takes the address for which it is elected, although another node has taken one of the same group', () => {
  const own = addressOf('a', ['c']);
  const sibling = '192.0.2.9';
  const subject = new Subject({
    entries: [
      entry(own, { group: 'web', candidates: ['a', 'b', 'c'] }),
      entry(sibling, { group: 'web', candidates: ['b', 'c'] }),
    ],
    claims: { [own]: 'b', [sibling]: 'b' },
  });
  subject.start();
  subject.hear(sibling, 'c', 2, 'b');
  subject.see({ live: ['a', 'c'] });
  assert.deepEqual(subject.ownership.answered(), [own]);
});

for (const [what, from, afterMs, seen] of [
  ['addresses taken from the lost node at an earlier loss', 'b', 60_000, {}],
  ['addresses taken from another node', 'd', 0, {}],
  ['in a minority, where no node claims, addresses taken from the lost node', 'b', 0, { minority: true }],
] as const)
  test(`${what} count as ordinary load`, () => {
    const taken = ['192.0.2.201', '192.0.2.202', '192.0.2.203', '192.0.2.204'];
    const lost = ['192.0.2.101', '192.0.2.102', '192.0.2.103', '192.0.2.104'];
    const subject = new Subject({
      entries: [...taken, ...lost].map((address) => entry(address)),
      claims: Object.fromEntries(lost.map((address) => [address, 'b'])),
    });
    subject.start();
    for (const address of taken) subject.hear(address, 'c', 1, from);
    subject.pass(afterMs);
    subject.see({ live: ['a', 'c'], ...seen });
    assert.deepEqual(subject.ownership.answered().sort(), lost);
  });
