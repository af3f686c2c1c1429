import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Message } from '../../../src/bgp/message.ts';
import type { ResolvedPeer } from '../../../src/bgp/peer.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { ip, prefix } from '../../support/addresses.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import type { MemoryStream } from './memory-transport.ts';
import {
  fixture,
  gracefulRestart,
  host,
  keepalive,
  notification,
  open,
  peer,
  plain,
} from './session-fixture.ts';

describe('a session in virtual time', () => {
  test('routes are sent at once, and End-of-RIB follows once all routes are known', () => {
    const { speaker, clock, establish } = fixture();
    speaker.setPeers([peer()]);
    speaker.announce('router', host, plain);
    const stream = establish();
    clock.advance(1);
    assert.deepEqual(stream.kinds(), ['open', 'keepalive', 'update']);
    clock.advance(10_000);
    assert.equal(stream.messages.filter(({ kind }) => kind === 'update').length, 1);
    speaker.synced();
    clock.advance(1);
    const last = stream.messages.at(-1);
    assert.ok(last?.kind === 'update' && last.nlri.length === 0 && last.withdrawn.length === 0);
  });

  test('KEEPALIVEs are sent every third of the hold time, and the session with a silent peer ends with NOTIFICATION 4/0', async () => {
    const { speaker, clock, establish, status, transport, registry } = fixture();
    speaker.setPeers([peer()]);
    const stream = establish();
    clock.advance(60_000);
    assert.equal(stream.kinds().filter((kind) => kind === 'keepalive').length, 3);
    stream.send(keepalive);
    clock.advance(89_000);
    assert.equal(status().state, 'Established');
    clock.advance(1_100);
    assert.equal(status().lastError, 'Hold Timer Expired');
    const errors = await registry.getSingleMetric('bellman_bgp_last_error_timestamp_seconds')?.get();
    assert.deepEqual(
      errors?.values.map(({ labels }) => labels.error),
      ['Hold Timer Expired'],
    );
    const last = stream.messages.at(-1);
    assert.ok(last?.kind === 'notification' && last.code === 4);
    clock.advance(1_000);
    assert.equal(transport.streams.length, 2, 'the session is retried after the idle hold time');
  });

  test('a KEEPALIVE that arrived while the event loop was busy keeps the hold timer from expiring', () => {
    const { speaker, clock, establish, status } = fixture();
    speaker.setPeers([peer()]);
    const stream = establish();
    // The event loop first runs the timers that are due, and then reads the sockets.
    clock.advance(90_000);
    stream.send(keepalive);
    clock.advance(10);
    assert.equal(status().state, 'Established');
  });

  test('a peer that reads nothing is dropped after eight minutes, without a NOTIFICATION (RFC 9687)', () => {
    const { speaker, clock, establish, status } = fixture();
    speaker.setPeers([peer()]);
    const stream = establish();
    stream.isReading = false;
    for (let i = 0; i < 47; i++) {
      clock.advance(10_000);
      stream.send(keepalive);
    }
    assert.equal(status().state, 'Established');
    clock.advance(11_000);
    assert.equal(status().lastError, 'Send Hold Timer Expired');
    assert.deepEqual([...new Set(stream.unreadMessages.map(({ kind }) => kind))], ['keepalive']);
  });

  test('a flapping peer is logged once for each cause, and retried with growing delays', () => {
    const { speaker, clock, transport, lines } = fixture();
    speaker.setPeers([peer()]);
    for (let i = 0; i < 3600; i++) {
      clock.advance(1000);
      if (!transport.last.isOpen) continue;
      transport.last.connected();
      transport.last.send(notification(6, 5));
    }
    assert.ok(transport.streams.length < 45, `${transport.streams.length} connections in an hour`);
    assert.equal(lines.filter((line) => line.includes('Connection Rejected')).length, 1);
  });

  test('a NOTIFICATION stays the last error when later connections are only reset', () => {
    const { speaker, clock, transport, establish, status, lines } = fixture();
    speaker.setPeers([peer()]);
    transport.last.connected();
    transport.last.send(notification(2, 2));
    const cause = status().lastError ?? '';
    assert.match(cause, /NOTIFICATION received: OPEN Message Error\/Bad Peer AS/);
    const retry = () => {
      while (!transport.last.isOpen) clock.advance(500);
    };
    for (let i = 0; i < 3; i++) {
      retry();
      transport.last.connected();
      transport.last.closed('connection reset by the peer');
      assert.equal(status().lastError, cause);
    }
    assert.equal(lines.filter((line) => line.includes('session down')).length, 1);
    retry();
    transport.last.closed('connection refused');
    assert.equal(status().lastError, 'connection refused', 'a refused connection replaces the NOTIFICATION');
    retry();
    establish().closed('connection reset by the peer');
    assert.equal(
      status().lastError,
      'connection reset by the peer',
      'after a session any reason becomes the last error',
    );
  });

  for (const [state, subcode, octets] of [
    // An UPDATE whose withdrawn routes overrun the message.
    ['OpenSent', 1, '001702ffff0000'],
    ['OpenConfirm', 2, '001702ffff0000'],
    // An OPEN of version 3.
    ['Established', 3, '001d0103fbf4005ac000020200'],
  ] as const)
    test(`a malformed message of a type that ${state} does not expect gets Finite State Machine Error ${subcode}`, () => {
      const { speaker, transport } = fixture();
      speaker.setPeers([peer()]);
      const stream = transport.last;
      stream.connected();
      if (state !== 'OpenSent') stream.send(open());
      if (state === 'Established') stream.send(keepalive);
      stream.sendBytes(Uint8Array.from(Buffer.from('ff'.repeat(16) + octets, 'hex')));
      const last = stream.messages.at(-1);
      assert.ok(last?.kind === 'notification');
      assert.deepEqual([last.code, last.subcode], [5, subcode]);
    });

  test('a refused capability is left out of the next OPEN', () => {
    const { speaker, clock, transport } = fixture();
    speaker.setPeers([peer()]);
    transport.last.connected();
    transport.last.send(notification(2, 7, Uint8Array.of(73, 0)));
    clock.advance(1_100);
    transport.last.connected();
    const [sent] = transport.last.messages;
    assert.ok(sent?.kind === 'open');
    assert.ok(!sent.capabilities.some(({ kind }) => kind === 'fqdn'));
    assert.ok(sent.capabilities.some(({ kind }) => kind === 'four-octet-as'));
  });

  test('a peer that refuses all capabilities is offered none for one session, the status says so, and all are offered again after it', () => {
    const { speaker, clock, transport, establish, status, lines } = fixture();
    const offered = () => {
      const [sent] = transport.last.messages;
      assert.ok(sent?.kind === 'open');
      return sent.capabilities.length;
    };
    speaker.setPeers([peer()]);
    transport.last.connected();
    assert.ok(offered() > 0);
    transport.last.send(notification(2, 4));
    assert.ok(lines.some((line) => line.includes('"capabilities":"all"')));
    clock.advance(1_100);
    const stream = establish();
    assert.equal(offered(), 0);
    assert.deepEqual(status().warnings, [
      'ipv6-unicast is not sent: the peer has refused an OPEN that offered it',
      'our OPEN was sent without ipv4-unicast, ipv6-unicast, route-refresh, enhanced-route-refresh, extended-message, ' +
        'four-octet-as, fqdn: the peer refused an OPEN with them, or an earlier speaker process started the session without them',
    ]);
    stream.closed('connection reset by the peer');
    clock.advance(2_100);
    establish();
    assert.ok(offered() > 0);
  });

  test('repeated ROUTE-REFRESH requests are answered at most once a second', () => {
    const { speaker, clock, establish } = fixture();
    speaker.setPeers([peer()]);
    speaker.announce('router', host, plain);
    const stream = establish();
    clock.advance(1);
    const updates = () => stream.messages.filter(({ kind }) => kind === 'update').length;
    const ask = () => {
      for (let i = 0; i < 100; i++) stream.send({ kind: 'route-refresh', afi: 1, safi: 1, subtype: 0 });
    };
    assert.equal(updates(), 1);
    ask();
    clock.advance(1);
    assert.equal(updates(), 2);
    ask();
    clock.advance(990);
    assert.equal(updates(), 2);
    clock.advance(20);
    assert.equal(updates(), 3);
  });

  test('peers that swap names keep separate metrics', async () => {
    const { speaker, registry, transport } = fixture();
    const named = (id: string, name: string, address: string) => ({
      ...peer({ name, address: ip(address) }),
      id,
    });
    speaker.setPeers([named('1', 'a', '192.0.2.2'), named('2', 'b', '192.0.2.3')]);
    transport.streams[0]?.connected();
    transport.streams[0]?.send(open(), keepalive);
    speaker.setPeers([named('1', 'b', '192.0.2.2'), named('2', 'a', '192.0.2.3')]);
    const metrics = await registry.metrics();
    assert.match(metrics, /bellman_bgp_session_up\{peer="a"\} 0/);
    assert.match(metrics, /bellman_bgp_session_up\{peer="b"\} 1/);
  });

  test('a renamed peer keeps its session under the new name', async () => {
    const { speaker, establish, status, registry, transport } = fixture();
    speaker.setPeers([peer()]);
    speaker.announce('router', host, plain);
    const stream = establish();
    speaker.setPeers([{ ...peer({ name: 'top-of-rack' }), id: 'router' }]);
    assert.deepEqual([status().name, status().state], ['top-of-rack', 'Established']);
    assert.equal(stream.isOpen, true);
    const metrics = await registry.metrics();
    assert.match(metrics, /bellman_bgp_session_up\{peer="top-of-rack"\} 1/);
    assert.match(metrics, /bellman_bgp_pending_prefixes_total\{peer="top-of-rack"\} 1/);
    assert.doesNotMatch(metrics, /peer="router"/);
    assert.equal(transport.streams.length, 1);
  });

  test('a NOTIFICATION that is sent because of an edit becomes the last error', () => {
    const { speaker, establish, status, lines } = fixture();
    speaker.setPeers([peer()]);
    establish();
    speaker.setPeers([peer({ holdTimeSeconds: 30 })]);
    assert.equal(
      status().lastError,
      'NOTIFICATION sent: Cease/Other Configuration Change, our configuration of this peer changed',
    );
    assert.ok(lines.some((line) => line.includes('Cease/Other Configuration Change')));
    establish();
    speaker.setPeers([]);
    assert.ok(lines.some((line) => line.includes('NOTIFICATION sent: Cease/Peer De-configured')));
  });

  test('after an edit, a failure becomes the last error and is logged, whatever was known before the edit', () => {
    const reset = 'connection reset by the peer';
    const waiting = { ...peer(), waitingFor: 'Secret bellman-system/tor does not exist' };
    const fails = ({ transport }: ReturnType<typeof fixture>) => transport.last.closed(reset);
    const cases: readonly (readonly [
      ResolvedPeer,
      (one: ReturnType<typeof fixture>) => void,
      ResolvedPeer,
    ])[] = [
      [waiting, () => undefined, { ...peer(), password: 'one' }],
      [peer(), ({ establish }) => establish(), peer({ address: ip('192.0.2.9') })],
      [peer(), fails, peer({ peerAsn: 64501 })],
    ];
    for (const [before, run, after] of cases) {
      const one = fixture();
      one.speaker.setPeers([before]);
      run(one);
      one.speaker.setPeers([after]);
      const count = () => one.lines.filter((line) => line.includes('session down')).length;
      const logged = count();
      fails(one);
      assert.equal(one.status().lastError, reset);
      assert.equal(count(), logged + 1);
    }
  });

  test('peers that swap names keep their recordings apart', () => {
    const recorder = new FlightRecorder({ clock: new VirtualClock() });
    const { speaker } = fixture({ recorder });
    const named = (id: string, name: string, address: string, holdTimeSeconds: number) => ({
      ...peer({ name, address: ip(address), holdTimeSeconds }),
      id,
    });
    speaker.setPeers([named('1', 'a', '192.0.2.2', 90), named('2', 'b', '192.0.2.3', 90)]);
    speaker.setPeers([named('1', 'b', '192.0.2.2', 30), named('2', 'a', '192.0.2.3', 30)]);
    for (const name of ['a', 'b'])
      assert.deepEqual(
        recorder.events(`peer ${name}`).map(({ event }) => (event as { kind: string }).kind),
        ['configure'],
      );
  });

  test('the R bit is set until a session has been up, and the F bit is set as long as this process lives (RFC 4724)', () => {
    const { speaker, clock, transport, establish } = fixture({ restarting: true });
    speaker.setPeers([peer({ gracefulRestart: { restartTimeSeconds: 120 } })]);
    const bits = (stream: MemoryStream) => {
      const [sent] = stream.messages;
      assert.ok(sent?.kind === 'open');
      const found = sent.capabilities.find((one) => one.kind === 'graceful-restart');
      return [found?.restarting, found?.families[0]?.forwarding];
    };
    const first = establish();
    assert.deepEqual(bits(first), [true, true]);
    first.closed('connection reset by the peer');
    clock.advance(1_100);
    establish();
    assert.deepEqual(bits(transport.last), [false, true]);
  });

  test('a stop for a restart withdraws no routes when graceful restart is negotiated', async () => {
    const { speaker, clock, establish } = fixture();
    speaker.setPeers([peer({ gracefulRestart: { restartTimeSeconds: 120 } })]);
    speaker.announce('router', host, plain);
    const stream = establish(gracefulRestart);
    clock.advance(1);
    await speaker.stop({ kind: 'restart' });
    assert.equal(stream.isOpen, false);
    assert.deepEqual(stream.kinds(), ['open', 'keepalive', 'update']);
  });

  test('a shutdown withdraws the routes and then sends a NOTIFICATION, as a Hard Reset when graceful restart is negotiated (RFC 8538)', async () => {
    const { speaker, clock, establish } = fixture();
    speaker.setPeers([peer({ gracefulRestart: { restartTimeSeconds: 120 } })]);
    speaker.announce('router', host, plain);
    const stream = establish(gracefulRestart);
    clock.advance(1);
    const stopped = speaker.stop({ kind: 'shutdown', reason: 'drain' });
    clock.advance(20);
    await Promise.resolve();
    clock.advance(20);
    await stopped;
    const [withdrawal, goodbye] = stream.messages.slice(-2);
    assert.ok(withdrawal?.kind === 'update' && withdrawal.withdrawn.length === 1);
    assert.ok(goodbye?.kind === 'notification');
    assert.deepEqual([goodbye.code, goodbye.subcode, [...goodbye.data.subarray(0, 2)]], [6, 9, [6, 2]]);
  });

  for (const [what, edit, subcodes] of [
    ['the address', { address: ip('192.0.2.99') }, [9, 6, 3]],
    ['the interface of a peer with a global address', { interface: 'eth0' }, [6]],
    ['a source address that was not set before', { sourceAddress: ip('192.0.2.1') }, [6]],
    ['the spelling of the AS', { peerAsn: 'external' }, [6]],
    ['the hold time', { holdTimeSeconds: 30 }, [6]],
  ] as const)
    test(`an edit of ${what} sends ${subcodes.length > 1 ? 'a Hard Reset' : 'no Hard Reset'} (RFC 8538)`, () => {
      const { speaker, establish } = fixture();
      const gracefulPeer = { gracefulRestart: { restartTimeSeconds: 120 } };
      speaker.setPeers([{ ...peer(gracefulPeer), id: '1' }]);
      const stream = establish(gracefulRestart);
      speaker.setPeers([{ ...peer({ ...gracefulPeer, ...edit }), id: '1' }]);
      const goodbye = stream.messages.at(-1);
      assert.ok(goodbye?.kind === 'notification');
      assert.deepEqual([goodbye.subcode, ...goodbye.data], subcodes);
    });

  test('a malformed UPDATE is counted each time and logged once for each attribute (RFC 7606)', async () => {
    const { speaker, establish, lines, registry, status } = fixture();
    speaker.setPeers([peer()]);
    const stream = establish();
    // ORIGIN with the undefined value 9, an empty AS_PATH, NEXT_HOP, one prefix.
    const attributes = '40010109' + '400200' + '400304c0000202';
    const update = `${'ff'.repeat(16)}002b02${'0000'}${(attributes.length / 2).toString(16).padStart(4, '0')}${attributes}20c6336401`;
    const bytes = Uint8Array.from(Buffer.from(update, 'hex'));
    bytes[17] = bytes.length;
    for (let i = 0; i < 5; i++) stream.sendBytes(bytes);
    assert.equal(status().state, 'Established');
    assert.equal(lines.filter((line) => line.includes('malformed UPDATE')).length, 1);
    const counted = await registry.getSingleMetric('bellman_bgp_malformed_updates_total')?.get();
    assert.deepEqual(counted?.values, [{ labels: { peer: 'router', treatment: 'withdraw' }, value: 5 }]);
  });

  test('an UPDATE with thousands of faults is counted once per treatment and logged once per attribute', async () => {
    const { speaker, establish, lines, registry, status } = fixture();
    speaker.setPeers([peer()]);
    const stream = establish({ kind: 'extended-message' });
    // Attributes 98 and 99 without a value: optional, transitive, and repeated 10,500 times each.
    const attributes = Buffer.from('c06200c06300'.repeat(10_500), 'hex');
    const length = 19 + 4 + attributes.length;
    const head = [...new Uint8Array(16).fill(0xff), length >> 8, length & 0xff, 2, 0, 0];
    stream.sendBytes(Uint8Array.of(...head, attributes.length >> 8, attributes.length & 0xff, ...attributes));
    assert.equal(status().state, 'Established');
    assert.equal(lines.filter((line) => line.includes('malformed UPDATE')).length, 2);
    const counted = await registry.getSingleMetric('bellman_bgp_malformed_updates_total')?.get();
    assert.deepEqual(counted?.values, [{ labels: { peer: 'router', treatment: 'discard' }, value: 1 }]);
  });

  test('a family that the peer does not offer is not sent, and the status says why', () => {
    const { speaker, clock, establish, status } = fixture();
    speaker.setPeers([peer()]);
    speaker.announce('router', prefix('2001:db8:100::1/128'), plain);
    const stream = establish();
    clock.advance(1);
    assert.deepEqual(stream.kinds(), ['open', 'keepalive']);
    assert.deepEqual(status().warnings, ['ipv6-unicast is not sent: the peer did not offer it']);
  });

  test('a family that the configuration excludes is no reason for a warning', () => {
    const { speaker, establish, status, lines } = fixture();
    speaker.setPeers([peer({ families: [4] })]);
    establish({ kind: 'multiprotocol', family: { afi: 2, safi: 1 } });
    assert.deepEqual(status().families, ['ipv4-unicast']);
    assert.deepEqual(status().warnings, []);
    assert.ok(!lines.some((line) => line.includes('address family not sent')));
  });

  test('routes are remembered while their peer is not configured', () => {
    const { speaker, clock, establish } = fixture();
    speaker.announce('router', host, plain);
    speaker.setPeers([peer()]);
    establish().messages.length = 0;
    clock.advance(1);
    speaker.setPeers([]);
    speaker.setPeers([peer()]);
    const stream = establish();
    clock.advance(1);
    assert.ok(stream.kinds().includes('update'));
  });

  test('the flight recorder keeps the events that brought a session up, and leaves out messages that change nothing', () => {
    let epochMs = 0;
    const clock = { now: () => 0, epochMs: () => ++epochMs, after: () => ({ cancel: () => undefined }) };
    const recorder = new FlightRecorder({ clock });
    const { speaker, establish } = fixture({ recorder });
    speaker.setPeers([{ ...peer(), password: 'hidden' }]);
    const stream = establish();
    for (let i = 0; i < 1000; i++)
      stream.send(keepalive, { kind: 'update', withdrawn: [], attributes: {}, nlri: [] });
    const recorded = recorder.events('peer router');
    assert.deepEqual(
      recorded.map(({ state, event }) => [(event as { kind: string }).kind, state]),
      [
        ['start', 'Connect'],
        ['tcp-connected', 'OpenSent'],
        ['open', 'OpenConfirm'],
        ['keepalive', 'Established'],
      ],
    );
    assert.ok(!JSON.stringify(recorded).includes('hidden'));
    speaker.setPeers([{ ...peer({ name: 'top-of-rack' }), id: 'router' }]);
    assert.deepEqual(recorder.events('peer router'), []);
    speaker.setPeers([]);
    assert.deepEqual(recorder.events(), []);
  });
});

