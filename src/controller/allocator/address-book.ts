import { type Family, type IpAddress, sameIp } from '../../address/index.ts';
import { comparePools, type PoolConfig, PoolIndex } from '../../config/index.ts';
import { Crowd, type Holder } from './crowd.ts';
import { PoolState } from './pool-state.ts';
import { type SharingTerms, sameTerms, sharingRefusal } from './sharing.ts';

/** An address that a Service has. */
export interface Assigned {
  readonly address: IpAddress;
  /** The pool that holds the address now; empty when no pool does. */
  readonly pool: string;
  /**
   * The pool's name as recorded on the Service. It may be the former name of a pool that was split or renamed. A Service that asked for this
   * name then still has what it asked for.
   */
  readonly allocatedFrom: string;
}

/** The entry of a Service in the book. The book may have a hundred thousand entries, so they do not repeat the seniority, which `Holder` has. */
interface KeptHolding {
  readonly assigned: readonly Assigned[];
  readonly terms: SharingTerms;
}

/** Everything that a released Service held. */
export interface Holding extends KeptHolding {
  /** Seniority on each address, in the order of `assigned`. A Service with a lower number has held the address for longer. */
  readonly since: readonly number[];
}

/** Services that hold an address. Few share an address, and a short array takes less memory than a map. */
type Holders = readonly Holder[] | Crowd;
/** Most addresses have one holder. Such a holder is stored without an array, because the array would take more memory than the holder. */
type KeptHolders = Holder | Holders;

const noHolders: Holders = [];
/**
 * An address with at least this number of holders keeps them in a `Crowd`. When fewer than half of this number are left, they are in an array
 * again. For few holders, comparing them one by one is faster than a `Crowd`.
 */
const crowdSize = 16;
/** Seniority of a Service that does not hold the address yet. */
const newcomer = Number.POSITIVE_INFINITY;

/**
 * The allocator's memory: which Service holds which address, on which sharing terms, since when, and from which pool. The book also
 * judges whether two Services may share an address. It makes no other decision.
 */
