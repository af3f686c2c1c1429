import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { survivingConnection } from '../../../src/bgp/fsm/collision.ts';
import type { Capability, OpenMessage } from '../../../src/bgp/message.ts';
import { judgeOpen, type LocalEnd, localOpen, refusedAfter } from '../../../src/bgp/negotiation.ts';

const local: LocalEnd = {
  asn: 64512,
  peerAsn: 64500,
  routerId: 0x0a000001,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  hostName: 'node-1',
  overIpv6: false,
  bfdStrict: false,
  refusedCapabilities: new Set(),
};
const ipv4: Capability = { kind: 'multiprotocol', family: { afi: 1, safi: 1 } };
const ipv6: Capability = { kind: 'multiprotocol', family: { afi: 2, safi: 1 } };
const theirs: OpenMessage = {
  kind: 'open',
  version: 4,
  myAs: 64500,
  holdTimeSeconds: 180,
  routerId: 0x0a000002,
  capabilities: [ipv4, ipv6, { kind: 'four-octet-as', asn: 64500 }],
};

function agreed(open: Partial<OpenMessage> = {}, end: Partial<LocalEnd> = {}) {
  const judged = judgeOpen({ ...theirs, ...open }, { ...local, ...end });
  assert.ok(judged.ok, JSON.stringify(judged));
  return judged.value;
}

function refused(open: Partial<OpenMessage>, end: Partial<LocalEnd> = {}): string {
  const judged = judgeOpen({ ...theirs, ...open }, { ...local, ...end });
  assert.ok(!judged.ok);
  return `${judged.error.code}/${judged.error.subcode}`;
}

describe('localOpen()', () => {
  test('sends AS_TRANS for a four-octet AS number (RFC 6793)', () => {
    const open = localOpen({ ...local, asn: 4_200_000_001 });
    assert.equal(open.myAs, 23456);
    assert.ok(open.capabilities.some((one) => one.kind === 'four-octet-as' && one.asn === 4_200_000_001));
  });

  test('offers only the configured families, also in the capabilities for graceful restart and IPv6 next hops', () => {
    const gracefulRestart = { restartTimeSeconds: 120, restarting: false, forwarding: false };
    const { capabilities } = localOpen({ ...local, families: [6], overIpv6: true, gracefulRestart });
    assert.deepEqual(
      capabilities.filter(({ kind }) => kind === 'multiprotocol'),
      [ipv6],
    );
    const restart = capabilities.find((one) => one.kind === 'graceful-restart');
    assert.deepEqual(
      restart?.families.map(({ afi }) => afi),
      [2],
    );
    assert.ok(!capabilities.some(({ kind }) => kind === 'extended-next-hop'));
  });

  test('offers IPv6 next hops for IPv4 routes only when the session runs over IPv6 (RFC 8950)', () => {
    const offers = (overIpv6: boolean) =>
      localOpen({ ...local, overIpv6 }).capabilities.some(({ kind }) => kind === 'extended-next-hop');
    assert.deepEqual([offers(false), offers(true)], [false, true]);
  });

  test('offers graceful restart when it is configured, with the R and F bits', () => {
    const gracefulRestart = { restartTimeSeconds: 120, restarting: true, forwarding: true };
    const offered = localOpen({ ...local, gracefulRestart }).capabilities.find(
      ({ kind }) => kind === 'graceful-restart',
    );
    assert.deepEqual(offered, {
      kind: 'graceful-restart',
      restarting: true,
      notification: true,
      restartTimeSeconds: 120,
      families: [
        { afi: 1, safi: 1, forwarding: true },
        { afi: 2, safi: 1, forwarding: true },
      ],
    });
    assert.ok(!localOpen(local).capabilities.some(({ kind }) => kind === 'graceful-restart'));
  });

  test('offers long-lived graceful restart when it is configured (RFC 9494)', () => {
    const restart = { restartTimeSeconds: 120, restarting: true, forwarding: true };
    const offered = (gracefulRestart: LocalEnd['gracefulRestart']) =>
      localOpen({
        ...local,
        families: [6],
        ...(gracefulRestart ? { gracefulRestart } : {}),
      }).capabilities.find(({ kind }) => kind === 'long-lived-graceful-restart');
    assert.deepEqual(offered({ ...restart, longLivedStaleTimeSeconds: 3600 }), {
      kind: 'long-lived-graceful-restart',
      families: [{ afi: 2, safi: 1, forwarding: true, staleTimeSeconds: 3600 }],
    });
    assert.equal(offered(restart), undefined);
    assert.equal(offered(undefined), undefined);
  });

  test('leaves out capabilities that the peer has refused', () => {
    const kinds = (refusedCapabilities: LocalEnd['refusedCapabilities']) =>
      localOpen({ ...local, refusedCapabilities }).capabilities.map(({ kind }) => kind);
    assert.ok(!kinds(new Set([73])).includes('fqdn'));
    assert.deepEqual(kinds('all'), []);
  });
});

