/** The rows of the matrix: one test body for each feature, which runs against every daemon. */
import assert from 'node:assert/strict';
import { formatIp } from '../../src/address/index.ts';
import type { PeerStatus } from '../../src/bgp/speaker-api.ts';
import { reasonOf } from '../../src/result.ts';
import { ip, prefix } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';
import type { Daemon, Feature, RouterConfig, RunningDaemon, SeenRoute } from './daemons/daemon.ts';
import {
  endProcess,
  type OurSide,
  ourAsn,
  ourIpv4,
  ourIpv6,
  ourSide,
  peer,
  plain,
  router,
  startRouter,
  theirIpv6,
  type Wire,
  whileStopped,
  wire,
} from './scenario.ts';

const host4 = '198.51.100.1/32';
const host6 = '2001:db8:100::1/128';
/** NO_LLGR (RFC 9494 section 3.3). */
const noLongLived = 0xffff0007;

interface Session extends OurSide {
  readonly daemon: RunningDaemon;
  readonly cable: Wire;
}

interface Setting {
  readonly ours?: Parameters<typeof peer>[0];
  readonly password?: string;
  readonly theirs?: Partial<Omit<RouterConfig, 'neighbor'>>;
  readonly neighbor?: Partial<RouterConfig['neighbor']>;
  readonly addresses?: Parameters<typeof wire>[0];
  /** Peers besides the router, e.g. one that keeps the listener open. */
  readonly others?: readonly ReturnType<typeof peer>[];
  /** Routes announced before the session is up. */
  readonly routes?: readonly string[];
}

/** Runs the body with a router and a speaker that peers with it. Ends both even when the body fails. */
async function session(
  daemon: Daemon,
  setting: Setting,
  body: (session: Session) => Promise<void>,
): Promise<void> {
  const cable = await wire(setting.addresses);
  const running = await startRouter(daemon, cable, router(setting.theirs, setting.neighbor));
  const our = ourSide();
  try {
    our.speaker.setPeers([peer(setting.ours, setting.password), ...(setting.others ?? [])]);
    for (const route of setting.routes ?? [host4, host6])
      our.speaker.announce('router', prefix(route), plain);
    our.speaker.synced();
    await body({ ...our, daemon: running, cable });
  } catch (error) {
    const status = our.speaker.status().find(({ name }) => name === 'router');
    throw new Error(
      `${reasonOf(error)}; our side: ${status?.state}, ${status?.lastError}; the router's log ends: ${running.log().slice(-3000)}`,
      { cause: error },
    );
  } finally {
    await our.speaker.stop({ kind: 'shutdown', reason: 'end of the test' });
    await endProcess(running);
    await cable.cut();
  }
}

function status({ speaker }: Pick<OurSide, 'speaker'>): PeerStatus {
  const found = speaker.status().find(({ name }) => name === 'router');
  assert.ok(found);
  return found;
}

/** Waits until both ends report the session as established. */
async function established(session: Session): Promise<void> {
  await eventually(
    'both ends established',
    async () => status(session).state === 'Established' && (await session.daemon.isEstablished()),
  );
}

/** Waits until the daemon holds exactly these prefixes. Resolves to the routes by prefix. */
async function held(daemon: RunningDaemon, ...prefixes: string[]): Promise<Map<string, SeenRoute>> {
  const wanted = [...prefixes].sort().join();
  return eventually(`routes ${wanted}`, async () => {
    const routes = await daemon.routes();
    const found = routes.map((route) => route.prefix).sort();
    if (found.join() !== wanted) throw new Error(`the daemon holds ${found.join(' ') || 'no route'}`);
    return new Map(routes.map((route) => [route.prefix, route]));
  });
}

async function sample(our: OurSide, name: string, labels: Record<string, string> = {}): Promise<number> {
  const metric = await our.registry.getSingleMetric(`bellman_bgp_${name}`)?.get();
  return (metric?.values ?? [])
    .filter((value) =>
      Object.entries({ peer: 'router', ...labels }).every(([key, text]) => value.labels[key] === text),
    )
    .reduce((sum, { value }) => sum + value, 0);
}

const overIpv6: Setting = {
  ours: { address: ip(theirIpv6) },
  theirs: { localAddress: theirIpv6 },
  neighbor: { address: ourIpv6 },
};

const shortHold = { holdTimeSeconds: 3, keepaliveTimeSeconds: 1 };

/** A passive peer, which keeps our listener open. */
const passivePeer = peer({ name: 'passive', address: ip('192.0.2.99'), passive: true });

