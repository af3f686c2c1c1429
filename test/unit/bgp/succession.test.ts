/** A session is passed from one speaker to another, in memory. The router must see one session all the time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeMessage } from '../../../src/bgp/codec/index.ts';
import type { ResolvedPeer } from '../../../src/bgp/peer.ts';
import { acceptDeadlineMs } from '../../../src/succession/predecessor.ts';
import { ip, prefix } from '../../support/addresses.ts';
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

const second = prefix('198.51.100.2/32');

/** A speaker with an Established session, over which it has sent `host` and `second`. */
async function predecessor(changes: Partial<ResolvedPeer> = {}) {
  const one = fixture();
  one.speaker.setPeers([{ ...peer(), ...changes }]);
  const stream = one.establish(gracefulRestart);
  one.speaker.announce('router', host, plain);
  one.speaker.announce('router', second, plain);
  one.speaker.synced();
  one.clock.advance(0);
  const offer = await one.speaker.offer();
  assert.ok(offer);
  return { ...one, stream, offer };
}

async function passed(changes: Partial<ResolvedPeer> = {}) {
  const from = await predecessor(changes);
  assert.equal(from.offer.sessions, 1);
  const to = fixture();
  const saidBefore = from.stream.messages.length;
  assert.deepEqual(to.speaker.inherit(from.offer.items), { ok: true, value: 1 });
  await from.offer.letGo();
  return { from, to, saidBefore };
}

const withdrawn = (stream: { readonly messages: readonly { readonly kind: string }[] }) =>
  stream.messages.flatMap((message) =>
    message.kind === 'update' && 'withdrawn' in message ? [...(message.withdrawn as Iterable<unknown>)] : [],
  );

