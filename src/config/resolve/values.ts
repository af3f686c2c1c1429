/** Readers of single values. Each returns the value, or a sentence about what is wrong with the text. */
import {
  compareIp,
  familyBits,
  formatIp,
  formatPrefix,
  formatRange,
  type IpAddress,
  type IpRange,
  isLinkLocal,
  parseIp,
  parsePrefix,
  prefixesOfRange,
  prefixOf,
  rangeOfPrefix,
  rangesOverlap,
} from '../../address/index.ts';
import { fail, ok, type Result } from '../../result.ts';
import { type Path, show } from '../errors.ts';
import type { Findings } from '../schema/index.ts';

/** Whether the key has a value of the wrong shape. Such a value is `undefined`, and an error about it is reported already. */
export function isUnsound<T extends object>(raw: T, key: keyof T): boolean {
  return key in raw && raw[key] === undefined;
}

/**
 * Reads a duration in Go's notation, such as `90s`, `1m30s` or `1.5h`. Drops a fraction of a second, as MetalLB does. Counts
 * in billionths of a nanosecond, because with floating point 4.1m would be less than 246 seconds.
 */
function readDurationSeconds(text: string): Result<number, string> {
  if (text === '0') return ok(0);
  if (/^\d{1,9}$/.test(text)) return fail(`${text} has no unit; write ${text}s`);
  if (!/^\+?((\d{1,9}(\.\d{0,9})?|\.\d{1,9})(h|m|s|ms|us|µs|ns)){1,8}$/.test(text))
    return fail(`${show(text)} is not a duration like 90s or 1m30s`);
  let billionths = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(/(\d*)\.?(\d*)([a-zµ]+)/g))
    billionths += BigInt(whole + fraction.padEnd(9, '0')) * (unitNanoseconds.get(unit) ?? 0n);
  const second = 1_000_000_000n * 1_000_000_000n;
  if (billionths > 0n && billionths < second) return fail(`${text} is less than a second`);
  return ok(Number(billionths / second));
}

/** Reads a duration and returns it in whole seconds. Returns `undefined` for an empty or faulty text. Reports a faulty text. */
export function readSeconds(text: string | undefined, path: Path, findings: Findings): number | undefined {
  if (!text) return undefined;
  const read = readDurationSeconds(text);
  if (read.ok) return read.value;
  findings.error(path, () => read.error);
  return undefined;
}

const unitNanoseconds: ReadonlyMap<string, bigint> = new Map([
  ['h', 3_600_000_000_000n],
  ['m', 60_000_000_000n],
  ['s', 1_000_000_000n],
  ['ms', 1_000_000n],
  ['us', 1000n],
  ['µs', 1000n],
  ['ns', 1n],
]);

/** Reads an address that has neither a zone nor a prefix length. */
export function readAddress(text: string): Result<IpAddress, string> {
  const address = parseIp(text);
  if (address && address.family === 6 && address.value >> 32n === 0xffffn)
    return fail(
      `${show(text)} is an IPv4-mapped address; write ${formatIp({ family: 4, value: address.value & 0xffffffffn })}`,
    );
  if (address) return ok(address);
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text.split(/[/%]/, 1)[0] ?? '';
  if (bare !== text && parseIp(bare)) return fail(`${show(text)} is not an address; write ${bare}`);
  const octets = text.split('.');
  if (octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet))) {
    const plain = octets.map(Number).join('.');
    if (parseIp(plain)) return fail(`${text} is not an address; write ${plain}, without leading zeros`);
    const large = octets.find((octet) => Number(octet) > 255);
    return fail(`${text} is not an address; ${large} is more than 255`);
  }
  return fail(`${show(text)} is not an address`);
}

/** Addresses that no Service can have, because no host sends to them or no router forwards to them. */
const unusable: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', '"this network" (RFC 791)'],
  ['127.0.0.0/8', 'loopback (RFC 1122)'],
  ['224.0.0.0/4', 'multicast (RFC 5771)'],
  ['255.255.255.255/32', 'limited broadcast (RFC 919)'],
  ['::/128', 'unspecified (RFC 4291)'],
  ['::1/128', 'loopback (RFC 4291)'],
  ['::ffff:0:0/96', 'IPv4-mapped (RFC 4291)'],
  ['fe80::/10', 'link-local (RFC 4291)'],
  ['ff00::/8', 'multicast (RFC 4291)'],
];
const unusableRanges = unusable.flatMap(([text, what]) => {
  const prefix = parsePrefix(text);
  return prefix ? [{ text, what, range: rangeOfPrefix(prefix) }] : [];
});

/** A range, with a warning when the author of the text most likely meant another range. */
export interface ReadRange {
  readonly range: IpRange;
  readonly warning?: string;
}

/** Reads a CIDR prefix or a `first-last` range of addresses that Services can have. */
export function readRange(text: string): Result<ReadRange, string> {
  const read = readAnyRange(text);
  const overlap = read.ok
    ? unusableRanges.find(({ range }) => rangesOverlap(range, read.value.range))
    : undefined;
  if (!overlap) return read;
  return fail(
    overlap.text === text
      ? `${text} cannot serve Services: ${overlap.what}`
      : `${text} holds addresses of ${overlap.text}, which cannot serve Services: ${overlap.what}`,
  );
}

