import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeEcho } from '../../../src/bfd/codec/echo-packet.ts';
import type { BfdPacket } from '../../../src/bfd/codec/packet.ts';
import { encodePacket } from '../../../src/bfd/codec/packet.ts';
import { faultPauseMs } from '../../../src/bfd/session.ts';
import type { BfdSessionSettings } from '../../../src/bfd/session-settings.ts';
import { connect } from '../../support/memory-bfd-transport.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { base, type Node, node, only, ours, pair, theirs } from './engine-nodes.ts';
import { decoded, packet, signed } from './packets.ts';

/** Delivers a packet as if the peer had sent it. */
function deliver({ transport }: Node, octets: Uint8Array, source = theirs): void {
  transport.port().arrive(octets, source);
  transport.port().poll();
}

describe('BfdEngine', () => {
  test('two nodes bring their session up, and count and report the change to Up', () => {
    const { a } = pair();
    const status = only(a);
    assert.equal(status.ups, 1);
    assert.ok(status.sent > 30 && status.received > 30);
    assert.deepEqual([status.transmitIntervalMs, status.detectionTimeMs], [50, 150]);
    assert.equal(a.transport.port().filter.minimumTtl, 255);
    assert.deepEqual(
      a.changes
        .map(({ state }) => state)
        .filter((state, i, all) => state !== all[i - 1])
        .at(-1),
      'Up',
    );
    assert.ok(a.recorder.events('bfd router').length > 0);
  });

  test('a peer that falls silent is down after the Detection Time', () => {
    const { clock, a, b } = pair();
    b.transport.onSent = () => undefined;
    clock.advance(160);
    assert.deepEqual([only(a).state, only(a).diagnostic, only(a).downs], ['Down', 1, 1]);
    assert.equal(a.changes.at(-1)?.state, 'Down');
    assert.ok(a.lines.some(({ msg, level }) => msg === 'BFD session went down' && level === 'warn'));
  });

  test('packets that wait in the socket are read before the peer is called silent', () => {
    const { clock, a, b } = pair();
    const port = a.transport.port();
    // The peer goes on sending, but our event loop does not run.
    b.transport.onSent = (_, octets) => port.arrive(octets, theirs);
    const { remoteDiscriminator, localDiscriminator } = only(a);
    port.arrive(
      encodePacket(packet({ myDiscriminator: remoteDiscriminator, yourDiscriminator: localDiscriminator })),
      theirs,
    );
    clock.stall(149);
    clock.stall(149);
    assert.equal(only(a).state, 'Up');
    assert.equal(only(a).downs, 0);
  });

  test('a silent peer gets one reprieve after this process has been paused', () => {
    const { clock, a, b } = pair();
    b.transport.onSent = () => undefined;
    clock.stall(400);
    assert.equal(only(a).state, 'Up');
    clock.advance(200);
    assert.equal(only(a).state, 'Down');
  });

  test('a session that goes down logs how late the last packets of this node were', () => {
    const { clock, a, b } = pair();
    b.transport.onSent = () => undefined;
    clock.stall(400);
    clock.advance(200);
    const down = a.lines.find(({ msg }) => msg === 'BFD session went down');
    assert.ok(Number(down?.sentLateMs) >= 340 && Number(down?.sentLateMs) <= 400, JSON.stringify(down));
  });

  test('a session that goes down on a quiet node logs a delay of zero, however late packets were a minute ago', () => {
    const { clock, a, b } = pair();
    clock.stall(140);
    clock.advance(60_000);
    b.transport.onSent = () => undefined;
    clock.advance(200);
    const down = a.lines.findLast(({ msg }) => msg === 'BFD session went down');
    assert.equal(down?.sentLateMs, 0);
  });

  for (const [what, changes] of [
    ['id', { id: 'other' }],
    ['local address', { localAddress: ours }],
  ] as const)
    test(`the farewell of a session does not disturb the session that takes its place with another ${what}`, () => {
      const { clock, a, b } = pair();
      a.engine.setSessions([{ ...base, ...changes }]);
      clock.advance(10_000);
      assert.deepEqual([only(a).state, only(b).state], ['Up', 'Up']);
      assert.deepEqual([only(a).ups, only(a).downs, only(b).downs], [1, 0, 1]);
    });

  test('two passive ends send nothing, and one end that is not passive is enough to bring the session up', () => {
    const clock = new VirtualClock();
    const [a, b] = [node(clock), node(clock)];
    connect([a.transport, ours], [b.transport, theirs]);
    a.engine.setSessions([{ ...base, passive: true }]);
    b.engine.setSessions([{ ...base, peerAddress: ours, passive: true }]);
    clock.advance(5000);
    assert.deepEqual([only(a).sent, only(b).sent, only(a).passive], [0, 0, true]);
    b.engine.setSessions([{ ...base, peerAddress: ours }]);
    clock.advance(5000);
    assert.deepEqual([only(a).state, only(b).state], ['Up', 'Up']);
  });

  test('no forged packet changes the state of a session', () => {
    const { clock, a } = pair();
    const { localDiscriminator, remoteDiscriminator } = only(a);
    const down: Partial<BfdPacket> = { state: 'Down', diagnostic: 1, myDiscriminator: remoteDiscriminator };
    const unknown = (localDiscriminator ^ 1) >>> 0;
    for (let round = 0; round < 2; round++) {
      deliver(a, encodePacket(packet({ ...down, yourDiscriminator: unknown })));
      deliver(a, encodePacket(packet({ ...down, yourDiscriminator: 0 })));
      deliver(a, encodePacket(packet({ ...down, yourDiscriminator: 0 })), '192.0.2.99');
      deliver(a, encodePacket(packet({ ...down, yourDiscriminator: localDiscriminator })), '192.0.2.99');
      deliver(a, encodePacket(packet({ ...down, yourDiscriminator: localDiscriminator })).subarray(0, 20));
      deliver(a, Buffer.from('not BFD at all, but long enough for it'));
    }
    assert.equal(only(a).state, 'Up');
    assert.deepEqual(only(a).dropped, { 'no-discriminator': 2, 'wrong-source': 2 });
    assert.deepEqual(a.engine.processStatus().dropped, { 'no-session': 4, malformed: 4 });
    assert.equal(
      a.lines.filter(({ msg }) => msg === 'BFD packet dropped').length,
      2,
      'each kind that the session counts is logged once',
    );
    clock.advance(1000);
    assert.equal(only(a).downs, 0);
  });

  test('a flood does not change the state of a session, and the kernel drops the flood while it lasts', () => {
    const { clock, a } = pair();
    const port = a.transport.port();
    const junk = encodePacket(packet({ state: 'Down', yourDiscriminator: 5 }));
    const fresh = encodePacket(packet({ state: 'Down', yourDiscriminator: 0 }));
    const flood = () => {
      for (let i = 0; i < 1000; i++) port.arrive(i % 2 === 0 ? junk : fresh, theirs);
      port.poll();
    };
    flood();
    assert.equal(a.pauses(), 1);
    assert.deepEqual(port.filter.discriminators, [only(a).localDiscriminator]);
    for (let round = 0; round < 200; round++) {
      flood();
      clock.advance(20);
    }
    assert.deepEqual([only(a).state, only(a).downs], ['Up', 0]);
    assert.ok(port.dropped > 100_000, 'the kernel drops the flood');
    clock.advance(5000);
    for (let i = 0; i < 10; i++) port.poll();
    clock.advance(5000);
    assert.equal(port.filter.discriminators, undefined);
    assert.equal(a.lines.filter(({ msg }) => msg.startsWith('more BFD packets')).length, 1);
  });

  test('neither a packet without the right key nor a replay changes the state of a session with authentication', () => {
    const secret = Buffer.from('a secret').toString('base64');
    const authentication = { type: 'meticulous-sha1', sendKeyId: 1, keys: [{ id: 1, secret }] } as const;
    const { clock, a, b } = pair({ authentication });
    const recorded = b.transport.sent.at(-1);
    assert.ok(recorded);
    const { localDiscriminator: yourDiscriminator, remoteDiscriminator: myDiscriminator } = only(a);
    const forged = { state: 'Down', yourDiscriminator, myDiscriminator } as const;
    const { authentication: section } = decoded(recorded.octets);
    const sequence = section && section.type !== 'other' ? section.sequence + 1 : 0;
    deliver(a, recorded.octets);
    deliver(a, encodePacket(packet(forged)));
    deliver(a, signed(forged, 'meticulous-sha1', { id: 1, octets: Buffer.from('a guess') }, sequence));
    const { dropped, lastDropped } = only(a);
    assert.deepEqual(dropped, { sequence: 1, authentication: 2 });
    assert.deepEqual(lastDropped, { reason: 'authentication', agoMs: 0 });
    clock.advance(10);
    assert.equal(only(a).lastDropped?.agoMs, 10);
    clock.advance(1000);
    assert.deepEqual([only(a).state, only(a).downs], ['Up', 0]);
  });

  test('without real-time scheduling, short intervals and a small multiplier are raised, and the status says so', () => {
    const slow = node(new VirtualClock(), { scheduling: 'nice', schedulingFault: 'no capability' });
    slow.engine.setSessions([{ ...base, detectMultiplier: 2 }]);
    const status = only(slow);
    assert.deepEqual(
      [status.requiredReceiveIntervalMs, status.detectMultiplier, status.desiredTransmitIntervalMs],
      [100, 3, 1000],
    );
    assert.match(
      status.warning ?? '',
      /transmit interval is 100 ms instead of 50 ms.*detect multiplier is 3 instead of 2/,
    );
    slow.engine.setSessions([{ ...base, transmitIntervalMs: 100, receiveIntervalMs: 300 }]);
    assert.equal(only(slow).warning, undefined);
  });

  test('an edit of the name and the receive interval keeps the session', () => {
    const { clock, a } = pair();
    const { localDiscriminator } = only(a);
    a.engine.setSessions([{ ...base, name: 'renamed', receiveIntervalMs: 200 }]);
    clock.advance(500);
    const status = only(a);
    assert.deepEqual(
      [status.localDiscriminator, status.name, status.state, status.requiredReceiveIntervalMs],
      [localDiscriminator, 'renamed', 'Up', 200],
    );
    assert.equal(status.downs, 0);
  });

  test('a removed session sends AdminDown to its peer for up to 5 s, and then closes its socket', () => {
    const { clock, a, b } = pair();
    const port = a.transport.port();
    a.engine.setSessions([]);
    assert.equal(only(b).remoteState, 'AdminDown');
    assert.equal(only(b).diagnostic, 3);
    assert.deepEqual(a.engine.status(), []);
    assert.equal(port.isClosed, false);
    clock.advance(6000);
    assert.equal(port.isClosed, true);
    const { length } = a.transport.sent;
    clock.advance(6000);
    assert.equal(a.transport.sent.length, length);
  });

  test('a session that returns during its farewell goes on with its discriminator', () => {
    const { clock, a } = pair();
    const { localDiscriminator } = only(a);
    a.engine.setSessions([]);
    clock.advance(100);
    a.engine.setSessions([base]);
    clock.advance(5000);
    assert.deepEqual([only(a).localDiscriminator, only(a).state], [localDiscriminator, 'Up']);
  });

  test('an edit of the peer address makes another session, and the trace of the peer goes on', () => {
    const { clock, a } = pair();
    const { localDiscriminator } = only(a);
    a.engine.setSessions([{ ...base, peerAddress: '192.0.2.3' }]);
    assert.notEqual(only(a).localDiscriminator, localDiscriminator);
    assert.equal(only(a).peerAddress, '192.0.2.3');
    const recorded = a.recorder.events('bfd router').length;
    clock.advance(6000);
    assert.ok(a.recorder.events('bfd router').length >= recorded);
    a.engine.setSessions([]);
    clock.advance(6000);
    assert.deepEqual(a.recorder.events('bfd router'), []);
  });

  test('each of two sessions that swap names begins its trace again with the edit', () => {
    const one = node(new VirtualClock());
    const other = { ...base, id: 'other', name: 'other', peerAddress: '192.0.2.3' };
    one.engine.setSessions([base, other]);
    const kinds = (name: string) => one.recorder.events(`bfd ${name}`).map(({ event }) => event);
    one.engine.setSessions([
      { ...base, name: 'other' },
      { ...other, name: 'router' },
    ]);
    for (const name of ['router', 'other']) assert.deepEqual(kinds(name), [{ kind: 'configure' }], name);
  });

  test('a socket that cannot be opened is a fault, and the engine tries to open it again', () => {
    const clock = new VirtualClock();
    const one = node(clock);
    one.transport.fault = 'this node has no interface eth0';
    one.engine.setSessions([base]);
    assert.equal(only(one).fault, 'this node has no interface eth0');
    clock.advance(3000);
    assert.equal(one.lines.length, 1, 'a lasting fault is logged once');
    one.transport.fault = undefined;
    clock.advance(2500);
    assert.equal(only(one).fault, undefined);
    assert.ok(one.transport.sent.length > 0);
  });

  test('a replaced interface gets a new socket', () => {
    const { clock, a } = pair();
    const before = a.transport.port();
    before.isReplaced = true;
    clock.advance(1500);
    assert.equal(before.isClosed, true);
    assert.notEqual(a.transport.port(), before);
    assert.equal(a.transport.port().filter.minimumTtl, 255);
  });

  test('a packet that the system refuses is a fault until the system sends another one', () => {
    const { clock, a } = pair();
    a.transport.refusal = 'EPERM';
    clock.advance(100);
    assert.equal(only(a).fault, 'the system refuses to send: EPERM');
    a.transport.refusal = undefined;
    clock.advance(2000);
    assert.equal(only(a).fault, undefined);
  });

  test('a fault that comes and goes is logged once, and again after it was absent for some time', () => {
    const { clock, a } = pair();
    const logged = () => a.lines.filter(({ msg }) => msg === 'BFD session cannot run').length;
    const comeAndGo = () => {
      for (let i = 0; i < 20; i++) {
        a.transport.refusal = i % 2 === 0 ? 'ENOBUFS' : undefined;
        clock.advance(2000);
        assert.equal(only(a).fault !== undefined, i % 2 === 0);
      }
    };
    comeAndGo();
    assert.equal(logged(), 1);
    a.transport.refusal = 'EPERM';
    clock.advance(faultPauseMs + 2000);
    assert.equal(logged(), 2, 'a lasting fault is logged once');
    comeAndGo();
    assert.equal(logged(), 3);
  });

  test('sessions on one socket share its filter, which has the minimum TTL of each peer', () => {
    const one = node(new VirtualClock());
    const multihop = (id: string, peerAddress: string, minimumTtl: number): BfdSessionSettings => ({
      ...base,
      ...{ id, name: id, peerAddress, mode: { kind: 'multihop', minimumTtl } },
    });
    one.engine.setSessions([multihop('a', '10.0.0.1', 254), multihop('b', '10.0.0.2', 200)]);
    assert.deepEqual(one.transport.port(4784).filter, {
      minimumTtl: 200,
      peerMinimumTtls: [{ peerAddress: '10.0.0.1', minimumTtl: 254 }],
    });
    assert.equal(one.transport.ports.length, 1);
    one.transport.port(4784).dropped = 7;
    assert.equal(one.engine.processStatus().dropped.ttl, 7);
  });

  test('an Echo packet counts only with the cookie of the session', () => {
    const { clock, a, b } = pair({ echo: { intervalMs: 50 } });
    assert.ok(a.transport.sentEchoes.length > 3);
    assert.match(only(a).warning ?? '', /has not returned an Echo packet yet/);
    const [genuine = new Uint8Array()] = a.transport.sentEchoes;
    const { localDiscriminator } = only(a);
    const address = Uint8Array.of(192, 0, 2, 1);
    const forged = encodeEcho(
      { discriminator: localDiscriminator, sequence: 1, cookie: new Uint8Array(8) },
      address,
    );
    a.transport.echoes.push(forged, Buffer.from('junk'), b.transport.sentEchoes[0] ?? forged);
    clock.advance(60);
    assert.equal(only(a).echo?.received, 0);
    a.transport.echoes.push(genuine);
    // The engine reads Echo packets before it judges a peer that is silent.
    b.transport.onSent = () => undefined;
    clock.stall(400);
    assert.deepEqual([only(a).echo?.received, only(a).warning], [1, undefined]);
  });

  test('a warning says why the system refuses an Echo packet, until the system sends another one', () => {
    const { clock, a } = pair({ echo: { intervalMs: 50 } });
    a.transport.refusal = 'ENETDOWN';
    clock.advance(60);
    assert.equal(only(a).warning, 'Echo packets are not sent: ENETDOWN');
    a.transport.refusal = undefined;
    clock.advance(60);
    assert.doesNotMatch(only(a).warning ?? '', /ENETDOWN/);
  });

  test('Echo packets that the system refuses do not end a session whose peer has returned others', () => {
    const { clock, a, b } = pair({ echo: { intervalMs: 50 } });
    const { onSent } = b.transport;
    b.transport.onSent = () => undefined;
    a.transport.echoes.push(...a.transport.sentEchoes.slice(-1));
    // The engine reads the Echo packet before it judges the silence.
    clock.stall(400);
    b.transport.onSent = onSent;
    assert.equal(only(a).echo?.received, 1);
    a.transport.echoRefusal = 'ENOBUFS';
    clock.advance(5000);
    assert.deepEqual([only(a).state, only(a).downs], ['Up', 0]);
    assert.match(only(a).warning ?? '', /ENOBUFS/);
  });

  test('a node that does not forward IPv4 offers no echo function and warns of it, and its peer sends no Echo packets', () => {
    const { clock, a, b } = pair({ echo: { intervalMs: 50 } });
    b.transport.returnsEcho = false;
    clock.advance(3000);
    const { length } = a.transport.sentEchoes;
    clock.advance(3000);
    assert.equal(a.transport.sentEchoes.length, length);
    assert.match(only(a).warning ?? '', /offers no echo function/);
    assert.match(only(b).warning ?? '', /does not forward IPv4/);
  });

  test('a session over several hops or over IPv6 sends no Echo packets, and says so', () => {
    const one = node(new VirtualClock());
    const { interface: _, ...settings } = { ...base, echo: { intervalMs: 50 } };
    one.engine.setSessions([
      { ...settings, id: 'far', name: 'far', mode: { kind: 'multihop', minimumTtl: 254 } },
      { ...settings, id: 'ipv6', name: 'ipv6', peerAddress: '2001:db8::2' },
    ]);
    const [far, ipv6] = one.engine.status();
    assert.deepEqual([far?.echo, ipv6?.echo], [undefined, undefined]);
    assert.equal(far?.warning, 'Echo packets need a single-hop session');
    assert.equal(ipv6?.warning, 'Echo packets work over IPv4 only');
  });

  test('a session without an interface also receives packets on the socket of a session with an interface', () => {
    const one = node(new VirtualClock());
    const { interface: _, ...free } = base;
    one.engine.setSessions([base, { ...free, id: 'free', name: 'free', peerAddress: '192.0.2.3' }]);
    const bound = one.transport.ports.find(({ key }) => key.interface === 'eth0');
    assert.ok(bound && one.transport.ports.length === 2);
    bound.arrive(encodePacket(packet({ state: 'Down', yourDiscriminator: 0 })), '192.0.2.3');
    bound.poll();
    assert.deepEqual(
      one.engine.status().map(({ state }) => state),
      ['Down', 'Init'],
    );
  });

  test('an exception in the handling of a packet is logged once and loses only that packet', () => {
    const clock = new VirtualClock();
    const one = node(clock);
    const { interface: _, ...free } = base;
    one.engine.setSessions([free, { ...free, id: 'other', name: 'other', peerAddress: '192.0.2.3' }]);
    const down = encodePacket(packet({ state: 'Down', yourDiscriminator: 0 }));
    const push = one.changes.push;
    one.changes.push = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    for (let i = 0; i < 2; i++) {
      deliver(one, down);
      deliver(one, encodePacket(packet({ yourDiscriminator: only(one).localDiscriminator })));
    }
    one.changes.push = push;
    const bugs = one.lines.filter(({ msg }) => msg === 'bug: input dropped');
    assert.deepEqual(
      bugs.map(({ entrance, source }) => [entrance, source]),
      [['bfd', theirs]],
    );
    assert.ok(one.recorder.events('guard').length > 0);
    deliver(one, down, '192.0.2.3');
    assert.equal(one.engine.status()[1]?.state, 'Init');
  });

  test('stop() tells every peer AdminDown and closes the sockets', async () => {
    const { clock, a, b } = pair();
    const stopped = a.engine.stop();
    assert.equal(only(b).remoteState, 'AdminDown');
    clock.advance(1000);
    await stopped;
    assert.equal(
      a.transport.ports.every(({ isClosed }) => isClosed),
      true,
    );
  });
});
