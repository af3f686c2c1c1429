import { type Logger, pino } from 'pino';
import { systemClock } from './clock.ts';
import { type LogOutput, standardOutput } from './telemetry/log-output.ts';

export type { Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

let output: LogOutput | undefined;

/**
 * A logger that writes one JSON object per line to standard output: `level`, `ts` (RFC 3339), `component`, `msg`, and the keys that
 * operators search for: `service`, `ip`, `pool`, `peer`, `node`, `interface`, `reason`. All loggers of the process share one output.
 */
export function createLogger(component: string, level: LogLevel = 'info'): Logger {
  output ??= standardOutput(systemClock);
  return pino(
    {
      level,
      base: { component },
      timestamp: () => `,"ts":"${new Date(systemClock.epochMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
}

/** The number of log lines that this process could not write. */
export function lostLogLines(): number {
  return output?.lost ?? 0;
}
