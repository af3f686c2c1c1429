/**
 * A prefix on the wire (RFC 4271 section 4.3). The path identifier is present only with ADD-PATH (RFC 7911 section 3):
 *
 *    0                  4
 *   | path identifier | length in bits (1 octet) | prefix, in as few octets as possible …
 *
 * Bits beyond the length have no meaning.
 */
import type { Family } from '../../address/index.ts';
import { fail, ok, type Result } from '../../result.ts';
import { type AddressFamily, Afi, type Nlri, type NlriSequence, safiUnicast } from '../message.ts';
import type { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint32 } from './octets.ts';

const pathIdOctets = 4;
const empty: Uint8Array = new Uint8Array(0);

/** The family with these numbers; `undefined` unless it is IPv4 or IPv6 unicast. */
export function unicastFamily({ afi, safi }: AddressFamily): Family | undefined {
  if (safi !== safiUnicast) return undefined;
  return afi === Afi.IPv4 ? 4 : afi === Afi.IPv6 ? 6 : undefined;
}

/**
 * Received prefixes in their wire form, judged and counted. Iterating over the list creates a value for each prefix. Most callers only read
 * `length`, which allocates nothing. The list is a view of the message's octets, so it is valid only until these octets are overwritten.
 */
export class NlriList implements NlriSequence {
  readonly family: Family;
  readonly length: number;
  readonly #octets: Uint8Array;
  readonly #addPath: boolean;

  private constructor(family: Family, octets: Uint8Array, addPath: boolean, length: number) {
    this.family = family;
    this.#octets = octets;
    this.#addPath = addPath;
    this.length = length;
  }

  static readonly none = new NlriList(4, empty, false, 0);

  /** Checks the field: each prefix must lie inside it and be no longer than an address (RFC 7606 section 5.3). */
  static parse(octets: Uint8Array, family: Family, addPath: boolean): Result<NlriList, string> {
    const longest = family === 4 ? 32 : 128;
    const lead = addPath ? pathIdOctets : 0;
    let at = 0;
    let count = 0;
    while (at < octets.length) {
      at += lead;
      if (at >= octets.length) return fail('no prefix follows a path identifier');
      const bits = octets[at] ?? 0;
      if (bits > longest) return fail(`a prefix has ${bits} bits`);
      at += 1 + ((bits + 7) >> 3);
      count++;
    }
    if (at > octets.length) return fail('a prefix is longer than its field');
    return ok(new NlriList(family, octets, addPath, count));
  }

  *[Symbol.iterator](): Iterator<Nlri> {
    const octets = this.#octets;
    const { family } = this;
    let at = 0;
    while (at < octets.length) {
      const pathId = this.#addPath ? readUint32(octets, at) : undefined;
      if (pathId !== undefined) at += pathIdOctets;
      const length = readUint8(octets, at);
      at++;
      const value = family === 4 ? ipv4Value(octets, at, length) : ipv6Value(octets, at, length);
      at += (length + 7) >> 3;
      yield pathId === undefined ? { family, value, length } : { family, value, length, pathId };
    }
  }
}

/** Appends prefixes. With `addPath`, each one is preceded by its path identifier, or by 0 if it has none. */
export function writeNlri(writer: OctetWriter, prefixes: NlriSequence, addPath: boolean): void {
  for (const prefix of prefixes) {
    if (addPath) writer.uint32(prefix.pathId ?? 0);
    const { family, length } = prefix;
    writer.uint8(length);
    if (family === 4) writeTop(writer, Number(prefix.value), length);
    else
      for (let bits = length, shift = 96n; bits > 0; bits -= 32, shift -= 32n)
        writeTop(writer, Number((prefix.value >> shift) & 0xffff_ffffn), Math.min(bits, 32));
  }
}

/** Writes the leading octets of a 32-bit word, as many as its first `bits` bits need. */
function writeTop(writer: OctetWriter, word: number, bits: number): void {
  for (let left = bits, shift = 24; left > 0; left -= 8, shift -= 8) writer.uint8(word >>> shift);
}

function ipv4Value(octets: Uint8Array, at: number, length: number): bigint {
  return BigInt(word(octets, at, length));
}

function ipv6Value(octets: Uint8Array, at: number, length: number): bigint {
  let value = 0n;
  for (let i = 0; i < 4; i++)
    value = (value << 32n) | BigInt(word(octets, at + 4 * i, Math.max(0, Math.min(32, length - 32 * i))));
  return value;
}

/** Reads a word of 32 bits: the first `length` bits come from the wire, and all further bits are zero. */
function word(octets: Uint8Array, at: number, length: number): number {
  if (length === 0) return 0;
  let value = 0;
  for (let i = 0; i < 4; i++) value = (value << 8) | (8 * i < length ? readUint8(octets, at + i) : 0);
  return (value & (-1 << (32 - length))) >>> 0;
}
