import { Counter, type Registry } from 'prom-client';
import type { Entrance } from './guard.ts';

/** Registers the metric of guarded failures, and returns the function that counts one. */
export function registerInputFailures(registry: Registry): (entrance: Entrance, kind: string) => void {
  const failures = new Counter({
    name: 'bellman_input_failures_total',
    help: 'Inputs that raised an exception, by entrance and kind of error. Each is a bug and affected only that input.',
    labelNames: ['entrance', 'kind'],
    registers: [registry],
  });
  return (entrance, kind) => failures.inc({ entrance, kind });
}
