/**
 * MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 sections 3 and 4) of IPv4 and IPv6 unicast, with offsets from the start of the value:
 *
 *              0     2      3                 4
 *   reach     | AFI | SAFI | next hop length | next hops … | reserved (1 octet) | NLRI …
 *   unreach   | AFI | SAFI | withdrawn routes …
 *
 * The next hops are one address, or a global address and a link-local address (RFC 2545 section 3).
 */
import { ipFromBytes, ipToBytes } from '../../address/index.ts';
import { fail, ok, type Result } from '../../result.ts';
import { type AddressFamily, Afi, type MpReach, type PathAttributes } from '../message.ts';
import { NlriList, unicastFamily, writeNlri } from './nlri.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16 } from './octets.ts';
import { hasAddPath, type ReceiveOptions, type SendOptions } from './options.ts';

type MpUnreach = NonNullable<PathAttributes['mpUnreach']>;

/** The attribute of a family that this speaker does not support. Its fixed fields are well-formed. */
interface Foreign {
  readonly foreign: true;
  /** True when octets follow the reserved octet. */
  readonly hasNlri: boolean;
}

const nextHopAt = 4;
const withdrawnAt = 3;

/**
 * Decodes MP_REACH_NLRI, or describes why its NLRI cannot be relied on (RFC 7606 section 7.11). The possible reasons:
 * - The value has fewer than 5 octets.
 * - The next hop leaves no room for the reserved octet.
 * - The family does not allow a next hop of this length.
 * - The NLRI is malformed.
 */
export function decodeMpReach(value: Uint8Array, options: ReceiveOptions): Result<MpReach | Foreign, string> {
  if (value.length < nextHopAt + 1) return fail(`MP_REACH_NLRI has ${value.length} octets`);
  const afiSafi = { afi: readUint16(value, 0), safi: readUint8(value, 2) };
  const nextHopLength = readUint8(value, 3);
  const nlriAt = nextHopAt + nextHopLength + 1;
  if (nlriAt > value.length) return fail('the next hop of MP_REACH_NLRI is longer than the attribute');
  const family = unicastFamily(afiSafi);
  if (!family) return ok({ foreign: true, hasNlri: nlriAt < value.length });
  if (!nextHopLengths(afiSafi, options).includes(nextHopLength))
    return fail(`the next hop of MP_REACH_NLRI has ${nextHopLength} octets`);
  const nlri = NlriList.parse(value.subarray(nlriAt), family, hasAddPath(options, afiSafi));
  if (!nlri.ok) return nlri;
  const nextHop = value.subarray(nextHopAt, nextHopAt + nextHopLength);
  return ok({ ...afiSafi, nextHops: splitNextHops(nextHop), nlri: nlri.value });
}

/** Decodes MP_UNREACH_NLRI, or describes why its prefixes cannot be relied on (RFC 7606 section 5.3). */
export function decodeMpUnreach(
  value: Uint8Array,
  options: ReceiveOptions,
): Result<MpUnreach | Foreign, string> {
  if (value.length < withdrawnAt) return fail(`MP_UNREACH_NLRI has ${value.length} octets`);
  const afiSafi = { afi: readUint16(value, 0), safi: readUint8(value, 2) };
  const family = unicastFamily(afiSafi);
  if (!family) return ok({ foreign: true, hasNlri: false });
  const withdrawn = NlriList.parse(value.subarray(withdrawnAt), family, hasAddPath(options, afiSafi));
  return withdrawn.ok ? ok({ ...afiSafi, withdrawn: withdrawn.value }) : withdrawn;
}

/** Allowed lengths of the next hop: RFC 2545 section 3 and RFC 8950 section 3. */
function nextHopLengths({ afi }: AddressFamily, { extendedNextHop }: ReceiveOptions): readonly number[] {
  if (afi === Afi.IPv6) return [16, 32];
  return extendedNextHop ? [4, 16, 32] : [4];
}

function splitNextHops(octets: Uint8Array): MpReach['nextHops'] {
  return octets.length === 32
    ? [ipFromBytes(octets.subarray(0, 16)), ipFromBytes(octets.subarray(16))]
    : [ipFromBytes(octets)];
}

export function encodeMpReach(reach: MpReach, options: SendOptions): Uint8Array {
  const nextHops = reach.nextHops.map(ipToBytes);
  const writer = new OctetWriter()
    .uint16(reach.afi)
    .uint8(reach.safi)
    .uint8(nextHops.reduce((octets, nextHop) => octets + nextHop.length, 0));
  for (const nextHop of nextHops) writer.octets(nextHop);
  writer.uint8(0);
  writeNlri(writer, reach.nlri, hasAddPath(options, reach));
  return writer.finish();
}

export function encodeMpUnreach(unreach: MpUnreach, options: SendOptions): Uint8Array {
  const writer = new OctetWriter().uint16(unreach.afi).uint8(unreach.safi);
  writeNlri(writer, unreach.withdrawn, hasAddPath(options, unreach));
  return writer.finish();
}
