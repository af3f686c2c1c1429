/** Derives the settings of a peer's state machine, sockets and OPEN from the peer's settings. Pure. */
import type { FsmConfig } from '../fsm/connection-state.ts';
import type { PeerMachineSettings } from '../fsm/peer-state.ts';
import type { PeerSettings, ResolvedPeer } from '../peer.ts';
import type { AcceptedPeer, ConnectTarget, SocketRules } from '../transport/transport.ts';

/** First IdleHoldTime. It is short, because a restarted router is back within seconds. The delay doubles with each failure. */
const idleHoldMs = 1000;
/** Longest IdleHoldTime. In the long run, a peer that keeps refusing is tried at this interval. */
const idleHoldMaximumMs = 120_000;
/** A session that has been up for this long has proven stable: the delay after its next failure is `idleHoldMs` again. */
const lastingMs = 60_000;
/** RFC 9687 section 6: eight minutes. */
const sendHoldMs = 480_000;
/** DelayOpenTime of passive peers (RFC 4271 section 8.1.1). Such a peer usually sends its OPEN as soon as it connects, so our OPEN waits for it. */
const passiveDelayOpenMs = 1000;
const maximumTtl = 255;

/** True when the settings say that the peer is in our AS. */
function isInternal({ peerAsn, localAsn }: PeerSettings): boolean {
  return peerAsn === 'internal' || peerAsn === localAsn;
}

/** True for an external peer that the settings require to be directly connected. */
export function isOneHop(settings: PeerSettings): boolean {
  return !isInternal(settings) && settings.ebgpHops === 1;
}

export function machineSettingsOf(
  { settings, routerId, waitingFor }: ResolvedPeer,
  hostName: string,
): PeerMachineSettings {
  const { localAsn, peerAsn, holdTimeSeconds, keepaliveTimeSeconds, address, gracefulRestart, bfd } =
    settings;
  const { families } = settings;
  return {
    mayStart: waitingFor === undefined,
    fsm: fsmConfigOf(settings),
    localEnd: {
      asn: localAsn,
      peerAsn,
      routerId,
      holdTimeSeconds,
      keepaliveTimeSeconds,
      hostName,
      ...(families ? { families } : {}),
      overIpv6: address.family === 6,
    },
    ...gracefulRestart,
    ...(bfd ? { bfd: { strict: bfd.strict, holdDownMs: bfd.holdDownSeconds * 1000 } } : {}),
  };
}

function fsmConfigOf({ passive, connectRetrySeconds }: PeerSettings): FsmConfig {
  return {
    passive,
    connectRetryMs: connectRetrySeconds * 1000,
    delayOpenMs: passive ? passiveDelayOpenMs : 0,
    idleHoldMs,
    idleHoldMaximumMs,
    lastingMs,
    sendHoldMs,
  };
}

/**
 * The socket options of a session. Packets to an external peer carry the configured number of hops as their TTL. Packets to an internal
 * peer carry the system's TTL, and so do all packets if no number is configured. With TTL security (RFC 5082), packets carry a TTL of 255
 * instead, and the kernel drops incoming packets that have crossed more than the configured number of hops (by default one).
 * `holdTimeSeconds` is the negotiated hold time, or the configured one before the negotiation.
 *
 * The hold timer detects a dead peer. The kernel's user timeout is only a second safeguard. It also ends the connection to a live peer that
 * reads nothing, so it must not fire before the send hold timer (RFC 9687). The period of the send hold timer is `sendHoldMs` or twice the
 * hold time, whichever is longer. The timer fires at most two periods after the peer last took an octet.
 */
export function socketRulesOf(
  settings: PeerSettings,
  holdTimeSeconds: number = settings.holdTimeSeconds,
): SocketRules {
  const { ebgpHops, ttlSecurity } = settings;
  const hops = isInternal(settings) ? undefined : ebgpHops;
  const userTimeoutMs = 2 * Math.max(sendHoldMs, 2 * holdTimeSeconds * 1000);
  if (ttlSecurity) return { ttl: maximumTtl, minimumTtl: maximumTtl + 1 - (hops ?? 1), userTimeoutMs };
  return hops === undefined ? { userTimeoutMs } : { ttl: hops, userTimeoutMs };
}

export function connectTargetOf({ settings, password }: ResolvedPeer): ConnectTarget {
  return {
    ...socketRulesOf(settings),
    address: settings.address,
    port: settings.port,
    ...(settings.sourceAddress ? { sourceAddress: settings.sourceAddress } : {}),
    ...(settings.interface === undefined ? {} : { interface: settings.interface }),
    ...(password === undefined ? {} : { password }),
  };
}

export function acceptedPeerOf({ settings, password }: ResolvedPeer): AcceptedPeer {
  const { minimumTtl } = socketRulesOf(settings);
  return {
    address: settings.address,
    ...(settings.interface === undefined ? {} : { interface: settings.interface }),
    ...(password === undefined ? {} : { password }),
    ...(minimumTtl === undefined ? {} : { minimumTtl }),
  };
}
