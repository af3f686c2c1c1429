import { formatIp, type IpAddress, rangeContains } from '../address/index.ts';
import { encodeAcceptedConfig } from './accepted.ts';
import type { Config } from './config.ts';
import { type ConfigError, formatConfigError, parseConfig } from './parse.ts';

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
 * The gate: a text is accepted when it parses, can be kept, and every assigned address still lies in one of its pools. A pool may be
 * split, merged, renamed or moved to another protocol as long as that holds.
 */
export function judge(text: string, assigned: Iterable<AssignedAddress>): Judgement {
  const parsed = parseConfig(text);
  if (!parsed.ok) return { kind: 'rejected', errors: parsed.error, orphans: [] };
  const stored = encodeAcceptedConfig(text);
  if (!stored.ok)
    return {
      kind: 'rejected',
      errors: [{ path: '', line: 1, column: 1, message: stored.error }],
      orphans: [],
    };
  const ranges = parsed.value.pools.flatMap((pool) => pool.ranges);
  const orphans = [...assigned].filter(
    ({ address }) => !ranges.some((range) => rangeContains(range, address)),
  );
  if (orphans.length > 0) return { kind: 'rejected', errors: [], orphans };
  return { kind: 'accepted', config: parsed.value };
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