describe('a session that is passed on', () => {
  test('is Established at once, without an OPEN, and the first process says nothing', async () => {
    const { from, to, saidBefore } = await passed();
    to.speaker.setPeers([peer()]);
    assert.equal(to.status().state, 'Established');
    assert.deepEqual(to.transport.last.kinds(), ['keepalive']);
    assert.equal(from.stream.isOpen, false);
    from.clock.advance(600_000);
    assert.equal(from.stream.messages.length, saidBefore);
  });

  test('keeps what was negotiated', async () => {
    const { from, to } = await passed();
    to.speaker.setPeers([peer()]);
    const { holdTimeSeconds, families, capabilities, peerRouterId } = to.status();
    const [first] = from.speaker.status();
    assert.equal(first, undefined);
    assert.equal(holdTimeSeconds, 90);
    assert.deepEqual(families, ['ipv4-unicast']);
    assert.equal(peerRouterId, '192.0.2.2');
    assert.ok(capabilities.includes('graceful-restart'));
  });

  test('gets KEEPALIVEs from the second process, and ends when the hold timer of that process expires', async () => {
    const { to } = await passed();
    to.speaker.setPeers([peer()]);
    const stream = to.transport.last;
    to.clock.advance(60_000);
    assert.equal(to.status().state, 'Established');
    assert.ok(stream.kinds().filter((kind) => kind === 'keepalive').length >= 2);
    stream.send(keepalive);
    to.clock.advance(89_000);
    assert.equal(to.status().state, 'Established');
    to.clock.advance(2000);
    assert.notEqual(to.status().state, 'Established');
  });

  test('withdraws a route that is no longer wanted, but only once all wanted routes are known', async () => {
    const { to } = await passed();
    to.speaker.setPeers([peer()]);
    const stream = to.transport.last;
    to.clock.advance(1000);
    assert.deepEqual(withdrawn(stream), []);
    to.speaker.announce('router', host, plain);
    to.clock.advance(1000);
    assert.deepEqual(withdrawn(stream), []);
    to.speaker.synced();
    to.clock.advance(1000);
    assert.equal(withdrawn(stream).length, 1);
    assert.equal(to.status().routesSent, 1);
  });

  test('goes on with a message that the first process has read only in part', async () => {
    const from = fixture();
    from.speaker.setPeers([peer()]);
    const stream = from.establish();
    from.speaker.synced();
    const octets = encodeMessage(notification(6, 2), { fourOctetAs: true });
    stream.sendBytes(octets.subarray(0, 20));
    const offer = await from.speaker.offer();
    assert.ok(offer);
    const to = fixture();
    assert.ok(to.speaker.inherit(offer.items).ok);
    await offer.letGo();
    to.speaker.setPeers([peer()]);
    to.transport.last.deliverUnread();
    assert.equal(to.status().state, 'Established');
    to.transport.last.sendBytes(octets.subarray(20));
    assert.notEqual(to.status().state, 'Established');
    assert.match(to.status().lastError ?? '', /NOTIFICATION received: Cease/);
  });

  test('can be passed on again', async () => {
    const { to } = await passed();
    to.speaker.setPeers([peer()]);
    to.speaker.announce('router', host, plain);
    to.speaker.synced();
    to.clock.advance(1000);
    const offer = await to.speaker.offer();
    assert.ok(offer);
    const third = fixture();
    assert.deepEqual(third.speaker.inherit(offer.items), { ok: true, value: 1 });
    await offer.letGo();
    third.speaker.setPeers([peer()]);
    assert.equal(third.status().state, 'Established');
  });

  test('goes on although only the second process would set the R bit of graceful restart', async () => {
    const peers = [peer({ gracefulRestart: { restartTimeSeconds: 60 } })];
    const from = fixture();
    from.speaker.setPeers(peers);
    from.establish(gracefulRestart);
    from.speaker.synced();
    const offer = await from.speaker.offer();
    assert.ok(offer);
    const to = fixture({ restarting: true });
    assert.ok(to.speaker.inherit(offer.items).ok);
    await offer.letGo();
    to.speaker.setPeers(peers);
    assert.equal(to.status().state, 'Established');
  });

  test('goes on without the capabilities that its OPEN lacks, and the status says so', async () => {
    const peers = [peer({ gracefulRestart: { restartTimeSeconds: 60, longLivedStaleTimeSeconds: 600 } })];
    for (const [refusal, lacking, offered] of [
      [
        notification(2, 7, Uint8Array.of(73, 0)),
        /sent without fqdn: .* or an earlier speaker process started/,
        true,
      ],
      [notification(2, 4), /sent without .*graceful-restart/, true],
      [notification(2, 7, Uint8Array.of(71, 0)), /sent without long-lived-graceful-restart:/, true],
      [notification(2, 7, Uint8Array.of(71, 0, 64, 0)), /sent without graceful-restart, long-lived/, false],
    ] as const) {
      const from = fixture();
      from.speaker.setPeers(peers);
      from.transport.last.connected();
      from.transport.last.send(refusal);
      from.clock.advance(1100);
      from.establish(...(offered ? [gracefulRestart] : []));
      from.speaker.synced();
      const offer = await from.speaker.offer();
      assert.ok(offer);
      const to = fixture();
      assert.ok(to.speaker.inherit(offer.items).ok);
      await offer.letGo();
      to.speaker.setPeers(peers);
      assert.equal(to.status().state, 'Established');
      assert.match(to.status().warnings.join(), lacking);
    }
  });

  test('goes on although the second process would wait for BFD', async () => {
    const from = fixture();
    const bfd = { strict: 'negotiate', holdDownSeconds: 0 } as const;
    from.speaker.setPeers([peer({ bfd })]);
    const up = {
      state: 'Up',
      remoteState: 'Up',
      diagnostic: 0,
      remoteControlPlaneIndependent: false,
    } as const;
    from.speaker.bfdChanged('router', up);
    from.establish({ kind: 'bfd-strict' });
    from.speaker.synced();
    const offer = await from.speaker.offer();
    assert.ok(offer);
    const to = fixture();
    assert.ok(to.speaker.inherit(offer.items).ok);
    await offer.letGo();
    to.speaker.setPeers([peer({ bfd })]);
    assert.equal(to.status().state, 'Established');
  });
});

