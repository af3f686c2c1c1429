import { hasValidDigest, isMeticulous } from '../codec/authentication.ts';
import type { ReceivedPacket } from '../codec/packet.ts';
import type { ReceiveWindow } from './sequence-numbers.ts';
import type { MachineAuthentication } from './settings.ts';

export interface Refusal {
  readonly reason: 'authentication' | 'sequence';
  /** A sentence for operators, without the key. */
  readonly detail: string;
}

/**
 * Authenticates a packet (RFC 5880 sections 6.7.3, 6.7.4 and 6.8.6). `octets` is the packet as received. Returns why the packet must be
 * dropped, or `undefined` when it is accepted. Stores the sequence number of an authentic packet.
 */
export function verify(
  { authentication: section, detectMultiplier }: ReceivedPacket,
  octets: Uint8Array,
  settings: MachineAuthentication | undefined,
  window: ReceiveWindow,
): Refusal | undefined {
  const refuse = (detail: string): Refusal => ({ reason: 'authentication', detail });
  if (!settings) return section ? refuse('the peer authenticates, but we have no keys for it') : undefined;
  const { type, keys } = settings;
  if (!section) return refuse(`the packet is not authenticated, but must be authenticated with ${type}`);
  if (section.type === 'other')
    return refuse(`the packet has authentication type ${section.code}, and must have ${type}`);
  if (section.type !== type) return refuse(`the packet is authenticated with ${section.type}, not ${type}`);
  const key = keys.get(section.keyId);
  if (!key) return refuse(`the packet uses key ${section.keyId}, which we do not have`);
  if (!window.includes(section.sequence, isMeticulous(type), detectMultiplier))
    return { reason: 'sequence', detail: `sequence number ${section.sequence} lies outside the window` };
  if (!hasValidDigest(octets, type, key)) return refuse(`the digest with key ${section.keyId} is wrong`);
  window.accept(section.sequence);
  return undefined;
}
