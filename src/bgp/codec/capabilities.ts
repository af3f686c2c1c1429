/**
 * Capabilities of an OPEN (RFC 5492), one after the other:
 *
 *    0      1        2
 *   | code | length | value …
 *
 * An unknown capability is kept as octets. A known capability with a malformed value makes the OPEN malformed, except in two cases. A
 * malformed host name (FQDN) is kept as octets, because only operators read it. A malformed `bfd-strict` is kept as octets, because an older
 * version of its draft may define it otherwise. To add a capability, add a row here and a kind of Capability in ../message.ts.
 */
import { fail, ok, type Result } from '../../result.ts';
import type { Capability } from '../message.ts';
import { type BgpError, OpenSubcode, openError } from './errors.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16, readUint32 } from './octets.ts';

type Known = Exclude<Capability, { kind: 'unknown' }>;
type Value<K extends Known['kind']> = Extract<Known, { kind: K }>;

/** Code and form of a capability. `decode` returns `undefined` for a malformed value. */
interface Row<K extends Known['kind']> {
  readonly code: number;
  decode(value: Uint8Array): Value<K> | undefined;
  encode(capability: Value<K>, writer: OctetWriter): void;
}

const rows: { readonly [K in Known['kind']]: Row<K> } = {
  /** RFC 4760 section 8: `AFI 2 | reserved | SAFI`. */
  multiprotocol: {
    code: 1,
    decode: (value) =>
      value.length === 4
        ? { kind: 'multiprotocol', family: { afi: readUint16(value, 0), safi: readUint8(value, 3) } }
        : undefined,
    encode: ({ family }, writer) => writer.uint16(family.afi).uint8(0).uint8(family.safi),
  },
  /** RFC 2918 section 2. */
  'route-refresh': bare('route-refresh', 2),
  /** RFC 8950 section 4: tuples of `AFI 2 | SAFI 2 | next hop AFI 2`. */
  'extended-next-hop': {
    code: 5,
    decode: (value) =>
      value.length % 6 === 0
        ? {
            kind: 'extended-next-hop',
            tuples: steps(value, 0, 6).map((at) => ({
              afi: readUint16(value, at),
              safi: readUint16(value, at + 2),
              nextHopAfi: readUint16(value, at + 4),
            })),
          }
        : undefined,
    encode: ({ tuples }, writer) => {
      for (const { afi, safi, nextHopAfi } of tuples) writer.uint16(afi).uint16(safi).uint16(nextHopAfi);
    },
  },
  /** RFC 8654 section 3. */
  'extended-message': bare('extended-message', 6),
  /** RFC 9234 section 4.1: one octet. */
  role: {
    code: 9,
    decode: (value) => (value.length === 1 ? { kind: 'role', role: readUint8(value, 0) } : undefined),
    encode: ({ role }, writer) => writer.uint8(role),
  },
  /**
   * RFC 4724 section 3 and RFC 8538 section 2: `R 1 bit | N 1 bit | reserved 2 bits | restart time 12 bits`, then for each family
   * `AFI 2 | SAFI 1 | F 1 bit | reserved 7 bits`.
   */
  'graceful-restart': {
    code: 64,
    decode: (value) =>
      value.length % 4 === 2
        ? {
            kind: 'graceful-restart',
            restarting: (readUint8(value, 0) & 0x80) !== 0,
            notification: (readUint8(value, 0) & 0x40) !== 0,
            restartTimeSeconds: readUint16(value, 0) & longestRestartTime,
            families: steps(value, 2, 4).map((at) => ({
              afi: readUint16(value, at),
              safi: readUint8(value, at + 2),
              forwarding: (readUint8(value, at + 3) & 0x80) !== 0,
            })),
          }
        : undefined,
    encode: ({ restarting, notification, restartTimeSeconds, families }, writer) => {
      const time = Math.min(restartTimeSeconds, longestRestartTime);
      writer.uint16((restarting ? 0x8000 : 0) | (notification ? 0x4000 : 0) | time);
      for (const { afi, safi, forwarding } of families)
        writer
          .uint16(afi)
          .uint8(safi)
          .uint8(forwarding ? 0x80 : 0);
    },
  },
  /** RFC 6793 section 3: the AS number in four octets. */
  'four-octet-as': {
    code: 65,
    decode: (value) =>
      value.length === 4 ? { kind: 'four-octet-as', asn: readUint32(value, 0) } : undefined,
    encode: ({ asn }, writer) => writer.uint32(asn),
  },
  /** RFC 7911 section 4: tuples of `AFI 2 | SAFI 1 | mode 1`. */
  'add-path': {
    code: 69,
    decode: (value) =>
      value.length % 4 === 0
        ? {
            kind: 'add-path',
            tuples: steps(value, 0, 4).map((at) => ({
              afi: readUint16(value, at),
              safi: readUint8(value, at + 2),
              mode: readUint8(value, at + 3),
            })),
          }
        : undefined,
    encode: ({ tuples }, writer) => {
      for (const { afi, safi, mode } of tuples) writer.uint16(afi).uint8(safi).uint8(mode);
    },
  },
  /** RFC 9494 section 3.1: tuples of `AFI 2 | SAFI 1 | F 1 bit | reserved 7 bits | Long-Lived Stale Time 3`. */
  'long-lived-graceful-restart': {
    code: 71,
    decode: (value) =>
      value.length % 7 === 0
        ? {
            kind: 'long-lived-graceful-restart',
            families: steps(value, 0, 7).map((at) => ({
              afi: readUint16(value, at),
              safi: readUint8(value, at + 2),
              forwarding: (readUint8(value, at + 3) & 0x80) !== 0,
              staleTimeSeconds: readUint32(value, at + 3) & longestStaleTime,
            })),
          }
        : undefined,
    encode: ({ families }, writer) => {
      for (const { afi, safi, forwarding, staleTimeSeconds } of families) {
        const time = Math.min(staleTimeSeconds, longestStaleTime);
        writer
          .uint16(afi)
          .uint8(safi)
          .uint8(forwarding ? 0x80 : 0)
          .uint8(time >>> 16)
          .uint16(time & 0xffff);
      }
    },
  },
  /** RFC 7313 section 3.1. */
  'enhanced-route-refresh': bare('enhanced-route-refresh', 70),
  /** draft-ietf-idr-bgp-bfd-strict-mode: no value. */
  'bfd-strict': bare('bfd-strict', 74),
  /** draft-walton-bgp-hostname-capability: `length | host name | length | domain name`, UTF-8. */
  fqdn: {
    code: 73,
    decode: (value) => {
      const hostEnd = 1 + readUint8(value, 0);
      if (hostEnd >= value.length) return undefined;
      const domainEnd = hostEnd + 1 + readUint8(value, hostEnd);
      if (domainEnd !== value.length) return undefined;
      const host = utf8(value.subarray(1, hostEnd));
      const domain = utf8(value.subarray(hostEnd + 1, domainEnd));
      return host === undefined || domain === undefined ? undefined : { kind: 'fqdn', host, domain };
    },
    encode: ({ host, domain }, writer) => {
      writeName(writer, host);
      writeName(writer, domain);
    },
  },
};

