/**
 * Finds the session of a received packet (RFC 5880 section 6.8.6, RFC 5881 section 3, RFC 5883 section 4). If Your Discriminator is not zero,
 * it names the session. Otherwise the session is found by the sender and by the socket, which stands for the interface and the local address.
 */
import { familyOfText } from '../address/index.ts';
import type { ReceivedPacket } from './codec/packet.ts';
import type { BfdMode, BfdSessionSettings } from './session-settings.ts';
import type { ListenKey } from './transport/transport.ts';

const singleHopPort = 3784;
const multihopPort = 4784;

/** The UDP port of the mode (RFC 5881 section 4, RFC 5883 section 5). */
export function portOf(mode: BfdMode): number {
  return mode.kind === 'single-hop' ? singleHopPort : multihopPort;
}

/** A single-hop packet must come straight from the peer, and only an unforwarded packet still has the TTL 255 (RFC 5881 section 5). */
export function minimumTtlOf(mode: BfdMode): number {
  return mode.kind === 'single-hop' ? 255 : mode.minimumTtl;
}

/**
 * The path of a session as text, by which a successor recognizes the session. Predecessor and successor may have different names for one
 * peer, so the path consists only of values that the peer and the kernel see.
 */
export function pathOf({ peerAddress, interface: device, localAddress, mode }: BfdSessionSettings): string {
  return JSON.stringify([peerAddress, device ?? null, localAddress ?? null, mode.kind]);
}

/** The socket on which the packets of a session arrive. */
export function listenKeyOf({
  peerAddress,
  interface: device,
  localAddress,
  mode,
}: BfdSessionSettings): ListenKey {
  return {
    family: familyOfText(peerAddress),
    port: portOf(mode),
    ...(device === undefined ? {} : { interface: device }),
    ...(localAddress === undefined ? {} : { localAddress }),
  };
}

/** The key as text, for maps. */
export function listenKeyText({
  family,
  port,
  interface: device = '',
  localAddress = '',
}: ListenKey): string {
  return `${family} ${port} ${device} ${localAddress}`;
}

/**
 * Whether a packet on the socket `socket` may belong to a session whose own socket is `own`. The kernel gives a packet to the most specific
 * socket, so a packet for a session without an interface can arrive on a socket that another session has bound to an interface.
 */
export function mayReceive(socket: ListenKey, own: ListenKey): boolean {
  const agree = (a: string | undefined, b: string | undefined) =>
    a === undefined || b === undefined || a === b;
  return (
    socket.family === own.family &&
    socket.port === own.port &&
    agree(socket.interface, own.interface) &&
    agree(socket.localAddress, own.localAddress)
  );
}

/** The part of a session that the search needs. */
export interface Candidate {
  readonly peerOctets: Uint8Array;
}

/**
 * `wrong-source`: Your Discriminator names the session `claimed`, but the packet comes from another address, or arrives on a socket that does
 * not serve this session.
 */
export type Found<Session> =
  | { readonly session: Session }
  | { readonly reason: 'no-session' }
  | { readonly reason: 'wrong-source'; readonly claimed: Session };

/**
 * `onSocket` are the sessions that may receive on the socket of the packet. Those for which the socket was opened come first. `source` is the
 * sender's address.
 */
export function findSession<Session extends Candidate>(
  { yourDiscriminator }: Pick<ReceivedPacket, 'yourDiscriminator'>,
  source: Uint8Array,
  onSocket: ReadonlySet<Session>,
  byDiscriminator: ReadonlyMap<number, Session>,
): Found<Session> {
  if (yourDiscriminator === 0) {
    for (const session of onSocket) if (isFrom(session, source)) return { session };
    return { reason: 'no-session' };
  }
  const session = byDiscriminator.get(yourDiscriminator);
  if (!session) return { reason: 'no-session' };
  return onSocket.has(session) && isFrom(session, source)
    ? { session }
    : { reason: 'wrong-source', claimed: session };
}

function isFrom({ peerOctets }: Candidate, source: Uint8Array): boolean {
  if (peerOctets.length !== source.length) return false;
  for (let i = 0; i < source.length; i++) if (peerOctets[i] !== source[i]) return false;
  return true;
}
