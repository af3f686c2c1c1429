import { type MembershipSettings, suspicionMs } from './timing.ts';

/** Time between two pings to a suspect, and between two requests to its verifiers. */
const callIntervalMs = 40;

/**
 * The suspicion against one member. It ends when the suspect states a newer incarnation, or at a deadline. Each confirmation by another
 * member brings the deadline closer (Lifeguard section IV-B).
 */
export class Suspicion {
  readonly incarnation: number;
  readonly #suspect: string;
  readonly #possible: number;
  readonly #confirmedBy: Set<string>;
  #startedAtMs: number;
  #nextCallAtMs: number;

  /**
   * The members in `confirmedBy` have already reported that they cannot reach the suspect. A report by the suspect itself does not count.
   * `verifiers` is the number of members that are asked to verify the suspicion.
   */
  constructor(
    suspect: { readonly name: string; readonly incarnation: number },
    confirmedBy: Iterable<string>,
    verifiers: number,
    nowMs: number,
  ) {
    this.incarnation = suspect.incarnation;
    this.#suspect = suspect.name;
    this.#confirmedBy = new Set(confirmedBy);
    this.#possible = Math.max(verifiers, this.#confirmations());
    this.#startedAtMs = nowMs;
    this.#nextCallAtMs = nowMs;
  }

  confirm(member: string): void {
    this.#confirmedBy.add(member);
  }

  isConfirmedBy(member: string): boolean {
    return this.#confirmedBy.has(member);
  }

  get confirmedBy(): ReadonlySet<string> {
    return this.#confirmedBy;
  }

  /** Whether to ping the suspect and to ask the verifiers again. Returns true once per interval. */
  isCallDue(nowMs: number): boolean {
    if (nowMs < this.#nextCallAtMs) return false;
    this.#nextCallAtMs = nowMs + callIntervalMs;
    return true;
  }

  postpone(ms: number): void {
    this.#startedAtMs += ms;
  }

  /**
   * When the suspicion ends. `members` is the number of live members, including this one. `stretch` multiplies the length of the suspicion. It is
   * above 1 when this member itself is slow.
   */
  deadline(settings: MembershipSettings, members: number, stretch: number): number {
    const counted = Math.min(this.#possible, this.#confirmations());
    return this.#startedAtMs + suspicionMs(settings, counted, this.#possible, members) * stretch;
  }

  #confirmations(): number {
    return this.#confirmedBy.size - (this.#confirmedBy.has(this.#suspect) ? 1 : 0);
  }

  wakeAtMs(deadline: number): number {
    return Math.min(this.#nextCallAtMs, deadline);
  }
}
