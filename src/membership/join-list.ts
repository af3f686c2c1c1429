import type { Endpoint } from './endpoint.ts';
import { shuffle } from './shuffle.ts';

/**
 * Number of quick attempts to reach a missing speaker. When no missing speaker has quick attempts left, one speaker is tried each second,
 * chosen at random.
 */
const quickAttempts = 3;
const quickIntervalMs = 50;
const slowIntervalMs = 1000;
/** Maximum number of speakers tried at a time. */
const triesAtOnce = 16;
/** Minimum time between two calls of `tryAllAgain` that take effect. */
const reprobeIntervalMs = 1000;

export interface JoinTarget {
  readonly name: string;
  readonly endpoint: Endpoint | undefined;
}

/** The speakers that Kubernetes lists, and when to try to reach the missing ones. */
export class JoinList {
  readonly #random: () => number;
  readonly #listed = new Map<string, readonly Endpoint[]>();
  readonly #attempts = new Map<string, number>();
  #nextAtMs = Number.POSITIVE_INFINITY;
  #nextReprobeAtMs = 0;
  #isCertain = false;

  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * Replaces the list and returns the names that are no longer on it. `isCertain` says that every listed speaker has a Pod and that there
   * are no other speakers.
   */
  replace(speakers: ReadonlyMap<string, readonly Endpoint[]>, isCertain: boolean, nowMs: number): string[] {
    const left = [...this.#listed.keys()].filter((name) => !speakers.has(name));
    for (const name of left) this.#listed.delete(name);
    for (const [name, endpoints] of speakers) this.#listed.set(name, endpoints);
    this.#isCertain = isCertain;
    this.#nextAtMs = Math.min(this.#nextAtMs, nowMs);
    return left;
  }

  get isCertain(): boolean {
    return this.#isCertain;
  }

  names(): Iterable<string> {
    return this.#listed.keys();
  }

  has(name: string): boolean {
    return this.#listed.has(name);
  }

  endpointsOf(name: string): readonly Endpoint[] {
    return this.#listed.get(name) ?? [];
  }

  /** The speaker that is listed with the address. */
  speakerAt(host: string): string | undefined {
    for (const [name, endpoints] of this.#listed)
      if (endpoints.some((endpoint) => endpoint.host === host)) return name;
    return undefined;
  }

  forget(name: string): void {
    this.#attempts.delete(name);
  }

  /** Gives all missing speakers their quick attempts again. Called when a dead member turns out to be alive: a partition may have ended. */
  tryAllAgain(nowMs: number): void {
    if (nowMs < this.#nextReprobeAtMs) return;
    this.#nextReprobeAtMs = nowMs + reprobeIntervalMs;
    this.#attempts.clear();
    this.#nextAtMs = nowMs;
  }

  wakeAtMs(): number {
    return this.#nextAtMs;
  }

  /**
   * Returns the missing speakers to try now: up to `triesAtOnce` of those with quick attempts left. If none has quick attempts left, returns
   * one missing speaker. Both choices are random. In a fixed order, frequent calls of `tryAllAgain` would keep the last speakers waiting.
   */
  due(missing: Iterable<string>, nowMs: number): JoinTarget[] {
    if (nowMs < this.#nextAtMs) return [];
    const names = [...missing];
    const fresh = names.filter((name) => this.#attemptsOf(name) < quickAttempts);
    const [among, count] = fresh.length > 0 ? [fresh, triesAtOnce] : [names, 1];
    const chosen = shuffle(among, this.#random).slice(0, count);
    this.#nextAtMs = nowMs + (fresh.length > 0 ? quickIntervalMs : slowIntervalMs);
    return chosen.map((name) => {
      const attempt = this.#attemptsOf(name);
      this.#attempts.set(name, attempt + 1);
      const endpoints = this.endpointsOf(name);
      return { name, endpoint: endpoints[attempt % Math.max(1, endpoints.length)] };
    });
  }

  #attemptsOf(name: string): number {
    return this.#attempts.get(name) ?? 0;
  }
}
