/**
 * Lifeguard's local health awareness (section IV-A): a member whose own timers ran late, or that others suspect, is probably slow itself.
 * The worse its score, the longer it waits before it suspects others. Each answered routine probe improves the score.
 */
export class LocalHealth {
  #score = 0;

  worsen(): void {
    this.#score = Math.min(4, this.#score + 1);
  }

  mend(): void {
    this.#score = Math.max(0, this.#score - 0.25);
  }

  /** From 0 (healthy) to 4. */
  get score(): number {
    return this.#score;
  }

  /** The multiplier for waits: from 1 to 3. */
  get factor(): number {
    return 1 + this.#score / 2;
  }
}