describe('a session that cannot be passed on', () => {
  test('stays with the first process when the second one does not take it', async () => {
    const { offer, stream, clock, speaker, status } = await predecessor();
    assert.ok(stream.isFrozen);
    speaker.withdraw('router', host);
    clock.advance(1000);
    assert.equal(withdrawn(stream).length, 0);
    offer.keep();
    clock.advance(1000);
    assert.equal(withdrawn(stream).length, 1);
    assert.equal(stream.isFrozen, false);
    assert.equal(status().state, 'Established');
    stream.send(notification(6, 2));
    assert.notEqual(status().state, 'Established');
  });

  test('is not offered before all routes are known', async () => {
    const { speaker, establish } = fixture();
    speaker.setPeers([peer()]);
    establish();
    assert.equal(await speaker.offer(), undefined);
  });

  test('ends when the second process does not have everything that the session needs, and the log says so', async () => {
    const { to } = await passed();
    to.speaker.setPeers([{ ...peer(), waitingFor: 'no password' }]);
    assert.equal(to.transport.rejected.length, 1);
    assert.match(to.lines.join(''), /this speaker does not have everything that the session needs/);
    assert.doesNotMatch(to.lines.join(''), /different OPEN/);
  });

  test('ends with a warning when no peer of the second process has the password of the session', async () => {
    const { to } = await passed({ password: 'secret' });
    to.speaker.setPeers([{ ...peer(), waitingFor: 'no password' }]);
    assert.equal(to.transport.rejected.length, 1);
    assert.match(to.lines.join(''), /sessions of the earlier speaker fit no peer/);
  });

  test('starts over when the second process would send a different OPEN', async () => {
    for (const edit of [
      { holdTimeSeconds: 30, keepaliveTimeSeconds: 10 },
      { gracefulRestart: { restartTimeSeconds: 60 } },
    ]) {
      const { to } = await passed();
      to.speaker.setPeers([peer(edit)]);
      assert.equal(to.transport.rejected.length, 1);
      assert.notEqual(to.status().state, 'Established');
      assert.match(to.lines.join(''), /would send a different OPEN/);
    }
  });

  test('is closed when its peer is not configured, or has a different password', async () => {
    for (const peers of [[], [{ ...peer(), password: 'other' }]]) {
      const { to } = await passed();
      to.speaker.setPeers(peers);
      assert.equal(to.transport.rejected.length, 1);
    }
  });

  test('leaves enough time to pass on the other sessions when its peer reads nothing', async () => {
    const { speaker, transport, clock } = fixture();
    speaker.setPeers([peer(), peer({ name: 'stuck', address: ip('192.0.2.3') })]);
    const [, stuck] = transport.streams;
    assert.ok(stuck);
    for (const stream of transport.streams) {
      stream.connected();
      stream.send(open(), keepalive);
    }
    stuck.isReading = false;
    for (const name of ['router', 'stuck']) speaker.announce(name, host, plain);
    speaker.synced();
    clock.advance(0);
    const startedAtMs = clock.now();
    let sessions: number | undefined;
    void speaker.offer().then((offer) => {
      sessions = offer?.sessions;
    });
    while (sessions === undefined) {
      assert.ok(clock.now() - startedAtMs < acceptDeadlineMs - 500);
      clock.advance(10);
      await new Promise((resolve) => void setImmediate(resolve));
    }
    assert.equal(sessions, 1);
  });

  test('is not offered when it is not Established, and is closed once the offer is accepted', async () => {
    const from = fixture();
    from.speaker.setPeers([peer()]);
    from.transport.last.connected();
    from.speaker.synced();
    const offer = await from.speaker.offer();
    assert.ok(offer);
    assert.deepEqual([offer.sessions, offer.items.length], [0, 0]);
    await offer.letGo();
    assert.equal(from.transport.last.isOpen, false);
  });

  test('is refused by a second process that has been told to stop, and stays with the first one', async () => {
    const { offer, stream, speaker } = await predecessor();
    const to = fixture();
    await to.speaker.stop({ kind: 'restart' });
    assert.deepEqual(to.speaker.inherit(offer.items), { ok: false, error: 'this process stops' });
    offer.keep();
    assert.equal(speaker.status()[0]?.state, 'Established');
    assert.equal(stream.isOpen, true);
  });

  test('is not inherited when any item of the offer is wrong', async () => {
    const { offer } = await predecessor();
    const [session, prefixes] = offer.items;
    assert.ok(session && prefixes);
    const { speaker } = fixture();
    const { octets } = session;
    for (const items of [
      [{ octets }],
      [{ ...prefixes, descriptor: 5 }],
      [prefixes],
      [session, session],
      [session, { octets: Uint8Array.of(9) }],
      [session, { octets: prefixes.octets.subarray(0, -1) }],
    ]) {
      const other = fixture();
      assert.equal(other.speaker.inherit(items).ok, false);
      other.speaker.setPeers([peer()]);
      assert.equal(other.status().state, 'Connect', 'no session is inherited');
    }
    for (let end = 0; end < octets.length; end++)
      assert.equal(speaker.inherit([{ ...session, octets: octets.subarray(0, end) }]).ok, false);
    for (let at = 0; at < octets.length; at++) {
      const changed = Uint8Array.from(octets);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      assert.doesNotThrow(() => speaker.inherit([{ ...session, octets: changed }]));
    }
  });

  test('ends with Bad Peer AS when its peer now has another AS in the configuration', async () => {
    const { to } = await passed();
    to.speaker.setPeers([peer({ peerAsn: 64501 })]);
    const last = to.transport.last.messages.at(-1);
    assert.ok(last?.kind === 'notification');
    assert.deepEqual([last.code, last.subcode], [2, 2]);
    assert.notEqual(to.status().state, 'Established');
  });
});
