import { formatIp, type IpAddress } from '../address/index.ts';
import type { Config } from './config.ts';
import { type ConfigError, formatConfigError } from './errors.ts';
import { parseConfig } from './parse.ts';
import { poolIndexOf } from './pool-index.ts';

/** An address in use, with the Service that holds it. */
export interface AssignedAddress {
  /** `namespace/name`. */
  readonly service: string;
  readonly address: IpAddress;
}

export type Judgement =
  | { readonly kind: 'accepted'; readonly config: Config; readonly warnings: readonly ConfigError[] }
  | {
      readonly kind: 'rejected';
      readonly errors: readonly ConfigError[];
      /** Assigned addresses that no pool of the text holds. */
      readonly orphans: readonly AssignedAddress[];
    };

export interface JudgeOptions {
  readonly assigned?: Iterable<AssignedAddress>;
  /** Why the text cannot be stored once it is accepted; `undefined` when it can. */
  readonly storageFault?: string | undefined;
}

/**
 * The gate accepts a text that parses, can be stored, and has a pool for every assigned address. Any pool is good enough. An edit may
 * therefore split, merge or rename pools, or change their protocol.
 */
export function judge(text: string, { assigned = [], storageFault }: JudgeOptions = {}): Judgement {
  const parsed = parseConfig(text);
  if (!parsed.ok) return { kind: 'rejected', errors: parsed.error, orphans: [] };
  if (storageFault !== undefined) {
    const error: ConfigError = { path: '', line: 1, column: 1, message: storageFault };
    return { kind: 'rejected', errors: [error], orphans: [] };
  }
  const steps = orphanSteps(parsed.value, assigned);
  let step = steps.next();
  while (!step.done) step = steps.next();
  const orphans = step.value;
  if (orphans.length > 0) return { kind: 'rejected', errors: [], orphans };
  return { kind: 'accepted', config: parsed.value, warnings: parsed.warnings };
}

/** Number of addresses that one step looks at. */
const perStep = 500;

/** Finds the assigned addresses that no pool of the configuration holds, in steps, so that the search can be interrupted. */
export function* orphanSteps(
  config: Config,
  assigned: Iterable<AssignedAddress>,
): Generator<undefined, readonly AssignedAddress[]> {
  const index = poolIndexOf(config);
  const orphans: AssignedAddress[] = [];
  let looked = 0;
  for (const each of assigned) {
    if (index.poolOf(each.address) === undefined) orphans.push(each);
    looked++;
    if (looked % perStep === 0) yield undefined;
  }
  return orphans;
}

/** Why a text was rejected, in one line that names at most `limit` errors or orphans. */
export function rejectionReason(rejected: Extract<Judgement, { kind: 'rejected' }>, limit: number): string {
  const { errors, orphans } = rejected;
  const name = <Item>(items: readonly Item[], format: (item: Item) => string) =>
    items.slice(0, limit).map(format).join('; ') +
    (items.length > limit ? `; and ${items.length - limit} more` : '');
  if (orphans.length === 0) return name(errors, formatConfigError);
  const held = name(orphans, ({ service, address }) => `${service} ${formatIp(address)}`);
  return `no pool would hold ${orphans.length} assigned ${orphans.length === 1 ? 'address' : 'addresses'}: ${held}. Keep the range with draining: true until its Services are gone`;
}