export class AddressBook {
  readonly #pools: readonly PoolState[];
  readonly #poolsByName: ReadonlyMap<string, PoolState>;
  readonly #index: PoolIndex<PoolState>;
  /**
   * Holdings by Service, and holders by address. While a Service is taken out, its key and the addresses that only it held stay in the maps with
   * `undefined`. A map in which each decision removes a key and adds it again would grow to twice its size.
   */
  readonly #holdings = new Map<string, KeptHolding | undefined>();
  readonly #holders: Readonly<Record<Family, Map<bigint, KeptHolders | undefined>>> = {
    4: new Map(),
    6: new Map(),
  };
  /**
   * For each namespace, the pools that are for listed namespaces only (`isForListedNamespaces`) and have this namespace in their list.
   * `#openPools` holds the pools for which `isForListedNamespaces` is false. In both fields, the pools stand in the order in which they are tried.
   */
  readonly #poolsByNamespace: ReadonlyMap<string, readonly PoolState[]>;
  readonly #openPools: readonly PoolState[];
  readonly #rankOfPool: ReadonlyMap<PoolState, number>;
  /** For each scope of a sharing key (see `scopesOf`), the addresses that have a holder with this scope. */
  readonly #shared = new Map<string, Record<Family, Set<bigint>>>();
  #lastSeniority = 0;

  constructor(configs: readonly PoolConfig[] = []) {
    this.#pools = configs
      .map((config) => new PoolState(config))
      .sort((a, b) => comparePools(a.config, b.config));
    this.#poolsByName = new Map(this.#pools.map((pool) => [pool.config.name, pool]));
    this.#index = new PoolIndex(this.#pools);
    this.#rankOfPool = new Map(this.#pools.map((pool, rank) => [pool, rank]));
    this.#openPools = this.#pools.filter((pool) => !isForListedNamespaces(pool));
    this.#poolsByNamespace = byNamespace(this.#pools.filter(isForListedNamespaces));
  }

  /**
   * Makes a book with other pools, one Service in each step. Every Service keeps its addresses, even an address that is in none of the new pools.
   * This book must not change before the last step.
   */
  *withPools(configs: readonly PoolConfig[]): Generator<undefined, AddressBook> {
    const book = new AddressBook(configs);
    book.#lastSeniority = this.#lastSeniority;
    for (const [key, kept] of this.#holdings) {
      if (kept) book.hold(key, kept.assigned, kept.terms, this.#withSeniority(key, kept));
      yield undefined;
    }
    return book;
  }

  /** The pools, in the order in which they are tried. */
  get pools(): readonly PoolState[] {
    return this.#pools;
  }

  /** The pools that a Service of the namespace might use, in the order in which they are tried. */
  *poolsFor(namespace: string): Iterable<PoolState> {
    const open = this.#openPools;
    let at = 0;
    for (const pool of this.#poolsByNamespace.get(namespace) ?? []) {
      for (let next = open[at]; next && this.#rank(next) < this.#rank(pool); next = open[at]) {
        yield next;
        at++;
      }
      yield pool;
    }
    for (; at < open.length; at++) {
      const next = open[at];
      if (next) yield next;
    }
  }

  #rank(pool: PoolState): number {
    return this.#rankOfPool.get(pool) ?? 0;
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

  /** The Services that hold an address now. */
  services(): readonly string[] {
    return [...this.#holdings.keys()];
  }

  termsOf(key: string): SharingTerms | undefined {
    return this.#holdings.get(key)?.terms;
  }

  *assigned(): Iterable<Assigned & { readonly service: string }> {
    for (const [service, kept] of this.#holdings)
      for (const each of kept?.assigned ?? []) yield { service, ...each };
  }

  isHeld({ family, value }: IpAddress): boolean {
    return this.#holders[family].get(value) !== undefined;
  }

  holdersOf({ family, value }: IpAddress): Holders {
    const kept = this.#holders[family].get(value);
    if (kept === undefined) return noHolders;
    return 'service' in kept ? [kept] : kept;
  }

  /**
   * Addresses of the family that have a holder with one of the Service's sharing keys. The holder must be in the Service's namespace,
   * unless the address's pool allows sharing across namespaces.
   */
  *sharedUnder(terms: SharingTerms, family: Family): Iterable<bigint> {
    for (const scope of scopesOf(terms, true)) yield* this.#shared.get(scope)?.[family] ?? [];
  }

  /** Why a Service may not begin to share the address with its holders; `undefined` when it may. */
  joinRefusal(address: IpAddress, terms: SharingTerms): string | undefined {
    return this.#conflict(address, terms, newcomer, this.#allowsAcross(address));
  }

  /**
   * Why a Service may not keep an address that it held; `undefined` when it may. Only a Service that has held the address for longer can be
   * the reason. An address that is already shared across namespaces stays shared.
   */
  keepRefusal(address: IpAddress, terms: SharingTerms, before: Holding): string | undefined {
    return this.#conflict(address, terms, seniorityIn(before, address), true);
  }

  /**
   * Why a Service may not hold an address that its status shows; `undefined` when it may. Holders of other namespaces are allowed, even when
   * the pool does not allow sharing across namespaces.
   */
  learnRefusal(address: IpAddress, terms: SharingTerms): string | undefined {
    return this.#conflict(address, terms, newcomer, true);
  }

  /** Services that may no longer share an address with this Service, and that have held the address for a shorter time. */
  displacedBy(key: string): string[] {
    const holding = this.#holdings.get(key);
    if (!holding) return [];
    const displaced = new Set<string>();
    for (const { address } of holding.assigned) {
      const holders = this.holdersOf(address);
      if (holders instanceof Crowd && holders.agreesWith(holding.terms, { acrossNamespaces: true })) continue;
      for (const { service: other, seniority } of holders) {
        const theirs = this.#holdings.get(other)?.terms;
        const isYounger = seniority > this.#seniorityOf(key, address);
        if (theirs && isYounger && sharingRefusal(theirs, holding.terms, { acrossNamespaces: true }))
          displaced.add(other);
      }
    }
    return [...displaced];
  }

  /** Addresses that the Service shares with another namespace although the pool does not allow it. */
  sharedAcrossWithoutPermission(key: string): Assigned[] {
    return this.holdingOf(key).filter(({ address }) => {
      const holders = this.holdersOf(address);
      if (this.#allowsAcross(address)) return false;
      if (holders instanceof Crowd) return holders.hasOtherNamespace(namespaceOf(key));
      return holders.some(({ service }) => namespaceOf(service) !== namespaceOf(key));
    });
  }

  /** Whether a Service of the namespace holds the address. */
  isHeldIn(namespace: string, address: IpAddress): boolean {
    const holders = this.holdersOf(address);
    return holders instanceof Crowd
      ? holders.hasNamespace(namespace)
      : holders.some(({ service }) => namespaceOf(service) === namespace);
  }

  /** Replaces what a Service holds. The Service keeps its seniority on each address that is also in `before`. */
  hold(
    key: string,
    assigned: readonly Pick<Assigned, 'address' | 'allocatedFrom'>[],
    terms: SharingTerms,
    before?: Holding,
  ): void {
    const replaced = this.takeOut(key);
    const placed = assigned.map(({ address, allocatedFrom }) => {
      const { family, value } = address;
      const pool = this.poolOf(address);
      if (pool && !this.isHeldIn(terms.namespace, address)) pool.count(terms.namespace, 1);
      pool?.free(family).take(value);
      const known = before && seniorityIn(before, address);
      const seniority = known === undefined || known === newcomer ? ++this.#lastSeniority : known;
      const holder = { service: key, seniority };
      this.#keepHolders(address, this.#with(this.holdersOf(address), holder, terms));
      for (const scope of scopesOf(terms, this.#allowsAcross(address))) {
        const shared = this.#shared.get(scope) ?? { 4: new Set(), 6: new Set() };
        shared[family].add(value);
        this.#shared.set(scope, shared);
      }
      return { address, pool: pool?.config.name ?? '', allocatedFrom };
    });
    if (placed.length > 0) this.#holdings.set(key, keepEqualParts({ assigned: placed, terms }, before));
    else this.#holdings.delete(key);
    this.#forgetUnheld(before);
    this.#forgetUnheld(replaced);
  }

  /** Removes a Service and returns what it held. */
  release(key: string): Holding | undefined {
    const holding = this.takeOut(key);
    this.#holdings.delete(key);
    this.#forgetUnheld(holding);
    return holding;
  }

  /** Removes a Service for the time of a decision about it, and returns what it held. The caller then calls `hold`, with this as `before`. */
  takeOut(key: string): Holding | undefined {
    const kept = this.#holdings.get(key);
    if (!kept) return undefined;
    const holding = this.#withSeniority(key, kept);
    this.#holdings.set(key, undefined);
    const { namespace } = holding.terms;
    for (const { address } of holding.assigned) {
      const { family, value } = address;
      const holders = without(this.holdersOf(address), key, holding.terms);
      if (holders) this.#keepHolders(address, holders);
      else this.#holders[family].set(value, undefined);
      const pool = this.poolOf(address);
      if (pool && !this.isHeldIn(namespace, address)) pool.count(namespace, -1);
      for (const scope of scopesOf(holding.terms, true)) this.#unshare(scope, address);
      if (holders) continue;
      pool?.free(family).put(value);
    }
    return holding;
  }

  #forgetUnheld(holding: Holding | undefined): void {
    for (const { address } of holding?.assigned ?? [])
      if (!this.isHeld(address)) this.#holders[address.family].delete(address.value);
  }

  #withSeniority(key: string, kept: KeptHolding): Holding {
    return { ...kept, since: kept.assigned.map(({ address }) => this.#seniorityOf(key, address)) };
  }

  #conflict(
    address: IpAddress,
    terms: SharingTerms,
    seniority: number,
    acrossNamespaces: boolean,
  ): string | undefined {
    const holders = this.holdersOf(address);
    if (holders instanceof Crowd && holders.agreesWith(terms, { acrossNamespaces })) return undefined;
    for (const { service: holder, seniority: since } of holders) {
      const theirs = this.#holdings.get(holder)?.terms;
      if (!theirs || holder === terms.service || since > seniority) continue;
      const refusal = sharingRefusal(terms, theirs, { acrossNamespaces });
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #keepHolders({ family, value }: IpAddress, holders: Holders): void {
    const only = holders instanceof Crowd || holders.length > 1 ? undefined : holders[0];
    this.#holders[family].set(value, only ?? holders);
  }

  /** Seniority of a Service on an address that it holds. */
  #seniorityOf(key: string, address: IpAddress): number {
    const holders = this.holdersOf(address);
    const seniority =
      holders instanceof Crowd
        ? holders.seniorityOf(key)
        : holders.find(({ service }) => service === key)?.seniority;
    return seniority ?? newcomer;
  }

  #with(holders: Holders, holder: Holder, terms: SharingTerms): Holders {
    if (holders instanceof Crowd) {
      holders.add(holder, terms);
      return holders;
    }
    // The array of a single holder is made without a spread, because V8 reserves room for 16 more holders in an array that a spread creates.
    if (holders.length === 0) return [holder];
    if (holders.length + 1 < crowdSize) return [...holders, holder];
    const crowd = new Crowd();
    for (const other of holders) {
      const theirs = this.#holdings.get(other.service)?.terms;
      if (theirs) crowd.add(other, theirs);
    }
    crowd.add(holder, terms);
    return crowd;
  }

  #allowsAcross(address: IpAddress): boolean {
    return this.poolOf(address)?.config.shareAcrossNamespaces ?? false;
  }

  /** Removes the address from a scope, unless a remaining holder of the address has a sharing key in that scope. */
  #unshare(scope: string, address: IpAddress): void {
    const shared = this.#shared.get(scope);
    if (!shared?.[address.family].has(address.value)) return;
    const acrossNamespaces = this.#allowsAcross(address);
    for (const { service: holder } of this.holdersOf(address)) {
      const theirs = this.#holdings.get(holder)?.terms;
      if (theirs && scopesOf(theirs, acrossNamespaces).includes(scope)) return;
    }
    shared[address.family].delete(address.value);
    if (shared[4].size + shared[6].size === 0) this.#shared.delete(scope);
  }
}

