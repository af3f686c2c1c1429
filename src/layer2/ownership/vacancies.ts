/**
 * A vacancy is an address whose owner is gone or may not keep it, or that never had an owner. This file decides how long a vacancy waits
 * before and after the election of a successor.
 *
 * Before an election, addresses that never had an owner wait until no further such address has arrived for 100 ms. They are then placed
 * together, because the result depends on which addresses are placed together, and all nodes must get the same result. After an election,
 * the successor has a second to claim the address. A successor that does not claim in time, for instance because it has not learned of the
 * address, is passed over. While this node's own claims are paused, it passes no node over, because the claims of the elected node may be
 * paused too. A node whose claims are paused answers without a claim. If it were passed over, the next elected node would answer as well.
 *
 * A vacancy that waits for its successor is settled, and takes part in no further election until its time is up or a node changes.
 * The claims of a takeover arrive in many datagrams. If each datagram led to an election for all vacancies, the cost would grow with the
 * square of the number of vacancies.
 */
import type { Claim } from './claim.ts';
import type { ClaimStore } from './claim-store.ts';
import type { EntryTable } from './entry-table.ts';
import type { Claiming } from './quorum.ts';
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

/** The facts that decide whether a vacancy is settled. */
export interface VacancySituation {
  readonly self: string;
  readonly nowMs: number;
  readonly claiming: Claiming;
  /** Whether a node has changed since the last election. */
  readonly haveNodesChanged: boolean;
}

export class Vacancies {
  readonly #entries: Pick<EntryTable<OwnedAddress>, 'get'>;
  readonly #claims: Pick<ClaimStore, 'get'>;
  readonly #vacant = new Set<string>();
  readonly #unsettled = new Set<string>();
  /** Number of settled vacancies by elected node. */
  readonly #expected = new Map<string, number>();
  /** The earliest time at which a settled vacancy or a first placement has waited long enough. It may be too early, but never too late. */
  #wakeAtMs = Number.POSITIVE_INFINITY;
  /** Whether this node could claim when `due` last reviewed the vacancies; `paused` if `pause` has been called since then. */
  #claiming: Claiming | undefined;

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

  /** Makes the address vacant. A settled vacancy becomes unsettled, so that the next election includes it. */
  open(address: string, owned: OwnedAddress, nowMs: number): void {
    owned.vacancy ??= newVacancy(nowMs);
    this.#vacant.add(address);
    this.#unsettle(address, owned.vacancy);
    owned.vacancy.elected = undefined;
  }

  close(address: string, owned: OwnedAddress): void {
    if (!owned.vacancy) return;
    this.#unsettle(address, owned.vacancy);
    owned.vacancy = undefined;
    this.#vacant.delete(address);
    this.#unsettled.delete(address);
  }

  /** When the next wait ends, or earlier; infinite for never. */
  wakeAtMs(): number {
    return this.#vacant.size === 0 ? Number.POSITIVE_INFINITY : this.#wakeAtMs;
  }

  /** Stops waiting for claims and readmits the nodes that were passed over, because the lack of claims in a minority means nothing. */
  forgetSilence(): void {
    for (const [text, , vacancy] of this.#all(this.#vacant)) {
      this.#unsettle(text, vacancy);
      vacancy.passedOver.clear();
      vacancy.elected = undefined;
      vacancy.awaited = undefined;
    }
  }

  /**
   * Notes that claims are paused, or that claims of other nodes may be unread. The next review gives each awaited node its whole time again, even
   * if claims are allowed again by then. During a long decision, claims may be paused and allowed again before the next review.
   */
  pause(): void {
    this.#claiming = 'paused';
  }

  /** The node that a settled vacancy waits for. */
  expectedOwner(address: string): string | undefined {
    const vacancy = this.#entries.get(address)?.vacancy;
    return vacancy?.isSettled ? vacancy.elected : undefined;
  }

  /** Number of settled vacancies that wait for the node. */
  expectedLoad(node: string): number {
    return this.#expected.get(node) ?? 0;
  }

