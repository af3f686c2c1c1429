import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Claim } from '../../../src/layer2/ownership/claim.ts';
import { ClaimPayloads, payloadOf } from '../../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore, releaseKeptMs } from '../../../src/layer2/ownership/claim-store.ts';
import { updateSize } from '../../../src/membership/codec.ts';
import { updateOctets } from '../../../src/membership/draft.ts';
import { Membership } from '../../../src/membership/membership.ts';
import {
  type Body,
  type MemberState,
  type MemberUpdate,
  maxMetadataOctets,
  type Packet,
  type Update,
} from '../../../src/membership/packet.ts';
import type { PayloadStore } from '../../../src/membership/payload.ts';
import { TextStore, textPayload } from '../../support/text-payloads.ts';

const port = 7946;
const endpoint = { host: '192.0.2.1', port };
const other = { host: '192.0.2.2', port };
const [minuteMs, hourMs] = [60_000, 3_600_000];

function about(name: string, state: MemberState, incarnation: number): MemberUpdate {
  return { kind: 'member', name, state, incarnation, endpoint, metadata: '' };
}

function memberA(payloads: PayloadStore = new TextStore()): Membership {
  return new Membership({ name: 'a', incarnation: 5, port, metadata: '', payloads, random: () => 0 });
}

function packetOfB(body: Body, ...updates: readonly Update[]): Packet {
  return { from: 'b', incarnation: 1, summary: 0, readsBranches: true, body, updates };
}

/** Wakes the member, but at most once in `leastMs`, and returns the names that it forgets. No other member answers. */
function run(membership: Membership, fromMs: number, toMs: number, leastMs = minuteMs): string[] {
  const forgotten: string[] = [];
  for (let now = fromMs; now < toMs; now = Math.max(now + leastMs, membership.wakeAtMs())) {
    membership.wake(now);
    forgotten.push(...membership.take().forgotten);
  }
  return forgotten;
}

const claim = (over: Partial<Claim>): Claim => ({
  ...{ address: '192.0.2.240', owner: 'a', epoch: 1, from: '', observedVersion: 1, inConflict: false },
  ...over,
});

test('the ack of Membership restates that the member is alive when a ping carries an outdated statement, even if a current statement stands beside it', () => {
  const [current, outdated] = [about('a', 'alive', 5), about('a', 'alive', 4)];
  for (const updates of [
    [current, outdated],
    [outdated, current],
  ]) {
    const membership = memberA();
    membership.receive(packetOfB({ kind: 'ping', sequence: 7 }, ...updates), other, 0);
    const ack = membership.take().packets.find(({ packet }) => packet.body.kind === 'ack');
    assert.deepEqual(
      ack?.packet.updates.filter((update) => update.kind === 'member' && update.name === 'a'),
      [{ ...current, endpoint: { host: '', port } }],
    );
  }
});

for (const [state, incarnation, isRestated] of [
  ['suspect', 4, true],
  ['dead', 4, true],
  ['alive', 4, true],
  ['suspect', 5, true],
  ['alive', 6, true],
  ['alive', 5, false],
] as const)
  test(`the ack of Membership ${isRestated ? 'restates' : 'does not restate'} that the member is alive, when the ping calls it ${state} with incarnation ${incarnation}`, () => {
    const membership = memberA();
    membership.receive(
      packetOfB({ kind: 'ping', sequence: 7 }, about('a', state, incarnation)),
      { ...other, host: '192.0.2.7' },
      0,
    );
    const ack = membership.take().packets.find(({ packet }) => packet.body.kind === 'ack');
    const own = ack?.packet.updates.filter((update) => update.kind === 'member' && update.name === 'a') ?? [];
    assert.equal(own.length, isRestated ? 1 : 0);
  });

test('a second member that pings with a refuted suspicion learns of the refutation from the ack', () => {
  const membership = memberA();
  for (const from of ['b', 'c']) {
    const ping = { ...packetOfB({ kind: 'ping', sequence: 7 }, about('a', 'suspect', 5)), from };
    membership.receive(ping, other, 0);
    const ack = membership.take().packets.find(({ to, packet }) => to === from && packet.body.kind === 'ack');
    const incarnations = ack?.packet.updates.map((update) => update.kind === 'member' && update.incarnation);
    assert.deepEqual(incarnations, [6], from);
  }
});

test('a first wake long after the start of the process is no stall', () => {
  const membership = memberA();
  membership.setMetadata('', 60_000);
  membership.wakeAtMs();
  membership.setSpeakers(new Map([['b', [other]]]), 60_000);
  membership.wakeAtMs();
  membership.wake(60_001);
  assert.equal(membership.healthScore, 0);
});

