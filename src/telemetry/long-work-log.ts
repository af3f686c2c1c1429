import type { Logger } from '../log.ts';
import type { TurnProgress } from '../turns.ts';

/** Logs the progress of work that takes several seconds. */
export function logLongWork(logger: Logger): (progress: TurnProgress) => void {
  return ({ work, remaining, seconds, isDone }) => {
    if (isDone) logger.info({ work, seconds }, 'long work is done');
    else logger.info({ work, remaining, seconds }, 'long work goes on');
  };
}
