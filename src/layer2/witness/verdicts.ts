/**
 * The verdicts decide what this node does about its own addresses for which witnesses get no answer. It is a machine: reports of
 * witnesses and the time go in, verdicts and the addresses to give away come out.
 *
 *     verified ── all witnesses report it as unanswered ──→ unverified ── two witnesses, for 5 s ──→ mute: another node takes it over
 *        ↑                  a witness gets an answer           │                                       │
 *        └─────────────────────────────────────────────────────┘        a witness got three answers    │
 *     may own the address again ←───────────────────────────────── on trial, after a minute or longer ─┘
 *
 * Two witnesses must agree before an address moves, so one faulty node moves nothing. With one witness, as in a cluster of two nodes, an
 * unverified address is reported and stays. An address also stays if no other node could take it.
 *
 * A node whose process lacks CPU time judges nothing. It notices the lack because it handles requests too late.
 *
 * A mute address is on trial: this node answers other speakers for it, and only them. If the address becomes mute again within a day, the least
 * duration of its trial doubles, up to an hour, so that the address does not keep moving back and forth.
 */
import { type AddressNames, everyAddress, includesAddress } from '../ownership/witness-facts.ts';
import { maxListed } from './questioner.ts';

/** An address that this node answers for. */
export interface OwnAddress {
  readonly address: string;
  /** The nodes that ask this node for the address, at most two. */
  readonly witnesses: readonly string[];
  /** When this node began to answer. */
  readonly sinceMs: number;
  /** Whether another node could take the address over. */
  readonly hasSuccessor: boolean;
}

/** The part of a witness's report that concerns this node. */
export interface Opinion {
  readonly unanswered: AddressNames;
  /** Addresses on trial for which the witness has got answers. */
  readonly answered: AddressNames;
}

export interface VerdictsInput {
  /** The opinions of the live nodes about this node, by node. */
  readonly opinions: ReadonlyMap<string, Opinion>;
  /** The addresses that this node answers for, among those that opinions name as unanswered. */
  readonly own: Iterable<OwnAddress>;
  /** Whether this node answers for the address and the address has a witness. */
  readonly isWitnessed: (address: string) => boolean;
  /** Whether this node has a link for the address. No witness can get an answer for an address without a link. */
  readonly isCarried: (address: string) => boolean;
  /** Whether this node may give addresses away. It may not in a minority, nor while its claims are paused. */
  readonly canHandOver: boolean;
  /**
   * Whether this node's process handles requests too late, which shows that it lacks CPU time. No address moves then, because the next owner may
   * lack CPU time as well.
   */
  readonly isStarved: boolean;
}

/** A verdict that has changed. */
export type VerdictChange =
  | { readonly kind: 'unverified'; readonly address: string; readonly witnesses: readonly string[] }
  | { readonly kind: 'verified'; readonly address: string }
  | { readonly kind: 'mute'; readonly address: string; readonly witnesses: readonly string[] }
  | { readonly kind: 'audible'; readonly address: string };

interface Unverified {
  sinceMs: number;
  witnesses: readonly string[];
  isReported: boolean;
}

interface Mute {
  readonly sinceMs: number;
  readonly trialMs: number;
  isCarried: boolean;
  /** Whether the address has passed its trial. While `#isOverfull` is true, the address stays mute until all named addresses have passed. */
  hasPassed: boolean;
}

/**
 * A node is judged only after it has answered for the address for this long. An earlier report of a witness may stem from the time when this
 * node owned the address and still probed it, or when the earlier owner still answered.
 */
const settleMs = 10_000;
/** The report of a single witness counts only after this time, because there is no second opinion. */
const loneWitnessMs = 5000;
const handoverMs = 5000;
/** For this long after the process has lacked CPU time, no address moves, so that new reports can arrive. */
const starvedMs = 1000;
const shortestTrialMs = 60_000;
const longestTrialMs = 3_600_000;
/** After this time without a further fault, trials are short again. */
const forgiveMs = 24 * 3_600_000;

export class Verdicts {
  readonly #unverified = new Map<string, Unverified>();
  readonly #mute = new Map<string, Mute>();
  /** The last trial of each address that has been mute. */
  readonly #past = new Map<string, { readonly trialMs: number; readonly endedAtMs: number }>();
  /**
   * Whether more addresses were mute than the facts can name. This node then stays mute for all addresses until the named ones have passed their
   * trials.
   */
  #isOverfull = false;
  /** Since when this node has no link for any mute address. */
  #uncarriedSinceMs: number | undefined;
  /** When the next unanswered address can be judged, because this node has then answered for it for `settleMs`. */
  #settledAtMs = Number.POSITIVE_INFINITY;

