/** A peer as `bellman status` shows it. Pure. */
import { formatIp, ipFromBytes } from '../../address/index.ts';
import { dampingLosses, dampingQuietMs, dampingWindowMs } from '../fsm/bfd-watch.ts';
import { detailedState, type FsmState } from '../fsm/connection-state.ts';
import { familyName, type Negotiated } from '../negotiation.ts';
import type { ResolvedPeer } from '../peer.ts';
import type { PeerStatus } from '../speaker-api.ts';
import type { CarriedFamilies } from './carried-families.ts';

/** Limits the list of capabilities: a peer may offer thousands. */
const shownCapabilities = 64;

/** The current values of the parts of a session that status shows. */
export interface SessionSnapshot {
  readonly peer: ResolvedPeer;
  readonly fsm: FsmState;
  /** Wall clock of the last change of state. */
  readonly sinceEpochMs: number;
  readonly negotiated: Negotiated | undefined;
  readonly isBfdDamped: boolean;
  /** `undefined` unless the session is up. */
  readonly carried: CarriedFamilies | undefined;
  readonly routesDesired: number;
  readonly routesSent: number;
  readonly routesRefused: number;
  readonly lastError: { readonly reason: string | undefined; readonly atEpochMs: number };
}

export function peerStatus(snapshot: SessionSnapshot): PeerStatus {
  const { peer, fsm, sinceEpochMs, negotiated, carried, routesDesired, routesSent, lastError } = snapshot;
  return {
    name: peer.settings.name,
    address: peer.settings.address,
    state: fsm.name,
    ...(fsm.bfdWait === undefined ? {} : { subState: detailedState(fsm) }),
    since: rfc3339(sinceEpochMs),
    ...(negotiated
      ? {
          peerAsn: negotiated.peerAsn,
          peerRouterId: formatRouterId(negotiated.peerRouterId),
          holdTimeSeconds: negotiated.holdTimeSeconds,
        }
      : {}),
    families: (carried?.families ?? []).map(familyName),
    capabilities: (negotiated?.capabilities ?? []).slice(0, shownCapabilities),
    warnings: warningsOf(snapshot),
    routesDesired,
    routesSent,
    ...(lastError.reason === undefined
      ? {}
      : { lastError: lastError.reason, lastErrorAt: rfc3339(lastError.atEpochMs) }),
  };
}

function warningsOf({ peer, carried, negotiated, routesRefused, isBfdDamped }: SessionSnapshot): string[] {
  const withheld = negotiated?.withheld ?? [];
  return [
    ...(peer.warning === undefined ? [] : [peer.warning]),
    ...(peer.bfdWarning === undefined ? [] : [peer.bfdWarning]),
    ...(isBfdDamped ? [describeDamping()] : []),
    ...(carried?.warnings ?? []),
    ...(withheld.length === 0
      ? []
      : [
          `our OPEN was sent without ${withheld.join(', ')}: the peer refused an OPEN with them, or an earlier speaker process started the session without them`,
        ]),
    ...(routesRefused === 0
      ? []
      : [
          `${routesRefused} routes are not sent: their path attributes leave no room for a prefix in a BGP message`,
        ]),
  ];
}

/** Says that BFD does not end the session for now, and when a loss will end it again. */
export function describeDamping(): string {
  const minutes = (ms: number) => `${ms / 60_000} minutes`;
  return `BFD has ended the session ${dampingLosses} times within ${minutes(dampingWindowMs)}, so further losses do not end it until ${minutes(dampingQuietMs)} have passed without a loss`;
}

function rfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** Formats a BGP Identifier as a dotted quad. */
export function formatRouterId(routerId: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, routerId);
  return formatIp(ipFromBytes(bytes));
}
