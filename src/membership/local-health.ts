/**
 * Whether this member is itself the slow one (Lifeguard's local health awareness): the worse, the longer it waits before it
 * blames others. It worsens when our own timers ran late or when others suspected us, and mends with each probe that is
 * answered.
 */
export class LocalHealth {
  #score = 0;

  worsen(): void {
    this.#score = Math.min(4, this.#score + 1);
  }

  mend(): void {
    this.#score = Math.max(0, this.#score - 0.25);
  }

  /** 0: well. */
  get score(): number {
    return this.#score;
  }

  /** To stretch waiting times with: 1 to 3. */
  get factor(): number {
    return 1 + this.#score / 2;
  }
}