  /** Addresses whose witnesses get no answer, with the witnesses. */
  *unverified(): Iterable<readonly [address: string, witnesses: readonly string[]]> {
    for (const [address, { witnesses, isReported }] of this.#unverified)
      if (isReported) yield [address, witnesses];
  }

  /**
   * The addresses that the facts name as mute. When the facts cannot name all, `everyAddress` stands for the others and for those that have passed
   * their trials. Addresses for which this node has a link come first. Witnesses can get answers only for these addresses, and the short form of
   * the facts (`witnessToJson`) names only the first few.
   */
  mute(): ReadonlySet<string> {
    const named = this.#named();
    if (!this.#isOverfull) return new Set(named);
    return new Set([everyAddress, ...named.filter((address) => !this.#mute.get(address)?.hasPassed)]);
  }

  /** Judges the reports. Call it when the reports or the owned addresses have changed, and at `wakeAtMs()`. */
  judge(
    { opinions, own, isWitnessed, isCarried, canHandOver, isStarved }: VerdictsInput,
    nowMs: number,
  ): VerdictChange[] {
    if (isStarved) {
      for (const state of this.#unverified.values())
        state.sinceMs = Math.max(state.sinceMs, nowMs - handoverMs + starvedMs);
      return [];
    }
    this.#settledAtMs = Number.POSITIVE_INFINITY;
    const changes: VerdictChange[] = [];
    const unanswered = new Set<string>();
    for (const each of own) {
      const { address, witnesses } = each;
      if (!isUnanswered(each, opinions)) continue;
      if (nowMs - each.sinceMs < settleMs) {
        this.#settledAtMs = Math.min(this.#settledAtMs, each.sinceMs + settleMs);
        continue;
      }
      unanswered.add(address);
      const state = this.#unverified.get(address) ?? { sinceMs: nowMs, witnesses, isReported: false };
      state.witnesses = witnesses;
      this.#unverified.set(address, state);
      const forMs = nowMs - state.sinceMs;
      const isAgreed = witnesses.length > 1;
      if (!state.isReported && (isAgreed || forMs >= loneWitnessMs)) {
        state.isReported = true;
        changes.push({ kind: 'unverified', address, witnesses });
      }
      const mustMove = isAgreed && forMs >= handoverMs && canHandOver && each.hasSuccessor;
      if (mustMove && !this.#mute.has(address)) {
        this.#silence(address, nowMs);
        changes.push({ kind: 'mute', address, witnesses });
      }
    }
    for (const [address, { isReported }] of this.#unverified) {
      if (unanswered.has(address)) continue;
      this.#unverified.delete(address);
      if (isReported) changes.push({ kind: 'verified', address });
    }
    for (const [address, state] of this.#mute) state.isCarried = isCarried(address);
    changes.push(
      ...this.#endTrials((address) => isWitnessed(address) || isAnswered(address, opinions), nowMs),
    );
    return changes;
  }

  /** When to judge again although nothing has changed; infinite for never. */
  wakeAtMs(nowMs: number): number {
    let atMs = this.#settledAtMs;
    for (const { sinceMs } of this.#unverified.values())
      for (const waitMs of [loneWitnessMs, handoverMs])
        if (sinceMs + waitMs > nowMs) atMs = Math.min(atMs, sinceMs + waitMs);
    for (const { sinceMs, trialMs } of this.#mute.values())
      if (sinceMs + trialMs > nowMs) atMs = Math.min(atMs, sinceMs + trialMs);
    if (this.#isOverfull && this.#forgivesAtMs() > nowMs) atMs = Math.min(atMs, this.#forgivesAtMs());
    return atMs;
  }

  /** Forgets addresses that no Service uses any longer. */
  forget(isUsed: (address: string) => boolean): void {
    for (const address of this.#mute.keys()) if (!isUsed(address)) this.#mute.delete(address);
    for (const address of this.#past.keys()) if (!isUsed(address)) this.#past.delete(address);
    if (this.#mute.size === 0) this.#isOverfull = false;
  }

  #silence(address: string, nowMs: number): void {
    const past = this.#past.get(address);
    const isRecent = past !== undefined && nowMs - past.endedAtMs < forgiveMs;
    const trialMs = isRecent ? Math.min(past.trialMs * 2, longestTrialMs) : shortestTrialMs;
    this.#mute.set(address, { sinceMs: nowMs, trialMs, isCarried: true, hasPassed: false });
  }

  /** The mute addresses that the facts name. Those for which this node has a link come first. */
  #named(): string[] {
    const carried = this.#carried();
    const others = [...this.#mute].filter(([, { isCarried }]) => !isCarried).map(([address]) => address);
    return [...carried, ...others].slice(0, maxListed);
  }

  #carried(): string[] {
    return [...this.#mute].filter(([, { isCarried }]) => isCarried).map(([address]) => address);
  }

  #endTrials(isHeard: (address: string) => boolean, nowMs: number): VerdictChange[] {
    const carried = this.#carried();
    const named = carried.slice(0, maxListed);
    const passed = named.filter((address) => {
      const state = this.#mute.get(address);
      if (!state) return false;
      state.hasPassed ||=
        nowMs - state.sinceMs >= state.trialMs && !this.#unverified.has(address) && isHeard(address);
      return state.hasPassed;
    });
    if (carried.length > maxListed) this.#isOverfull = true;
    if (!this.#isOverfull) return passed.map((address) => this.#restore(address, nowMs));
    // When no mute address has a link, this node stays mute for another `shortestTrialMs`, because a link that flaps comes back in that time.
    this.#uncarriedSinceMs = carried.length > 0 ? undefined : (this.#uncarriedSinceMs ?? nowMs);
    if (passed.length < named.length || nowMs < this.#forgivesAtMs()) return [];
    this.#isOverfull = false;
    return carried.map((address) => this.#restore(address, nowMs));
  }

  /** When this node stops being mute for all addresses because no mute address has a link. */
  #forgivesAtMs(): number {
    return this.#uncarriedSinceMs === undefined ? 0 : this.#uncarriedSinceMs + shortestTrialMs;
  }

  #restore(address: string, nowMs: number): VerdictChange {
    const { trialMs } = this.#mute.get(address) ?? { trialMs: shortestTrialMs };
    this.#past.set(address, { trialMs, endedAtMs: nowMs });
    this.#mute.delete(address);
    return { kind: 'audible', address };
  }
}

function isAnswered(address: string, opinions: ReadonlyMap<string, Opinion>): boolean {
  return [...opinions.values()].some(({ answered }) => answered.has(address));
}

/** Whether every witness of the address says that this node does not answer. */
function isUnanswered({ address, witnesses }: OwnAddress, opinions: ReadonlyMap<string, Opinion>): boolean {
  return (
    witnesses.length > 0 &&
    witnesses.every((node) => includesAddress(opinions.get(node)?.unanswered, address))
  );
}
