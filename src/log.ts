import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * One JSON object a line on standard output: `level`, `ts` (RFC 3339), `component`, `msg`, and the keys that
 * operators grep for: `service`, `ip`, `pool`, `peer`, `node`, `interface`, `reason`.
 */
export function createLogger(component: string, level: LogLevel = 'info'): Logger {
  return pino({
    level,
    base: { component },
    timestamp: () => `,"ts":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}
