import assert from 'node:assert/strict';
import { getHeapStatistics } from 'node:v8';
import { Random } from './random.ts';
import type { Budget, FuzzTarget, Meter } from './target.ts';

export interface FuzzReport {
  readonly inputs: number;
  /** Inputs by verdict. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

export interface FuzzOptions {
  readonly seed: number;
  /** Inputs to make. */
  readonly count: number;
  /** Number of the first input. An input depends only on the seed and its number, so any input can run alone. */
  readonly first?: number;
  /** Factor on the CPU time of the budget, for machines that do other work at the same time. */
  readonly slack?: number;
  readonly progress?: (done: number) => void;
}

/** An input that exceeds the budget runs again, up to this many times in all, because garbage collection and other processes also cost time. */
const attempts = 3;
const progressInterval = 100_000;

/** Runs a target with inputs made from the seed. When an input fails, throws an error that names it. */
export function fuzz(
  target: FuzzTarget,
  { seed, count, first = 0, slack = 1, progress }: FuzzOptions,
): FuzzReport {
  const budget = { ...target.budget, cpuMs: target.budget.cpuMs * slack };
  const verdicts: Record<string, number> = {};
  let slowestMs = 0;
  for (let input = first; input < first + count; input++) {
    try {
      const { verdict, cpuMs } = withinBudget(
        target,
        budget,
        () => new Random(seed + Math.imul(input, 0x9e3779b1)),
      );
      slowestMs = Math.max(slowestMs, cpuMs);
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    } catch (cause) {
      const command = `.cache/bin/node test/fuzz/main.ts --target ${target.name} --seed ${seed} --first ${input} --count 1`;
      throw new Error(`input ${input} of ${target.name}: run it again with ${command}`, { cause });
    }
    if (input > first && (input - first) % progressInterval === 0) progress?.(input - first);
  }
  return { inputs: count, verdicts, slowestMs };
}

/** Runs the input, and runs it again when it exceeds the budget. Throws when every attempt exceeds the budget. */
function withinBudget(
  target: FuzzTarget,
  budget: Budget,
  numbers: () => Random,
): { verdict: string; cpuMs: number } {
  let excess: string | undefined;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const meter = new BudgetMeter(budget);
    const verdict = target.run(numbers(), meter);
    if (meter.excess === undefined) return { verdict, cpuMs: meter.slowestMs };
    excess = meter.excess;
  }
  assert.fail(excess);
}

class BudgetMeter implements Meter {
  readonly #budget: Budget;
  slowestMs = 0;
  /** Describes the first cost over the budget. */
  excess: string | undefined;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  measure<T>(work: () => T): T {
    const heapBefore = getHeapStatistics().used_heap_size;
    const cpuBefore = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpuMs = (user + system) / 1000;
    const heapOctets = getHeapStatistics().used_heap_size - heapBefore;
    this.slowestMs = Math.max(this.slowestMs, cpuMs);
    if (cpuMs > this.#budget.cpuMs) this.excess ??= `the input takes ${Math.round(cpuMs)} ms of CPU time`;
    if (heapOctets > this.#budget.heapOctets) this.excess ??= `the input allocates ${heapOctets} octets`;
    return result;
  }
}
