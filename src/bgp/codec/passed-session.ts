/**
 * An Established session, encoded as items that a speaker process passes on to its successor (docs/design/upgrade.md). There are two kinds:
 *
 *    0     1              33          34     36          36+n     38+n            38+n+m   42+n+m
 *   | 1 | connection key | initiator | n    | sent OPEN | m      | received OPEN | length | octets of an incomplete message
 *
 *    0     1         3        4
 *   | 2 | session   | family | prefixes that the peer has from us, as NLRI (RFC 4271 section 4.3) …
 *
 * The connection key tells the successor which of its peers the connection belongs to. The initiator is 0 when this node made the
 * connection, and 1 when the peer made it. `n`, `m` and `length` count the octets of the field that follows. `session` is the number of a
 * session: the items of kind 1 are numbered from 0, in the order in which they are passed on. `family` is 4 or 6.
 */
import type { Family, Prefix } from '../../address/index.ts';
import { fail, ok, type Result } from '../../result.ts';
import type { OpenMessage } from '../message.ts';
import { extendedMessageLimit, standardMessageLimit } from './header.ts';
import { decodeMessage, encodeMessage } from './message-codec.ts';
import { NlriList, writeNlri } from './nlri.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16, readUint32 } from './octets.ts';

const connectionKeyOctets = 32;
/** The most prefixes in one item. The longest prefix takes 17 octets, so an item has at most 35 KB. */
const prefixesAtOnce = 2048;

const sessionItem = 1;
const prefixItem = 2;

export interface PassedSession {
  /** 32 octets. */
  readonly connectionKey: Uint8Array;
  /** The end that made the TCP connection. */
  readonly initiator: 'local' | 'remote';
  readonly sentOpen: OpenMessage;
  readonly receivedOpen: OpenMessage;
  /** The first octets of a message that has not fully arrived. */
  readonly unread: Uint8Array;
}

export type PassedItem =
  | { readonly kind: 'session'; readonly session: PassedSession }
  | { readonly kind: 'prefixes'; readonly session: number; readonly prefixes: Iterable<Prefix> };

export function encodePassedSession(session: PassedSession): Uint8Array {
  const { connectionKey, initiator, unread } = session;
  if (connectionKey.length !== connectionKeyOctets) throw new RangeError('a connection key has 32 octets');
  const sent = encodeMessage(session.sentOpen, { fourOctetAs: true });
  const received = encodeMessage(session.receivedOpen, { fourOctetAs: true });
  const writer = new OctetWriter().uint8(sessionItem).octets(connectionKey);
  writer.uint8(initiator === 'local' ? 0 : 1);
  writer.uint16(sent.length).octets(sent).uint16(received.length).octets(received);
  return writer.uint32(unread.length).octets(unread).finish();
}

/** The items that list the prefixes which the peer has from us. `session` is the number of the peer's session in these items. */
export function* encodePassedPrefixes(session: number, prefixes: Iterable<Prefix>): Iterable<Uint8Array> {
  const lists: Record<Family, Prefix[]> = { 4: [], 6: [] };
  for (const prefix of prefixes) {
    const list = lists[prefix.family];
    list.push(prefix);
    if (list.length === prefixesAtOnce) yield encodePrefixes(session, prefix.family, list.splice(0));
  }
  for (const family of [4, 6] as const)
    if (lists[family].length > 0) yield encodePrefixes(session, family, lists[family]);
}

function encodePrefixes(session: number, family: Family, prefixes: readonly Prefix[]): Uint8Array {
  const writer = new OctetWriter().uint8(prefixItem).uint16(session).uint8(family);
  writeNlri(writer, prefixes, false);
  return writer.finish();
}

/** Decodes an item. The error says what is wrong with it. Prefixes are a view of `octets`. */
export function decodePassedItem(octets: Uint8Array): Result<PassedItem, string> {
  switch (readUint8(octets, 0)) {
    case sessionItem:
      return decodeSession(octets);
    case prefixItem:
      return decodePrefixes(octets);
    default:
      return fail(`an item of the unknown kind ${readUint8(octets, 0)}`);
  }
}

function decodeSession(octets: Uint8Array): Result<PassedItem, string> {
  const initiatorAt = 1 + connectionKeyOctets;
  const initiator = readUint8(octets, initiatorAt);
  if (initiator > 1) return fail(`a session with the unknown initiator ${initiator}`);
  const sentAt = initiatorAt + 3;
  const sent = decodeOpenAt(octets, sentAt);
  if (!sent.ok) return sent;
  const receivedAt = sentAt + readUint16(octets, sentAt - 2) + 2;
  const received = decodeOpenAt(octets, receivedAt);
  if (!received.ok) return received;
  const unreadAt = receivedAt + readUint16(octets, receivedAt - 2) + 4;
  const unreadOctets = readUint32(octets, unreadAt - 4);
  if (unreadOctets > extendedMessageLimit || unreadAt + unreadOctets !== octets.length)
    return fail(`a session of ${octets.length} octets states ${unreadOctets} unread octets`);
  return ok({
    kind: 'session',
    session: {
      connectionKey: octets.slice(1, initiatorAt),
      initiator: initiator === 0 ? 'local' : 'remote',
      sentOpen: sent.value,
      receivedOpen: received.value,
      unread: octets.slice(unreadAt),
    },
  });
}

/** Decodes the OPEN at the offset. Its length stands in the two octets before it. */
function decodeOpenAt(octets: Uint8Array, at: number): Result<OpenMessage, string> {
  const length = readUint16(octets, at - 2);
  if (at + length > octets.length) return fail('a session ends within an OPEN');
  const decoded = decodeMessage(octets.subarray(at, at + length), {
    receiveLimit: standardMessageLimit,
    fourOctetAs: true,
    internal: false,
    extendedNextHop: false,
  });
  if (!decoded.ok || decoded.value.message.kind !== 'open') return fail('a session without a valid OPEN');
  return ok(decoded.value.message);
}

function decodePrefixes(octets: Uint8Array): Result<PassedItem, string> {
  const family = readUint8(octets, 3);
  if (family !== 4 && family !== 6) return fail(`prefixes of the unknown family ${family}`);
  const list = NlriList.parse(octets.subarray(4), family, false);
  if (!list.ok) return list;
  return ok({ kind: 'prefixes', session: readUint16(octets, 1), prefixes: list.value });
}