describe('judgeOpen()', () => {
  test('agrees only on configured families, even when one end sends no capabilities', () => {
    assert.deepEqual(agreed({}, { families: [4] }).families, [4]);
    assert.deepEqual(agreed({}, { families: [6] }).families, [6]);
    assert.deepEqual(agreed({ capabilities: [] }, { families: [6] }).families, []);
    assert.deepEqual(agreed({}, { families: [6], refusedCapabilities: 'all' }).families, []);
  });

  test('agrees on the smaller hold time, and on a KEEPALIVE interval of at most a third of it', () => {
    const { holdTimeSeconds, keepaliveTimeSeconds } = agreed({ holdTimeSeconds: 9 });
    assert.deepEqual([holdTimeSeconds, keepaliveTimeSeconds], [9, 3]);
    assert.equal(agreed({ holdTimeSeconds: 0 }).holdTimeSeconds, 0);
    assert.equal(agreed({}, { keepaliveTimeSeconds: 5 }).keepaliveTimeSeconds, 5);
  });

  test('refuses with Bad Peer AS (2/2) when the AS number does not match the configuration', () => {
    assert.equal(refused({ myAs: 64501, capabilities: [] }), '2/2');
    assert.equal(refused({ capabilities: [{ kind: 'four-octet-as', asn: 64501 }] }), '2/2');
    assert.equal(refused({ myAs: 23456, capabilities: [] }), '2/2');
    const judged = judgeOpen({ ...theirs, myAs: 64501, capabilities: [] }, local);
    assert.equal(judged.ok ? '' : judged.error.text, 'peer said AS 64501, configured 64500');
  });

  test('refuses our own BGP Identifier only from a peer in our AS (RFC 6286)', () => {
    assert.equal(agreed({ routerId: local.routerId }).internal, false);
    const inside = { myAs: 64512, capabilities: [], routerId: local.routerId };
    assert.equal(refused(inside, { peerAsn: 64512 }), '2/3');
  });

  test('accepts every AS except our AS for `external`, and only our AS for `internal`', () => {
    assert.equal(agreed({}, { peerAsn: 'external' }).peerAsn, 64500);
    assert.equal(refused({ myAs: 64512, capabilities: [] }, { peerAsn: 'external' }), '2/2');
    assert.equal(agreed({ myAs: 64512, capabilities: [] }, { peerAsn: 'internal' }).internal, true);
    assert.equal(refused({}, { peerAsn: 'internal' }), '2/2');
  });

  test('accepts AS_TRANS in place of a four-octet AS number when the peer supports only two-octet AS numbers', () => {
    const { fourOctetAs, peerAsn } = agreed(
      { myAs: 23456, capabilities: [ipv4] },
      { peerAsn: 4_200_000_002 },
    );
    assert.deepEqual([fourOctetAs, peerAsn], [false, 4_200_000_002]);
    for (const ours of [4_200_000_001, 'internal'] as const) {
      const inside = { asn: 4_200_000_001, peerAsn: ours };
      assert.equal(agreed({ myAs: 23456, capabilities: [] }, inside).internal, true, String(ours));
    }
    assert.equal(refused({ myAs: 23456, capabilities: [] }, { peerAsn: 'internal' }), '2/2');
    assert.equal(agreed({ myAs: 23456, capabilities: [] }, { peerAsn: 'external' }).peerAsn, 23456);
  });

  test('agrees on the families that both ends offer, and treats an end that offers none as if it offered IPv4 (RFC 4760 section 8)', () => {
    assert.deepEqual(agreed().families, [4, 6]);
    assert.deepEqual(agreed({ capabilities: [ipv6] }).families, [6]);
    assert.deepEqual(agreed({ capabilities: [] }).families, [4]);
    assert.deepEqual(agreed({}, { refusedCapabilities: 'all' }).families, [4]);
  });

  test('uses extended messages, route refresh and graceful restart when both ends offer them', () => {
    const all: Capability[] = [
      { kind: 'extended-message' },
      { kind: 'route-refresh' },
      { kind: 'enhanced-route-refresh' },
      {
        kind: 'graceful-restart',
        restarting: false,
        notification: true,
        restartTimeSeconds: 60,
        families: [],
      },
    ];
    const both = agreed({ capabilities: all });
    assert.deepEqual(
      [both.sendLimit, both.receiveLimit, both.routeRefresh, both.enhancedRouteRefresh],
      [65535, 65535, true, true],
    );
    assert.equal(both.gracefulRestart, undefined, 'graceful restart is not configured at our end');
    const gracefulRestart = { restartTimeSeconds: 120, restarting: false, forwarding: false };
    assert.deepEqual(agreed({ capabilities: all }, { gracefulRestart }).gracefulRestart, {
      restartTimeSeconds: 60,
      notification: true,
    });
    const alone = agreed();
    assert.deepEqual([alone.sendLimit, alone.receiveLimit, alone.routeRefresh], [4096, 65535, false]);
  });

  test('uses IPv6 next hops for IPv4 routes only when both ends offer exactly this combination', () => {
    const tuple = (afi: number, nextHopAfi: number): Capability => ({
      kind: 'extended-next-hop',
      tuples: [{ afi, safi: 1, nextHopAfi }],
    });
    const takes = (capability: Capability, overIpv6: boolean) =>
      agreed({ capabilities: [capability] }, { overIpv6 }).extendedNextHop;
    assert.equal(takes(tuple(1, 2), true), true);
    assert.equal(takes(tuple(1, 2), false), false);
    assert.equal(takes(tuple(2, 1), true), false);
  });
});