/** RFC 4724 section 3: the restart time has twelve bits. */
const longestRestartTime = 0xfff;
/** RFC 9494 section 3.1: the Long-Lived Stale Time has 24 bits. */
const longestStaleTime = 0xffffff;
/** Octets of the longest name that we send. Two such names and their lengths fit into a capability of 255 octets. */
const longestName = 64;

const rowByCode: ReadonlyMap<number, Row<Known['kind']>> = new Map(
  Object.values(rows).map((row) => [row.code, row as Row<Known['kind']>]),
);

const nameByCode: ReadonlyMap<number, string> = new Map(
  Object.entries(rows).map(([name, { code }]) => [code, name]),
);

/** Capabilities whose malformed value does not make the OPEN malformed. */
const keptWhenMalformed: ReadonlySet<number> = new Set([rows.fqdn.code, rows['bfd-strict'].code]);

/** IANA's code of the capability. */
export function capabilityCode(capability: Capability): number {
  return capability.kind === 'unknown' ? capability.code : rows[capability.kind].code;
}

/** The name of the capability with IANA's code, such as `route-refresh`; `code-99` for a capability that this speaker does not know. */
export function capabilityNameOf(code: number): string {
  return nameByCode.get(code) ?? `code-${code}`;
}

/** Decodes the capabilities of one optional parameter. */
export function decodeCapabilities(bytes: Uint8Array): Result<Capability[], BgpError> {
  const capabilities: Capability[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 2 + readUint8(bytes, at + 1);
    if (at + 2 > bytes.length || end > bytes.length)
      return fail(
        openError(OpenSubcode.unspecific, 'a capability is longer than its parameter', bytes.subarray(at)),
      );
    const code = readUint8(bytes, at);
    const value = bytes.subarray(at + 2, end);
    const row = rowByCode.get(code);
    const known = row?.decode(value);
    if (row && !known && !keptWhenMalformed.has(code))
      return fail(
        openError(
          OpenSubcode.unspecific,
          `the capability ${code} has ${value.length} octets`,
          bytes.subarray(at, end),
        ),
      );
    capabilities.push(known ?? { kind: 'unknown', code, value: value.slice() });
    at = end;
  }
  return ok(capabilities);
}

