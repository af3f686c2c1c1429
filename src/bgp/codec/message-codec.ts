import { fail, ok, type Result } from '../../result.ts';
import { type Message, MessageType } from '../message.ts';
import type { AttributeFault } from './attribute-list.ts';
import { type BgpError, HeaderSubcode, headerError } from './errors.ts';
import { headerOctets, judgeHeader, messageType, statedLength, writeHeader } from './header.ts';
import { decodeNotification, encodeNotification } from './notification.ts';
import { decodeOpen, encodeOpen } from './open.ts';
import type { ReceiveOptions, SendOptions } from './options.ts';
import { decodeRouteRefresh, encodeRouteRefresh } from './route-refresh.ts';
import { decodeUpdate, encodeUpdate } from './update.ts';

/** A message, with the faults that leave the session up (RFC 7606). Only an UPDATE has faults. */
export interface Decoded {
  readonly message: Message;
  readonly faults: readonly AttributeFault[];
}

const noFaults: readonly AttributeFault[] = [];

/**
 * Decodes one message, header included, as `FrameReader` returns it. An error is the NOTIFICATION to send before the session ends. Prefixes
 * of an UPDATE are views of `frame` (see NlriList); all other values are copies.
 */
export function decodeMessage(frame: Uint8Array, options: ReceiveOptions): Result<Decoded, BgpError> {
  if (frame.length < headerOctets || statedLength(frame, 0) !== frame.length)
    return fail(
      headerError(HeaderSubcode.badLength, `a message of ${frame.length} octets states another length`),
    );
  const error = judgeHeader(frame, 0, options.receiveLimit);
  if (error) return fail(error);
  switch (messageType(frame)) {
    case MessageType.Open:
      return withoutFaults(decodeOpen(frame));
    case MessageType.Update:
      return decodeUpdate(frame, options);
    case MessageType.Notification:
      return withoutFaults(ok(decodeNotification(frame)));
    case MessageType.RouteRefresh:
      return withoutFaults(decodeRouteRefresh(frame));
    default:
      return withoutFaults(ok({ kind: 'keepalive' }));
  }
}

function withoutFaults(decoded: Result<Message, BgpError>): Result<Decoded, BgpError> {
  return decoded.ok ? ok({ message: decoded.value, faults: noFaults }) : decoded;
}

/** Encodes a message with its header. Throws a RangeError when the message or a part of it is too long, which is a bug of the caller. */
export function encodeMessage(message: Message, options: SendOptions): Uint8Array {
  switch (message.kind) {
    case 'open':
      return encodeOpen(message);
    case 'update':
      return encodeUpdate(message, options);
    case 'notification':
      return encodeNotification(message);
    case 'route-refresh':
      return encodeRouteRefresh(message);
    case 'keepalive': {
      const bytes = new Uint8Array(headerOctets);
      writeHeader(bytes, 0, headerOctets, MessageType.Keepalive);
      return bytes;
    }
  }
}
