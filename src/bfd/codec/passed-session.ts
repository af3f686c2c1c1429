/**
 * A session that is Up, as one BFD process passes it on to its successor (docs/design/upgrade.md):
 *
 *    0                           24              28    29                 33
 *   | the peer's last packet       | our sequence | known | its sequence | path, UTF-8 …
 *
 * The first part has the form of a packet of the peer, with our discriminator as Your Discriminator. The sequence numbers are those of the
 * last authenticated packets. `known` is 1 when an authenticated packet of the peer has arrived, and 0 otherwise. The path tells the
 * successor which of its sessions this is.
 */
import { fail, ok, type Result } from '../../result.ts';
import { type BfdPacket, decodePacket, encodePacket } from './packet.ts';

const packetOctets = 24;
const pathAt = packetOctets + 9;
/** No path is longer: it consists of two addresses, the name of an interface and the kind of session. */
const maxPathOctets = 512;

export interface PassedSession {
  /** The values of the peer's last packet. Your Discriminator is ours. */
  readonly remote: BfdPacket;
  readonly sentSequence: number;
  /** `undefined` while no authenticated packet has arrived. */
  readonly receivedSequence: number | undefined;
  readonly path: string;
}

export function encodePassedSession({
  remote,
  sentSequence,
  receivedSequence,
  path,
}: PassedSession): Uint8Array {
  const text = new TextEncoder().encode(path);
  if (text.length > maxPathOctets) throw new RangeError(`a path of ${text.length} octets is too long`);
  const octets = new Uint8Array(pathAt + text.length);
  const view = new DataView(octets.buffer);
  octets.set(encodePacket(remote));
  view.setUint32(packetOctets, sentSequence);
  view.setUint8(packetOctets + 4, receivedSequence === undefined ? 0 : 1);
  view.setUint32(packetOctets + 5, receivedSequence ?? 0);
  octets.set(text, pathAt);
  return octets;
}

/** Decodes a session. The error says what is wrong with it. */
export function decodePassedSession(octets: Uint8Array): Result<PassedSession, string> {
  if (octets.length <= pathAt || octets.length > pathAt + maxPathOctets)
    return fail(`a BFD session of ${octets.length} octets`);
  const packet = decodePacket(octets.subarray(0, packetOctets));
  if (!packet.ok) return fail('a BFD session without a valid packet of the peer');
  if (packet.value.yourDiscriminator === 0) return fail('a BFD session without our discriminator');
  const view = new DataView(octets.buffer, octets.byteOffset);
  const known = view.getUint8(packetOctets + 4);
  if (known > 1) return fail('a BFD session with a malformed sequence number');
  return ok({
    remote: packet.value,
    sentSequence: view.getUint32(packetOctets),
    receivedSequence: known === 1 ? view.getUint32(packetOctets + 5) : undefined,
    path: new TextDecoder().decode(octets.subarray(pathAt)),
  });
}
