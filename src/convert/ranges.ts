/** Ranges of addresses as the sources write them, and sets of addresses. */
import {
  familyBits,
  formatIp,
  type IpRange,
  parseIp,
  prefixesOfRange,
  prefixOf,
  rangeOfPrefix,
} from '../address/index.ts';

/** Reads an address, a prefix (host bits are masked) or a range `first-last`. Returns `undefined` for anything else. */
export function readRange(text: string): IpRange | undefined {
  const [firstText = '', lastText, ...more] = text.split('-').map((part) => part.trim());
  if (more.length > 0) return undefined;
  if (lastText !== undefined) {
    const [first, last] = [parseIp(firstText), parseIp(lastText)];
    if (!first || !last || first.family !== last.family || first.value > last.value) return undefined;
    return { family: first.family, first: first.value, last: last.value };
  }
  const [, host = '', lengthText = ''] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(firstText) ?? [];
  const address = parseIp(host);
  if (!address) return undefined;
  const length = lengthText === '' ? familyBits(address.family) : Number(lengthText);
  return length > familyBits(address.family) ? undefined : rangeOfPrefix(prefixOf(address, length));
}

/** Adds `/32` or `/128` to an address without a length. Returns any other text unchanged, for the gate to judge. */
export function withLength(text: string): string {
  const address = parseIp(text.trim());
  return address ? `${formatIp(address)}/${familyBits(address.family)}` : text;
}

/** The prefix length of the largest CIDR block inside a range. */
export function shortestLength(range: IpRange): number {
  return Math.min(...prefixesOfRange(range).map(({ length }) => length));
}

/** The addresses of the ranges as the fewest disjoint ranges, in ascending order. */
export function union(ranges: readonly IpRange[]): IpRange[] {
  const sorted = [...ranges].sort((a, b) =>
    a.family !== b.family ? a.family - b.family : a.first < b.first ? -1 : a.first > b.first ? 1 : 0,
  );
  const merged: IpRange[] = [];
  for (const range of sorted) {
    const previous = merged.at(-1);
    if (previous && previous.family === range.family && range.first <= previous.last + 1n) {
      if (range.last > previous.last) merged[merged.length - 1] = { ...previous, last: range.last };
    } else merged.push(range);
  }
  return merged;
}

/** The addresses of `ranges` that are not in `taken`, as disjoint ranges. */
export function subtract(ranges: readonly IpRange[], taken: readonly IpRange[]): IpRange[] {
  const holes = union(taken);
  return union(ranges).flatMap((range) => {
    const pieces: IpRange[] = [];
    let first = range.first;
    for (const hole of holes) {
      if (hole.family !== range.family || hole.last < first || hole.first > range.last) continue;
      if (hole.first > first) pieces.push({ ...range, first, last: hole.first - 1n });
      first = hole.last + 1n;
    }
    if (first <= range.last) pieces.push({ ...range, first });
    return pieces;
  });
}
