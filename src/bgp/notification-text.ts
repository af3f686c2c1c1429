/** NOTIFICATIONs as people read them, and the Cease messages that we send. Pure. */
import type { NotificationError } from './fsm-types.ts';

const codeNames: Readonly<Record<number, string>> = {
  1: 'Message Header Error',
  2: 'OPEN Message Error',
  3: 'UPDATE Message Error',
  4: 'Hold Timer Expired',
  5: 'Finite State Machine Error',
  6: 'Cease',
  7: 'ROUTE-REFRESH Message Error',
  8: 'Send Hold Timer Expired',
};

/** RFC 4271 section 4.5 with 5492, 9234, 6608, 4486, 8538, 9384 and 7313, from subcode 1; holes are deprecated or unassigned. */
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

export const Cease = {
  unspecific: 0,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  otherConfigurationChange: 6,
  connectionCollision: 7,
  hardReset: 9,
  bfdDown: 10,
} as const;
const ceaseCode = 6;

/** Cease/Connection Collision Resolution: the end of a connection that was one too many. */
export function isCollision({ code, subcode }: NotificationError): boolean {
  return code === ceaseCode && subcode === Cease.connectionCollision;
}

/** RFC 9003: one octet of length counts the text. A peer that knows only RFC 8203 takes 128. */
const longestCommunication = 128;

/** `Cease/Administrative Shutdown: the reason`, with numbers where a name is missing, and what a Hard Reset wraps. */
export function describeNotification({ code, subcode, data }: NotificationError): string {
  const name = codeNames[code] ?? `error code ${code}`;
  const detail = subcodeNames[code]?.[subcode - 1] ?? (subcode === 0 ? undefined : `subcode ${subcode}`);
  const head = detail === undefined ? name : `${name}/${detail}`;
  if (code !== ceaseCode) return data.length === 0 ? head : `${head} (data ${hex(data)})`;
  if (subcode === Cease.hardReset && data.length >= 2)
    return `${head}: ${describeNotification({ code: data[0] ?? 0, subcode: data[1] ?? 0, data: data.subarray(2) })}`;
  const text = shutdownCommunication(data);
  return text === '' ? head : `${head}: ${text}`;
}

/** Cease with the subcode; a reason is sent as shutdown communication (RFC 9003). */
export function cease(subcode: number, reason = ''): NotificationError {
  return { code: ceaseCode, subcode, data: reason === '' ? new Uint8Array(0) : encodeCommunication(reason) };
}

/** Wraps the error so that the peer drops our routes although graceful restart is negotiated (RFC 8538 section 3.1). */
export function hardReset({ code, subcode, data }: NotificationError): NotificationError {
  return { code: ceaseCode, subcode: Cease.hardReset, data: Uint8Array.of(code, subcode, ...data) };
}

/** `length 1 | UTF-8 text`, cut on the border of a character. */
function encodeCommunication(reason: string): Uint8Array {
  const text = new Uint8Array(longestCommunication);
  const { written } = new TextEncoder().encodeInto(reason, text);
  return Uint8Array.of(written, ...text.subarray(0, written));
}

/** The text of a shutdown communication in one line; hexadecimal when it is not what RFC 9003 asks for. */
function shutdownCommunication(data: Uint8Array): string {
  if (data.length === 0) return '';
  const length = data[0] ?? 0;
  if (length !== data.length - 1) return hex(data);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1));
    return JSON.stringify(text.replace(/\p{Cc}/gu, ' ').trim());
  } catch {
    return hex(data);
  }
}

function hex(data: Uint8Array): string {
  const shown = Buffer.from(data.subarray(0, 64)).toString('hex');
  return data.length > 64 ? `${shown}… (${data.length} octets)` : shown;
}
