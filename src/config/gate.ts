import { compareIp, formatIp, type IpAddress, type IpRange, rangeContains } from '../address/index.ts';
import { annotationLimit, encodeAcceptedConfig } from './accepted.ts';
import type { Config } from './config.ts';
import { type ConfigError, formatConfigError } from './errors.ts';
import { parseConfig } from './parse.ts';

/** An address in use, with the Service that holds it. */
export interface AssignedAddress {
  /** `namespace/name`. */
  readonly service: string;
  readonly address: IpAddress;
}

export type Judgement =
  | { readonly kind: 'accepted'; readonly config: Config }
  | {
      readonly kind: 'rejected';
      readonly errors: readonly ConfigError[];
      readonly orphans: readonly AssignedAddress[];
    };

/**
 * The gate: a text is accepted when it parses, fits in `room` octets of annotation, and every assigned address still lies in one of its
 * pools. A pool may be split, merged, renamed or moved to another protocol as long as that holds.
 */
export function judge(
  text: string,
  assigned: Iterable<AssignedAddress>,
  room: number = annotationLimit,
): Judgement {
  const parsed = parseConfig(text);
  if (!parsed.ok) return { kind: 'rejected', errors: parsed.error, orphans: [] };
  const stored = encodeAcceptedConfig(text, room);
  if (!stored.ok) {
    const error: ConfigError = { path: '', line: 1, column: 1, message: stored.error };
    return { kind: 'rejected', errors: [error], orphans: [] };
  }
  const isCovered = coverage(parsed.value);
  const orphans = [...assigned].filter(({ address }) => !isCovered(address));
  if (orphans.length > 0) return { kind: 'rejected', errors: [], orphans };
  return { kind: 'accepted', config: parsed.value };
}

/** Whether a pool holds an address: ranges are disjoint, so halving finds the only one that can. */
function coverage(config: Config): (address: IpAddress) => boolean {
  const firstOf = ({ family, first }: IpRange): IpAddress => ({ family, value: first });
  const ranges = config.pools
    .flatMap((pool) => pool.ranges)
    .sort((a, b) => compareIp(firstOf(a), firstOf(b)));
  return (address) => {
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = ranges[middle];
      if (range && compareIp(firstOf(range), address) <= 0) low = middle + 1;
      else high = middle;
    }
    const range = ranges[low - 1];
    return range !== undefined && rangeContains(range, address);
  };
}

/** Why a text was rejected, in one line; `limit` bounds how many things it names. */
export function rejectionReason(rejected: Extract<Judgement, { kind: 'rejected' }>, limit: number): string {
  const { errors, orphans } = rejected;
  const name = (items: readonly string[]) =>
    items.slice(0, limit).join('; ') + (items.length > limit ? `; and ${items.length - limit} more` : '');
  if (orphans.length === 0) return name(errors.map(formatConfigError));
  const held = name(orphans.map(({ service, address }) => `${service} ${formatIp(address)}`));
  return `no pool would hold ${orphans.length} assigned ${orphans.length === 1 ? 'address' : 'addresses'}: ${held}. Keep the range with draining: true until its Services are gone`;
}
