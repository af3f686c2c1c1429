import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import { exitCodes } from './exit-codes.ts';

/**
 * Runs a daemon. If the daemon cannot start, logs the error in the format of all log lines and exits with `exitCodes.failed`. The
 * explicit exit is necessary because parts that have already started would keep the process alive.
 */
export async function runDaemon(logger: Logger, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    logger.error({ reason: reasonOf(error) }, 'cannot start');
    process.exit(exitCodes.failed);
  }
}
