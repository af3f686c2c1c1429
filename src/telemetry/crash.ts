import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type FlightRecorder, plain } from './flight-recorder.ts';

/** Exit code of a process that ends because of a bug. 70 is EX_SOFTWARE of sysexits(3). */
export const crashExitCode = 70;

export interface CrashOptions {
  /** Its component names the process in the log. */
  readonly logger: Logger;
  readonly recorder: FlightRecorder;
  readonly clock: Clock;
  /** Hands over the addresses, for instance. The process ends when this is done, has failed or takes too long. */
  readonly handOver?: () => Promise<void>;
}

/** Longer than the layer-2 process takes to hand over. */
const handOverMs = 5000;

/**
 * Ends the process with {@link crashExitCode} on an exception that nothing caught: its state can no longer be trusted. Every entrance
 * of foreign input has a guard, so such an exception is a bug of this program and not the fault of an input.
 */
export function endOnCrash({ logger, recorder, clock, handOver }: CrashOptions): void {
  let isEnding = false;
  const end = () => process.exit(crashExitCode);
  const crash = (kind: string, error: unknown) => {
    const reason = plain(error instanceof Error ? error.message : String(error));
    const stack = error instanceof Error ? error.stack : undefined;
    recorder.record('crash', 'ending', { kind, reason }, []);
    logger.error({ kind, reason, stack }, 'bug: the process ends');
    // The bug often strikes again during the handover, which continues all the same.
    if (isEnding) return;
    isEnding = true;
    if (!handOver) return end();
    clock.after(handOverMs, end);
    void handOver().then(end, end);
  };
  process.on('uncaughtException', (error) => crash('uncaughtException', error));
  process.on('unhandledRejection', (error) => crash('unhandledRejection', error));
}