test('a confirmation that moves the deadline of a suspicion into the past is no stall, and a late wake is a stall even if a packet arrives before it', () => {
  const c = { host: '192.0.2.3', port };
  const membership = memberA();
  for (const [from, at] of [
    ['b', other],
    ['c', c],
  ] as const)
    membership.receive({ ...packetOfB({ kind: 'gossip' }, about(from, 'alive', 1)), from }, at, 0);
  let now = 1;
  const fromC = (body: Body) => {
    membership.receive({ ...packetOfB(body), from: 'c' }, c, now);
    membership.wakeAtMs();
  };
  const step = () => {
    now = Math.max(now + 1, membership.wakeAtMs());
    membership.wake(now);
    for (const { to, packet } of membership.take().packets)
      if (to === 'c' && packet.body.kind === 'ping')
        fromC({ kind: 'ack', sequence: packet.body.sequence, target: 'c' });
  };
  membership.wakeAtMs();
  while (membership.suspects === 0) step();
  for (const untilMs = now + 500; now < untilMs; ) step();
  assert.equal(membership.member('b')?.state, 'suspect');
  assert.equal(membership.healthScore, 0);
  fromC({ kind: 'verify', target: 'b', incarnation: 1 });
  assert.ok(membership.wakeAtMs() < now);
  membership.wake(now + 1);
  assert.equal(membership.healthScore, 0);
  assert.equal(membership.member('b')?.state, 'dead');
  now = membership.wakeAtMs() + 200;
  fromC({ kind: 'gossip' });
  membership.wake(now);
  assert.equal(membership.healthScore, 1);
});

test('a leaving Membership says so, even if more of its own news is pending than three batches can carry', () => {
  const membership = memberA();
  membership.receive(packetOfB({ kind: 'gossip' }, about('b', 'alive', 1)), other, 0);
  const records = Array.from({ length: 20_000 }, (_, i) => textPayload(`record number ${i}`));
  membership.publish(records, 0);
  membership.take();
  membership.leave(1);
  const said = membership
    .take()
    .packets.flatMap(({ packet }) => packet.updates)
    .filter((update) => update.kind === 'member' && update.name === 'a' && update.state === 'left');
  assert.equal(said.length, 2);
});

test('Membership pings a member that it knows only from others, at the address that Kubernetes lists', () => {
  const c = { host: '192.0.2.3', port };
  const withoutAddress = { ...about('c', 'alive', 1), endpoint: { host: '', port } };
  const lists = new Map([
    ['b', [other]],
    ['c', [c]],
  ]);
  for (const isListedFirst of [true, false]) {
    const membership = memberA();
    if (isListedFirst) membership.setSpeakers(lists, 0);
    membership.receive(packetOfB({ kind: 'gossip' }, about('b', 'alive', 1), withoutAddress), other, 0);
    if (!isListedFirst) membership.setSpeakers(lists, 0);
    assert.deepEqual(membership.member('c')?.endpoint, c);
    assert.deepEqual(membership.unreachable(), []);
    membership.take();
    const pinged = new Set<string>();
    for (let now = 1; now < 500; now = Math.max(now + 1, membership.wakeAtMs())) {
      membership.wake(now);
      for (const { endpoint: to, packet } of membership.take().packets)
        if (packet.body.kind === 'ping') pinged.add(to.host);
    }
    assert.ok(pinged.has(c.host), [...pinged].join(' '));
  }
});

test('Membership pings a returned member at its newly listed address, even before it hears the member', () => {
  const moved = { host: '192.0.2.9', port };
  const withoutAddress = { ...about('b', 'alive', 2), endpoint: { host: '', port } };
  const c = { host: '192.0.2.3', port };
  const packetOfC = { ...packetOfB({ kind: 'gossip' }, about('c', 'alive', 1), withoutAddress), from: 'c' };
  const lists = (ofB: typeof c) =>
    new Map([
      ['b', [ofB]],
      ['c', [c]],
    ]);
  const withoutB = new Map([['c', [c]]]);
  for (const order of ['listed, then heard of', 'heard of, then listed', 'deleted, and listed again']) {
    const membership = memberA();
    membership.setSpeakers(lists(other), 0, true);
    membership.receive(packetOfB({ kind: 'gossip' }, about('b', 'alive', 1)), other, 0);
    if (order.startsWith('deleted')) membership.setSpeakers(withoutB, 0, true);
    run(membership, 1, 5000, 1);
    assert.equal(membership.member('b')?.state, 'dead');
    if (!order.startsWith('heard')) membership.setSpeakers(lists(moved), 5000, true);
    membership.receive(packetOfC, c, 5000);
    if (order.startsWith('heard')) membership.setSpeakers(lists(moved), 5000, true);
    assert.equal(membership.member('b')?.state, 'alive', order);
    assert.deepEqual(membership.member('b')?.endpoint, moved, order);
  }
});

