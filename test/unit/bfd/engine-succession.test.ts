import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodePassedSession } from '../../../src/bfd/codec/passed-session.ts';
import { connect } from '../../support/memory-bfd-transport.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { base, node, only, ours, pair, theirs } from './engine-nodes.ts';
import { decoded } from './packets.ts';

describe('BFD sessions in a succession', () => {
  const authentication = (type: 'keyed-sha1' | 'meticulous-sha1') => ({
    authentication: {
      type,
      sendKeyId: 1,
      keys: [{ id: 1, secret: Buffer.from('secret').toString('base64') }],
    },
  });

  for (const [name, changes] of [
    ['without authentication', {}],
    ['with keyed SHA1', authentication('keyed-sha1')],
    ['with meticulous SHA1', authentication('meticulous-sha1')],
    [
      'with a multiplier of 1 and meticulous SHA1',
      { ...authentication('meticulous-sha1'), detectMultiplier: 1 },
    ],
  ] as const)
    test(`stay Up at the peer, ${name}`, () => {
      const { clock, a, b } = pair(changes);
      const before = only(b);
      const next = node(clock);
      const passed = a.engine.passOn();
      assert.equal(passed.length, 1);
      // The predecessor keeps sending for a moment.
      clock.advance(20);
      assert.deepEqual(next.engine.inherit(passed), { ok: true, value: 1 });
      a.engine.letGo();
      connect([next.transport, ours], [b.transport, theirs]);
      next.engine.setSessions([{ ...base, ...changes }]);
      assert.equal(only(next).state, 'Up');
      assert.equal(only(next).localDiscriminator, only(b).remoteDiscriminator);
      assert.equal(next.changes.at(-1)?.state, 'Up');
      assert.equal(next.transport.sent.length, 1, 'the first packet leaves at once');
      clock.advance(5000);
      const { downs, remoteDiscriminator, state, dropped } = only(b);
      assert.deepEqual([state, downs, remoteDiscriminator], ['Up', 0, before.remoteDiscriminator]);
      assert.deepEqual(dropped, {});
      assert.equal(only(next).state, 'Up');
      const firstUp = b.changes.findIndex((change) => change.state === 'Up');
      assert.ok(b.changes.slice(firstUp).every((change) => change.state === 'Up'));
    });

  test('stay Up at the peer when the predecessor sends four more packets, with meticulous SHA1', () => {
    const changes = authentication('meticulous-sha1');
    const { clock, a, b } = pair(changes);
    const next = node(clock);
    assert.ok(next.engine.inherit(a.engine.passOn()).ok);
    clock.advance(200);
    a.engine.letGo();
    connect([next.transport, ours], [b.transport, theirs]);
    next.engine.setSessions([{ ...base, ...changes }]);
    clock.advance(5000);
    const { downs, state, dropped } = only(b);
    assert.deepEqual([state, downs, dropped], ['Up', 0, {}]);
  });

  test('skip only as many sequence numbers as a peer with a smaller multiplier accepts', () => {
    const clock = new VirtualClock();
    const [a, b, next] = [node(clock), node(clock), node(clock)];
    connect([a.transport, ours], [b.transport, theirs]);
    const settings = { ...base, ...authentication('meticulous-sha1'), detectMultiplier: 10 };
    a.engine.setSessions([settings]);
    b.engine.setSessions([{ ...settings, detectMultiplier: 2, peerAddress: ours }]);
    clock.advance(3000);
    const [octets] = a.engine.passOn();
    const passed = octets && decodePassedSession(octets);
    assert.ok(octets && passed?.ok);
    next.engine.inherit([octets]);
    next.engine.setSessions([settings]);
    const first = next.transport.sent[0]?.octets;
    const section = first && decoded(first).authentication;
    assert.ok(section && section.type === 'meticulous-sha1');
    assert.equal((section.sequence - passed.value.sentSequence) >>> 0, 5);
  });

  test('send no more packets from the predecessor after letGo()', () => {
    const { clock, a } = pair();
    const { length } = a.transport.sent;
    a.engine.letGo();
    clock.advance(5000);
    assert.equal(a.transport.sent.length, length);
    assert.deepEqual(a.engine.status(), []);
  });

  test('go down in the successor when the peer is silent', () => {
    const { clock, a } = pair();
    const next = node(clock);
    next.engine.inherit(a.engine.passOn());
    a.engine.letGo();
    next.engine.setSessions([base]);
    clock.advance(160);
    assert.deepEqual([only(next).state, only(next).diagnostic], ['Down', 1]);
  });

  test('are passed on only when they are Up', () => {
    const clock = new VirtualClock();
    const lonely = node(clock);
    lonely.engine.setSessions([base]);
    assert.deepEqual(lonely.engine.passOn(), []);
  });

  test('begin again in the state Down when their path has changed, or after disinherit()', () => {
    const { clock, a } = pair();
    const [moved, late] = [node(clock), node(clock)];
    const passed = a.engine.passOn();
    for (const { engine } of [moved, late]) assert.ok(engine.inherit(passed).ok);
    moved.engine.setSessions([{ ...base, interface: 'eth1' }]);
    assert.equal(only(moved).state, 'Down');
    late.engine.disinherit();
    late.engine.setSessions([base]);
    assert.equal(only(late).state, 'Down');
  });

  test('are refused after disinherit(), so that a peer that is added again later does not begin Up', () => {
    const { clock, a } = pair();
    const late = node(clock);
    late.engine.setSessions([base]);
    late.engine.disinherit();
    assert.equal(late.engine.inherit(a.engine.passOn()).ok, false);
    late.engine.setSessions([]);
    clock.advance(6000);
    late.engine.setSessions([base]);
    assert.equal(only(late).state, 'Down');
  });

  test('are all refused when one of them is malformed', () => {
    const { clock, a } = pair();
    const next = node(clock);
    assert.equal(next.engine.inherit([...a.engine.passOn(), Uint8Array.of(1)]).ok, false);
    next.engine.setSessions([base]);
    assert.equal(only(next).state, 'Down');
  });
});
