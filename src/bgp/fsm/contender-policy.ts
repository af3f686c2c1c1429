/** Decides when a connection that the peer makes is accepted beside the primary. */
import type { RejectReason } from './peer-events.ts';
import type { ConnectionState, PeerState } from './peer-state.ts';

/**
 * A connection that has carried no OPEN for this long counts as silent. A peer sends its OPEN as soon as TCP is up, or after a
 * DelayOpenTime of a second or two.
 */
export const silentConnectionMs = 5000;
/** Pause after a contender has failed or lost a collision. A new contender during the pause would probably end for the same reason. */
export const contenderPauseMs = 5000;

/** Why a new contender is refused now; `undefined` when it may be accepted. */
export function refusalOf(
  { primary, contender, contenderAllowedAtMs }: PeerState,
  nowMs: number,
): RejectReason | undefined {
  // RFC 4271 section 8.2.2, Idle: "BGP FSM refuses all incoming BGP connections for this peer."
  if (primary.fsm.name === 'Idle') return 'idle';
  // RFC 4271 section 6.8 with CollisionDetectEstablishedState off: an Established session stays. With graceful restart, the new connection may
  // mean that the peer has restarted (RFC 4724 section 4.2), so it is accepted.
  if (primary.fsm.name === 'Established' && !primary.negotiated?.gracefulRestart) return 'established';
  if (nowMs < contenderAllowedAtMs) return 'paused';
  return contender ? 'occupied' : undefined;
}

/** The silent connection that yields to a newer connection: the contender, if both are silent. */
export function silentConnection(
  { primary, contender }: PeerState,
  nowMs: number,
): ConnectionState | undefined {
  return [contender, primary].find((connection) => connection && isSilent(connection, nowMs));
}

function isSilent({ negotiated, connectedAtMs, fsm }: ConnectionState, nowMs: number): boolean {
  if (negotiated || fsm.tcp !== 'connected' || connectedAtMs === undefined) return false;
  return nowMs - connectedAtMs >= silentConnectionMs;
}
