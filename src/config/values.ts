/** Single values of the configuration, read from text: each reader returns the value or what is wrong with it. */
import {
  compareIp,
  familyBits,
  formatPrefix,
  type IpAddress,
  type IpRange,
  isLinkLocal,
  parseIp,
  parsePrefix,
  prefixOf,
  rangeOfPrefix,
} from '../address/index.ts';
import { fail, ok, type Result } from '../result.ts';
import type { LargeCommunity } from './config.ts';

/** `90s`, `1m30s`, `500ms` in Go's notation, or a number of seconds; whole seconds only. */
export function readDurationSeconds(value: string | number): Result<number, string> {
  const wrong = fail(`${JSON.stringify(value)} is not a duration like 90s or 1m30s`);
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? ok(value) : wrong;
  if (!/^(\d+(h|m|s|ms))+$/.test(value)) return value === '0' ? ok(0) : wrong;
  let milliseconds = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+)(ms|h|m|s)/g))
    milliseconds += Number(amount) * ({ h: 3_600_000, m: 60_000, s: 1000, ms: 1 }[unit ?? 's'] ?? 0);
  if (milliseconds % 1000 !== 0) return fail(`${value} is not a whole number of seconds`);
  return ok(milliseconds / 1000);
}

/** A CIDR prefix or a `first-last` range. */
export function readRange(text: string): Result<IpRange, string> {
  const dash = text.indexOf('-');
  if (dash >= 0) return readFirstLast(text.slice(0, dash).trim(), text.slice(dash + 1).trim());
  const slash = text.indexOf('/');
  if (slash < 0) {
    const address = parseIp(text);
    return fail(
      address
        ? `${text} is one address: write ${text}/${familyBits(address.family)}`
        : `${text} is not a prefix or a range: expected like 192.0.2.0/24 or 192.0.2.10-192.0.2.20`,
    );
  }
  const prefix = parsePrefix(text);
  if (prefix) return ok(rangeOfPrefix(prefix));
  const address = parseIp(text.slice(0, slash));
  if (!address) return fail(`${text.slice(0, slash)} is not an address`);
  const length = Number(text.slice(slash + 1));
  if (!/^\d+$/.test(text.slice(slash + 1)) || length > familyBits(address.family))
    return fail(
      `/${text.slice(slash + 1)} is not a prefix length: expected 0 to ${familyBits(address.family)}`,
    );
  return fail(`${text} has host bits set: the prefix is ${formatPrefix(prefixOf(address, length))}`);
}

function readFirstLast(firstText: string, lastText: string): Result<IpRange, string> {
  const first = parseIp(firstText);
  const last = parseIp(lastText);
  if (!first) return fail(`${firstText} is not an address`);
  if (!last) return fail(`${lastText} is not an address: the end of a range is written out in full`);
  if (first.family !== last.family) return fail(`${firstText} and ${lastText} are of two families`);
  if (compareIp(first, last) > 0)
    return fail(
      `the range is backwards: ${firstText} comes after ${lastText}; write ${lastText}-${firstText}`,
    );
  return ok({ family: first.family, first: first.value, last: last.value });
}

/** A peer's address; link-local ones with the interface after `%`. */
export function readPeerAddress(text: string): Result<{ address: IpAddress; zone?: string }, string> {
  const percent = text.indexOf('%');
  const address = parseIp(percent < 0 ? text : text.slice(0, percent));
  if (!address) return fail(`${text} is not an address`);
  if (percent < 0) return ok({ address });
  const zone = text.slice(percent + 1);
  if (!isLinkLocal(address) || zone === '')
    return fail(`${text}: %interface goes with a link-local address only`);
  return ok({ address, zone });
}

/** RFC 1997, RFC 3765, RFC 7999, RFC 8326, as routers name them. */
export const wellKnownCommunities: Readonly<Record<string, number>> = {
  'no-export': 0xffffff01,
  'no-advertise': 0xffffff02,
  'no-export-subconfed': 0xffffff03,
  'no-peer': 0xffffff04,
  blackhole: 0xffff029a,
  'graceful-shutdown': 0xffff0000,
};

export type Community =
  | { readonly kind: 'standard'; readonly value: number }
  | { readonly kind: 'large'; readonly value: LargeCommunity };

/** `a:b` with 16-bit parts, or a large `a:b:c` (also `large:a:b:c`) with 32-bit parts. */
export function readCommunity(text: string): Result<Community, string> {
  const parts = text.replace(/^large:/, '').split(':');
  const numbers = parts.map((part) => (/^\d{1,10}$/.test(part) ? Number(part) : Number.NaN));
  const [a = Number.NaN, b = Number.NaN, c = Number.NaN] = numbers;
  if (parts.length === 2 && !text.startsWith('large:')) {
    if (a <= 65535 && b <= 65535) return ok({ kind: 'standard', value: a * 65536 + b });
    return fail(`${text} is not a community: both numbers are 0 to 65535`);
  }
  if (parts.length === 3) {
    if (Math.max(a, b, c) <= 4294967295) return ok({ kind: 'large', value: [a, b, c] });
    return fail(`${text} is not a large community: the numbers are 0 to 4294967295`);
  }
  return fail(`${text} is no community, no well-known name and no alias under bgp-communities`);
}
