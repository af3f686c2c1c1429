/**
 * The diagnostics of a process:
 *
 *   flight recorder  the last events of each state machine, at `/debug/events` and in the log at level debug
 *   guard            an exception while one input is handled costs only that input; it is counted and logged
 *   crash            any other exception ends the process with `crashExitCode`, after a handover
 *   log output       a log line never holds the process up; lost lines are counted
 *   HTTP endpoint    metrics, health, readiness, status, events
 */
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import { type Logger, lostLogLines } from '../log.ts';
import type { FlightRecorder } from './flight-recorder.ts';
import { Guard } from './guard.ts';
import { registerInputFailures } from './input-failures.ts';
import { createRecorder } from './recorder.ts';

export interface DiagnosticsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** The flight recorder of a process, and the guard for the entrances of foreign input. */
export interface Diagnostics {
  readonly recorder: FlightRecorder;
  readonly guard: Guard;
}

/** Creates the diagnostics of a process and registers their metrics. At level debug every recorded event is logged as well. */
export function createDiagnostics({ clock, logger, registry }: DiagnosticsOptions): Diagnostics {
  const recorder = createRecorder({ clock, logger });
  registerLostLogLines(registry);
  return { recorder, guard: new Guard({ logger, count: registerInputFailures(registry), recorder }) };
}

/** Registers the metric of log lines that could not be written. */
export function registerLostLogLines(registry: Registry): void {
  new Counter({
    name: 'bellman_log_lines_lost_total',
    help: 'Log lines that could not be written, for instance because the disk is full.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(lostLogLines());
    },
  });
}
