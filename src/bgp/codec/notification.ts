/**
 * NOTIFICATION (RFC 4271 section 4.5), with offsets from the start of the message:
 *
 *    19     20        21
 *   | code | subcode | data …
 */
import { MessageType, type NotificationMessage } from '../message.ts';
import { headerOctets, writeHeader } from './header.ts';
import { readUint8 } from './octets.ts';

const dataAt = headerOctets + 2;

/** Decodes a NOTIFICATION whose header has been judged. Accepts every code and subcode, also those that no RFC defines. */
export function decodeNotification(frame: Uint8Array): NotificationMessage {
  return {
    kind: 'notification',
    code: readUint8(frame, headerOctets),
    subcode: readUint8(frame, headerOctets + 1),
    data: frame.slice(dataAt),
  };
}

export function encodeNotification({ code, subcode, data }: NotificationMessage): Uint8Array {
  const bytes = new Uint8Array(dataAt + data.length);
  bytes[headerOctets] = code;
  bytes[headerOctets + 1] = subcode;
  bytes.set(data, dataAt);
  writeHeader(bytes, 0, bytes.length, MessageType.Notification);
  return bytes;
}
