/** Converts messages from and to hexadecimal text, for tests. */
import { formatIp, formatPrefix } from '../../../../src/address/index.ts';
import { decodeMessage, type ReceiveOptions } from '../../../../src/bgp/codec/index.ts';
import type { Message, NlriSequence, PathAttributes, UpdateMessage } from '../../../../src/bgp/message.ts';

/** Octets from hexadecimal digits. Blanks are ignored. */
export function octets(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not octets: ${text}`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** A number as hexadecimal of `width` octets. */
export function number(value: number, width: number): string {
  return value.toString(16).padStart(2 * width, '0');
}

export const marker = 'ff'.repeat(16);

/** A whole message with marker, length and type. */
export function message(type: number, body: string): Uint8Array {
  return octets(marker + number(octets(body).length + 19, 2) + number(type, 1) + body);
}

/** An UPDATE with its three fields. */
export function update(fields: { withdrawn?: string; attributes?: string; nlri?: string }): Uint8Array {
  const { withdrawn = '', attributes = '', nlri = '' } = fields;
  const withLength = (field: string) => number(octets(field).length, 2) + field;
  return message(2, withLength(withdrawn) + withLength(attributes) + nlri);
}

/** `flags type length value`. The length has two octets when the Extended Length flag is set. */
export function attribute(flags: number, type: number, value: string): string {
  const { length } = octets(value);
  return number(flags, 1) + number(type, 1) + number(length, flags & 0x10 ? 2 : 1) + value;
}

export const origin = attribute(0x40, 1, '00');
export const asPath = attribute(0x40, 2, '0201 0000fde9');
export const nextHop = attribute(0x40, 3, 'c0000202');
export const localPref = attribute(0x40, 5, '00000064');
/** The mandatory attributes of an external peer's route. */
export const plainAttributes = origin + asPath + nextHop;
export const onePrefix = '18 c63364';

export const external: ReceiveOptions = {
  fourOctetAs: true,
  internal: false,
  extendedNextHop: false,
  receiveLimit: 4096,
};
export const internal: ReceiveOptions = { ...external, internal: true };

export function decoded(bytes: Uint8Array, options: ReceiveOptions = external): Message {
  const result = decodeMessage(bytes, options);
  if (!result.ok) throw new Error(`${result.error.code}/${result.error.subcode}: ${result.error.text}`);
  return result.value.message;
}

export function decodedUpdate(bytes: Uint8Array, options: ReceiveOptions = external): UpdateMessage {
  const result = decoded(bytes, options);
  if (result.kind !== 'update') throw new Error(`not an UPDATE but ${result.kind}`);
  return result;
}

/** Prefixes as text. A path identifier stands in front, as in `7@198.51.100.0/24`. */
export function prefixes(sequence: NlriSequence): string[] {
  return [...sequence].map(
    (prefix) => (prefix.pathId === undefined ? '' : `${prefix.pathId}@`) + formatPrefix(prefix),
  );
}

/** The result of `readable()`: the fields that are present, by name. */
export type Readable = Pick<PathAttributes, 'asPath'> & Readonly<Record<string, unknown>>;

/** An UPDATE with addresses and octets as text, for comparisons that a person can read. */
export function readable(of: UpdateMessage): Readable {
  const {
    mpReach,
    mpUnreach,
    nextHop: hop,
    aggregator,
    extendedCommunities,
    unknown,
    ...plain
  } = of.attributes;
  return {
    ...(of.withdrawn.length > 0 ? { withdrawn: prefixes(of.withdrawn) } : {}),
    ...plain,
    ...(hop ? { nextHop: formatIp(hop) } : {}),
    ...(aggregator ? { aggregator: `${aggregator.asn} ${formatIp(aggregator.address)}` } : {}),
    ...(extendedCommunities ? { extendedCommunities: extendedCommunities.map(hex) } : {}),
    ...(unknown
      ? { unknown: unknown.map(({ type, flags, value }) => `${type} ${flags.toString(16)} ${hex(value)}`) }
      : {}),
    ...(mpReach
      ? {
          reach: `${mpReach.afi}/${mpReach.safi} ${mpReach.nextHops.map(formatIp).join(' ')}`,
          reachNlri: prefixes(mpReach.nlri),
        }
      : {}),
    ...(mpUnreach
      ? {
          unreach: `${mpUnreach.afi}/${mpUnreach.safi}`,
          unreachNlri: prefixes(mpUnreach.withdrawn),
        }
      : {}),
    ...(of.nlri.length > 0 ? { nlri: prefixes(of.nlri) } : {}),
  };
}
