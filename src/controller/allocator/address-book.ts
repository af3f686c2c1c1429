import type { Family, IpAddress } from '../../address/index.ts';
import { comparePools, type PoolConfig, PoolIndex } from '../../config/index.ts';
import { Crowd } from './crowd.ts';
import { type Assigned, type Held, type Holding, newcomer, sameHolding, seniorityOn } from './holding.ts';
import { PoolState } from './pool-state.ts';
import { type Sharer, type SharingTerms, sharingRefusal } from './sharing.ts';

/** Services that hold an address. Few share an address, and a short array takes less memory than a map. */
type Holders = readonly Holding[] | Crowd;
/** Most addresses have one holder. Such a holder is stored without an array, to save memory. */
type KeptHolders = Holding | Holders;

const noHolders: Holders = [];
/**
 * An address with at least this number of holders keeps them in a `Crowd`. When fewer than half of this number are left, they are in an array
 * again. For few holders, comparing them one by one is faster than a `Crowd`.
 */
const crowdSize = 16;

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
  readonly #holdings = new Map<string, Holding | undefined>();
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
   * The old book must not change before the last step.
   */
  *withPools(configs: readonly PoolConfig[]): Generator<undefined, AddressBook> {
    const book = new AddressBook(configs);
    book.#lastSeniority = this.#lastSeniority;
    for (const holding of this.#holdings.values()) {
      if (holding) book.hold(holding, holding.assigned, holding);
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
  joinRefusal(address: IpAddress, asker: Sharer): string | undefined {
    return this.#conflict(address, asker, newcomer, this.#allowsAcross(address));
  }

  /**
   * Why a Service may not keep an address that it held; `undefined` when it may. Only a Service that has held the address for longer can be
   * the reason. An address that is already shared across namespaces stays shared.
   */
  keepRefusal(address: IpAddress, asker: Sharer, before: Holding): string | undefined {
    return this.#conflict(address, asker, seniorityOn(before, address), true);
  }

  /**
   * Why a Service may not hold an address that its status shows; `undefined` when it may. Holders of other namespaces are allowed, even when
   * the pool does not allow sharing across namespaces.
   */
  learnRefusal(address: IpAddress, asker: Sharer): string | undefined {
    return this.#conflict(address, asker, newcomer, true);
  }

  /** Services that may no longer share an address with this Service, and that have held the address for a shorter time. */
  displacedBy(key: string): string[] {
    const holding = this.#holdings.get(key);
    if (!holding) return [];
    const displaced = new Set<string>();
    for (const { address, seniority } of holding.assigned) {
      const holders = this.holdersOf(address);
      if (holders instanceof Crowd && holders.agreesWith(holding, { acrossNamespaces: true })) continue;
      for (const other of holders) {
        const isYounger = seniorityOn(other, address) > seniority;
        if (isYounger && sharingRefusal(other.terms, holding, { acrossNamespaces: true }))
          displaced.add(other.service);
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
    { service, terms }: Sharer,
    assigned: readonly Pick<Assigned, 'address' | 'allocatedFrom'>[],
    before?: Holding,
  ): void {
    const replaced = this.takeOut(service);
    const held = assigned.map(({ address, allocatedFrom }): Held => {
      const known = before ? seniorityOn(before, address) : newcomer;
      const seniority = known === newcomer ? ++this.#lastSeniority : known;
      return { address, pool: this.poolOf(address)?.config.name ?? '', allocatedFrom, seniority };
    });
    if (held.length > 0) this.#add(keepEqual({ service, terms, assigned: held }, before));
    else this.#holdings.delete(service);
    this.#forgetUnheld(before);
    this.#forgetUnheld(replaced);
  }

  #add(holding: Holding): void {
    const { service, terms, assigned } = holding;
    this.#holdings.set(service, holding);
    for (const { address } of assigned) {
      const { family, value } = address;
      const pool = this.poolOf(address);
      if (pool && !this.isHeldIn(terms.namespace, address)) pool.count(terms.namespace, 1);
      pool?.free(family).take(value);
      this.#keepHolders(address, withHolder(this.holdersOf(address), holding));
      for (const scope of scopesOf(terms, this.#allowsAcross(address))) {
        const shared = this.#shared.get(scope) ?? { 4: new Set(), 6: new Set() };
        shared[family].add(value);
        this.#shared.set(scope, shared);
      }
    }
  }

  /** Removes a Service and returns what it held. */
  release(key: string): Holding | undefined {
    const holding = this.takeOut(key);
    this.#holdings.delete(key);
    this.#forgetUnheld(holding);
    return holding;
  }

  /** Removes a Service for the time of a decision about it, and returns what it held. The caller then passes the result to `hold` as `before`. */
  takeOut(key: string): Holding | undefined {
    const holding = this.#holdings.get(key);
    if (!holding) return undefined;
    this.#holdings.set(key, undefined);
    const { namespace } = holding.terms;
    for (const { address } of holding.assigned) {
      const { family, value } = address;
      const holders = without(this.holdersOf(address), key);
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

  #conflict(
    address: IpAddress,
    asker: Sharer,
    seniority: number,
    acrossNamespaces: boolean,
  ): string | undefined {
    const holders = this.holdersOf(address);
    if (holders instanceof Crowd && holders.agreesWith(asker, { acrossNamespaces })) return undefined;
    for (const holder of holders) {
      if (holder.service === asker.service || seniorityOn(holder, address) > seniority) continue;
      const refusal = sharingRefusal(asker.terms, holder, { acrossNamespaces });
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #keepHolders({ family, value }: IpAddress, holders: Holders): void {
    const only = holders instanceof Crowd || holders.length > 1 ? undefined : holders[0];
    this.#holders[family].set(value, only ?? holders);
  }

  #allowsAcross(address: IpAddress): boolean {
    return this.poolOf(address)?.config.shareAcrossNamespaces ?? false;
  }

  /** Removes the address from a scope, unless a remaining holder of the address has a sharing key in that scope. */
  #unshare(scope: string, address: IpAddress): void {
    const shared = this.#shared.get(scope);
    if (!shared?.[address.family].has(address.value)) return;
    const acrossNamespaces = this.#allowsAcross(address);
    for (const { terms } of this.holdersOf(address))
      if (scopesOf(terms, acrossNamespaces).includes(scope)) return;
    shared[address.family].delete(address.value);
    if (shared[4].size + shared[6].size === 0) this.#shared.delete(scope);
  }
}

/** The holding, or `before` if it is equal. An edit decides about all Services, and most of them keep what they hold. */
function keepEqual(holding: Holding, before: Holding | undefined): Holding {
  return before && sameHolding(holding, before) ? before : holding;
}

function withHolder(holders: Holders, holder: Holding): Holders {
  if (holders instanceof Crowd) {
    holders.add(holder);
    return holders;
  }
  // The array of a single holder is made without a spread, because V8 reserves room for 16 more holders in an array that a spread creates.
  if (holders.length === 0) return [holder];
  if (holders.length + 1 < crowdSize) return [...holders, holder];
  const crowd = new Crowd();
  for (const each of [...holders, holder]) crowd.add(each);
  return crowd;
}

/** The holders other than this Service; `undefined` when there are none. */
function without(holders: Holders, service: string): Holders | undefined {
  if (holders instanceof Crowd) {
    holders.remove(service);
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

/** The scopes of a Service's sharing keys: each key in the Service's namespace, and with `acrossNamespaces` also in all namespaces. */
function scopesOf({ keys, namespace }: SharingTerms, acrossNamespaces: boolean): string[] {
  return keys.flatMap((key) => [`${namespace}/${key}`, ...(acrossNamespaces ? [`*/${key}`] : [])]);
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}
