import type { Logger } from '../log.ts';

/**
 * Whether the API server answers, as all watches and writers of a process have found together: it is said once when it is lost and
 * once when it is back, however many of them notice.
 */
export class Reachability {
  #lost = false;

  get lost(): boolean {
    return this.#lost;
  }

  /** There was no answer. */
  missed(logger: Logger, reason: string): void {
    if (this.#lost) return;
    this.#lost = true;
    logger.warn({ reason }, 'API server not reached, retrying');
  }

  /** There was an answer, if only a refusal. */
  answered(logger: Logger): void {
    if (!this.#lost) return;
    this.#lost = false;
    logger.info('API server reached again');
  }
}
