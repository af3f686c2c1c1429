/**
 * The Cease NOTIFICATIONs that this speaker sends (RFC 4271 section 6.7, RFC 4486): their subcodes, the shutdown communication and
 * the Hard Reset, which wraps another NOTIFICATION.
 */
import type { NotificationError } from './message.ts';

/** RFC 4271 section 4.5. */
export const ceaseCode = 6;

/** RFC 4486 section 3, RFC 8538 section 3 (Hard Reset), RFC 9384 section 3 (BFD Down). */
export const Cease = {
  unspecific: 0,
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  otherConfigurationChange: 6,
  connectionCollision: 7,
  hardReset: 9,
  bfdDown: 10,
} as const;

/** Longest shutdown communication. RFC 9003 allows 255 octets, but a peer that implements only the earlier RFC 8203 accepts 128. */
const maxCommunicationOctets = 128;

/** True for Cease/Connection Collision Resolution. This NOTIFICATION ends a redundant connection and is not an error. */
export function isCollision({ code, subcode }: NotificationError): boolean {
  return code === ceaseCode && subcode === Cease.connectionCollision;
}

/** Makes the Cease with this subcode. The reason, if there is one, becomes its shutdown communication (RFC 9003), cut to 128 octets. */
export function cease(subcode: number, reason = ''): NotificationError {
  return { code: ceaseCode, subcode, data: reason === '' ? new Uint8Array(0) : encodeCommunication(reason) };
}

/**
 * Wraps a NOTIFICATION in a Cease/Hard Reset. Even a peer with graceful restart then drops our routes at once.
 *
 * RFC 8538 section 3.1, the data of the Hard Reset:
 *
 *    0      1         2
 *   | code | subcode | data …
 */
export function hardReset({ code, subcode, data }: NotificationError): NotificationError {
  return { code: ceaseCode, subcode: Cease.hardReset, data: Uint8Array.of(code, subcode, ...data) };
}

/**
 * Encodes a shutdown communication (RFC 9003 section 2). The text is cut at a character boundary.
 *
 *    0        1
 *   | length | UTF-8 text …
 */
function encodeCommunication(reason: string): Uint8Array {
  const text = new Uint8Array(maxCommunicationOctets);
  const { written } = new TextEncoder().encodeInto(reason, text);
  return Uint8Array.of(written, ...text.subarray(0, written));
}
