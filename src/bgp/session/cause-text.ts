/** Describes to operators why connections end, fail or are rejected. Pure. */
import { formatIp } from '../../address/index.ts';
import type { DownCause } from '../fsm/connection-events.ts';
import type { RejectReason } from '../fsm/peer-events.ts';
import type { NotificationError } from '../message.ts';
import { codeNames, describeNotification } from '../notification-text.ts';
import type { ResolvedPeer } from '../peer.ts';
import { isOneHop } from './connection-settings.ts';

/** Longest reason. A reason may quote the peer, and it becomes a log line, a metric label and a line of status. */
const maxReasonCharacters = 400;

export function bounded(reason: string): string {
  return reason.length > maxReasonCharacters ? `${reason.slice(0, maxReasonCharacters)}…` : reason;
}

/**
 * Why a connection or a session ended. NOTIFICATIONs and expired timers have the names that the RFCs give them. The text is empty for a stop
 * without a reason.
 */
export function describeCause(cause: DownCause): string {
  return bounded(causeText(cause));
}

function causeText(cause: DownCause): string {
  switch (cause.kind) {
    case 'sent':
      return describeSent(cause.error);
    case 'received':
      return `NOTIFICATION received: ${describeNotification(cause.error)}`;
    case 'hold-timer':
      return codeNames[4];
    case 'send-hold-timer':
      return codeNames[8];
    case 'tcp':
      return cause.reason;
    case 'stopped':
    case 'reset': {
      const sent = cause.error && describeSent(cause.error);
      return [sent, cause.because].filter((part) => part !== undefined).join(', ');
    }
  }
}

function describeSent(error: NotificationError): string {
  const described = `NOTIFICATION sent: ${describeNotification(error)}`;
  return error.text ? `${described}, ${error.text}` : described;
}

/**
 * Why a connection that the peer made, or that an earlier process passed on, is rejected; `undefined` when the rejection is ordinary and
 * needs no report.
 */
export function describeRejection(reason: RejectReason): string | undefined {
  switch (reason) {
    case 'occupied':
      return 'a connection from the peer was rejected: two connections with the peer are already open';
    case 'other-open':
      return 'the session of the earlier speaker ended: this speaker would send a different OPEN';
    case 'incomplete':
      return 'the session of the earlier speaker ended: this speaker does not have everything that the session needs, such as the password';
    case 'idle':
    case 'established':
    case 'paused':
      return undefined;
  }
}

/** Describes an attempt to connect that the peer's host did not answer, with the likely reasons. */
export function describeNoAnswer({ settings, password }: ResolvedPeer): string {
  const hints = [
    `no answer from ${formatIp(settings.address)} port ${settings.port}`,
    ...(password === undefined ? [] : ['a peer with a different password does not answer']),
    ...(isOneHop(settings) && !settings.ttlSecurity
      ? ['a peer more than one hop away needs ebgp-multihop']
      : []),
  ];
  return hints.join('; ');
}
