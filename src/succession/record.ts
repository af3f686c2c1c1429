/**
 * The records that two speaker processes of one node exchange when one of them replaces the other (docs/design/upgrade.md). Each record is one
 * message of a local socket that keeps the boundaries of messages:
 *
 *    0      1
 *   | kind | body …
 *
 *   1 hello       both ends      magic 8 | version 2
 *   2 ready       successor      nothing
 *   3 item        predecessor    octets in a format that `src/bgp/` or `src/bfd/` defines; a descriptor may come with them
 *   4 offered     predecessor    number of items 4
 *   5 accepted    successor      nothing
 *   6 committed   predecessor    nothing
 *
 * The list shows the kind of each record, its sender and its body. The number behind a field of the body is the length of the field in octets.
 * Integers are in network byte order. The version decides the format of all records after `hello`. A process that reads a version other than its
 * own closes the connection.
 */
import { fail, ok, type Result } from '../result.ts';

/** Raise it with every change to the format of a record or of an item. */
export const successionVersion = 1;

/** Longest record. The kernel refuses messages above about 200 KB. */
export const maxRecordOctets = 128 * 1024;

const magic = new TextEncoder().encode('bellman\0');
const kinds = ['hello', 'ready', 'item', 'offered', 'accepted', 'committed'] as const;

export type SuccessionRecord =
  | { readonly kind: 'hello'; readonly version: number }
  | { readonly kind: 'ready' | 'accepted' | 'committed' }
  | { readonly kind: 'item'; readonly octets: Uint8Array }
  | { readonly kind: 'offered'; readonly items: number };

/** Encodes a record. An item that is too long throws a RangeError. */
export function encodeRecord(record: SuccessionRecord): Uint8Array {
  const body = bodyOf(record);
  if (body.length >= maxRecordOctets) throw new RangeError(`an item of ${body.length} octets is too long`);
  const octets = new Uint8Array(1 + body.length);
  octets[0] = kinds.indexOf(record.kind) + 1;
  octets.set(body, 1);
  return octets;
}

function bodyOf(record: SuccessionRecord): Uint8Array {
  switch (record.kind) {
    case 'hello': {
      const body = new Uint8Array(magic.length + 2);
      body.set(magic);
      new DataView(body.buffer).setUint16(magic.length, record.version);
      return body;
    }
    case 'item':
      return record.octets;
    case 'offered': {
      const body = new Uint8Array(4);
      new DataView(body.buffer).setUint32(0, record.items);
      return body;
    }
    default:
      return new Uint8Array(0);
  }
}

/** Decodes a record. The error says what is wrong with it. The octets of an item are a copy. */
export function decodeRecord(octets: Uint8Array): Result<SuccessionRecord, string> {
  const kind = kinds[(octets[0] ?? 0) - 1];
  const body = octets.slice(1);
  const view = new DataView(body.buffer, body.byteOffset);
  switch (kind) {
    case undefined:
      return fail(`a record of the unknown kind ${octets[0] ?? 'none'}`);
    case 'item':
      return ok({ kind, octets: body });
    case 'hello':
      // A later version may append to its hello.
      if (body.length < magic.length + 2 || magic.some((octet, index) => body[index] !== octet))
        return fail('a hello of another program');
      return ok({ kind, version: view.getUint16(magic.length) });
    case 'offered':
      return body.length === 4 ? ok({ kind, items: view.getUint32(0) }) : fail('a malformed offer');
    default:
      return body.length === 0 ? ok({ kind }) : fail(`a record "${kind}" with a body`);
  }
}
