/** Decides what an edit of a peer requires. Pure. */
import { isLinkLocal, sameIp } from '../../address/index.ts';
import type { PeerSettings, ResolvedPeer } from '../peer.ts';
import { socketRulesOf } from './connection-settings.ts';

/** `none`: the session need not change. `apply`: new rules for the running session. `restart`: a new session. */
export type SettingsChange = 'none' | 'apply' | 'restart';

/**
 * Compares a peer before and after an edit. Settings that went into the TCP connection or the OPEN can change only with a new session. BFD strict
 * mode is an exception: the OPEN offers it, but it matters only before a session is up. A change of `waitingFor` starts or ends the session.
 */
export function settingsChange(before: ResolvedPeer, after: ResolvedPeer): SettingsChange {
  if (settledAtOpen(before) !== settledAtOpen(after)) return 'restart';
  return changeableLive(before) === changeableLive(after) ? 'none' : 'apply';
}

/**
 * True when the edit leads to another router. Also true when it replaces one source address with another, because the router then sees a
 * different peer. A change of any other setting does not count, because it may keep the router: for instance, an AS number may replace
 * `external`. The interface tells routers apart only if they have link-local addresses.
 */
export function isOtherSession(
  { settings: before }: ResolvedPeer,
  { settings: after }: ResolvedPeer,
): boolean {
  const { sourceAddress: oldSource } = before;
  const { sourceAddress: newSource } = after;
  const hasMoved = oldSource !== undefined && newSource !== undefined && !sameIp(oldSource, newSource);
  return hasMoved || routerOf(before) !== routerOf(after);
}

function routerOf({ address, interface: link }: PeerSettings): string {
  return JSON.stringify([address.family, String(address.value), isLinkLocal(address) ? link : undefined]);
}

function settledAtOpen({ settings, password, routerId, waitingFor }: ResolvedPeer): string {
  const { address, sourceAddress, gracefulRestart, holdTimeSeconds, port, peerAsn, localAsn } = settings;
  return JSON.stringify([
    [localAsn, peerAsn, routerId, holdTimeSeconds],
    [gracefulRestart?.restartTimeSeconds, gracefulRestart?.longLivedStaleTimeSeconds],
    settings.families,
    [address.family, String(address.value), settings.interface, port, password],
    sourceAddress && String(sourceAddress.value),
    waitingFor,
  ]);
}

function changeableLive({ settings }: ResolvedPeer): string {
  const { keepaliveTimeSeconds, connectRetrySeconds, passive, bfd } = settings;
  return JSON.stringify([keepaliveTimeSeconds, connectRetrySeconds, passive, bfd, socketRulesOf(settings)]);
}