test('Membership keeps an unlisted address from which a member sends, even when Kubernetes lists a new address of the member', () => {
  const membership = memberA();
  membership.setSpeakers(new Map([['b', [endpoint]]]), 0);
  membership.receive(packetOfB({ kind: 'gossip' }, about('b', 'alive', 1)), other, 0);
  membership.setSpeakers(new Map([['b', [{ host: '192.0.2.9', port }]]]), 0);
  assert.deepEqual(membership.member('b')?.endpoint, other);
});

test('Membership adds only as much gossip to an ack as its description of itself leaves room for', () => {
  for (const length of [0, 700, maxMetadataOctets]) {
    const membership = memberA();
    membership.receive(packetOfB({ kind: 'gossip' }, about('b', 'alive', 1)), other, 0);
    membership.setMetadata('x'.repeat(length), 0);
    membership.publish(
      Array.from({ length: 100 }, (_, i) => textPayload(`record ${i}`)),
      0,
    );
    membership.take();
    membership.receive(packetOfB({ kind: 'ping', sequence: 7 }, about('a', 'suspect', 9)), other, 0);
    const ack = membership.take().packets.find(({ packet }) => packet.body.kind === 'ack');
    const updates = ack?.packet.updates ?? [];
    const octets = updates.reduce((sum, update) => sum + updateSize(update), 0);
    assert.ok(octets > length && octets <= updateOctets, `${octets} octets with ${length} of metadata`);
    assert.ok(updates.length > 1, 'gossip fills the room that is left');
  }
});

for (const body of [
  { kind: 'ping', sequence: 7 },
  { kind: 'gossip' },
  { kind: 'records' },
] as const satisfies readonly Body[])
  test(`Membership answers an outdated record in a packet of kind ${body.kind} with the newest record`, () => {
    const store = new ClaimStore();
    const membership = memberA(new ClaimPayloads(store));
    store.merge(claim({ owner: 'c', epoch: 3 }));
    const outdated = payloadOf(claim({ owner: 'b', epoch: 2 }));
    membership.receive(packetOfB(body, about('b', 'alive', 1), outdated), other, 0);
    const sent = membership.take().packets.flatMap(({ to, packet }) => (to === 'b' ? packet.updates : []));
    assert.ok(
      sent.some(
        (update) =>
          update.kind === 'payload' &&
          Buffer.from(update.octets).equals(payloadOf(claim({ owner: 'c', epoch: 3 })).octets),
      ),
    );
  });

test('Membership drops the release of an address after a day', () => {
  const store = new ClaimStore();
  const membership = memberA(new ClaimPayloads(store));
  const released = claim({ owner: '', epoch: 2, from: 'a' });
  membership.publish([payloadOf(claim({})), payloadOf(released)], 0);
  run(membership, 0, releaseKeptMs - hourMs);
  assert.deepEqual(store.newest(released.address), released);
  run(membership, releaseKeptMs - hourMs, releaseKeptMs + hourMs);
  assert.equal(store.newest(released.address), undefined);
});

test('Membership forgets a member an hour after its end, unless Kubernetes still lists the member', () => {
  const membership = memberA();
  const speakers = (...names: string[]) => new Map(names.map((name) => [name, [other]]));
  membership.setSpeakers(speakers('b', 'c'), 0, true);
  for (const name of ['b', 'c'])
    membership.receive({ ...packetOfB({ kind: 'gossip' }, about(name, 'alive', 1)), from: name }, other, 0);
  membership.setSpeakers(speakers('c'), 1, true);
  assert.deepEqual(run(membership, 1, minuteMs, 10), []);
  assert.deepEqual([membership.member('b')?.state, membership.member('c')?.state], ['dead', 'dead']);
  assert.deepEqual(run(membership, minuteMs, hourMs), []);
  assert.deepEqual(run(membership, hourMs, hourMs + 3 * minuteMs), ['b']);
  assert.equal(membership.member('b'), undefined);
  assert.equal(membership.member('c')?.state, 'dead');
  membership.setSpeakers(new Map(), 2 * hourMs, true);
  assert.deepEqual(membership.take().forgotten, ['c']);
});
