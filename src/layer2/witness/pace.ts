/** Bounds the number of questions in a second. After a pause, it allows a tenth of `perSecond` at once, but at least one question. */
export class Pace {
  perSecond: number;
  #tokens = 1;
  #atMs = 0;

  constructor(perSecond: number) {
    this.perSecond = perSecond;
  }

  /** Whether the bound allows a question now. */
  isReady(nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#atMs) * this.perSecond) / 1000;
    this.#tokens = Math.min(Math.max(1, this.perSecond / 10), this.#tokens + earned);
    this.#atMs = nowMs;
    return this.#tokens >= 1;
  }

  /** Counts a question. */
  take(): void {
    this.#tokens--;
  }

  /** When the next question is allowed. */
  readyAtMs(): number {
    const missing = Math.max(0, 1 - this.#tokens);
    return this.#atMs + Math.ceil((missing * 1000) / this.perSecond);
  }
}
