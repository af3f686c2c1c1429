/** An edit of a peer restarts the session of this peer only when that is necessary, and never the session of another peer. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerSettings } from '../../src/bgp/peer.ts';
import { ip, prefix } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';
import { bird } from './daemons/bird.ts';
import type { RunningDaemon } from './daemons/daemon.ts';
import {
  endProcess,
  type OurSide,
  ourIpv4,
  ourSide,
  peer,
  plain,
  router,
  startRouter,
  theirAsn,
  theirIpv4,
  type Wire,
  wire,
} from './scenario.ts';

/** A second router address on the same cable, for a second real session. */
const otherIpv4 = '192.0.2.3';

describe('an edit of a peer', () => {
  let cable: Wire;
  let edited: RunningDaemon;
  let other: RunningDaemon;
  let our: OurSide;
  let current: Partial<PeerSettings> & { interface?: string } = {};
  let password: string | undefined;

  const otherPeer = peer({ name: 'other', address: ip(otherIpv4) });

  before(async () => {
    cable = await wire({ ours: [ourIpv4, '192.0.2.4'], theirs: [theirIpv4, otherIpv4] });
    // All edits are on our side, so the routers keep their configuration.
    edited = await startRouter(bird, cable, router());
    other = await startRouter(bird, cable, router({ localAddress: otherIpv4, routerId: otherIpv4 }));
    our = ourSide();
    our.speaker.setPeers([peer(), otherPeer]);
    for (const name of ['router', 'other']) our.speaker.announce(name, prefix('198.51.100.1/32'), plain);
    our.speaker.synced();
    await eventually(
      'both sessions',
      async () => (await edited.isEstablished()) && (await other.isEstablished()),
    );
  });

  after(async () => {
    await our.speaker.stop({ kind: 'shutdown', reason: 'end of the test' });
    await endProcess(edited);
    await endProcess(other);
    await cable.cut();
  });

  async function transitions(name: string): Promise<number> {
    const metric = await our.registry.getSingleMetric('bellman_bgp_established_transitions_total')?.get();
    return metric?.values.find(({ labels }) => labels.peer === name)?.value ?? 0;
  }

  const state = (name: string) => our.speaker.status().find((status) => status.name === name)?.state;

  /** Applies an edit on top of the earlier ones and waits for the session. Resolves to how often the session was established again. */
  async function edit(changes: Partial<PeerSettings>, routerId?: number): Promise<number> {
    const before = await transitions('router');
    current = { ...current, ...changes };
    const resolved = peer(current, password);
    our.speaker.setPeers([{ ...resolved, routerId: routerId ?? resolved.routerId }, otherPeer]);
    // An edit acts on the session in this turn of the event loop or the next.
    await sleep(20);
    await eventually(
      'the session as edited',
      async () => state('router') === 'Established' && edited.isEstablished(),
    );
    await eventually('the route', async () => (await edited.routes()).length === 1);
    assert.equal(await transitions('other'), 1, 'the other session stays up');
    return (await transitions('router')) - before;
  }

  for (const [key, changes] of [
    ['nothing', {}],
    ['keepalive-time', { keepaliveTimeSeconds: 7 }],
    ['connect-time', { connectRetrySeconds: 2 }],
    ['ebgp-multihop', { ebgpHops: 5 }],
    ['ttl-security', { ttlSecurity: true }],
    // With TTL security, we drop all packets of the router, because the router does not send with TTL 255. The next edit turns TTL security off
    // before the hold time ends the session.
    ['ttl-security undone', { ttlSecurity: false }],
    // The router is passive too. Both ends now only wait for a connection, but the existing session stays.
    ['passive', { passive: true }],
    ['passive undone', { passive: false }],
  ] as const satisfies readonly (readonly [string, Partial<PeerSettings>])[])
    test(`${key}: the session stays`, async () => {
      assert.equal(await edit(changes), 0);
    });

  for (const [key, changes] of [
    ['hold-time', { holdTimeSeconds: 60 }],
    ['graceful-restart', { gracefulRestart: { restartTimeSeconds: 30 } }],
    ['source-address', { sourceAddress: ip(ourIpv4) }],
    ['peer-asn external', { peerAsn: 'external' }],
    ['peer-asn by number again', { peerAsn: theirAsn }],
  ] as const satisfies readonly (readonly [string, Partial<PeerSettings>])[])
    test(`${key}: the session restarts`, async () => {
      const heard = edited.log().length;
      assert.equal(await edit(changes), 1);
      await eventually('the NOTIFICATION', () =>
        edited.log().slice(heard).includes('Other configuration change'),
      );
    });

  test('interface: the session restarts, bound to the interface', async () => {
    assert.equal(await edit({ interface: cable.device }), 1);
    delete current.interface;
    assert.equal(await edit({}), 1);
  });

  test('peer-port: a wrong port ends the session, and the right port restores it', async () => {
    const heard = edited.log().length;
    our.speaker.setPeers([peer({ ...current, port: 1790 }), otherPeer]);
    await eventually('the NOTIFICATION', () =>
      edited.log().slice(heard).includes('Other configuration change'),
    );
    await eventually('no session', async () => state('router') !== 'Established');
    assert.equal(await edit({}), 1);
  });

  test('peer-address: a wrong address ends the session, and the right address restores it', async () => {
    const heard = edited.log().length;
    our.speaker.setPeers([peer({ ...current, address: ip('192.0.2.77') }), otherPeer]);
    // The router is not a peer any more, so it must not keep the routes for a restart.
    await eventually('the NOTIFICATION', () => edited.log().slice(heard).includes('Peer de-configured'));
    await eventually('no session', async () => state('router') !== 'Established');
    assert.equal(await edit({}), 1);
  });

  test('name: the session stays', async () => {
    const heard = edited.log().length;
    const renamed = { ...peer({ ...current, name: 'renamed' }, password), id: 'router' };
    our.speaker.setPeers([renamed, otherPeer]);
    await sleep(20);
    assert.equal(state('renamed'), 'Established');
    assert.equal(await transitions('other'), 1);
    our.speaker.setPeers([peer(current, password), otherPeer]);
    await sleep(20);
    assert.equal(state('router'), 'Established');
    assert.doesNotMatch(edited.log().slice(heard), /Received:|Error:/);
    assert.equal((await edited.routes()).length, 1);
  });

  test('router-id: the session restarts', async () => {
    assert.equal(await edit({}, 0xc0000299), 1);
    assert.equal(await edit({}), 1);
  });

  test('a wrong peer-asn ends the session, the router logs why, and the right number restores the session', async () => {
    our.speaker.setPeers([peer({ ...current, peerAsn: 64999 }), otherPeer]);
    await eventually('the refusal', () => edited.log().includes('Bad peer AS'));
    assert.equal(await edit({}), 1);
  });

  test('a wrong AS number of ours ends the session, the status says why, and the right number restores the session', async () => {
    our.speaker.setPeers([peer({ ...current, localAsn: 64999 }), otherPeer]);
    await eventually('the refusal', () =>
      our.speaker
        .status()
        .find(({ name }) => name === 'router')
        ?.lastError?.includes('Bad Peer AS'),
    );
    assert.equal(await edit({}), 1);
  });

  test('a password on our side alone ends the session, and its removal restores it', async () => {
    password = 'only ours';
    our.speaker.setPeers([peer(current, password), otherPeer]);
    await eventually('no answer', () =>
      our.speaker
        .status()
        .find(({ name }) => name === 'router')
        ?.lastError?.startsWith('no answer'),
    );
    password = undefined;
    assert.equal(await edit({}), 1);
  });

  test('a removed peer gets a NOTIFICATION, and its routes return when it is added again', async () => {
    const heard = edited.log().length;
    our.speaker.setPeers([otherPeer]);
    await eventually('the NOTIFICATION', () => edited.log().slice(heard).includes('Peer de-configured'));
    await eventually('no routes', async () => (await edited.routes()).length === 0);
    assert.equal(state('router'), undefined);
    assert.equal(await edit({}), 1);
  });
});
