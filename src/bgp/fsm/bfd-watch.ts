/**
 * The state of BFD with a peer, and its effect on the BGP session (RFC 5882 section 4). Pure.
 *
 * - Only the loss of a BFD session that was Up is a failure of the peer. A BFD session that was never Up says nothing about the peer.
 * - AdminDown of either end says nothing about the path (RFC 5882 sections 4.1 and 4.2).
 * - Damping: when BFD has ended the session too often, BGP ignores further losses until BFD has reported none for a while. Meanwhile the
 *   hold timer still ends the session of a silent peer.
 */
import type { BfdReadiness } from './connection-state.ts';

/** A report about the BFD session with the peer. The states and diagnostics are those of RFC 5880 section 4.1. */
export interface BfdReport {
  readonly state: 'AdminDown' | 'Down' | 'Init' | 'Up';
  /** The state that the peer's last packet carried. */
  readonly remoteState: 'AdminDown' | 'Down' | 'Init' | 'Up';
  /** The reason for the last change of `state`; 0 for none. */
  readonly diagnostic: number;
  /** The C bit of the peer's packets: its BFD goes on while its control plane restarts (RFC 5882 section 4.3.1). */
  readonly remoteControlPlaneIndependent: boolean;
}

/** `unknown`: BFD has reported nothing yet, or does not watch the peer. */
type BfdView = 'unknown' | 'down' | 'up' | 'admin-down';

export interface BfdWatch {
  readonly view: BfdView;
  /** When BFD came Up, on the machine's clock; `undefined` while BFD is not Up. */
  readonly upAtMs: number | undefined;
  readonly remoteControlPlaneIndependent: boolean;
  /** The times at which BFD ended the BGP session. All lie within `dampingWindowMs` before the last one. */
  readonly endedAtMs: readonly number[];
  /** BGP ignores losses for now. */
  readonly isDamped: boolean;
}

export const initialBfdWatch: BfdWatch = {
  view: 'unknown',
  upAtMs: undefined,
  remoteControlPlaneIndependent: false,
  endedAtMs: [],
  isDamped: false,
};

/**
 * Damping begins when BFD has ended the session this often within the window. A link that fails once or twice in ten minutes is common
 * during maintenance. Damping limits the cost of more failures: each one makes the routers reroute all traffic away from this node and back.
 */
export const dampingLosses = 5;
export const dampingWindowMs = 600_000;
/** Damping ends when BFD has reported no loss for this long. */
export const dampingQuietMs = 600_000;

/** RFC 5880 section 4.1: 0 means that there is no reason, 7 that an administrator has ended the BFD session. */
const harmlessDiagnostics: ReadonlySet<number> = new Set([0, 7]);

/** Takes a report. `isLost`: BFD was Up and has lost the peer. */
export function observeBfd(
  watch: BfdWatch,
  report: BfdReport,
  nowMs: number,
): { readonly watch: BfdWatch; readonly isLost: boolean } {
  const view = viewOf(report);
  // The C bit that the peer sent while the BFD session was Up decides what a loss means.
  const { remoteControlPlaneIndependent } = view === 'up' ? report : watch;
  const upAtMs = view === 'up' ? (watch.upAtMs ?? nowMs) : undefined;
  // A new BFD session that takes the place of an Up session begins in Down with the diagnostic 0. That is not a loss.
  const isLost = watch.view === 'up' && view === 'down' && !harmlessDiagnostics.has(report.diagnostic);
  return { watch: { ...watch, view, upAtMs, remoteControlPlaneIndependent }, isLost };
}

function viewOf({ state, remoteState }: BfdReport): BfdView {
  if (state === 'Up') return 'up';
  return state === 'AdminDown' || remoteState === 'AdminDown' ? 'admin-down' : 'down';
}

/** Notes that BFD has ended the BGP session. Damping begins when that happens too often. */
export function noteSessionEnded(watch: BfdWatch, nowMs: number): BfdWatch {
  const endedAtMs = [...watch.endedAtMs.filter((at) => nowMs - at < dampingWindowMs), nowMs];
  return { ...watch, endedAtMs, isDamped: endedAtMs.length >= dampingLosses };
}

export function endDamping(watch: BfdWatch): BfdWatch {
  return { ...watch, endedAtMs: [], isDamped: false };
}

/** Whether BFD lets the BGP session come up. AdminDown at either end lets it come up (draft-ietf-idr-bgp-bfd-strict-mode). */
export function bfdReadiness({ view, upAtMs }: BfdWatch, holdDownMs: number, nowMs: number): BfdReadiness {
  if (view === 'admin-down') return { kind: 'ready' };
  if (upAtMs === undefined) return { kind: 'not-ready' };
  const delayMs = upAtMs + holdDownMs - nowMs;
  return delayMs > 0 ? { kind: 'ready-in', delayMs } : { kind: 'ready' };
}
