/**
 * Refusals say why a Service gets no address, and where possible what would help. Messages quote text that any user may write, and they
 * end up in logs and events. Each message is therefore made printable and cut to the size of an event.
 */
import { type Family, formatIp, type IpAddress } from '../../address/index.ts';
import type { Service } from '../../kubernetes/model.ts';
import { printable } from '../../printable.ts';

/** Each cause is a label value of the metrics and a row in `docs/design/allocation.md`. */
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
  /** One printable line. A message of more than {@link maxMessageCharacters} characters is cut and ends in `…`. */
  readonly message: string;
}

/** An event's message may have at most 1 KiB. */
export const maxMessageCharacters = 1000;
/** Largest number of items that a message lists. More items would make an event unreadable. */
const maxListed = 8;

function refusal(cause: RefusalCause, message: string): Refusal {
  return { cause, message: printable(message, maxMessageCharacters) };
}

/** A refusal whose message is made when it is read. A Service may be refused by thousands of pools, and few of these messages are read. */
function lazyRefusal(cause: RefusalCause, message: () => string): Refusal {
  return {
    cause,
    get message() {
      return printable(message(), maxMessageCharacters);
    },
  };
}

export function invalidRequest(error: string): Refusal {
  return refusal('invalid-request', error);
}

export function foreignFamily(address: IpAddress, { ipFamilyPolicy, ipFamilies }: Service): Refusal {
  return invalidRequest(
    `the requested address ${formatIp(address)} is not of the Service's IP families (${ipFamilyPolicy}: ${ipFamilies.join(', ')})`,
  );
}

export function noSuchPool(named: readonly string[], pools: readonly string[]): Refusal {
  return refusal('no-such-pool', `there is no pool ${list(named, ', ')}; pools: ${list(pools, ', ')}`);
}

/** `reasonOf` says why a pool is not for the Service; empty when there is nothing to say. */
export function noPool<Pool>(pools: readonly Pool[], reasonOf: (pool: Pool) => string): Refusal {
  return refusal(
    'no-pool',
    pools.length === 0
      ? 'the configuration has no address pools'
      : `no pool is for this Service: ${list(pools, '; ', reasonOf)}`,
  );
}

export function notAllowed(reason: string): Refusal {
  return refusal('pool-not-allowed', reason);
}

export function noSuchFamily(pool: string, family: Family): Refusal {
  return lazyRefusal('pool-not-allowed', () => `pool ${pool} has no IPv${family} addresses`);
}

export function exhausted(pool: string, family: Family, size: bigint): Refusal {
  return lazyRefusal(
    'pool-exhausted',
    () => `pool ${pool} is full: all ${size} IPv${family} addresses are in use`,
  );
}

/** `wanted` is the number of addresses that the namespace would hold. */
export function limitReached(namespace: string, wanted: number, pool: string, limit: number): Refusal {
  return refusal(
    'limit-reached',
    `namespace ${namespace} would hold ${wanted} addresses of pool ${pool}, and its limit is ${limit}`,
  );
}

export function inNoPool(address: IpAddress, pools: readonly string[]): Refusal {
  return refusal(
    'not-in-pool',
    `the requested address ${formatIp(address)} is in no pool; pools: ${list(pools, ', ')}`,
  );
}

export function inOtherPool(address: IpAddress, pool: string, named: readonly string[]): Refusal {
  return refusal(
    'not-in-pool',
    `the requested address ${formatIp(address)} is in pool ${pool}, not in ${list(named, ', ')}`,
  );
}

export function inUse(address: IpAddress, reason: string): Refusal {
  return about(address, refusal('address-in-use', reason));
}

export function adoptedWithoutPool(address: IpAddress, pools: readonly string[]): Refusal {
  return refusal(
    'not-in-pool',
    `its address ${formatIp(address)} is in no pool; pools: ${list(pools, ', ')}`,
  );
}

export function notAdopted(address: IpAddress, reason: string): Refusal {
  return refusal('address-in-use', `its address ${formatIp(address)}: ${reason}`);
}

/** An address that the pool does not assign, although its ranges contain the address. */
export function buggy(address: IpAddress, pool: string): Refusal {
  return notAllowed(
    `the requested address ${formatIp(address)} ends in .0 or .255, which pool ${pool} does not assign because of avoid-buggy-ips`,
  );
}

/** The refusal, with the requested address named in its message. */
export function about(address: IpAddress, { cause, message }: Refusal): Refusal {
  return refusal(cause, `the requested address ${formatIp(address)}: ${message}`);
}

/**
 * Combines the refusals of several pools into one. The result has the first of these causes that any of the refusals has: `pool-exhausted`,
 * `limit-reached`, `pool-not-allowed`. The first two may end when another Service gives up an address. Refusals with the cause of the result
 * are listed first, because the list may be cut.
 */
export function together(reasons: readonly Refusal[]): Refusal {
  const order: readonly RefusalCause[] = ['pool-exhausted', 'limit-reached'];
  const cause = order.find((each) => reasons.some((reason) => reason.cause === each)) ?? 'pool-not-allowed';
  const ordered = [
    ...reasons.filter((reason) => reason.cause === cause),
    ...reasons.filter((reason) => reason.cause !== cause),
  ];
  return refusal(
    cause,
    list(ordered, '; ', ({ message }) => message),
  );
}

/** Calls `textOf` only for the items that are listed, because there may be thousands of others. */
function list<T>(items: readonly T[], separator: string, textOf: (item: T) => string = String): string {
  const rest = items.length - maxListed;
  const shown = items
    .slice(0, maxListed)
    .map((item) => textOf(item))
    .filter((text) => text !== '');
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join(separator) || 'none';
}