/** Announces one route of each family with these attributes and checks how the daemon shows them. */
async function attributes(
  daemon: Daemon,
  attributes: Partial<typeof plain> & { localPref?: number; med?: number },
  check: (route: SeenRoute) => void,
  setting: Setting = {},
): Promise<void> {
  await session(daemon, { ...setting, routes: [] }, async ({ speaker, daemon: running }) => {
    for (const route of [host4, host6])
      speaker.announce('router', prefix(route), { ...plain, ...attributes });
    for (const route of (await held(running, host4, host6)).values()) check(route);
  });
}

export const bodies: Record<Feature, (daemon: Daemon) => Promise<void>> = {
  'session over IPv4': (daemon) =>
    session(daemon, {}, async (session) => {
      await established(session);
      const routes = await held(session.daemon, host4, host6);
      assert.equal(routes.get(host4)?.nextHop, ourIpv4);
      assert.equal(routes.get(host6)?.nextHop, ourIpv6);
      assert.deepEqual(routes.get(host6)?.asPath, [ourAsn]);
    }),

  'session over IPv6': (daemon) =>
    session(daemon, overIpv6, async (session) => {
      await established(session);
      const routes = await held(session.daemon, host4, host6);
      assert.equal(routes.get(host4)?.nextHop, ourIpv4);
      assert.equal(routes.get(host6)?.nextHop, ourIpv6);
    }),

  'IPv4 with an IPv6 next hop': (daemon) =>
    session(
      daemon,
      {
        ...overIpv6,
        neighbor: { ...overIpv6.neighbor, extendedNextHop: true },
        addresses: { ours: [ourIpv6], theirs: [theirIpv6] },
      },
      async (session) => {
        await established(session);
        const routes = await held(session.daemon, host4, host6);
        assert.equal(routes.get(host4)?.nextHop, ourIpv6);
        session.speaker.withdraw('router', prefix(host4));
        await held(session.daemon, host6);
      },
    ),

  '4-octet AS numbers': (daemon) =>
    session(
      daemon,
      {
        ours: { localAsn: 4_200_000_001, peerAsn: 4_200_000_002 },
        theirs: { asn: 4_200_000_002 },
        neighbor: { asn: 4_200_000_001 },
      },
      async (session) => {
        await established(session);
        const routes = await held(session.daemon, host4, host6);
        assert.deepEqual(routes.get(host4)?.asPath, [4_200_000_001]);
        assert.equal(status(session).peerAsn, 4_200_000_002);
      },
    ),

  'TCP MD5': (daemon) =>
    session(daemon, { password: 'wrong', neighbor: { password: 'right' } }, async (session) => {
      await eventually('an attempt without an answer', () =>
        status(session).lastError?.startsWith('no answer'),
      );
      assert.equal(await session.daemon.isEstablished(), false);
      session.speaker.setPeers([peer({}, 'right')]);
      await established(session);
      await held(session.daemon, host4, host6);
    }),

  'TTL security': async (daemon) => {
    const neighbor = { ttlSecurity: true, holdTimeSeconds: 3 };
    await session(daemon, { ours: shortHold, neighbor }, async (session) => {
      // The TCP handshake may succeed, because the router's listener also serves peers without TTL security. Later packets do not get through.
      await eventually('an attempt that ends without a NOTIFICATION from the router', () =>
        /timed out|Hold Timer Expired|no answer/.test(status(session).lastError ?? ''),
      );
      assert.equal(await session.daemon.isEstablished(), false);
    });
    await session(daemon, { ours: { ...shortHold, ttlSecurity: true }, neighbor }, async (session) => {
      await established(session);
      await held(session.daemon, host4, host6);
    });
  },

  'the peer is passive': (daemon) =>
    session(daemon, { neighbor: { passive: true } }, async (session) => {
      await established(session);
      await held(session.daemon, host4, host6);
    }),

  'Bellman is passive': (daemon) =>
    session(daemon, { ours: { passive: true }, neighbor: { passive: false } }, async (session) => {
      await established(session);
      await held(session.daemon, host4, host6);
      assert.ok((await sample(session, 'fsm_transitions_total', { to: 'Established' })) > 0);
      assert.equal(await sample(session, 'fsm_transitions_total', { to: 'Connect' }), 0);
    }),

  collision: async (daemon) => {
    for (const theirRouterId of ['1.1.1.1', '223.0.0.1'])
      await session(
        daemon,
        { theirs: { routerId: theirRouterId }, neighbor: { passive: false }, others: [passivePeer] },
        async (session) => {
          await established(session);
          // Makes both ends connect at the same time: the stopped router has not read our OPEN yet, and connects as soon as it runs again.
          await whileStopped(session.daemon.process, () => {
            session.speaker.setPeers([passivePeer]);
            session.speaker.setPeers([peer(), passivePeer]);
            for (const route of [host4, host6]) session.speaker.announce('router', prefix(route), plain);
            return eventually('our OPEN sent', () => status(session).state === 'OpenSent');
          });
          await established(session);
          await held(session.daemon, host4, host6);
          // The losing connection must not end the surviving one.
          const { since } = status(session);
          await new Promise((resolve) => setTimeout(resolve, 1500));
          assert.equal(status(session).state, 'Established');
          assert.equal(status(session).since, since, 'the session has stayed');
          assert.equal(await session.daemon.isEstablished(), true);
        },
      );
  },

  communities: (daemon) =>
    attributes(daemon, { communities: [0xfc000001, 0xfc00ffff, 0xffff0000] }, ({ communities }) => {
      assert.deepEqual(
        communities.map((text) => text.replace(/^(?:graceful-?shutdown|GRACEFUL_SHUTDOWN)$/i, '65535:0')),
        ['64512:1', '64512:65535', '65535:0'],
      );
    }),

  'large communities': (daemon) =>
    attributes(
      daemon,
      {
        largeCommunities: [
          [ourAsn, 1, 2],
          [4_200_000_000, 0, 4_294_967_295],
        ],
      },
      (route) => {
        assert.deepEqual(route.largeCommunities, ['64512:1:2', '4200000000:0:4294967295']);
      },
    ),

  MED: (daemon) => attributes(daemon, { med: 77 }, ({ med }) => assert.equal(med, 77)),

  'AS-path prepend': (daemon) =>
    attributes(daemon, { asPathPrepend: 3 }, ({ asPath }) =>
      assert.deepEqual(asPath, [ourAsn, ourAsn, ourAsn, ourAsn]),
    ),

  'local preference': (daemon) =>
    attributes(
      daemon,
      { localPref: 250 },
      ({ localPref, asPath }) => {
        assert.equal(localPref, 250);
        assert.deepEqual(asPath, []);
      },
      { ours: { peerAsn: ourAsn }, theirs: { asn: ourAsn } },
    ),

  aggregates: (daemon) =>
    session(
      daemon,
      { routes: ['198.51.100.0/24', '203.0.113.128/25', '2001:db8:100::/64'] },
      async (session) => {
        await held(session.daemon, '198.51.100.0/24', '203.0.113.128/25', '2001:db8:100::/64');
      },
    ),

  withdrawal: (daemon) =>
    session(daemon, {}, async ({ daemon: running, speaker }) => {
      await held(running, host4, host6);
      speaker.withdraw('router', prefix(host6));
      await held(running, host4);
      speaker.withdraw('router', prefix(host4));
      speaker.announce('router', prefix(host6), plain);
      await held(running, host6);
    }),

  'route refresh': (daemon) =>
    session(daemon, {}, async (session) => {
      await established(session);
      await held(session.daemon, host4, host6);
      const before = await sample(session, 'updates_total');
      await session.daemon.refresh();
      await eventually(
        'a request for both families',
        async () => (await sample(session, 'route_refresh_received')) >= 2,
      );
      await eventually(
        'both routes sent again',
        async () => (await sample(session, 'updates_total')) >= before + 2,
      );
      await held(session.daemon, host4, host6);
      assert.equal(status(session).state, 'Established');
    }),

  'graceful restart without a lost route': async (daemon) => {
    const restartTimeSeconds = 30;
    const ours = { gracefulRestart: { restartTimeSeconds } };
    const theirs = { gracefulRestartSeconds: restartTimeSeconds };
    await session(
      daemon,
      { ours, neighbor: theirs, routes: [host4, host6, '198.51.100.2/32'] },
      async (first) => {
        await established(first);
        await held(first.daemon, host4, host6, '198.51.100.2/32');
        await first.speaker.stop({ kind: 'restart' });
        await eventually('the session down at the router', async () => !(await first.daemon.isEstablished()));
        await held(first.daemon, host4, host6, '198.51.100.2/32');
        const second = ourSide({ restarting: true });
        try {
          let lost = '';
          let watching = true;
          const watch = (async () => {
            while (watching) {
              const prefixes = (await first.daemon.routes()).map((route) => route.prefix);
              if (!prefixes.includes(host4) || !prefixes.includes(host6)) lost = `held ${prefixes.join(' ')}`;
            }
          })().catch((error) => {
            lost = reasonOf(error);
          });
          try {
            for (const route of [host4, host6]) second.speaker.announce('router', prefix(route), plain);
            second.speaker.setPeers([peer(ours)]);
            await established({ ...first, ...second });
            second.speaker.synced();
            // When End-of-RIB arrives, the router removes the route that the second speaker has not announced.
            await held(first.daemon, host4, host6);
          } finally {
            watching = false;
            await watch;
          }
          assert.equal(lost, '');
        } finally {
          await second.speaker.stop({ kind: 'shutdown', reason: 'end of the test' });
        }
      },
    );
  },

  'long-lived graceful restart': async (daemon) => {
    const ours = { gracefulRestart: { restartTimeSeconds: 1, longLivedStaleTimeSeconds: 3600 } };
    const theirs = { gracefulRestartSeconds: 1, longLivedGracefulRestart: true };
    const local = '198.51.100.2/32';
    await session(daemon, { ours, neighbor: theirs }, async (first) => {
      first.speaker.announce('router', prefix(local), { ...plain, communities: [noLongLived] });
      await established(first);
      await held(first.daemon, host4, host6, local);
      await first.speaker.stop({ kind: 'restart' });
      // After the restart time the router drops the route with NO_LLGR, and marks the others with LLGR_STALE.
      await held(first.daemon, host4, host6);
      for (const route of await first.daemon.routes())
        assert.ok(
          route.communities.some((text) => /^(?:65535:6|llgr-?stale|LLGR_STALE)$/i.test(text)),
          `the communities of ${route.prefix} are ${route.communities.join(' ')}`,
        );
      const second = ourSide({ restarting: true });
      try {
        for (const route of [host4, local]) second.speaker.announce('router', prefix(route), plain);
        second.speaker.setPeers([peer(ours)]);
        await established({ ...first, ...second });
        second.speaker.synced();
        await held(first.daemon, host4, local);
      } finally {
        await second.speaker.stop({ kind: 'shutdown', reason: 'end of the test' });
      }
    });
  },

  'hold timer expiry': (daemon) =>
    session(daemon, { ours: shortHold }, async (session) => {
      await established(session);
      await whileStopped(session.daemon.process, () =>
        eventually('the hold timer', () => status(session).lastError === 'Hold Timer Expired'),
      );
      assert.equal(await sample(session, 'hold_timer_expiries_total'), 1);
      await eventually('a session again', () => status(session).state === 'Established');
      await held(session.daemon, host4, host6);
    }),

  'shutdown message from the peer': (daemon) =>
    session(daemon, {}, async (session) => {
      await established(session);
      await session.daemon.shutdown('cable works, back at noon');
      await eventually('the text of the message in our last error', () => {
        const { lastError, state } = status(session);
        if (state === 'Established') return false;
        return (
          lastError?.includes('Administrative Shutdown') && lastError.includes('cable works, back at noon')
        );
      });
    }),

  'shutdown message to the peer': (daemon) =>
    session(daemon, {}, async (session) => {
      await established(session);
      await session.speaker.stop({ kind: 'shutdown', reason: 'node drain: worker-3' });
      await eventually("our text in the daemon's log", () =>
        session.daemon.log().includes('node drain: worker-3'),
      );
      await held(session.daemon);
    }),

  'extended messages': (daemon) => {
    const hosts = Array.from(
      { length: 1200 },
      (_, i) => `${formatIp({ family: 4, value: 0xc6120000n + BigInt(i) })}/32`,
    );
    return session(daemon, { routes: hosts, neighbor: { extendedMessages: true } }, async (session) => {
      await established(session);
      assert.ok(status(session).capabilities.includes('extended-message'));
      await eventually('all routes sent', () => status(session).routesSent === hosts.length);
      // A host route takes 5 octets. 1,200 of them fit into one extended message, but need two ordinary ones. An End-of-RIB for each family follows.
      await eventually(
        'End-of-RIB of both families',
        async () => (await sample(session, 'updates_total')) >= 3,
      );
      assert.equal(await sample(session, 'updates_total'), 3);
      const prefixes =
        session.daemon.prefixes ?? (async () => (await session.daemon.routes()).map(({ prefix }) => prefix));
      await eventually('all routes at the router', async () => (await prefixes()).length === hosts.length);
    });
  },
};
