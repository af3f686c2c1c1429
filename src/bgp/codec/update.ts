/**
 * UPDATE (RFC 4271 section 4.3), with offsets from the start of the message:
 *
 *    19                 21
 *   | withdrawn length | withdrawn routes … | attributes length 2 | path attributes … | NLRI, to the end
 */
import { fail, ok, type Result } from '../../result.ts';
import { Afi, MessageType, type PathAttributes, safiUnicast, type UpdateMessage } from '../message.ts';
import {
  type AttributeFault,
  type DecodedAttributes,
  decodeAttributeList,
  encodeAttributeList,
} from './attribute-list.ts';
import { AttributeType } from './attribute-row.ts';
import { attributeRows } from './attribute-rows.ts';
import { type BgpError, UpdateSubcode, updateError } from './errors.ts';
import { headerOctets, writeHeader } from './header.ts';
import { NlriList, writeNlri } from './nlri.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint16 } from './octets.ts';
import { hasAddPath, type ReceiveOptions, type SendOptions } from './options.ts';

export interface DecodedUpdate {
  readonly message: UpdateMessage;
  /** Malformed or missing attributes that leave the session up. The strongest of their treatments applies (RFC 7606 section 3 (h)). */
  readonly faults: readonly AttributeFault[];
}

const ipv4Unicast = { afi: Afi.IPv4, safi: safiUnicast };
const withdrawnAt = headerOctets + 2;
const noFaults: readonly AttributeFault[] = [];
const noAttributes: PathAttributes = {};

/** Attributes that an announced route must have (RFC 4271 section 5). `mandatoryClassic` applies when the NLRI field holds routes. */
const mandatory: readonly number[] = [AttributeType.origin, AttributeType.asPath];
const mandatoryClassic: readonly number[] = [...mandatory, AttributeType.nextHop];

/**
 * Decodes an UPDATE whose header has been judged. Fails only with an error that ends the session (RFC 7606). The errors are, as code/subcode:
 * - 3/1: a field that is longer than the message, or a repeated MP_REACH_NLRI or MP_UNREACH_NLRI
 * - 3/2: an unknown well-known attribute
 * - 3/5: an MP_REACH_NLRI or MP_UNREACH_NLRI that runs past the end of the path attributes
 * - 3/9: a malformed MP_REACH_NLRI or MP_UNREACH_NLRI
 * - 3/10: malformed prefixes in the withdrawn routes or in the NLRI field
 * - the error of a fault with the treatment `withdraw`, when the UPDATE announces no route (RFC 7606 section 5.2)
 */
export function decodeUpdate(frame: Uint8Array, options: ReceiveOptions): Result<DecodedUpdate, BgpError> {
  const attributesLengthAt = withdrawnAt + readUint16(frame, headerOctets);
  if (attributesLengthAt + 2 > frame.length) return overrun('the withdrawn routes overrun the message');
  const attributesAt = attributesLengthAt + 2;
  const nlriAt = attributesAt + readUint16(frame, attributesLengthAt);
  if (nlriAt > frame.length) return overrun('the path attributes overrun the message');
  const addPath = hasAddPath(options, ipv4Unicast);
  const withdrawn = decodePrefixes(frame.subarray(withdrawnAt, attributesLengthAt), addPath);
  if (!withdrawn.ok) return withdrawn;
  const nlri = decodePrefixes(frame.subarray(nlriAt), addPath);
  if (!nlri.ok) return nlri;
  const message = { kind: 'update', withdrawn: withdrawn.value, nlri: nlri.value } as const;
  if (attributesAt === nlriAt && nlri.value.length === 0)
    return ok({ message: { ...message, attributes: noAttributes }, faults: noFaults });
  const list = decodeAttributeList(frame.subarray(attributesAt, nlriAt), options);
  if (!list.ok) return list;
  const { attributes } = list.value;
  const hasNlri = nlri.value.length > 0;
  const all = [...relevant(list.value, hasNlri), ...missing(list.value, hasNlri)];
  const error = unnamedRoutes(list.value, hasNlri, all);
  return error ? fail(error) : ok({ message: { ...message, attributes }, faults: all });
}

function decodePrefixes(octets: Uint8Array, addPath: boolean): Result<NlriList, BgpError> {
  if (octets.length === 0) return ok(NlriList.none);
  const list = NlriList.parse(octets, 4, addPath);
  return list.ok ? list : fail(updateError(UpdateSubcode.network, list.error));
}

function overrun(text: string): { readonly ok: false; readonly error: BgpError } {
  return fail(updateError(UpdateSubcode.malformedList, text));
}

/**
 * Leaves out faults of a NEXT_HOP that no route uses. NEXT_HOP belongs to the prefixes of the NLRI field. If that field has prefixes, all
 * faults stay. When only MP_REACH_NLRI announces routes, every fault of NEXT_HOP is left out (RFC 4760 section 3). When the UPDATE announces
 * no route, only the fault of a NEXT_HOP that is not a host address is left out, because some routers send 0.0.0.0 there.
 */
function relevant({ faults, reaches }: DecodedAttributes, hasNlri: boolean): readonly AttributeFault[] {
  if (hasNlri) return faults;
  return faults.filter(
    ({ attributeType, error }) =>
      attributeType !== AttributeType.nextHop || !(reaches || error.subcode === UpdateSubcode.nextHop),
  );
}

/** RFC 7606 section 3 (d): routes without a mandatory attribute are treated as withdrawn. */
function missing({ seen, reaches }: DecodedAttributes, hasNlri: boolean): AttributeFault[] {
  const expected = hasNlri ? mandatoryClassic : reaches ? mandatory : [];
  const faults: AttributeFault[] = [];
  for (const attributeType of expected) {
    if (seen.has(attributeType)) continue;
    const name = attributeRows.get(attributeType)?.name;
    const error = updateError(
      UpdateSubcode.missingWellKnown,
      `${name} is missing`,
      Uint8Array.of(attributeType),
    );
    faults.push({ attributeType, treatment: 'withdraw', error });
  }
  return faults;
}

/**
 * RFC 7606 section 5.2: when an UPDATE has attributes other than MP_UNREACH_NLRI but announces no route, a malformed attribute may have
 * swallowed the routes. Unknown routes cannot be treated as withdrawn, so the session ends.
 */
function unnamedRoutes(
  { seen, reaches }: DecodedAttributes,
  hasNlri: boolean,
  faults: readonly AttributeFault[],
): BgpError | undefined {
  if (hasNlri || reaches || (seen.size === 1 && seen.has(AttributeType.mpUnreach))) return undefined;
  return faults.find(({ treatment }) => treatment === 'withdraw')?.error;
}

/**
 * Encodes an UPDATE. The caller makes sure that the peer accepts a message of this length. Throws a RangeError for a message over 65,535
 * octets.
 */
export function encodeUpdate(update: UpdateMessage, options: SendOptions): Uint8Array {
  const addPath = hasAddPath(options, ipv4Unicast);
  const writer = new OctetWriter().octets(new Uint8Array(withdrawnAt));
  writeNlri(writer, update.withdrawn, addPath);
  writer.patchUint16(headerOctets, writer.length - withdrawnAt);
  const attributes = encodeAttributeList(update.attributes, options);
  writer.uint16(attributes.length).octets(attributes);
  writeNlri(writer, update.nlri, addPath);
  const bytes = writer.finish();
  writeHeader(bytes, 0, bytes.length, MessageType.Update);
  return bytes;
}
