/**
 * A vacancy is an address whose owner is gone or may not keep it, or that never had an owner. This file decides how long a vacancy waits
 * before and after the election of a successor.
 *
 * Before an election, addresses that never had an owner wait until no further such address has arrived for 100 ms. They are then placed
 * together, because the result depends on which addresses are placed together, and all nodes must get the same result. After an election,
 * the successor has a second to claim the address. A successor that does not claim in time, for instance because it has not learned of the
 * address, is passed over.
 */
import type { Claim } from './claim.ts';
import type { ClaimStore } from './claim-store.ts';
import type { EntryTable } from './entry-table.ts';
import type { Steps } from './steps.ts';
import { newVacancy, type OwnedAddress, type Vacancy } from './vacancy.ts';

/** A first placement waits `settleMs` after the newest address, but at most `longestSettleMs` after the oldest address. */
const settleMs = 100;
const longestSettleMs = 1000;
/** How long an elected node may take to claim. */
const patienceMs = 1000;

/** A vacancy for which a successor is to be elected. */
export interface DueVacancy {
  readonly text: string;
  readonly owned: OwnedAddress;
  readonly vacancy: Vacancy;
  /** The newest claim; `undefined` when the address has no owner according to the claims. */
  readonly claim: Claim | undefined;
  /** Whether the awaited node has just been passed over. */
  readonly isLate: boolean;
}

export class Vacancies {
  readonly #entries: Pick<EntryTable<OwnedAddress>, 'get'>;
  readonly #claims: Pick<ClaimStore, 'get'>;
  readonly #vacant = new Set<string>();

  constructor(entries: Pick<EntryTable<OwnedAddress>, 'get'>, claims: Pick<ClaimStore, 'get'>) {
    this.#entries = entries;
    this.#claims = claims;
  }

  get count(): number {
    return this.#vacant.size;
  }

  has(address: string): boolean {
    return this.#vacant.has(address);
  }

  open(address: string, owned: OwnedAddress, nowMs: number): void {
    owned.vacancy ??= newVacancy(nowMs);
    this.#vacant.add(address);
  }

  close(address: string, owned: OwnedAddress): void {
    owned.vacancy = undefined;
    this.#vacant.delete(address);
  }

  /** When the next wait ends; infinite for never. */
  wakeAtMs(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const [, , { wakeAtMs }] of this.#all()) atMs = Math.min(atMs, wakeAtMs);
    return atMs;
  }

  /** Stops waiting for claims and readmits the nodes that were passed over, because the lack of claims in a minority means nothing. */
  forgetSilence(): void {
    for (const [, , vacancy] of this.#all()) {
      vacancy.passedOver.clear();
      vacancy.awaited = undefined;
    }
  }

  /** Returns all vacancies but the first placements that still wait. Passes over nodes that are late with their claim. */
  *due(nowMs: number): Steps<DueVacancy[]> {
    const due: DueVacancy[] = [];
    const firstAtMs = this.#firstPlacementAtMs();
    for (const [text, owned, vacancy] of this.#all()) {
      yield;
      const claim = this.#claims.get(text);
      if (nowMs < firstAtMs && isFirstPlacement(owned, claim)) {
        vacancy.wakeAtMs = firstAtMs;
        vacancy.awaited = undefined;
        continue;
      }
      due.push({ text, owned, vacancy, claim, isLate: passOverLate(vacancy, nowMs) });
    }
    return due;
  }

  /** When the addresses that never had an owner are placed. */
  #firstPlacementAtMs(): number {
    let oldestMs = Number.POSITIVE_INFINITY;
    let newestMs = Number.NEGATIVE_INFINITY;
    for (const [text, owned, { sinceMs }] of this.#all()) {
      if (!isFirstPlacement(owned, this.#claims.get(text))) continue;
      oldestMs = Math.min(oldestMs, sinceMs);
      newestMs = Math.max(newestMs, sinceMs);
    }
    return Math.min(newestMs + settleMs, oldestMs + longestSettleMs);
  }

  *#all(): Iterable<readonly [text: string, owned: OwnedAddress, vacancy: Vacancy]> {
    for (const text of this.#vacant) {
      const owned = this.#entries.get(text);
      if (owned?.vacancy) yield [text, owned, owned.vacancy];
    }
  }
}

/**
 * Sets the node whose claim is awaited. When `node` is `undefined`, no claim is awaited. The time limit counts from the first call with the
 * same node.
 */
export function awaitClaim(vacancy: Vacancy, node: string | undefined, nowMs: number): void {
  if (node === undefined) vacancy.wakeAtMs = Number.POSITIVE_INFINITY;
  else if (node !== vacancy.awaited) vacancy.wakeAtMs = nowMs + patienceMs;
  vacancy.awaited = node;
}

/** Whether the address never had an owner, as far as this node knows. */
function isFirstPlacement({ entry, isAnswering }: OwnedAddress, claim: Claim | undefined): boolean {
  return claim === undefined && entry.recordedOwner === undefined && !isAnswering;
}

/** Passes over the awaited node when its time is up. Returns whether a node was passed over. */
function passOverLate(vacancy: Vacancy, nowMs: number): boolean {
  if (nowMs < vacancy.wakeAtMs || vacancy.awaited === undefined) return false;
  vacancy.passedOver.add(vacancy.awaited);
  vacancy.awaited = undefined;
  return true;
}
