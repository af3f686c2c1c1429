import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip } from '../../support/addresses.ts';
import {
  fixture,
  gracefulRestart,
  keepalive,
  notification,
  open,
  peer,
  routerAddress,
} from './session-fixture.ts';

describe('incoming connections', () => {
  test('are accepted only while a passive peer is configured, and from configured peers only', () => {
    const { speaker, transport } = fixture();
    speaker.setPeers([peer()]);
    const accepted = () => transport.listening?.length;
    assert.equal(accepted(), undefined);
    speaker.setPeers([peer({ passive: true })]);
    assert.equal(accepted(), 1);
    assert.equal(transport.arrive(ip('192.0.2.66')), undefined);
    assert.ok(transport.arrive(routerAddress));
    speaker.setPeers([]);
    assert.equal(accepted(), undefined);
  });

  test('an OPEN from a passive peer is answered, and the session comes up', () => {
    const { speaker, transport, status } = fixture();
    speaker.setPeers([peer({ passive: true })]);
    const stream = transport.arrive(routerAddress);
    assert.ok(stream);
    assert.deepEqual(stream.kinds(), [], 'DelayOpenTimer delays our OPEN');
    stream.send(open(), keepalive);
    assert.deepEqual(stream.kinds(), ['open', 'keepalive']);
    assert.equal(status().state, 'Established');
  });

  test('the status of a passive peer says why the peer cannot connect, and the status of every other peer stays free of that error', () => {
    const { speaker, transport, clock, lines } = fixture();
    const ipv6 = peer({ name: 'ipv6', address: ip('2001:db8::2'), passive: true });
    const unsettable = {
      ...peer({ name: 'unsettable', address: ip('192.0.2.9'), passive: true }),
      password: 'a',
    };
    speaker.setPeers([
      peer({ passive: true }),
      peer({ name: 'active', address: ip('192.0.2.3') }),
      ipv6,
      unsettable,
    ]);
    transport.cannotListen({
      family: 4,
      peer: { address: ip('192.0.2.9'), password: 'a' },
      reason: 'the password of the peer cannot be set',
    });
    clock.advance(1);
    const errors = () => speaker.status().map(({ lastError }) => lastError);
    assert.deepEqual(errors(), [
      undefined,
      undefined,
      undefined,
      'cannot listen on port 179: the password of the peer cannot be set',
    ]);
    transport.cannotListen({ family: 6, reason: 'address and port already in use' });
    transport.listening = undefined;
    clock.advance(10_001);
    assert.equal(errors()[2], 'cannot listen on port 179: address and port already in use');
    assert.equal(errors()[0], undefined);
    assert.equal(lines.filter((line) => line.includes('cannot listen for passive peers')).length, 2);
    assert.ok(transport.listening, 'listening is retried');
  });

  test('after listening for IPv4 has failed, it is tried again at once when an IPv4 peer becomes passive', () => {
    const { speaker, transport, clock } = fixture();
    const ipv6 = peer({ name: 'ipv6', address: ip('2001:db8::2'), passive: true });
    speaker.setPeers([ipv6, peer()]);
    const cannotListen = () => {
      transport.cannotListen({ family: 4, reason: 'address and port already in use' });
      clock.advance(1);
    };
    cannotListen();
    transport.listening = undefined;
    speaker.setPeers([ipv6, peer({ passive: true })]);
    assert.ok(transport.listening);
    cannotListen();
    const { lastError } = speaker.status()[1] ?? assert.fail();
    assert.equal(lastError, 'cannot listen on port 179: address and port already in use');
  });

  test('source-address decides between two peers at one address', () => {
    const { speaker, transport } = fixture();
    const at = (name: string, source: string) => peer({ name, sourceAddress: ip(source), passive: true });
    speaker.setPeers([at('first', '192.0.2.1'), at('second', '192.0.2.4')]);
    assert.equal(transport.arrive(routerAddress, ip('192.0.2.5')), undefined);
    assert.equal(
      speaker.status()[1]?.lastError,
      'the peer connected to 192.0.2.5 instead of source-address 192.0.2.4',
    );
    const stream = transport.arrive(routerAddress, ip('192.0.2.4'));
    assert.ok(stream);
    stream.send(open(), keepalive);
    assert.deepEqual(
      speaker.status().map(({ state }) => state),
      ['Active', 'Established'],
    );
  });

  test('a peer whose password is not in force for its address is not Established, and the other peer there gets no error', () => {
    const { speaker, transport } = fixture();
    const at = (name: string, source: string) => peer({ name, sourceAddress: ip(source), passive: true });
    speaker.setPeers([at('open', '192.0.2.1'), { ...at('guarded', '192.0.2.4'), password: 'secret' }]);
    const states = () => speaker.status().map(({ state }) => state);
    transport.arrive(routerAddress, ip('192.0.2.4'))?.send(open(), keepalive);
    assert.deepEqual(states(), ['Active', 'Active']);
    assert.equal(speaker.status()[0]?.lastError, undefined);
    transport.arrive(routerAddress, ip('192.0.2.1'))?.send(open(), keepalive);
    assert.deepEqual(states(), ['Established', 'Active']);
  });

  test('a passive peer that waits for its password does not keep another peer at its address out', () => {
    const { speaker, transport } = fixture();
    const waitingFor = 'Secret bellman-system/tor does not exist';
    speaker.setPeers([
      { ...peer({ name: 'waiting', passive: true }), waitingFor },
      peer({ name: 'ready', passive: true }),
    ]);
    transport.arrive(routerAddress)?.send(open(), keepalive);
    assert.deepEqual(
      speaker.status().map(({ state }) => state),
      ['Idle', 'Established'],
    );
  });

  const passiveElsewhere = peer({ name: 'elsewhere', address: ip('192.0.2.99'), passive: true });

  for (const [theirId, stays] of [
    [0xf0000000, 'theirs'],
    [0x01000000, 'ours'],
  ] as const)
    test(`a collision leaves only the connection that the end with the higher BGP Identifier opened (${stays})`, () => {
      const { speaker, transport, status } = fixture();
      speaker.setPeers([peer(), passiveElsewhere]);
      const ours = transport.last;
      ours.connected();
      const theirs = transport.arrive(routerAddress);
      assert.ok(theirs);
      ours.send({ ...open(), routerId: theirId });
      theirs.send({ ...open(), routerId: theirId });
      const [kept, dumped] = stays === 'ours' ? [ours, theirs] : [theirs, ours];
      const last = dumped.messages.at(-1);
      assert.ok(last?.kind === 'notification' && last.code === 6 && last.subcode === 7);
      assert.equal(dumped.isOpen, false);
      kept.send(keepalive);
      assert.equal(status().state, 'Established');
      assert.equal(kept.isOpen, true);
    });

  test('a peer that fails both on its own connections and on ours is retried less and less often', () => {
    const { speaker, transport, clock, lines } = fixture();
    speaker.setPeers([peer(), passiveElsewhere]);
    for (let i = 0; i < 3600; i++) {
      clock.advance(1000);
      if (transport.last.isOpen) transport.last.connected();
      const theirs = transport.arrive(routerAddress);
      for (const stream of transport.streams) if (stream.isOpen) stream.send(notification(2, 2));
      theirs?.closed('connection closed by the peer');
    }
    const opens = transport.streams.filter((stream) => stream.kinds().includes('open')).length;
    assert.ok(opens < 150, `${opens} OPENs in an hour`);
    assert.ok(lines.length < 20, `${lines.length} lines`);
  });

  test('a session that ends while a contender is open is reported as ended', () => {
    const { speaker, transport, establish, clock, status, lines } = fixture();
    speaker.setPeers([peer({ gracefulRestart: { restartTimeSeconds: 120 } }), passiveElsewhere]);
    establish(gracefulRestart);
    assert.ok(transport.arrive(routerAddress));
    clock.advance(91_000);
    assert.equal(status().lastError, 'Hold Timer Expired');
    assert.ok(lines.some((line) => line.includes('Hold Timer Expired')));
    assert.equal(status().state, 'OpenSent', 'the contender goes on');
  });

  test('the end of a session is logged and becomes the last error, whatever has failed on other connections meanwhile', () => {
    const others: readonly ((one: ReturnType<typeof fixture>) => void)[] = [
      // An OPEN with another AS.
      ({ transport }) => transport.arrive(routerAddress)?.send({ ...open(), capabilities: [], myAs: 64501 }),
      // A third connection.
      ({ transport }) => {
        assert.ok(transport.arrive(routerAddress));
        assert.equal(transport.arrive(routerAddress), undefined);
      },
      // More different failures than the log remembers.
      ({ transport, clock }) => {
        for (let code = 0; code < 100; code++) {
          transport.arrive(routerAddress)?.send(notification(100 + code, 0));
          clock.advance(5001);
          transport.streams[0]?.send(keepalive);
        }
      },
    ];
    for (const fail of others) {
      const one = fixture();
      one.speaker.setPeers([peer({ gracefulRestart: { restartTimeSeconds: 120 } }), passiveElsewhere]);
      const stream = one.establish(gracefulRestart);
      fail(one);
      assert.ok(one.status().lastError);
      stream.closed('connection reset by the peer');
      assert.equal(one.status().lastError, 'connection reset by the peer');
      assert.equal(one.lines.filter((line) => line.includes('session down')).length, 1);
    }
  });

  test('the end of one of two connections is logged if its hold timer expired, and is not logged if TCP only broke', () => {
    const { speaker, transport, clock, status, lines } = fixture();
    speaker.setPeers([peer(), passiveElsewhere]);
    transport.last.connected();
    transport.arrive(routerAddress)?.send(open());
    clock.advance(90_001);
    const closed = () => lines.filter((line) => line.includes('one of two connections closed'));
    assert.equal(closed().length, 1);
    assert.match(closed().join(), /Hold Timer Expired/);
    clock.advance(5001);
    transport.arrive(routerAddress)?.closed('connection reset by the peer');
    assert.equal(closed().length, 1);
    assert.equal(status().lastError, undefined);
  });

  test('a refused OPEN on one connection causes no warning when the session uses the other connection, whose OPEN had all capabilities', () => {
    const { speaker, transport, status } = fixture();
    speaker.setPeers([peer(), passiveElsewhere]);
    const ours = transport.last;
    ours.connected();
    const theirs = transport.arrive(routerAddress);
    assert.ok(theirs);
    ours.send(notification(2, 4));
    theirs.send(open(), keepalive);
    assert.equal(status().state, 'Established');
    assert.deepEqual(
      status().warnings.filter((warning) => warning.includes('without')),
      [],
      'our OPEN on the other connection had all capabilities',
    );
  });

  test('a NOTIFICATION on the contender is logged and counted, and becomes the last error unless it reports a collision', async () => {
    const { speaker, transport, lines, registry, status, clock } = fixture();
    speaker.setPeers([peer(), passiveElsewhere]);
    transport.last.connected();
    transport.arrive(routerAddress)?.send(notification(6, 7));
    clock.advance(5_001);
    assert.equal(status().lastError, undefined);
    transport.arrive(routerAddress)?.send(notification(2, 2));
    assert.equal(status().lastError, 'NOTIFICATION received: OPEN Message Error/Bad Peer AS');
    assert.equal(status().state, 'OpenSent');
    assert.equal(lines.filter((line) => line.includes('one of two connections closed')).length, 2);
    const metrics = await registry.metrics();
    for (const code of ['code="6",subcode="7"', 'code="2",subcode="2"'])
      assert.ok(metrics.includes(`notifications_total{peer="router",direction="received",${code}} 1`), code);
  });

  test('silent connections from the address of a passive peer keep the peer out for only a few seconds', () => {
    const { speaker, transport, clock, status, lines } = fixture();
    speaker.setPeers([peer({ passive: true })]);
    assert.ok(transport.arrive(routerAddress));
    assert.ok(transport.arrive(routerAddress));
    assert.equal(transport.arrive(routerAddress), undefined, 'both connections are in use');
    const rejected =
      'a connection from the peer was rejected: two connections with the peer are already open';
    assert.equal(status().lastError, rejected);
    assert.equal(lines.filter((line) => line.includes(rejected)).length, 1);
    clock.advance(5000);
    const stream = transport.arrive(routerAddress);
    assert.ok(stream);
    assert.match(status().lastError ?? '', /carried no OPEN for 5 s and yields to a newer connection/);
    stream.send(open(), keepalive);
    assert.equal(status().state, 'Established');
    assert.ok(lines.some((line) => line.includes('carried no OPEN')));
  });

  test('an established session keeps its connection, unless graceful restart was negotiated and the peer connects again', () => {
    const { speaker, transport, establish, status } = fixture();
    speaker.setPeers([peer(), passiveElsewhere]);
    establish();
    assert.equal(transport.arrive(routerAddress), undefined);
    assert.equal(status().state, 'Established');

    const second = fixture();
    second.speaker.setPeers([peer({ gracefulRestart: { restartTimeSeconds: 120 } }), passiveElsewhere]);
    const before = second.establish(gracefulRestart);
    const after = second.transport.arrive(routerAddress);
    assert.ok(after);
    after.send(open(gracefulRestart), keepalive);
    assert.equal(before.isOpen, false);
    assert.ok(
      !before.kinds().includes('notification'),
      'RFC 4724 section 4.2: the old connection is closed without a NOTIFICATION',
    );
    assert.equal(second.status().state, 'Established');
  });

  test('the restart of a peer is reported, also when its new connection arrives before the end of the old one', () => {
    const changes: string[] = [];
    const { speaker, transport, establish, status } = fixture({
      onSessionChange: (change) => changes.push(change.kind === 'down' ? change.reason : change.kind),
    });
    speaker.setPeers([peer({ gracefulRestart: { restartTimeSeconds: 120 } }), passiveElsewhere]);
    establish(gracefulRestart);
    transport.arrive(routerAddress)?.send(open(gracefulRestart), keepalive);
    assert.equal(status().state, 'Established');
    assert.deepEqual(changes, ['up', 'the peer has connected again', 'up']);
    assert.equal(status().lastError, 'the peer has connected again');
  });
});