/** Encodes a capability with its code and length. Throws a RangeError for a value over 255 octets. */
export function encodeCapability(capability: Capability): Uint8Array {
  const value = new OctetWriter();
  if (capability.kind === 'unknown') value.octets(capability.value);
  else (rows[capability.kind] as Row<Known['kind']>).encode(capability, value);
  if (value.length > 255) throw new RangeError(`a capability cannot have ${value.length} octets`);
  return new OctetWriter()
    .uint8(capabilityCode(capability))
    .uint8(value.length)
    .octets(value.finish())
    .finish();
}

/** A capability without a value. */
function bare<K extends 'route-refresh' | 'extended-message' | 'enhanced-route-refresh' | 'bfd-strict'>(
  kind: K,
  code: number,
): Row<K> {
  return {
    code,
    decode: (value) => (value.length === 0 ? ({ kind } as Value<K>) : undefined),
    encode: () => undefined,
  };
}

/** Offsets of the elements, each `width` octets long, between `from` and the end of the value. */
function steps(value: Uint8Array, from: number, width: number): number[] {
  return Array.from({ length: (value.length - from) / width }, (_, row) => from + row * width);
}

const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The text; `undefined` when the octets are not UTF-8. A decoder that throws would cost 15 µs for each malformed name, and an OPEN can hold more
 * than a thousand names. The decoder here does not throw, but writes U+FFFD in place of malformed octets. A text with U+FFFD is encoded
 * again, to find out whether the octets themselves hold this character.
 */
function utf8(bytes: Uint8Array): string | undefined {
  const text = textDecoder.decode(bytes);
  return !text.includes('\ufffd') || encodesAs(text, bytes) ? text : undefined;
}

function encodesAs(text: string, bytes: Uint8Array): boolean {
  const encoded = new TextEncoder().encode(text);
  return encoded.length === bytes.length && encoded.every((octet, i) => octet === bytes[i]);
}

/** Writes `length 1 | name`; a long name is cut at a character boundary. */
function writeName(writer: OctetWriter, name: string): void {
  const bytes = new Uint8Array(longestName);
  const { written } = new TextEncoder().encodeInto(name, bytes);
  writer.uint8(written).octets(bytes.subarray(0, written));
}