describe('refusedAfter()', () => {
  const none = new Set<number>();
  const error = (subcode: number, ...data: number[]) => ({ code: 2, subcode, data: Uint8Array.from(data) });

  test('returns the capabilities that the peer names (RFC 5492 section 5)', () => {
    assert.deepEqual(refusedAfter(error(7, 73, 2, 0, 0, 6, 0), none), new Set([73, 6]));
  });

  test('returns `all` when the peer names no capability, or only those that we already leave out', () => {
    assert.equal(refusedAfter(error(4), none), 'all');
    assert.equal(refusedAfter(error(7), none), 'all');
    assert.equal(refusedAfter(error(7, 73, 0), new Set([73])), 'all');
  });

  test('returns undefined when the peer names only capabilities that our OPEN did not carry, because it requires them (RFC 5492 section 3)', () => {
    const offered = localOpen({ ...local, families: [4] }).capabilities;
    const multiprotocol = (afi: number) => [1, 4, 0, afi, 0, 1];
    assert.equal(refusedAfter(error(7, ...multiprotocol(2)), none, offered), undefined);
    assert.equal(refusedAfter(error(7, 64, 0), none, offered), undefined);
    assert.deepEqual(refusedAfter(error(7, ...multiprotocol(1)), none, offered), new Set([1]));
    assert.deepEqual(refusedAfter(error(7, ...multiprotocol(2), 73, 0), none, offered), new Set([73]));
    assert.equal(refusedAfter(error(7), none, offered), 'all');
    assert.equal(refusedAfter(error(7, 73, 0), new Set([73]), []), 'all');
  });

  test('returns undefined for an error that is not about capabilities, and when we already leave out all capabilities', () => {
    assert.equal(refusedAfter(error(2), none), undefined);
    assert.equal(refusedAfter(error(7), 'all'), undefined);
  });
});

describe('survivingConnection()', () => {
  const end = (routerId: number, asn: number) => ({ routerId, asn });

  test('keeps the connection made by the end with the higher BGP Identifier, compared as an unsigned number', () => {
    assert.equal(survivingConnection(end(2, 1), end(1, 9)), 'outgoing');
    assert.equal(survivingConnection(end(1, 9), end(0xf0000000, 1)), 'incoming');
  });

  test('compares AS numbers when the identifiers are equal (RFC 6286 section 2.3)', () => {
    assert.equal(survivingConnection(end(1, 2), end(1, 1)), 'outgoing');
    assert.equal(survivingConnection(end(1, 1), end(1, 2)), 'incoming');
  });

  test('both ends keep the same connection', () => {
    for (const [a, b] of [
      [end(1, 1), end(2, 1)],
      [end(3, 1), end(2, 1)],
      [end(2, 7), end(2, 8)],
    ] as const)
      assert.notEqual(survivingConnection(a, b), survivingConnection(b, a));
  });
});
