import type { Logger } from '../log.ts';
import { exitCodes } from './exit-codes.ts';

/**
 * Runs a daemon. An error that keeps it from starting is logged in the same format as everything else, and ends the process with
 * `exitCodes.failed` even though parts that have started would keep it alive.
 */
export async function runDaemon(logger: Logger, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    logger.error({ reason: error instanceof Error ? error.message : String(error) }, 'cannot start');
    process.exit(exitCodes.failed);
  }
}
