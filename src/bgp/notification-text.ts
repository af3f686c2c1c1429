/**
 * A NOTIFICATION as text for an operator: the names that the RFCs give its code and subcode, and its data in words (notification-data.ts).
 * session/cause-text.ts turns the text into the reason of a log line, and session/session-log.ts logs that line. Pure.
 *
 * For a NOTIFICATION that we send, session/cause-text.ts appends `error.text`. That text is written where the fault was found: in codec/,
 * in negotiation.ts, or in fsm/. When the hold timer or the send hold timer expires, the reason is only the name of the error.
 */
import { Cease, ceaseCode } from './cease.ts';
import type { NotificationError } from './message.ts';
import { describeData } from './notification-data.ts';

/** Names of the error codes. Sources: RFC 4271 section 4.5, RFC 7313 and RFC 9687. */
export const codeNames = {
  1: 'Message Header Error',
  2: 'OPEN Message Error',
  3: 'UPDATE Message Error',
  4: 'Hold Timer Expired',
  5: 'Finite State Machine Error',
  6: 'Cease',
  7: 'ROUTE-REFRESH Message Error',
  8: 'Send Hold Timer Expired',
} as const;
const codeNameOf: Readonly<Record<number, string>> = codeNames;

/**
 * Names of the subcodes, by error code. Each list begins with subcode 1. Sources: RFC 4271 section 4.5, RFC 5492, 9234 (OPEN), 6608 (FSM),
 * 4486, 8538, 9384 (Cease), 7313 (ROUTE-REFRESH). Deprecated and unassigned subcodes have no name.
 */
const subcodeNames: Readonly<Record<number, readonly (string | undefined)[]>> = {
  1: ['Connection Not Synchronized', 'Bad Message Length', 'Bad Message Type'],
  2: [
    'Unsupported Version Number',
    'Bad Peer AS',
    'Bad BGP Identifier',
    'Unsupported Optional Parameter',
    undefined,
    'Unacceptable Hold Time',
    'Unsupported Capability',
    undefined,
    undefined,
    undefined,
    'Role Mismatch',
  ],
  3: [
    'Malformed Attribute List',
    'Unrecognized Well-known Attribute',
    'Missing Well-known Attribute',
    'Attribute Flags Error',
    'Attribute Length Error',
    'Invalid ORIGIN Attribute',
    undefined,
    'Invalid NEXT_HOP Attribute',
    'Optional Attribute Error',
    'Invalid Network Field',
    'Malformed AS_PATH',
  ],
  5: [
    'Unexpected Message in OpenSent',
    'Unexpected Message in OpenConfirm',
    'Unexpected Message in Established',
  ],
  6: [
    'Maximum Number of Prefixes Reached',
    'Administrative Shutdown',
    'Peer De-configured',
    'Administrative Reset',
    'Connection Rejected',
    'Other Configuration Change',
    'Connection Collision Resolution',
    'Out of Resources',
    'Hard Reset',
    'BFD Down',
  ],
  7: ['Invalid Message Length'],
};

/**
 * Describes a NOTIFICATION in one line, such as `Cease/Administrative Shutdown: "the reason"`. Codes without a name appear as numbers. The
 * line becomes a log entry, a metric label and a status field, so it has at most a few hundred characters, whatever the peer sends.
 */
export function describeNotification(error: NotificationError): string {
  const { code, subcode, data } = error;
  const head = describeCodes(error);
  if (code !== ceaseCode || subcode !== Cease.hardReset || data.length < 2) return head + describeData(error);
  // RFC 8538 section 3.1: a Hard Reset holds one NOTIFICATION. A Hard Reset inside a Hard Reset is not unwrapped.
  const wrapped = { code: data[0] ?? 0, subcode: data[1] ?? 0, data: data.subarray(2) };
  return `${head}: ${describeCodes(wrapped)}${describeData(wrapped)}`;
}

function describeCodes({ code, subcode }: NotificationError): string {
  const name = codeNameOf[code] ?? `error code ${code}`;
  const detail = subcodeNames[code]?.[subcode - 1] ?? (subcode === 0 ? undefined : `subcode ${subcode}`);
  return detail === undefined ? name : `${name}/${detail}`;
}