/** The holding with the parts of `before` that equal its own. An edit decides about all Services, and most of them keep what they hold. */
function keepEqualParts({ assigned, terms }: KeptHolding, before: KeptHolding | undefined): KeptHolding {
  if (!before) return { assigned, terms };
  const isEqual =
    assigned.length === before.assigned.length &&
    assigned.every((each, i) => sameAssigned(each, before.assigned[i]));
  return {
    assigned: isEqual ? before.assigned : assigned,
    terms: sameTerms(terms, before.terms) ? before.terms : terms,
  };
}

function sameAssigned(a: Assigned, b: Assigned | undefined): boolean {
  return (
    b !== undefined &&
    sameIp(a.address, b.address) &&
    a.pool === b.pool &&
    a.allocatedFrom === b.allocatedFrom
  );
}

/** The holders other than this Service; `undefined` when there are none. */
function without(holders: Holders, service: string, terms: SharingTerms): Holders | undefined {
  if (holders instanceof Crowd) {
    holders.remove(service, terms);
    return holders.size < crowdSize / 2 ? [...holders] : holders;
  }
  const left = holders.filter((holder) => holder.service !== service);
  return left.length > 0 ? left : undefined;
}

/** Whether only the namespaces in the pool's list may use the pool, so that no label of a namespace matters. */
function isForListedNamespaces({ config: { namespaces, namespaceSelectors } }: PoolState): boolean {
  return namespaces.length > 0 && namespaceSelectors.length === 0;
}

function byNamespace(pools: readonly PoolState[]): ReadonlyMap<string, readonly PoolState[]> {
  const found = new Map<string, PoolState[]>();
  for (const pool of pools)
    for (const namespace of new Set(pool.config.namespaces)) {
      const known = found.get(namespace);
      if (known) known.push(pool);
      else found.set(namespace, [pool]);
    }
  return found;
}

function seniorityIn({ assigned, since }: Holding, address: IpAddress): number {
  return since[assigned.findIndex((each) => sameIp(each.address, address))] ?? newcomer;
}

/** The scopes of a Service's sharing keys: each key in the Service's namespace, and with `acrossNamespaces` also in all namespaces. */
function scopesOf({ keys, namespace }: SharingTerms, acrossNamespaces: boolean): string[] {
  return keys.flatMap((key) => [`${namespace}/${key}`, ...(acrossNamespaces ? [`*/${key}`] : [])]);
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

export function includesIp(assigned: readonly Assigned[], address: IpAddress): boolean {
  return assigned.some((held) => sameIp(held.address, address));
}
