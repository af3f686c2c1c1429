import type { Random } from './random.ts';

/** Limits on one call of `Meter.measure()`. */
export interface Budget {
  /** CPU time of this process in milliseconds. */
  readonly cpuMs: number;
  /** Growth of the heap in octets. Memory that garbage collection frees during the call does not count. */
  readonly heapOctets: number;
}

/** Measures the work of a target. The generation of inputs is not measured. */
export interface Meter {
  /** Runs the work and compares its cost with the budget. */
  measure<T>(work: () => T): T;
}

/** Code that receives octets from outside: one decoder, or a decoder and the code that uses the decoded values. */
export interface FuzzTarget {
  /** Chosen with `--target`. */
  readonly name: string;
  /** Share of the inputs of a run, relative to the other targets. Slow targets have a small share. */
  readonly weight: number;
  readonly budget: Budget;
  /** Verdicts that a run must see often. A run without them tests too little. */
  readonly expectedVerdicts: readonly string[];
  /**
   * Makes one input from `random`, lets the target handle it, and checks everything that must hold for any input. Returns the verdict in one
   * word or a few. Throws when a check fails, and lets exceptions of the target through.
   */
  run(random: Random, meter: Meter): string;
}