  /**
   * Returns the vacancies that need an election: all but the settled ones and the first placements that still wait. Passes over nodes that
   * are late with their claim.
   */
  *due(situation: VacancySituation): Steps<DueVacancy[]> {
    const { nowMs, claiming, haveNodesChanged } = situation;
    const due: DueVacancy[] = [];
    const mustReviewAll = haveNodesChanged || claiming !== this.#claiming || nowMs >= this.#wakeAtMs;
    const wasPaused = this.#claiming === 'paused';
    this.#claiming = claiming;
    if (mustReviewAll) {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      for (const [text, , vacancy] of this.#all(this.#vacant)) {
        // The claims of the awaited node may have been paused as well.
        if (wasPaused && vacancy.awaited !== undefined) vacancy.wakeAtMs = nowMs + patienceMs;
        if (mayWait(vacancy, situation)) this.#settle(text, vacancy);
        else this.#unsettle(text, vacancy);
        // The `yield` comes last in the loop, because a claim that arrives before the next step may close the vacancy. A closed vacancy must not be
        // settled.
        yield;
      }
    }
    const firstAtMs = yield* this.#firstPlacementAtMs();
    for (const [text, owned, vacancy] of this.#all(this.#unsettled)) {
      yield;
      const claim = this.#claims.get(text);
      if (nowMs < firstAtMs && isFirstPlacement(owned, claim)) {
        vacancy.awaited = undefined;
        this.#wakeAtMs = Math.min(this.#wakeAtMs, firstAtMs);
        continue;
      }
      due.push({
        text,
        owned,
        vacancy,
        claim,
        isLate: claiming === 'allowed' && passOverLate(vacancy, nowMs),
      });
    }
    return due;
  }

  /** Notes the elected node, and whether its claim is awaited. A further call with the same node does not extend its time to claim. */
  elected(
    text: string,
    owned: OwnedAddress,
    node: string | undefined,
    situation: Omit<VacancySituation, 'haveNodesChanged'>,
  ): void {
    const { vacancy } = owned;
    if (!vacancy) return;
    const { self, nowMs, claiming } = situation;
    const awaited = node !== self && claiming !== 'refused' ? node : undefined;
    if (awaited === undefined) vacancy.wakeAtMs = Number.POSITIVE_INFINITY;
    else if (awaited !== vacancy.awaited) vacancy.wakeAtMs = nowMs + patienceMs;
    vacancy.awaited = awaited;
    this.#unsettle(text, vacancy);
    vacancy.elected = node;
    if (mayWait(vacancy, { ...situation, haveNodesChanged: false })) this.#settle(text, vacancy);
  }

  #settle(text: string, vacancy: Vacancy): void {
    const { elected } = vacancy;
    this.#wakeAtMs = Math.min(this.#wakeAtMs, vacancy.wakeAtMs);
    if (vacancy.isSettled || elected === undefined) return;
    vacancy.isSettled = true;
    this.#unsettled.delete(text);
    this.#expected.set(elected, this.expectedLoad(elected) + 1);
  }

  #unsettle(text: string, vacancy: Vacancy): void {
    this.#unsettled.add(text);
    if (!vacancy.isSettled) return;
    vacancy.isSettled = false;
    const { elected = '' } = vacancy;
    this.#expected.set(elected, this.expectedLoad(elected) - 1);
  }

  /** When the addresses that never had an owner are placed. */
  *#firstPlacementAtMs(): Steps<number> {
    let oldestMs = Number.POSITIVE_INFINITY;
    let newestMs = Number.NEGATIVE_INFINITY;
    for (const [text, owned, { sinceMs }] of this.#all(this.#unsettled)) {
      yield;
      if (!isFirstPlacement(owned, this.#claims.get(text))) continue;
      oldestMs = Math.min(oldestMs, sinceMs);
      newestMs = Math.max(newestMs, sinceMs);
    }
    return Math.min(newestMs + settleMs, oldestMs + longestSettleMs);
  }

  *#all(texts: Iterable<string>): Iterable<readonly [text: string, owned: OwnedAddress, vacancy: Vacancy]> {
    for (const text of texts) {
      const owned = this.#entries.get(text);
      if (owned?.vacancy) yield [text, owned, owned.vacancy];
    }
  }
}

/**
 * Whether the vacancy may wait for its successor's claim, without an election. After a change of any node, every vacancy takes part in an election
 * again, because nodes with the same knowledge must elect the same successors, in whatever order they learned it. Every vacancy also takes part
 * while this node may not claim. If two nodes then elect different successors, no claim shows which successor is the owner, so only another
 * election can make the nodes agree.
 */
function mayWait(
  { elected, awaited, wakeAtMs }: Vacancy,
  { nowMs, claiming, haveNodesChanged }: VacancySituation,
): boolean {
  if (claiming !== 'allowed' || haveNodesChanged) return false;
  return elected !== undefined && awaited === elected && nowMs < wakeAtMs;
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
