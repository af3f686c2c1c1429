/**
 * The path attributes of an UPDATE as a list (RFC 4271 section 4.3, RFC 7606 sections 3 to 5). Each attribute is
 *
 *    0       1      2
 *   | flags | type | length 1, or 2 with the Extended Length flag | value …
 *
 * attribute-rows.ts and multiprotocol.ts decode and encode the values.
 */
import { fail, ok, type Result } from '../../result.ts';
import type { PathAttributes, UnknownAttribute } from '../message.ts';
import { asTrans, mergeAsPaths } from './as-path.ts';
import { type AttributeRow, AttributeType, type Draft, Flag, optionalTransitive } from './attribute-row.ts';
import { attributeRows } from './attribute-rows.ts';
import { type BgpError, UpdateSubcode, updateError } from './errors.ts';
import { decodeMpReach, decodeMpUnreach, encodeMpReach, encodeMpUnreach } from './multiprotocol.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16 } from './octets.ts';
import type { ReceiveOptions, SendOptions } from './options.ts';

/** A malformed attribute that does not end the session (RFC 7606 section 2). */
export interface AttributeFault {
  /** IANA's number of the attribute; 0 when the list ends before the type octet. */
  readonly attributeType: number;
  /** `withdraw`: the routes of the UPDATE are treated as withdrawn. `discard`: only the attribute is ignored. */
  readonly treatment: 'discard' | 'withdraw';
  readonly error: BgpError;
}

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  readonly faults: readonly AttributeFault[];
  /** The types of all attributes in the list, malformed attributes included. */
  readonly seen: ReadonlySet<number>;
  /** True when the list holds an MP_REACH_NLRI, of any address family, that announces routes. */
  readonly reaches: boolean;
}

/** Stands for the attribute type when the list ends before the type octet. */
const noType = 0;

/** Decodes the attributes. Fails only with an error that ends the session. */
export function decodeAttributeList(
  bytes: Uint8Array,
  options: ReceiveOptions,
): Result<DecodedAttributes, BgpError> {
  const reader = new AttributeListReader(options);
  let at = 0;
  while (at < bytes.length) {
    const flags = readUint8(bytes, at);
    const lengthOctets = flags & Flag.extendedLength ? 2 : 1;
    const valueAt = at + 2 + lengthOctets;
    const isCut = valueAt > bytes.length;
    const length = lengthOctets === 2 ? readUint16(bytes, at + 2) : readUint8(bytes, at + 2);
    if (isCut || valueAt + length > bytes.length) {
      // RFC 7606 section 4: the rest of the list cannot be parsed, but the NLRI field after the list can.
      const error = reader.overrun(bytes.subarray(at));
      if (error) return fail(error);
      break;
    }
    const error = reader.attribute(bytes.subarray(at, valueAt + length), 2 + lengthOctets);
    if (error) return fail(error);
    at = valueAt + length;
  }
  return ok(reader.finish());
}

class AttributeListReader {
  readonly #options: ReceiveOptions;
  readonly #draft: Draft = {};
  /** By attribute type. An UPDATE of 65,535 octets can repeat an attribute of 3 octets 21,000 times, so one fault stands for all repetitions. */
  readonly #faults = new Map<number, AttributeFault>();
  readonly #seen = new Set<number>();
  readonly #unknown: UnknownAttribute[] = [];
  #reaches = false;

  constructor(options: ReceiveOptions) {
    this.#options = options;
  }