function readAnyRange(text: string): Result<ReadRange, string> {
  const dash = text.indexOf('-');
  if (dash >= 0) {
    const [first, last] = [text.slice(0, dash).trim(), text.slice(dash + 1).trim()];
    if (first !== '' && last !== '') return readFirstLast(first, last);
    return fail(`${show(text)} has only one end; a range is written like 192.0.2.10-192.0.2.20`);
  }
  const slash = text.indexOf('/');
  if (slash < 0) {
    const address = readAddress(text);
    if (address.ok) return fail(`${text} is one address; write ${text}/${familyBits(address.value.family)}`);
    return /^[\d.:a-f]+$/i.test(text)
      ? address
      : fail(`${show(text)} is not a prefix or a range like 192.0.2.0/24 or 192.0.2.10-192.0.2.20`);
  }
  const prefix = parsePrefix(text);
  const address = readAddress(text.slice(0, slash));
  if (!address.ok) return address;
  if (prefix) return ok({ range: rangeOfPrefix(prefix) });
  const length = Number(text.slice(slash + 1));
  const bits = familyBits(address.value.family);
  if (!/^(0|[1-9]\d{0,2})$/.test(text.slice(slash + 1)) || length > bits)
    return fail(
      `/${show(text.slice(slash + 1))} is not a prefix length (0 to ${bits})${maskHint(text.slice(slash + 1))}`,
    );
  // MetalLB masks the host bits, and existing files depend on that.
  const masked = prefixOf(address.value, length);
  return ok({
    range: rangeOfPrefix(masked),
    warning: `${text} has host bits set and is read as ${formatPrefix(masked)}; for the address alone, write ${formatIp(address.value)}/${bits}`,
  });
}

function maskHint(text: string): string {
  const mask = parseIp(text);
  if (mask?.family !== 4) return '';
  const [, ones = ''] = /^(1*)0*$/.exec(mask.value.toString(2).padStart(32, '0')) ?? [];
  return ones === '' ? '' : `; write /${ones.length}`;
}

/** Formats a range: as a prefix if it is exactly one prefix, else as `first-last`. */
export function printRange(range: IpRange): string {
  const [prefix, ...more] = prefixesOfRange(range);
  return prefix && more.length === 0 ? formatPrefix(prefix) : formatRange(range);
}

function readFirstLast(firstText: string, lastText: string): Result<ReadRange, string> {
  const first = readAddress(firstText);
  if (!first.ok) return first;
  const last = readAddress(lastText);
  if (!last.ok) {
    const whole = completedEnd(first.value, lastText);
    return fail(last.error + (whole ? `; the end of a range is written in full: ${firstText}-${whole}` : ''));
  }
  const families = first.value.family + last.value.family;
  if (families === 10)
    return fail(`${firstText} and ${lastText} are of two families; a range lies within one`);
  if (compareIp(first.value, last.value) > 0)
    return fail(`the range is backwards; write ${lastText}-${firstText}`);
  return ok({
    range: { family: first.value.family, first: first.value.value, last: last.value.value },
  });
}

/**
 * Completes the end of a range. `192.0.2.10-20` most likely means `192.0.2.10-192.0.2.20`. An end such as `192.0.2`, which begins with the first
 * octet of the range, gives `undefined`: only the author knows the octets that are missing.
 */
function completedEnd(first: IpAddress, lastText: string): string | undefined {
  if (first.family !== 4 || !/^[\d.]{1,15}$/.test(lastText)) return undefined;
  const octets = formatIp(first).split('.');
  const given = lastText.split('.');
  if (given.length > 1 && given[0] === octets[0]) return undefined;
  const whole = [...octets.slice(0, Math.max(0, 4 - given.length)), ...given].join('.');
  const last = parseIp(whole);
  return last && compareIp(first, last) <= 0 ? whole : undefined;
}

/** Reads a peer's address. A link-local address, and no other, may name its interface after `%`, for example `fe80::1%eth0`. */
export function readPeerAddress(text: string): Result<{ address: IpAddress; zone?: string }, string> {
  const percent = text.indexOf('%');
  const read = readAddress(percent < 0 ? text : text.slice(0, percent));
  if (!read.ok) return read;
  const address = read.value;
  if (isNoHost(address)) return fail(`${show(text)} is not the address of one router`);
  if (percent < 0) return ok({ address });
  const zone = text.slice(percent + 1);
  if (!isLinkLocal(address)) return fail(`${show(text)}: %interface goes with a link-local address only`);
  const fault = interfaceNameFault(zone);
  return fault === undefined ? ok({ address, zone }) : fail(fault);
}

/** True for IPv4 addresses in 0.0.0.0/8 or from 224.0.0.0 upwards, and for the unspecified and multicast addresses of IPv6. */
function isNoHost({ family, value }: IpAddress): boolean {
  if (family === 4) return value >> 24n === 0n || value >> 28n >= 14n;
  return value === 0n || value >> 120n === 0xffn;
}

/**
 * The fault in the name of a Linux interface; `undefined` when the name is valid. A name with a colon is valid. `ip address` shows such a name as
 * the label of an address, so accepted configurations may hold one.
 */
export function interfaceNameFault(name: string): string | undefined {
  if (/^[!-.0-~]{1,15}$/.test(name) && name !== '.' && name !== '..') return undefined;
  return `${show(name)} is not the name of an interface: 1 to 15 characters without spaces or slashes`;
}

/** The fault in the name of a namespace (an RFC 1123 label); `undefined` when the name is valid. */
export function namespaceFault(name: string): string | undefined {
  if (name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) return undefined;
  return `${show(name)} is not the name of a namespace: up to 63 of a-z, 0-9 and -, with a letter or a digit at both ends`;
}
