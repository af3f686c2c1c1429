/** Turns received messages and their errors into events for the peer's machine. Pure. */
import type { BgpError } from '../codec/index.ts';
import type { ConnectionEvent } from '../fsm/peer-events.ts';
import type { Message } from '../message.ts';
import { familyOf } from '../negotiation.ts';

export function eventOfMessage(connection: number, message: Message): ConnectionEvent {
  switch (message.kind) {
    case 'open':
      return { kind: 'open', connection, open: message };
    case 'notification': {
      const { code, subcode, data } = message;
      return { kind: 'notification', connection, error: { code, subcode, data } };
    }
    case 'keepalive':
    case 'update':
      return { kind: message.kind, connection };
    case 'route-refresh': {
      const { subtype } = message;
      const family = familyOf(message);
      return { kind: 'route-refresh', connection, subtype, ...(family === undefined ? {} : { family }) };
    }
  }
}

const headerErrorCode = 1;
const openErrorCode = 2;

/**
 * The error code tells what is malformed (RFC 4271 section 4.5): 1 a header, 2 an OPEN. Codes 3 (UPDATE) and 7 (ROUTE-REFRESH) both
 * become `update-error`.
 */
export function eventOfError(connection: number, error: BgpError): ConnectionEvent {
  switch (error.code) {
    case headerErrorCode:
      return { kind: 'header-error', connection, error };
    case openErrorCode:
      return { kind: 'open-error', connection, error };
    default:
      return { kind: 'update-error', connection, error };
  }
}
