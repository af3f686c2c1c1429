import type { Logger } from '../log.ts';

/** Logs when this node may no longer announce, and when it may announce again, once per change. */
export class NodeRefusalLog {
  readonly #node: string;
  readonly #logger: Logger;
  #refusal: string | undefined;

  constructor(node: string, logger: Logger) {
    this.#node = node;
    this.#logger = logger;
  }

  /** `refusal` is the reason why the node may not announce. It is `undefined` when the node may announce. */
  update(refusal: string | undefined): void {
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    if (refusal === undefined) this.#logger.info({ node: this.#node }, 'this node announces again');
    else this.#logger.warn({ node: this.#node, reason: refusal }, 'this node does not announce');
  }
}
