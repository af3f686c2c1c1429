/**
 * Which address a Service gets. Deterministic and in memory: the same Services and configuration, learned in any order, give the same
 * state, because the only truth kept is what stands on the Services. No I/O, no clock.
 *
 * An address that a Service holds is kept as long as it may: in a pool, of a wanted family, and within the sharing rules. What is
 * missing, or asked for instead, is looked for in this order: the requested addresses; the named pools; pools that select the Service,
 * by priority and name; pools for everybody, by priority and name. A refusal leaves what is held untouched.
 */
import { type Family, type IpAddress, parseIp, sameIp } from '../../address/index.ts';
import { annotations } from '../../cluster/names.ts';
import type { Config, Labels } from '../../config/index.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { AddressBook, type Assigned } from './address-book.ts';
import type { PoolState } from './pool-state.ts';
import type { Refusal } from './refusals.ts';
import * as refusals from './refusals.ts';
import { type AddressRequest, readRequest, readSharingKeys } from './request.ts';
import { type SharingTerms, sharingTerms } from './sharing.ts';

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

/** A Service that is being decided about. */
interface Asking {
  readonly service: Service;
  readonly namespaceLabels: Labels;
  readonly request: AddressRequest;
  readonly terms: SharingTerms;
  readonly families: readonly Family[];
  /** Of what it held, what it may keep. */
  readonly kept: readonly Assigned[];
}

interface Plan {
  readonly assigned: readonly Assigned[];
  /** By family, in the order in which they were looked for. */
  readonly refused: ReadonlyMap<Family, Refusal>;
}

const familyNumbers = { IPv4: 4, IPv6: 6 } as const;

export class Allocator {
  readonly #book = new AddressBook();
  #namespaces: ReadonlyMap<string, Labels> = new Map();
  /** Refused Services in the order they first asked. */
  readonly #waiting = new Set<string>();

  /** Puts a configuration in force. Addresses in use that no pool holds any more stay with their Services until these are reconciled. */
  setConfig(config: Config): void {
    this.#book.setPools(config.pools);
  }

  setNamespaces(labelsByName: ReadonlyMap<string, Labels>): void {
    this.#namespaces = labelsByName;
  }

  /** Takes over what a Service's status says, before anything new is handed out: the first address of each family. */
  learn(service: Service): void {
    const key = objectKey(service);
    const terms = sharingTerms(key, service, readSharingKeys(service));
    const shown = service.ingress.flatMap(({ ip }) => parseIp(ip) ?? []);
    const pools = (service.annotations[annotations.pool] ?? '').split(',');
    const recorded = shown.map((address, i) => ({ address, allocatedFrom: pools[i] ?? pools[0] ?? '' }));
    const legal = recorded.filter(
      ({ address }, i) =>
        shown.findIndex(({ family }) => family === address.family) === i &&
        this.#book.joinRefusal(address, terms) === undefined,
    );
    this.#book.hold(key, legal, terms);
  }

