import { type Family, type IpAddress, sameIp } from '../../address/index.ts';
import { comparePools, type PoolConfig, PoolIndex } from '../../config/index.ts';
import { PoolState } from './pool-state.ts';
import { type SharingTerms, sharingRefusal } from './sharing.ts';

/** An address that a Service has. */
export interface Assigned {
  readonly address: IpAddress;
  /** The pool that holds the address now; empty when none does. */
  readonly pool: string;
  /**
   * What is recorded on the Service: the pool's name, or the name it had when the Service asked for it by that name. A pool that is
   * split or renamed keeps the wish for it fulfilled.
   */
  readonly allocatedFrom: string;
}

interface Holding {
  readonly assigned: readonly Assigned[];
  readonly terms: SharingTerms;
}

const nobody: ReadonlySet<string> = new Set();

/** Who holds which address, on which terms, and from which pool: the allocator's memory, without its judgement. */
export class AddressBook {
  #pools: readonly PoolState[] = [];
  #poolsByName: ReadonlyMap<string, PoolState> = new Map();
  #index = new PoolIndex<PoolState>([]);
  /** By Service. */
  readonly #holdings = new Map<string, Holding>();
  /** Services by address. */
  readonly #holders: Readonly<Record<Family, Map<bigint, Set<string>>>> = { 4: new Map(), 6: new Map() };
  /** Addresses by sharing key: where a newcomer with the key may join. */
  readonly #shared = new Map<string, Record<Family, Set<bigint>>>();

  /** Puts other pools in place of those there are. Everybody keeps what he holds, in a pool or not. */
  setPools(configs: readonly PoolConfig[]): void {
    this.#pools = configs
      .map((config) => new PoolState(config))
      .sort((a, b) => comparePools(a.config, b.config));
    this.#poolsByName = new Map(this.#pools.map((pool) => [pool.config.name, pool]));
    this.#index = new PoolIndex(this.#pools);
    const holdings = [...this.#holdings];
    this.#holdings.clear();
    this.#shared.clear();
    for (const family of [4, 6] as const) this.#holders[family].clear();
    for (const [key, { assigned, terms }] of holdings) this.hold(key, assigned, terms);
  }

  /** In the order in which they are tried. */
  get pools(): readonly PoolState[] {
    return this.#pools;
  }

  pool(name: string): PoolState | undefined {
    return this.#poolsByName.get(name);
  }

  poolOf(address: IpAddress): PoolState | undefined {
    return this.#index.poolOf(address);
  }

  holdingOf(key: string): readonly Assigned[] {
    return this.#holdings.get(key)?.assigned ?? [];
  }

  *assigned(): Iterable<Assigned & { readonly service: string }> {
    for (const [service, { assigned }] of this.#holdings)
      for (const each of assigned) yield { service, ...each };
  }

  holdersOf({ family, value }: IpAddress): ReadonlySet<string> {
    return this.#holders[family].get(value) ?? nobody;
  }

  /** Addresses of the family, held under one of the keys. */
  *sharedUnder(keys: readonly string[], family: Family): Iterable<bigint> {
    for (const key of keys) yield* this.#shared.get(key)?.[family] ?? [];
  }

  /** Why a Service on these terms may not hold an address beside those who do; `undefined` when it may. */
  joinRefusal(address: IpAddress, terms: SharingTerms): string | undefined {
    for (const holder of this.holdersOf(address)) {
      const theirs = this.#holdings.get(holder)?.terms;
      const refusal = theirs && holder !== terms.service ? sharingRefusal(terms, theirs) : undefined;
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** Whether a Service of the namespace holds the address. */
  isHeldIn(namespace: string, address: IpAddress): boolean {
    for (const holder of this.holdersOf(address)) if (namespaceOf(holder) === namespace) return true;
    return false;
  }

  /** Replaces what a Service holds. */
  hold(
    key: string,
    assigned: readonly Pick<Assigned, 'address' | 'allocatedFrom'>[],
    terms: SharingTerms,
  ): void {
    this.release(key);
    if (assigned.length === 0) return;
    const placed = assigned.map(({ address, allocatedFrom }) => {
      const pool = this.poolOf(address);
      if (pool && !this.isHeldIn(namespaceOf(key), address)) pool.count(namespaceOf(key), 1);
      pool?.free(address.family).take(address.value);
      const holders = this.#holders[address.family].get(address.value) ?? new Set();
      this.#holders[address.family].set(address.value, holders.add(key));
      for (const sharingKey of terms.keys) {
        const shared = this.#shared.get(sharingKey) ?? { 4: new Set(), 6: new Set() };
        shared[address.family].add(address.value);
        this.#shared.set(sharingKey, shared);
      }
      return { address, pool: pool?.config.name ?? '', allocatedFrom };
    });
    this.#holdings.set(key, { assigned: placed, terms });
  }

  release(key: string): void {
    const holding = this.#holdings.get(key);
    if (!holding) return;
    this.#holdings.delete(key);
    for (const { address } of holding.assigned) {
      const { family, value } = address;
      const holders = this.#holders[family].get(value);
      holders?.delete(key);
      const pool = this.poolOf(address);
      if (pool && !this.isHeldIn(namespaceOf(key), address)) pool.count(namespaceOf(key), -1);
      for (const sharingKey of holding.terms.keys) this.#unshare(sharingKey, address);
      if (holders && holders.size > 0) continue;
      this.#holders[family].delete(value);
      pool?.free(family).put(value);
    }
  }

  /** Nobody may join on an address under a key that none of its holders has any more. */
  #unshare(key: string, address: IpAddress): void {
    for (const holder of this.holdersOf(address))
      if (this.#holdings.get(holder)?.terms.keys.includes(key)) return;
    const shared = this.#shared.get(key);
    shared?.[address.family].delete(address.value);
    if (shared && shared[4].size + shared[6].size === 0) this.#shared.delete(key);
  }
}

export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

export function includesIp(assigned: readonly Assigned[], address: IpAddress): boolean {
  return assigned.some((held) => sameIp(held.address, address));
}
