import type { Link } from '../link/link-table.ts';
import type { Logger } from '../log.ts';
import { formatFacts, type NodePhase } from './ownership/node-facts.ts';
import type { Ownership } from './ownership/ownership.ts';

/** The facts that this node tells the other members about itself. */
export class OwnFacts {
  readonly #entries: Ownership['entries'];
  readonly #logger: Logger;
  /** Names of the links that did not fit in the last facts. */
  #leftOut = '';

  constructor(entries: Ownership['entries'], logger: Logger) {
    this.#entries = entries;
    this.#logger = logger;
  }

  /** Returns the facts as text. Logs an error when links that carry addresses do not fit. */
  format(links: readonly Link[], phase: NodePhase): string {
    const named = this.#entries.namedInterfaces();
    // Each Pod adds a link without a subnet to the node. Such links carry no addresses.
    const useful = links.filter(({ name, subnets }) => subnets.length > 0 || named.has(name));
    const isNeeded = (link: Link) => named.has(link.name) || this.#entries.carriesAny(link);
    const { text, leftOut } = formatFacts(useful, isNeeded, phase);
    const interfaces = leftOut.join();
    if (interfaces !== this.#leftOut && interfaces !== '')
      this.#logger.error(
        { interfaces },
        'too many links to report to other speakers: addresses on the listed links stay unanswered',
      );
    this.#leftOut = interfaces;
    return text;
  }
}