describe('a peer that sends arbitrary octets', () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 80, size: 'max' }),
    fc
      .tuple(fc.integer({ min: 0, max: 6 }), fc.uint8Array({ maxLength: 60, size: 'max' }))
      .map(([type, body]) =>
        Uint8Array.of(...new Uint8Array(16).fill(0xff), 0, 19 + body.length, type, ...body),
      ),
    fc.constantFrom<Message>(open(), open(gracefulRestart), keepalive, notification(6, 2)),
  );

  test('keeps its connection, or loses it and is retried', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12, size: 'max' }), fc.boolean(), (sent, isUp) => {
        const { speaker, transport, clock, establish, status } = fixture();
        speaker.setPeers([peer()]);
        speaker.announce('router', host, plain);
        if (isUp) establish();
        else transport.last.connected();
        const stream = transport.last;
        for (const one of sent) {
          if (one instanceof Uint8Array) stream.sendBytes(one);
          else stream.send(one);
          clock.advance(1);
        }
        assert.equal(stream.isOpen, ['OpenSent', 'OpenConfirm', 'Established'].includes(status().state));
        if (stream.isOpen) return;
        clock.advance(2000);
        assert.equal(transport.streams.length, 2);
      }),
      { numRuns: 300 },
    );
  });

  test('loses only its own session when its input raises an exception', () => {
    let fails = false;
    const { speaker, transport, clock, lines } = fixture({
      onSessionChange: ({ kind }) => {
        if (fails && kind === 'up') throw new RangeError('Maximum call stack size exceeded');
      },
    });
    speaker.setPeers([peer(), peer({ name: 'other', address: ip('192.0.2.3') })]);
    const [first, second] = transport.streams;
    assert.ok(first && second);
    second.connected();
    second.send(open(), keepalive);
    fails = true;
    first.connected();
    first.send(open(), keepalive);
    const states = () => speaker.status().map(({ state }) => state);
    assert.deepEqual(states(), ['Idle', 'Established']);
    assert.equal(first.isOpen, false);
    assert.match(speaker.status()[0]?.lastError ?? '', /internal error.*Maximum call stack size exceeded/);
    assert.equal(lines.filter((line) => line.includes('bug: input dropped')).length, 1);
    fails = false;
    clock.advance(2000);
    transport.last.connected();
    transport.last.send(open(), keepalive);
    assert.deepEqual(states(), ['Established', 'Established'], 'the peer is retried');
  });

  test('causes only a short last error and short log lines when it nests thousands of Hard Resets', () => {
    const { speaker, establish, status, lines } = fixture();
    speaker.setPeers([peer()]);
    const nested = Uint8Array.from({ length: 12_000 }, (_, i) => (i % 2 === 0 ? 6 : 9));
    establish().send(notification(6, 9, nested));
    assert.equal(status().state, 'Idle');
    assert.ok((status().lastError ?? '').length <= 401, status().lastError?.slice(0, 500));
    assert.ok(lines.every((line) => line.length < 3000));
  });

  test('leaves no metric samples behind when it is no longer configured', async () => {
    const { speaker, clock, establish, registry } = fixture();
    speaker.setPeers([peer()]);
    speaker.announce('router', host, plain);
    establish().send(notification(6, 4));
    clock.advance(1);
    assert.match(
      await registry.metrics(),
      /bellman_bgp_notifications_total\{peer="router",direction="received",code="6",subcode="4"\} 1/,
    );
    speaker.setPeers([]);
    clock.advance(1);
    assert.doesNotMatch(await registry.metrics(), /peer="router"/);
  });
});

test('createBgpSpeaker() shows why a peer waits, starts its session once nothing is missing, and ends it when something goes missing', async () => {
  const { speaker, transport, registry, establish } = fixture();
  const waitingFor = 'Secret bellman-system/tor does not exist';
  const sessionUp = async () => /session_up\{peer="router"\} (\d)/.exec(await registry.metrics())?.[1];
  speaker.setPeers([{ ...peer(), waitingFor }]);
  assert.equal(transport.streams.length, 0);
  assert.equal(speaker.status()[0]?.state, 'Idle');
  assert.equal(speaker.status()[0]?.lastError, waitingFor);
  assert.equal(await sessionUp(), '0');
  speaker.setPeers([{ ...peer(), password: 'one' }]);
  establish();
  assert.equal(await sessionUp(), '1');
  speaker.setPeers([{ ...peer(), waitingFor }]);
  assert.equal(speaker.status()[0]?.state, 'Idle');
  assert.equal(transport.streams.length, 1);
});