  /** Reads one attribute, header and value. Returns only an error that ends the session. Any other error becomes a fault. */
  attribute(octets: Uint8Array, valueAt: number): BgpError | undefined {
    const type = readUint8(octets, 1);
    if (this.#seen.has(type)) {
      // RFC 7606 section 3 (g): MP_REACH_NLRI and MP_UNREACH_NLRI must not occur twice. Of every other attribute, only the first occurrence
      // counts.
      const error = () => updateError(UpdateSubcode.malformedList, `attribute ${type} occurs twice`);
      if (isMultiprotocol(type)) return error();
      if (!this.#faults.has(type)) this.#fault(type, 'discard', error());
      return undefined;
    }
    this.#seen.add(type);
    if (isMultiprotocol(type)) return this.#multiprotocol(type, octets, valueAt);
    const row = attributeRows.get(type);
    if (row) this.#known(type, row, octets, valueAt);
    else if (readUint8(octets, 0) & Flag.optional) this.#keep(type, octets, valueAt);
    else
      return updateError(
        UpdateSubcode.unrecognizedWellKnown,
        `the well-known attribute ${type} is unknown`,
        octets,
      );
    return undefined;
  }

  /**
   * Handles an attribute that is longer than the rest of the list. If the attribute carries routes, returns an error, which ends the
   * session.
   */
  overrun(octets: Uint8Array): BgpError | undefined {
    const type = octets.length < 2 ? noType : readUint8(octets, 1);
    const error = updateError(
      UpdateSubcode.length,
      `attribute ${type} runs past the end of the path attributes`,
      octets,
    );
    if (isMultiprotocol(type)) return error;
    this.#seen.add(type);
    this.#fault(type, 'withdraw', error);
    return undefined;
  }

  finish(): DecodedAttributes {
    const { as4Path, as4Aggregator, ...attributes } = this.#draft;
    const { asPath, aggregator } = attributes;
    // RFC 6793 section 4.2.3: an AGGREGATOR without AS_TRANS beside an AS4_AGGREGATOR comes from a speaker with two-octet AS numbers. That
    // speaker aggregated the route and passed on both AS4 attributes unread, so these attributes are out of date.
    const isStale = aggregator !== undefined && as4Aggregator !== undefined && aggregator.asn !== asTrans;
    if (asPath && as4Path && !isStale) attributes.asPath = mergeAsPaths(asPath, as4Path);
    if (aggregator && as4Aggregator && !isStale) attributes.aggregator = as4Aggregator;
    if (this.#unknown.length > 0) attributes.unknown = this.#unknown;
    return { attributes, faults: [...this.#faults.values()], seen: this.#seen, reaches: this.#reaches };
  }

  #known(type: number, row: AttributeRow, octets: Uint8Array, valueAt: number): void {
    if (!hasFlags(octets, row.flags)) {
      this.#flagsFault(type, octets);
      return;
    }
    if (row.isInternal && !this.#options.internal) {
      const text = `${row.name} is ignored from an external peer`;
      this.#fault(type, 'discard', updateError(UpdateSubcode.malformedList, text, octets));
      return;
    }
    const problem = row.decode(octets.subarray(valueAt), this.#draft, this.#options);
    if (problem)
      this.#fault(
        type,
        problem.treatment ?? row.treatment,
        updateError(problem.subcode, `${row.name}: ${problem.text}`, octets),
      );
    else if (!row.encode) this.#keep(type, octets, valueAt);
  }

  #multiprotocol(type: number, octets: Uint8Array, valueAt: number): BgpError | undefined {
    const value = octets.subarray(valueAt);
    const isReach = type === AttributeType.mpReach;
    const decoded = isReach ? decodeMpReach(value, this.#options) : decodeMpUnreach(value, this.#options);
    if (!decoded.ok) return updateError(UpdateSubcode.optional, decoded.error, octets);
    // RFC 7606 section 3 (c): wrong flags are a fault, but the routes can be read.
    if (!hasFlags(octets, Flag.optional)) this.#flagsFault(type, octets);
    const part = decoded.value;
    if ('foreign' in part) {
      this.#reaches ||= part.hasNlri;
      this.#keep(type, octets, valueAt);
    } else if ('nlri' in part) {
      this.#reaches ||= part.nlri.length > 0;
      this.#draft.mpReach = part;
    } else this.#draft.mpUnreach = part;
    return undefined;
  }

  #keep(type: number, octets: Uint8Array, valueAt: number): void {
    this.#unknown.push({
      type,
      flags: readUint8(octets, 0) & ~Flag.extendedLength,
      value: octets.slice(valueAt),
    });
  }

  #flagsFault(type: number, octets: Uint8Array): void {
    const text = `attribute ${type} has the flags 0x${readUint8(octets, 0).toString(16)}`;
    this.#fault(type, 'withdraw', updateError(UpdateSubcode.flags, text, octets));
  }

  /** Keeps one fault for each attribute type. A kept `withdraw` stays, and a kept `discard` gives way to a later fault. */
  #fault(attributeType: number, treatment: AttributeFault['treatment'], error: BgpError): void {
    if (this.#faults.get(attributeType)?.treatment === 'withdraw') return;
    this.#faults.set(attributeType, { attributeType, treatment, error });
  }
}

/** The RFC's name of a path attribute, such as `AS_PATH`; `attribute 99` for an attribute that this speaker does not know. */
export function attributeName(type: number): string {
  if (type === AttributeType.mpReach) return 'MP_REACH_NLRI';
  if (type === AttributeType.mpUnreach) return 'MP_UNREACH_NLRI';
  return attributeRows.get(type)?.name ?? `attribute ${type}`;
}

function isMultiprotocol(type: number): boolean {
  return type === AttributeType.mpReach || type === AttributeType.mpUnreach;
}

/** RFC 7606 section 3 (c): the Optional and Transitive flags must be as specified; the other flags are not checked. */
function hasFlags(octets: Uint8Array, expected: number): boolean {
  return (readUint8(octets, 0) & optionalTransitive) === expected;
}

/**
 * Encodes attributes in the order that the RFCs ask for: MP_UNREACH_NLRI and MP_REACH_NLRI first (RFC 7606 section 5.1), then by
 * ascending type (RFC 4271 section 5). For a peer with two-octet AS numbers, AS4_PATH and AS4_AGGREGATOR are added where they are needed
 * (RFC 6793).
 */
export function encodeAttributeList(attributes: PathAttributes, options: SendOptions): Uint8Array {
  const { mpReach, mpUnreach, unknown = [] } = attributes;
  const writer = new OctetWriter();
  if (mpUnreach)
    writeAttribute(writer, Flag.optional, AttributeType.mpUnreach, encodeMpUnreach(mpUnreach, options));
  if (mpReach) writeAttribute(writer, Flag.optional, AttributeType.mpReach, encodeMpReach(mpReach, options));
  const others: UnknownAttribute[] = [...unknown];
  for (const [type, { flags, encode }] of attributeRows) {
    const value = encode?.(attributes, options);
    if (value) others.push({ type, flags, value });
  }
  others.sort((a, b) => rank(a) - rank(b));
  for (const { type, flags, value } of others) writeAttribute(writer, flags, type, value);
  return writer.finish();
}

function rank({ type }: UnknownAttribute): number {
  return isMultiprotocol(type) ? 0 : type;
}

function writeAttribute(writer: OctetWriter, flags: number, type: number, value: Uint8Array): void {
  if (value.length > 0xffff) throw new RangeError(`an attribute cannot have ${value.length} octets`);
  const isLong = value.length > 255;
  writer.uint8(isLong ? flags | Flag.extendedLength : flags).uint8(type);
  if (isLong) writer.uint16(value.length);
  else writer.uint8(value.length);
  writer.octets(value);
}
