/** Why a Service gets no address, in words that say what is in the way and what would help. */
import { type Family, formatIp, type IpAddress } from '../../address/index.ts';
import type { Service } from '../../kubernetes/model.ts';

/** Each is a label of the metric and a row in `docs/design/allocation.md`. */
export type RefusalCause =
  | 'invalid-request'
  | 'no-such-pool'
  | 'pool-not-allowed'
  | 'pool-exhausted'
  | 'limit-reached'
  | 'no-pool'
  | 'not-in-pool'
  | 'address-in-use';

export interface Refusal {
  readonly cause: RefusalCause;
  readonly message: string;
}

/** More would not fit an event that people read. */
const mostListed = 8;

export function invalidRequest(error: string): Refusal {
  return { cause: 'invalid-request', message: error };
}

export function foreignFamily(address: IpAddress, { ipFamilyPolicy, ipFamilies }: Service): Refusal {
  return invalidRequest(
    `the requested address ${formatIp(address)} is not of the Service's IP families (${ipFamilyPolicy}: ${ipFamilies.join(', ')})`,
  );
}

export function noSuchPool(named: readonly string[], pools: readonly string[]): Refusal {
  return {
    cause: 'no-such-pool',
    message: `there is no pool ${named.join(', ')}; pools: ${list(pools, ', ')}`,
  };
}

export function noPool(reasons: readonly string[]): Refusal {
  const message =
    reasons.length === 0
      ? 'the configuration has no address pools'
      : `no pool is for this Service: ${list(reasons, '; ')}`;
  return { cause: 'no-pool', message };
}

export function notAllowed(reason: string): Refusal {
  return { cause: 'pool-not-allowed', message: reason };
}

export function noSuchFamily(pool: string, family: Family): Refusal {
  return notAllowed(`pool ${pool} has no IPv${family} addresses`);
}

export function exhausted(pool: string, family: Family, size: bigint): Refusal {
  return {
    cause: 'pool-exhausted',
    message: `pool ${pool} is full: all ${size} IPv${family} addresses are in use`,
  };
}

export function limitReached(namespace: string, held: number, pool: string, limit: number): Refusal {
  return {
    cause: 'limit-reached',
    message: `namespace ${namespace} holds ${held} addresses of pool ${pool}, and its limit is ${limit}`,
  };
}

export function inNoPool(address: IpAddress, pools: readonly string[]): Refusal {
  return {
    cause: 'not-in-pool',
    message: `the requested address ${formatIp(address)} is in no pool; pools: ${list(pools, ', ')}`,
  };
}

export function inOtherPool(address: IpAddress, pool: string, named: readonly string[]): Refusal {
  return {
    cause: 'not-in-pool',
    message: `the requested address ${formatIp(address)} is in pool ${pool}, not in ${named.join(', ')}`,
  };
}

export function inUse(address: IpAddress, reason: string): Refusal {
  return about(address, { cause: 'address-in-use', message: reason });
}

export function buggy(address: IpAddress, pool: string, avoidBuggyIps: boolean): Refusal {
  return notAllowed(
    `the requested address ${formatIp(address)} ends in .0 or .255, which pool ${pool} does not hand out (avoid-buggy-ips ${avoidBuggyIps})`,
  );
}

export function about(address: IpAddress, { cause, message }: Refusal): Refusal {
  return { cause, message: `the requested address ${formatIp(address)}: ${message}` };
}

/** Several pools were tried: the cause that is nearest to being mended by somebody's leaving counts. */
export function together(reasons: readonly Refusal[]): Refusal {
  const order: readonly RefusalCause[] = ['pool-exhausted', 'limit-reached'];
  const cause = order.find((each) => reasons.some((reason) => reason.cause === each)) ?? 'pool-not-allowed';
  return {
    cause,
    message: list(
      reasons.map(({ message }) => message),
      '; ',
    ),
  };
}

function list(items: readonly string[], separator: string): string {
  const rest = items.length - mostListed;
  const shown = items.slice(0, mostListed).filter((item) => item !== '');
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join(separator) || 'none';
}
