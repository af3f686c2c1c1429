/**
 * Which address a Service gets. Deterministic and in memory: the same Services and configuration, learned in any order, give the same
 * state, because the only truth kept is what stands in the Services' status. No I/O, no clock.
 *
 * An address that a Service holds is kept as long as it is legal: in a pool, of a wanted family, not against what the Service asks for,
 * and within the sharing rules. What is missing is looked for in this order: the requested addresses; the named pools; pools that
 * select the Service, by priority and name; pools for everybody, by priority and name. A refusal leaves what is held untouched.
 */
import { type Family, formatIp, type IpAddress, parseIp } from '../../address/index.ts';
import type { Config, Labels } from '../../config/index.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { PoolState } from './pool-state.ts';
import { type AddressRequest, readRequest } from './request.ts';
import { type SharingTerms, sharingRefusal, sharingTerms } from './sharing.ts';

export interface Assigned {
  readonly address: IpAddress;
  readonly pool: string;
}

/** Why there is no address; each is a label of the metric and the beginning of a page in `docs/allocation.md`. */
export type RefusalCause =
  | 'invalid-request'
  | 'no-such-pool'
  | 'pool-not-allowed'
  | 'pool-exhausted'
  | 'no-pool'
  | 'not-in-pool'
  | 'address-in-use';

export interface Refusal {
  readonly cause: RefusalCause;
  /** For people: what is in the way and what would help. */
  readonly message: string;
}

export interface Outcome {
  /** What the Service holds now, in the order of its families. */
  readonly assigned: readonly Assigned[];
  /** Set when something that the Service needs or asks for is missing. */
  readonly refusal?: Refusal;
}

export interface PoolUsage {
  readonly pool: string;
  readonly family: Family;
  readonly size: bigint;
  readonly free: bigint;
}

interface Holding {
  readonly assigned: readonly Assigned[];
  readonly terms: SharingTerms;
}

const families = { IPv4: 4, IPv6: 6 } as const;

export class Allocator {
  #pools: readonly PoolState[] = [];
  #namespaces: ReadonlyMap<string, Labels> = new Map();
  /** By Service. */
  readonly #holdings = new Map<string, Holding>();
  /** By address. */
  readonly #holders = new Map<string, Set<string>>();
  /** Addresses by sharing key: where a newcomer with the key may join. */
  readonly #shared = new Map<string, Set<string>>();
  /** Refused Services in the order they first asked. */
  readonly #waiting = new Set<string>();

  /** Puts a configuration in force. Addresses in use that no pool holds any more stay with their Services until these are reconciled. */
  setConfig(config: Config): void {
    this.#pools = config.pools.map((pool) => new PoolState(pool));
    const holdings = [...this.#holdings];
    this.#holdings.clear();
    this.#holders.clear();
    this.#shared.clear();
    for (const [key, { assigned, terms }] of holdings)
      this.#hold(
        key,
        assigned.map(({ address }) => address),
        terms,
      );
  }

  setNamespaces(labelsByName: ReadonlyMap<string, Labels>): void {
    this.#namespaces = labelsByName;
  }

