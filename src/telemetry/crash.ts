import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import { type FlightRecorder, plain } from './flight-recorder.ts';
import { sourceStack } from './source-stack.ts';

/** Exit code of a process that ends because of a bug. 70 is EX_SOFTWARE of sysexits(3). */
export const crashExitCode = 70;

export interface CrashOptions {
  /** The logger's component names the process in the log. */
  readonly logger: Logger;
  readonly recorder: FlightRecorder;
  readonly clock: Clock;
  /** The last work of the process, for instance the handover of addresses. The process ends when this work is done, fails or takes too long. */
  readonly handOver?: () => Promise<void>;
}

/** Time limit for `handOver`. The layer-2 process takes less time to hand over its addresses. */
const handOverMs = 5000;

/**
 * Ends the process with {@link crashExitCode} on an uncaught exception, because the state of the process can no longer be trusted. Every
 * entrance of foreign input has a guard, so an uncaught exception does not come from the handling of one input.
 */
export function endOnCrash({ logger, recorder, clock, handOver }: CrashOptions): void {
  let isEnding = false;
  const end = () => process.exit(crashExitCode);
  const crash = (kind: string, error: unknown) => {
    const reason = plain(reasonOf(error));
    const stack = sourceStack(error);
    recorder.record('crash', 'ending', { kind, reason }, []);
    logger.error({ kind, reason, stack }, 'bug: the process ends');
    // The same bug often occurs again during the handover. The handover then continues.
    if (isEnding) return;
    isEnding = true;
    if (!handOver) return end();
    clock.after(handOverMs, end);
    void handOver().then(end, end);
  };
  process.on('uncaughtException', (error) => crash('uncaughtException', error));
  process.on('unhandledRejection', (error) => crash('unhandledRejection', error));
}
