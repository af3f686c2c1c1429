/** What a peer's configuration means for its machine, its socket and its OPEN, and what an edit of it asks for. Pure. */
import type { FsmConfig } from '../fsm-types.ts';
import type { LocalEnd } from '../negotiation.ts';
import type { PeerSettings, ResolvedPeer } from '../peer.ts';
import type { AcceptedPeer, ConnectTarget, SocketRules } from '../transport/transport.ts';

/** First idle hold time; seconds after a router's restart are enough, and it doubles. */
const idleHoldMs = 1000;
/** A peer that refuses us is asked this often in the long run. */
const idleHoldMaximumMs = 120_000;
/** A session this old has proven itself. */
const lastingMs = 60_000;
/** RFC 9687 section 4: eight minutes. */
const sendHoldMs = 480_000;
/** A passive peer's OPEN usually follows its connection at once, and then ours can answer it (RFC 4271 section 8.1.1). */
const passiveDelayOpenMs = 1000;
const maximumTtl = 255;

export function isInternal(settings: PeerSettings): boolean {
  return settings.peerAsn === 'internal' || settings.peerAsn === settings.localAsn;
}

export function fsmConfigOf(settings: PeerSettings): FsmConfig {
  return {
    passive: settings.passive,
    connectRetryMs: settings.connectRetrySeconds * 1000,
    delayOpenMs: settings.passive ? passiveDelayOpenMs : 0,
    idleHoldMs,
    idleHoldMaximumMs,
    lastingMs,
    sendHoldMs,
  };
}

/**
 * An external peer gets exactly the hops that are configured; TTL security says so to the kernel in both directions. `holdTimeSeconds` is
 * the negotiated hold time once there is one.
 *
 * The hold timer finds a dead peer. The kernel's user timeout only backs it up, and counts a peer that is alive but reads nothing as
 * dead: it must not forestall the send hold timer (RFC 9687), which fires up to two periods after the peer last took an octet.
 */
export function socketRulesOf(
  settings: PeerSettings,
  holdTimeSeconds: number = settings.holdTimeSeconds,
): SocketRules {
  const hops = isInternal(settings) ? 1 : settings.ebgpHops;
  const userTimeoutMs = 2 * Math.max(sendHoldMs, 2 * holdTimeSeconds * 1000);
  if (settings.ttlSecurity) return { ttl: maximumTtl, minimumTtl: maximumTtl + 1 - hops, userTimeoutMs };
  return isInternal(settings) ? { userTimeoutMs } : { ttl: hops, userTimeoutMs };
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

/** What of the local end follows from the configuration alone. */
export function localEndOf(
  { settings, routerId }: ResolvedPeer,
  rest: Pick<LocalEnd, 'hostName' | 'refusedCapabilities'> & { restarting: boolean; forwarding: boolean },
): LocalEnd {
  const { gracefulRestart } = settings;
  const { restarting, forwarding, hostName, refusedCapabilities } = rest;
  return {
    asn: settings.localAsn,
    peerAsn: settings.peerAsn,
    routerId,
    holdTimeSeconds: settings.holdTimeSeconds,
    keepaliveTimeSeconds: settings.keepaliveTimeSeconds,
    hostName,
    overIpv6: settings.address.family === 6,
    refusedCapabilities,
    ...(gracefulRestart
      ? {
          gracefulRestart: { restartTimeSeconds: gracefulRestart.restartTimeSeconds, restarting, forwarding },
        }
      : {}),
  };
}

/** What an edit needs: nothing that shows, new rules on the open socket, or a session that starts over. */
export type SettingsChange = 'none' | 'apply' | 'reset';

/** Everything that went into the TCP connection or the OPEN can change only with a new session. */
export function settingsChange(before: ResolvedPeer, after: ResolvedPeer): SettingsChange {
  if (openedWith(before) !== openedWith(after)) return 'reset';
  return appliedLive(before) === appliedLive(after) ? 'none' : 'apply';
}

function openedWith({ settings, password, routerId, waitingFor }: ResolvedPeer): string {
  const { address, sourceAddress, gracefulRestart, holdTimeSeconds, port, peerAsn } = settings;
  return JSON.stringify([
    [settings.localAsn, peerAsn, routerId, holdTimeSeconds, gracefulRestart?.restartTimeSeconds],
    [address.family, String(address.value), settings.interface, port, password],
    sourceAddress && String(sourceAddress.value),
    waitingFor,
  ]);
}

function appliedLive({ settings }: ResolvedPeer): string {
  const { keepaliveTimeSeconds, connectRetrySeconds, passive } = settings;
  return JSON.stringify([keepaliveTimeSeconds, connectRetrySeconds, passive, socketRulesOf(settings)]);
}