  /** Takes over what a Service's status says, before anything new is handed out. */
  learn(service: Service): void {
    const key = objectKey(service);
    const request = readRequest(service);
    const terms = sharingTerms(key, service, request.ok ? request.value.sharingKey : undefined);
    const addresses = service.ingress.flatMap(({ ip }) => parseIp(ip) ?? []);
    const legal = addresses.filter((address) => this.#joinRefusal(address, terms) === undefined);
    if (legal.length > 0) this.#hold(key, legal, terms);
  }

  /** Decides about a Service: keeps, hands out, or refuses with a cause. */
  reconcile(service: Service): Outcome {
    const key = objectKey(service);
    const request = readRequest(service);
    if (!request.ok) return this.#refused(key, { cause: 'invalid-request', message: request.error });
    const terms = sharingTerms(key, service, request.value.sharingKey);
    const before = this.#holdings.get(key)?.assigned ?? [];
    this.#drop(key);

    const wanted = wantedFamilies(service, request.value);
    if (!wanted.ok) {
      if (before.length > 0)
        this.#hold(
          key,
          before.map(({ address }) => address),
          terms,
        );
      return this.#refused(key, wanted.refusal);
    }
    const result: Assigned[] = [];
    let refusal: Refusal | undefined;
    let missing = false;
    for (const family of wanted.families) {
      const kept = before.find(
        ({ address }) =>
          address.family === family &&
          this.#joinRefusal(address, terms) === undefined &&
          this.#poolOf(address),
      );
      const asked = this.#isAskedFor(kept?.address, family, request.value);
      const found = kept && asked ? kept : this.#find(service, family, request.value, terms);
      if ('address' in found) {
        result.push(found);
        this.#hold(
          key,
          result.map(({ address }) => address),
          terms,
        );
        continue;
      }
      // Not what was asked for, but better than nothing: a refused wish takes nothing away.
      if (kept) {
        result.push(kept);
        this.#hold(
          key,
          result.map(({ address }) => address),
          terms,
        );
      } else missing = true;
      refusal ??= found;
    }
    if (missing && (wanted.all || result.length === 0)) {
      this.#drop(key);
      const kept = result.filter(({ address }) => before.some((held) => sameText(held.address, address)));
      if (kept.length > 0)
        this.#hold(
          key,
          kept.map(({ address }) => address),
          terms,
        );
      return this.#refused(key, refusal);
    }
    const assigned = this.#holdings.get(key)?.assigned ?? [];
    if (!refusal) this.#waiting.delete(key);
    else this.#waiting.add(key);
    return { assigned, ...(refusal && (!missing || wanted.all) ? { refusal } : {}) };
  }

  /** A Service is gone or is no longer ours; returns what became free for others. */
  release(key: string): readonly Assigned[] {
    const assigned = this.#holdings.get(key)?.assigned ?? [];
    this.#drop(key);
    this.#waiting.delete(key);
    return assigned;
  }

  /** Services that lack an address they need or want, in the order they asked. */
  waiting(): readonly string[] {
    return [...this.#waiting];
  }

  *assigned(): Iterable<{ readonly service: string; readonly address: IpAddress; readonly pool: string }> {
    for (const [service, { assigned }] of this.#holdings)
      for (const each of assigned) yield { service, ...each };
  }

  holdingOf(key: string): readonly Assigned[] {
    return this.#holdings.get(key)?.assigned ?? [];
  }

  usage(): PoolUsage[] {
    return this.#pools.flatMap((pool) =>
      ([4, 6] as const).flatMap((family) => {
        const { size, free } = pool.free(family);
        return size === 0n ? [] : [{ pool: pool.config.name, family, size, free }];
      }),
    );
  }

  #refused(key: string, refusal: Refusal | undefined): Outcome {
    this.#waiting.add(key);
    return { assigned: this.#holdings.get(key)?.assigned ?? [], ...(refusal ? { refusal } : {}) };
  }

  #isAskedFor(address: IpAddress | undefined, family: Family, request: AddressRequest): boolean {
    if (!address) return false;
    const requested = request.addresses.find((each) => each.family === family);
    if (requested) return requested.value === address.value;
    const pool = this.#poolOf(address);
    return request.pools.length === 0 || (pool !== undefined && request.pools.includes(pool.config.name));
  }

  #find(service: Service, family: Family, request: AddressRequest, terms: SharingTerms): Assigned | Refusal {
    const requested = request.addresses.find((each) => each.family === family);
    if (requested) return this.#findRequested(service, requested, request, terms);
    const pools = this.#candidates(service, request);
    if (!Array.isArray(pools)) return pools;
    const refusals: string[] = [];
    let exhausted = false;
    for (const pool of pools) {
      const { size } = pool.free(family);
      const refusal =
        size === 0n
          ? `pool ${pool.config.name} has no IPv${family} addresses`
          : pool.refusal(service, this.#labels(service));
      if (refusal !== undefined) {
        refusals.push(refusal);
        continue;
      }
      const value = this.#joinable(pool, family, terms) ?? pool.free(family).lowest();
      if (value !== undefined) return { address: { family, value }, pool: pool.config.name };
      exhausted = true;
      refusals.push(`pool ${pool.config.name} is full: all ${size} IPv${family} addresses are in use`);
    }
    if (pools.length === 0) return { cause: 'no-pool', message: this.#whyNoPool(service) };
    return { cause: exhausted ? 'pool-exhausted' : 'pool-not-allowed', message: refusals.join('; ') };
  }

  #findRequested(
    service: Service,
    address: IpAddress,
    request: AddressRequest,
    terms: SharingTerms,
  ): Assigned | Refusal {
    const text = formatIp(address);
    const pool = this.#poolOf(address);
    if (!pool)
      return {
        cause: 'not-in-pool',
        message: `the requested address ${text} is in no pool; pools: ${this.#poolNames()}`,
      };
    const { name, avoidBuggyIps } = pool.config;
    if (request.pools.length > 0 && !request.pools.includes(name))
      return {
        cause: 'not-in-pool',
        message: `the requested address ${text} is in pool ${name}, not in ${request.pools.join(', ')}`,
      };
    const refusal = pool.refusal(service, this.#labels(service));
    if (refusal !== undefined)
      return { cause: 'pool-not-allowed', message: `the requested address ${text}: ${refusal}` };
    const taken = this.#joinRefusal(address, terms);
    if (taken !== undefined)
      return { cause: 'address-in-use', message: `the requested address ${text}: ${taken}` };
    if (!this.#holders.has(text) && !pool.free(address.family).has(address.value))
      return {
        cause: 'pool-not-allowed',
        message: `the requested address ${text} ends in .0 or .255, which pool ${name} does not hand out (avoid-buggy-ips ${avoidBuggyIps})`,
      };
    return { address, pool: name };
  }

  /** The lowest address of the pool that Services with the same key hold and this one may join. */
  #joinable(pool: PoolState, family: Family, terms: SharingTerms): bigint | undefined {
    let lowest: bigint | undefined;
    for (const text of (terms.key !== undefined && this.#shared.get(terms.key)) || []) {
      const address = parseIp(text);
      if (!address || address.family !== family || !pool.contains(address)) continue;
      if (this.#joinRefusal(address, terms) === undefined && (lowest === undefined || address.value < lowest))
        lowest = address.value;
    }
    return lowest;
  }

  #joinRefusal(address: IpAddress, terms: SharingTerms): string | undefined {
    for (const holder of this.#holders.get(formatIp(address)) ?? []) {
      const theirs = this.#holdings.get(holder)?.terms;
      const refusal = theirs && holder !== terms.service ? sharingRefusal(terms, theirs) : undefined;
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #candidates(service: Service, request: AddressRequest): PoolState[] | Refusal {
    if (request.pools.length > 0) {
      const named = request.pools.map((name) => this.#pools.find(({ config }) => config.name === name));
      const unknown = request.pools.filter((_, i) => named[i] === undefined);
      const known = named.filter((pool) => pool !== undefined);
      if (known.length === 0)
        return {
          cause: 'no-such-pool',
          message: `there is no pool ${unknown.join(', ')}; pools: ${this.#poolNames()}`,
        };
      return known;
    }
    const labels = this.#labels(service);
    return this.#pools
      .filter((pool) => pool.config.autoAssign && pool.admissionRefusal(service, labels) === undefined)
      .sort(
        (a, b) =>
          Number(b.selective) - Number(a.selective) ||
          (a.config.priority ?? Number.POSITIVE_INFINITY) - (b.config.priority ?? Number.POSITIVE_INFINITY) ||
          (a.config.name < b.config.name ? -1 : 1),
      );
  }

  #whyNoPool(service: Service): string {
    if (this.#pools.length === 0) return 'the configuration has no address pools';
    const reasons = this.#pools.map((pool) =>
      pool.config.autoAssign
        ? pool.refusal(service, this.#labels(service))
        : `pool ${pool.config.name} has auto-assign false: name it in an annotation`,
    );
    return `no pool is for this Service: ${reasons.filter((reason) => reason !== undefined).join('; ')}`;
  }

  #poolNames(): string {
    return this.#pools.map(({ config }) => config.name).join(', ') || 'none';
  }

  #poolOf(address: IpAddress): PoolState | undefined {
    return this.#pools.find((pool) => pool.contains(address));
  }

  #labels(service: Service): Labels {
    return this.#namespaces.get(service.namespace) ?? {};
  }

  /** Replaces what a Service holds. */
  #hold(key: string, addresses: readonly IpAddress[], terms: SharingTerms): void {
    this.#drop(key);
    const namespace = key.slice(0, key.indexOf('/'));
    const assigned = addresses.map((address) => {
      const pool = this.#poolOf(address);
      const text = formatIp(address);
      const holders = this.#holders.get(text) ?? new Set();
      this.#holders.set(text, holders.add(key));
      if (terms.key !== undefined)
        this.#shared.set(terms.key, (this.#shared.get(terms.key) ?? new Set()).add(text));
      pool?.free(address.family).take(address.value);
      pool?.count(namespace, 1);
      return { address, pool: pool?.config.name ?? '' };
    });
    this.#holdings.set(key, { assigned, terms });
  }

  #drop(key: string): void {
    const holding = this.#holdings.get(key);
    if (!holding) return;
    this.#holdings.delete(key);
    const namespace = key.slice(0, key.indexOf('/'));
    for (const { address } of holding.assigned) {
      const text = formatIp(address);
      const holders = this.#holders.get(text);
      const pool = this.#poolOf(address);
      holders?.delete(key);
      pool?.count(namespace, -1);
      if (holders && holders.size > 0) continue;
      this.#holders.delete(text);
      const shared = holding.terms.key === undefined ? undefined : this.#shared.get(holding.terms.key);
      shared?.delete(text);
      if (shared?.size === 0 && holding.terms.key !== undefined) this.#shared.delete(holding.terms.key);
      pool?.free(address.family).put(address.value);
    }
  }
}

type Wanted =
  | { readonly ok: true; readonly families: readonly Family[]; readonly all: boolean }
  | { readonly ok: false; readonly refusal: Refusal };

/** The families a Service should have an address of, in its order, and whether it needs all of them. */
function wantedFamilies({ ipFamilies, ipFamilyPolicy }: Service, request: AddressRequest): Wanted {
  const all: Family[] = ipFamilies.map((name) => families[name]);
  const wanted = ipFamilyPolicy === 'SingleStack' ? all.slice(0, 1) : all;
  const foreign = request.addresses.find(({ family }) => !wanted.includes(family));
  if (foreign)
    return {
      ok: false,
      refusal: {
        cause: 'invalid-request',
        message: `the requested address ${formatIp(foreign)} is not of the Service's IP families (${ipFamilyPolicy}: ${ipFamilies.join(', ')})`,
      },
    };
  return { ok: true, families: wanted, all: ipFamilyPolicy !== 'PreferDualStack' };
}

function sameText(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}