  /** Decides about a Service: keeps, hands out, or refuses with a cause. */
  reconcile(service: Service): Outcome {
    const key = objectKey(service);
    const terms = sharingTerms(key, service, readSharingKeys(service));
    const families = wantedFamilies(service);
    const before = this.#book.holdingOf(key);
    this.#book.release(key);
    const kept = families.flatMap(
      (family) =>
        before.find(({ address }) => address.family === family && this.#mayKeep(address, terms)) ?? [],
    );
    const request = readRequest(service);
    const foreign = request.ok && request.value.addresses.find(({ family }) => !families.includes(family));
    const outcome = !request.ok
      ? { assigned: kept, refusal: refusals.invalidRequest(request.error) }
      : foreign
        ? { assigned: kept, refusal: refusals.foreignFamily(foreign, service) }
        : this.#decide({
            service,
            namespaceLabels: this.#namespaces.get(service.namespace) ?? {},
            request: request.value,
            terms,
            families,
            kept,
          });
    this.#book.hold(key, outcome.assigned, terms);
    const assigned = this.#book.holdingOf(key);
    if (outcome.refusal || assigned.length < families.length) this.#waiting.add(key);
    else this.#waiting.delete(key);
    return { ...outcome, assigned };
  }

  /** A Service is gone or is no longer ours; returns what became free for others. */
  release(key: string): readonly Assigned[] {
    const assigned = this.#book.holdingOf(key);
    this.#book.release(key);
    this.#waiting.delete(key);
    return assigned;
  }

  /** Services that lack an address they need or want, in the order they asked. */
  waiting(): readonly string[] {
    return [...this.#waiting];
  }

  assigned(): Iterable<Assigned & { readonly service: string }> {
    return this.#book.assigned();
  }

  holdingOf(key: string): readonly Assigned[] {
    return this.#book.holdingOf(key);
  }

  usage(): PoolUsage[] {
    return this.#book.pools.flatMap((pool) =>
      ([4, 6] as const).flatMap((family) => {
        const { size, free } = pool.free(family);
        return size === 0n ? [] : [{ pool: pool.config.name, family, size, free }];
      }),
    );
  }

  /** Addresses that Services of each namespace hold of each pool; a shared one counts once. */
  *heldByNamespace(): Iterable<{ readonly pool: string; readonly namespace: string; readonly held: number }> {
    for (const pool of this.#book.pools)
      for (const [namespace, held] of pool.heldByNamespace())
        yield { pool: pool.config.name, namespace, held };
  }

  #mayKeep(address: IpAddress, terms: SharingTerms): boolean {
    return this.#book.poolOf(address) !== undefined && this.#book.joinRefusal(address, terms) === undefined;
  }

  #decide(asking: Asking): Outcome {
    const { service, request, families, kept } = asking;
    const inOrder = this.#plan(asking, families);
    // The family that comes first may take the last address that a limit allows, where the second has no other pool to go to.
    const turned = inOrder.refused.size === 0 ? inOrder : this.#plan(asking, families.toReversed());
    const { assigned, refused } = turned.refused.size === 0 ? turned : inOrder;
    const isMissing = (family: Family) => !assigned.some(({ address }) => address.family === family);
    const isNeeded = service.ipFamilyPolicy !== 'PreferDualStack' || assigned.length === 0;
    const [refusal] = [...refused]
      .filter(
        ([family]) =>
          !isMissing(family) || isNeeded || request.addresses.some((address) => address.family === family),
      )
      .map(([, each]) => each);
    const isAllOrNothing = isNeeded && families.some(isMissing);
    const result = isAllOrNothing
      ? kept
      : families.flatMap((family) => assigned.find(({ address }) => address.family === family) ?? []);
    const recorded = result.map((each) => ({ ...each, allocatedFrom: this.#recordOf(each, request) }));
    return { assigned: recorded, ...(refusal ? { refusal } : {}) };
  }

  /** Looks for what is missing or asked for, one family after another. */
  #plan(asking: Asking, order: readonly Family[]): Plan {
    const { request, kept } = asking;
    const refused = new Map<Family, Refusal>();
    let assigned = kept;
    for (const family of order) {
      const held = kept.find(({ address }) => address.family === family);
      if (held && this.#isAskedFor(held, request)) continue;
      const others = assigned.filter((each) => each !== held);
      const found = this.#find(asking, family, others);
      if ('cause' in found) refused.set(family, found);
      else assigned = [...others, found];
    }
    return { assigned, refused };
  }

  #isAskedFor({ address, allocatedFrom }: Assigned, { addresses, pools }: AddressRequest): boolean {
    const requested = addresses.find(({ family }) => family === address.family);
    if (requested) return sameIp(requested, address);
    const pool = this.#book.poolOf(address)?.config.name ?? '';
    return pools.length === 0 || pools.includes(pool) || pools.includes(allocatedFrom);
  }

  /** The pool's name; or the name by which the Service asked for it and still does, though the address is in a pool of another name now. */
  #recordOf({ address, allocatedFrom }: Assigned, { pools }: AddressRequest): string {
    const pool = this.#book.poolOf(address)?.config.name ?? '';
    return pools.includes(allocatedFrom) && !pools.includes(pool) ? allocatedFrom : pool;
  }

  /** `others`: what the Service is to hold besides. */
  #find(asking: Asking, family: Family, others: readonly Assigned[]): Assigned | Refusal {
    const requested = asking.request.addresses.find((each) => each.family === family);
    if (requested) return this.#findRequested(asking, requested, others);
    const reasons: Refusal[] = [];
    for (const pool of this.#candidates(asking)) {
      const found = this.#findIn(pool, asking, family, others);
      if ('address' in found) return found;
      reasons.push(found);
    }
    return this.#none(asking, reasons);
  }

  #findIn(pool: PoolState, asking: Asking, family: Family, others: readonly Assigned[]): Assigned | Refusal {
    const { service, namespaceLabels, terms } = asking;
    const { name } = pool.config;
    const free = pool.free(family);
    if (free.size === 0n) return refusals.noSuchFamily(name, family);
    const notAllowed = pool.refusal(service, namespaceLabels);
    if (notAllowed !== undefined) return refusals.notAllowed(notAllowed);
    let overLimit: Refusal | undefined;
    for (const value of [...this.#joinable(pool, family, terms), free.lowest()]) {
      if (value === undefined) continue;
      const address = { family, value };
      const refusal = this.#limitRefusal(pool, service.namespace, address, others);
      if (refusal === undefined) return { address, pool: name, allocatedFrom: name };
      overLimit ??= refusal;
    }
    return overLimit ?? refusals.exhausted(name, family, free.size);
  }

  #findRequested(asking: Asking, address: IpAddress, others: readonly Assigned[]): Assigned | Refusal {
    const { service, namespaceLabels, request, terms } = asking;
    const pool = this.#book.poolOf(address);
    if (!pool) return refusals.inNoPool(address, this.#poolNames());
    const { name, avoidBuggyIps } = pool.config;
    if (request.pools.length > 0 && !request.pools.includes(name))
      return refusals.inOtherPool(address, name, request.pools);
    const notAllowed = pool.refusal(service, namespaceLabels);
    if (notAllowed !== undefined) return refusals.about(address, refusals.notAllowed(notAllowed));
    const taken = this.#book.joinRefusal(address, terms);
    if (taken !== undefined) return refusals.inUse(address, taken);
    const isHeld = this.#book.holdersOf(address).size > 0;
    if (!isHeld && !pool.free(address.family).has(address.value))
      return refusals.buggy(address, name, avoidBuggyIps);
    const overLimit = this.#limitRefusal(pool, service.namespace, address, others);
    return overLimit ? refusals.about(address, overLimit) : { address, pool: name, allocatedFrom: name };
  }

  /** Addresses of the pool that Services with the same key hold and this one may join, lowest first. */
  #joinable(pool: PoolState, family: Family, terms: SharingTerms): bigint[] {
    if (terms.keys.length === 0) return [];
    return [...this.#book.sharedUnder(terms.keys, family)]
      .filter((value) => {
        const address = { family, value };
        return pool.contains(address) && this.#book.joinRefusal(address, terms) === undefined;
      })
      .sort((a, b) => (a < b ? -1 : 1));
  }

  /** Why the namespace may not hold one address more of the pool; an address that it holds already costs nothing. */
  #limitRefusal(
    pool: PoolState,
    namespace: string,
    address: IpAddress,
    others: readonly Assigned[],
  ): Refusal | undefined {
    const { name, limitPerNamespace } = pool.config;
    if (limitPerNamespace === undefined || this.#book.isHeldIn(namespace, address)) return undefined;
    const own = others.filter(
      (each) => pool.contains(each.address) && !this.#book.isHeldIn(namespace, each.address),
    );
    const held = pool.held(namespace) + own.length;
    return held < limitPerNamespace
      ? undefined
      : refusals.limitReached(namespace, held, name, limitPerNamespace);
  }

  #candidates({ service, namespaceLabels, request }: Asking): PoolState[] {
    if (request.pools.length > 0) return request.pools.flatMap((name) => this.#book.pool(name) ?? []);
    return this.#book.pools.filter(
      (pool) => pool.config.autoAssign && pool.admissionRefusal(service, namespaceLabels) === undefined,
    );
  }

  #none({ service, namespaceLabels, request }: Asking, reasons: readonly Refusal[]): Refusal {
    if (reasons.length > 0) return refusals.together(reasons);
    if (request.pools.length > 0) return refusals.noSuchPool(request.pools, this.#poolNames());
    return refusals.noPool(
      this.#book.pools.map((pool) =>
        pool.config.autoAssign
          ? (pool.refusal(service, namespaceLabels) ?? '')
          : `pool ${pool.config.name} has auto-assign false: name it in an annotation`,
      ),
    );
  }

  #poolNames(): string[] {
    return this.#book.pools.map(({ config }) => config.name);
  }
}

/** The families a Service should have an address of, in its order. */
function wantedFamilies({ ipFamilies, ipFamilyPolicy }: Service): readonly Family[] {
  const all = ipFamilies.map((name) => familyNumbers[name]);
  return ipFamilyPolicy === 'SingleStack' ? all.slice(0, 1) : all;
}
