/**
 * The rtnetlink(7) messages about links and addresses. All numbers are in the machine's byte order:
 *
 *     0          4      6      8       12     16                        next multiple of 4
 *     +----------+------+------+-------+------+----------------------+------------------------+
 *     | length   | type | flags| seq   | port | fixed part           | attributes             |
 *     +----------+------+------+-------+------+----------------------+------------------------+
 *     link:    family 1 | pad 1 | type 2 | index 4 | flags 4 | change 4
 *     address: family 1 | prefix length 1 | flags 1 | scope 1 | index 4
 *     attribute: length 2 | type 2 | value, padded to 4
 */
import { endianness } from 'node:os';
import { type IpAddress, ipFromBytes } from '../address/index.ts';
import { macLength } from './frame.ts';

export interface LinkMessage {
  readonly kind: 'link';
  readonly index: number;
  readonly name: string;
  /** `ARPHRD_…` in if_arp.h. */
  readonly hardwareType: number;
  /** `IFF_…` in if.h. */
  readonly flags: number;
  /** Absent when the hardware has no six-octet address. */
  readonly mac?: Uint8Array;
  readonly master?: number;
  /** Kind of the master: `bridge`, `bond`, `vrf`… */
  readonly memberKind?: string;
}

export interface AddressMessage {
  readonly kind: 'address' | 'address-gone';
  readonly index: number;
  readonly address: IpAddress;
  /** An address in the subnet; on a point-to-point link, the peer's address. */
  readonly network: IpAddress;
  readonly prefixLength: number;
}

export type RtnetlinkMessage =
  | LinkMessage
  | AddressMessage
  | { readonly kind: 'link-gone'; readonly index: number }
  | { readonly kind: 'done' }
  /** A positive errno. */
  | { readonly kind: 'error'; readonly errno: number };

export const requestType = { links: 18, addresses: 22 } as const;
const messageType = { error: 2, done: 3, link: 16, linkGone: 17, address: 20, addressGone: 21 } as const;
const linkAttribute = { address: 1, name: 3, master: 10, wireless: 11, info: 18, infoMemberKind: 4 } as const;
const addressAttribute = { address: 1, local: 2 } as const;
/** `NLM_F_REQUEST | NLM_F_DUMP`. */
const dumpFlags = 0x0301;
/** `NLM_F_DUMP_INTR`. When something changes during a dump, the kernel sets it only on the first message after the change. */
const interruptedFlag = 0x10;
const headerLength = 16;
const linkLength = 16;
const addressLength = 8;
/** AF_UNSPEC, the family of messages about links. With AF_BRIDGE, a message of the type `linkGone` says that a port left a bridge. */
const familyUnspecified = 0;
const family = { ipv4: 2, ipv6: 10 } as const;
/** Removes the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER from the type of an attribute. */
const attributeTypeMask = 0x3fff;

const little = endianness() === 'LE';

/** Encodes a request for all links or all addresses. */
export function encodeDumpRequest(
  type: (typeof requestType)[keyof typeof requestType],
  sequence: number,
): Uint8Array {
  const bytes = new Uint8Array(headerLength + linkLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, little);
  view.setUint16(4, type, little);
  view.setUint16(6, dumpFlags, little);
  view.setUint32(8, sequence, little);
  return bytes;
}

/** One message of a datagram, not yet decoded. */
export interface RawMessage {
  readonly type: number;
  /** A link or an address changed since the last part of the dump, so the dump may lack something. */
  readonly isInterrupted: boolean;
  readonly body: Uint8Array;
}

/** The messages of one datagram, in order. A message that is cut off ends the list. */
export function* splitDatagram(datagram: Uint8Array): Generator<RawMessage> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + headerLength <= datagram.length; ) {
    const length = view.getUint32(at, little);
    if (length < headerLength || at + length > datagram.length) return;
    yield {
      type: view.getUint16(at + 4, little),
      isInterrupted: (view.getUint16(at + 6, little) & interruptedFlag) !== 0,
      body: datagram.subarray(at + headerLength, at + length),
    };
    at += align(length);
  }
}

/** Decodes a message. Returns `undefined` when it is malformed, or not about links and addresses. */
export function decodeMessage({ type, body }: RawMessage): RtnetlinkMessage | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  switch (type) {
    case messageType.done:
    case messageType.error: {
      // The end of a dump carries an errno too, if the kernel could not complete the dump.
      const errno = body.length >= 4 ? -view.getInt32(0, little) : 0;
      if (errno !== 0) return { kind: 'error', errno };
      return type === messageType.done ? { kind: 'done' } : undefined;
    }
    case messageType.link:
    case messageType.linkGone:
      if (body.length < linkLength || body[0] !== familyUnspecified) return undefined;
      return type === messageType.link
        ? decodeLink(body, view)
        : { kind: 'link-gone', index: view.getInt32(4, little) };
    case messageType.address:
    case messageType.addressGone:
      return decodeAddress(body, view, type === messageType.address ? 'address' : 'address-gone');
    default:
      return undefined;
  }
}

function decodeLink(body: Uint8Array, view: DataView): LinkMessage | undefined {
  const attributes = decodeAttributes(body.subarray(linkLength));
  const name = attributes.get(linkAttribute.name);
  // A Wi-Fi driver reports each scan in a message of this type. The message lacks the MAC address and the master, although the link has them.
  if (!name || attributes.has(linkAttribute.wireless)) return undefined;
  const mac = attributes.get(linkAttribute.address);
  const master = attributes.get(linkAttribute.master);
  const info = attributes.get(linkAttribute.info);
  const memberKind = info && decodeAttributes(info).get(linkAttribute.infoMemberKind);
  return {
    kind: 'link',
    index: view.getInt32(4, little),
    name: text(name),
    hardwareType: view.getUint16(2, little),
    flags: view.getUint32(8, little),
    ...(mac?.length === macLength ? { mac: Uint8Array.from(mac) } : {}),
    ...(master?.length === 4
      ? { master: new DataView(master.buffer, master.byteOffset, 4).getUint32(0, little) }
      : {}),
    ...(memberKind ? { memberKind: text(memberKind) } : {}),
  };
}

function decodeAddress(
  body: Uint8Array,
  view: DataView,
  kind: AddressMessage['kind'],
): AddressMessage | undefined {
  if (body.length < addressLength) return undefined;
  const octets = body[0] === family.ipv4 ? 4 : body[0] === family.ipv6 ? 16 : 0;
  const prefixLength = body[1] ?? 0;
  const attributes = decodeAttributes(body.subarray(addressLength));
  const network = attributes.get(addressAttribute.address);
  const local = attributes.get(addressAttribute.local) ?? network;
  if (octets === 0 || network?.length !== octets || local?.length !== octets || prefixLength > octets * 8)
    return undefined;
  return {
    kind,
    index: view.getUint32(4, little),
    address: ipFromBytes(local),
    network: ipFromBytes(network),
    prefixLength,
  };
}

function decodeAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, little);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(view.getUint16(at + 2, little) & attributeTypeMask, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

/** Reads a kernel string, which ends with a NUL. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
