/**
 * AS_PATH and AS4_PATH (RFC 4271 section 4.3, RFC 5065, RFC 6793) consist of segments, one after the other:
 *
 *    0      1       2
 *   | type | count | AS numbers, 2 or 4 octets each …
 */
import { fail, ok, type Result } from '../../result.ts';
import type { AsPathSegment } from '../message.ts';
import type { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16, readUint32 } from './octets.ts';

/** AS_TRANS (RFC 6793 section 9) stands in a two-octet field for an AS number that needs four octets. */
export const asTrans = 23456;
/** The most AS numbers that a segment can hold, because its count is one octet. */
const longestSegment = 255;

const segmentTypes: Readonly<Record<AsPathSegment['type'], number>> = {
  set: 1,
  sequence: 2,
  'confed-sequence': 3,
  'confed-set': 4,
};
const typeOfNumber: readonly (AsPathSegment['type'] | undefined)[] = [
  undefined,
  'set',
  'sequence',
  'confed-sequence',
  'confed-set',
];

export type AsWidth = 2 | 4;

/**
 * Decodes a path, or describes why it is malformed: an unknown or empty segment, a segment that does not fit (RFC 7606 section 7.2), AS 0
 * (RFC 7607), or a confederation segment where none is allowed (RFC 5065 section 5).
 */
export function decodeAsPath(
  value: Uint8Array,
  width: AsWidth,
  mayHoldConfederation: boolean,
): Result<AsPathSegment[], string> {
  const segments: AsPathSegment[] = [];
  let at = 0;
  while (at < value.length) {
    const type = typeOfNumber[readUint8(value, at)];
    if (!type) return fail(`the segment type ${readUint8(value, at)} is unknown`);
    if (!mayHoldConfederation && isConfederation(type))
      return fail('the path of an external peer holds a confederation segment');
    const count = readUint8(value, at + 1);
    const end = at + 2 + count * width;
    if (at + 2 > value.length || end > value.length) return fail('a segment is longer than the path');
    if (count === 0) return fail('a segment is empty');
    const asns: number[] = [];
    for (let i = at + 2; i < end; i += width) {
      const asn = width === 4 ? readUint32(value, i) : readUint16(value, i);
      if (asn === 0) return fail('the path holds AS 0');
      asns.push(asn);
    }
    segments.push({ type, asns });
    at = end;
  }
  return ok(segments);
}

/**
 * Appends a path. With a width of two octets, an AS number over 65,535 becomes AS_TRANS. A segment of more than 255 AS numbers is split.
 */
export function writeAsPath(writer: OctetWriter, path: readonly AsPathSegment[], width: AsWidth): void {
  for (const { type, asns } of path)
    for (let from = 0; from < asns.length; from += longestSegment) {
      const part = asns.slice(from, from + longestSegment);
      writer.uint8(segmentTypes[type]).uint8(part.length);
      for (const asn of part)
        if (width === 4) writer.uint32(asn);
        else writer.uint16(asn > 0xffff ? asTrans : asn);
    }
}

/**
 * The AS4_PATH to send beside an AS_PATH of two-octet numbers: the path without confederation segments (RFC 6793 section 4.2.2);
 * `undefined` when no AS number in it needs four octets.
 */
export function as4PathOf(path: readonly AsPathSegment[]): readonly AsPathSegment[] | undefined {
  const outside = path.filter(({ type }) => !isConfederation(type));
  return outside.some(({ asns }) => asns.some((asn) => asn > 0xffff)) ? outside : undefined;
}

/**
 * Reconstructs the path from the two attributes of a peer with two-octet AS numbers (RFC 6793 section 4.2.3): the leading AS numbers of
 * AS_PATH that AS4_PATH lacks, then AS4_PATH. An AS4_PATH that is longer than AS_PATH is ignored.
 */
export function mergeAsPaths(
  asPath: readonly AsPathSegment[],
  as4Path: readonly AsPathSegment[],
): readonly AsPathSegment[] {
  let missing = pathLength(asPath) - pathLength(as4Path);
  if (missing < 0) return asPath;
  const merged: AsPathSegment[] = [];
  for (const segment of asPath) {
    // RFC 6793 section 4.2.3: a confederation segment at the start or next to a kept segment is kept, even when no AS number is missing.
    if (missing === 0 && !isConfederation(segment.type)) break;
    const kept = segment.type === 'sequence' ? { ...segment, asns: segment.asns.slice(0, missing) } : segment;
    merged.push(kept);
    missing -= pathLength([kept]);
  }
  for (const segment of as4Path) {
    if (isConfederation(segment.type)) continue;
    const last = merged.at(-1);
    const fits = last && last.asns.length + segment.asns.length <= longestSegment;
    if (fits && last.type === 'sequence' && segment.type === 'sequence')
      merged[merged.length - 1] = { type: 'sequence', asns: [...last.asns, ...segment.asns] };
    else merged.push(segment);
  }
  return merged;
}

/** The length of a path: a set counts as 1 (RFC 4271 section 9.1.2.2), a confederation segment as 0 (RFC 5065 section 5.3). */
function pathLength(path: readonly AsPathSegment[]): number {
  let length = 0;
  for (const { type, asns } of path) length += type === 'sequence' ? asns.length : type === 'set' ? 1 : 0;
  return length;
}

function isConfederation(type: AsPathSegment['type']): boolean {
  return type === 'confed-sequence' || type === 'confed-set';
}
