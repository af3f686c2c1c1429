/** What a peer's configuration means for its machine, its socket and its OPEN, and what an edit of it asks for. Pure. */
import type { PeerConfig } from '../../config/config.ts';
import type { FsmConfig } from '../fsm-types.ts';
import type { LocalEnd } from '../negotiation.ts';
import type { ResolvedPeer } from '../speaker-api.ts';
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

/** The AS number that the peer sees. */
export function sessionAsn(config: PeerConfig): number {
  return config.localAsn ?? config.myAsn;
}

export function isInternal(config: PeerConfig): boolean {
  return config.peerAsn === 'internal' || config.peerAsn === sessionAsn(config);
}

export function fsmConfigOf(config: PeerConfig): FsmConfig {
  return {
    passive: config.passive,
    connectRetryMs: config.connectTimeSeconds * 1000,
    delayOpenMs: config.passive ? passiveDelayOpenMs : 0,
    idleHoldMs,
    idleHoldMaximumMs,
    lastingMs,
    sendHoldMs,
  };
}

/** An external peer gets exactly the hops that are configured; TTL security says so to the kernel in both directions. */
export function socketRulesOf(config: PeerConfig): SocketRules {
  const hops = isInternal(config) ? 1 : config.ebgpMultihop;
  const userTimeoutMs = config.holdTimeSeconds * 1000;
  if (config.ttlSecurity) return { ttl: maximumTtl, minimumTtl: maximumTtl + 1 - hops, userTimeoutMs };
  return isInternal(config) ? { userTimeoutMs } : { ttl: hops, userTimeoutMs };
}

export function connectTargetOf({ config, password }: ResolvedPeer): ConnectTarget {
  return {
    ...socketRulesOf(config),
    address: config.address,
    port: config.port,
    ...(config.sourceAddress ? { sourceAddress: config.sourceAddress } : {}),
    ...(config.interface === undefined ? {} : { interface: config.interface }),
    ...(password === undefined ? {} : { password }),
  };
}

export function acceptedPeerOf({ config, password }: ResolvedPeer): AcceptedPeer {
  const { minimumTtl } = socketRulesOf(config);
  return {
    address: config.address,
    ...(config.interface === undefined ? {} : { interface: config.interface }),
    ...(password === undefined ? {} : { password }),
    ...(minimumTtl === undefined ? {} : { minimumTtl }),
  };
}

/** What of the local end follows from the configuration alone. */
export function localEndOf(
  { config, routerId }: ResolvedPeer,
  rest: Pick<LocalEnd, 'hostName' | 'refusedCapabilities'> & { restarting: boolean; forwarding: boolean },
): LocalEnd {
  const { gracefulRestart } = config;
  const { restarting, forwarding, hostName, refusedCapabilities } = rest;
  return {
    asn: sessionAsn(config),
    peerAsn: config.peerAsn,
    routerId,
    holdTimeSeconds: config.holdTimeSeconds,
    keepaliveTimeSeconds: config.keepaliveTimeSeconds,
    hostName,
    overIpv6: config.address.family === 6,
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

function openedWith({ config, password, routerId, waitingFor }: ResolvedPeer): string {
  const { address, sourceAddress, gracefulRestart, holdTimeSeconds, port, peerAsn } = config;
  return JSON.stringify([
    [sessionAsn(config), peerAsn, routerId, holdTimeSeconds, gracefulRestart?.restartTimeSeconds],
    [address.family, String(address.value), config.interface, port, password],
    sourceAddress && String(sourceAddress.value),
    waitingFor,
  ]);
}

function appliedLive({ config }: ResolvedPeer): string {
  const { keepaliveTimeSeconds, connectTimeSeconds, passive } = config;
  return JSON.stringify([keepaliveTimeSeconds, connectTimeSeconds, passive, socketRulesOf(config)]);
}
