import { formatPrefix } from '../address/index.ts';
import type { Link } from '../link/link-table.ts';
import type { Logger } from '../log.ts';
import type { FromLayer2, LinkStatus } from './messages.ts';
import { formatFacts, type NodePhase } from './ownership/node-facts.ts';
import type { Ownership } from './ownership/ownership.ts';

/** Formats the facts that this node tells the other members about itself, and reports the links of this node to the speaker process. */
export class OwnFacts {
  readonly #entries: Ownership['entries'];
  readonly #logger: Logger;
  readonly #report: (message: FromLayer2) => void;
  #reportedLinks = '';
  /** Names of the links that did not fit in the last facts. */
  #leftOut = '';

  constructor(entries: Ownership['entries'], logger: Logger, report: (message: FromLayer2) => void) {
    this.#entries = entries;
    this.#logger = logger;
    this.#report = report;
  }

  /** Returns the facts as text. Logs an error when links that carry addresses do not fit. */
  format(links: readonly Link[], phase: NodePhase): string {
    const named = this.#entries.namedInterfaces();
    // Each Pod adds a link without a subnet to the node. Such links carry no addresses.
    const useful = links.filter(({ name, subnets }) => subnets.length > 0 || named.has(name));
    this.#reportLinks(useful);
    const isNeeded = (link: Link) => named.has(link.name) || this.#entries.carriesAny(link);
    const { text, leftOut } = formatFacts(useful, isNeeded, phase);
    const interfaces = leftOut.join();
    if (interfaces !== this.#leftOut && interfaces !== '')
      this.#logger.error(
        { interfaces },
        'too many links to report to other speakers: this node does not answer on the listed links',
      );
    this.#leftOut = interfaces;
    return text;
  }

  #reportLinks(useful: readonly Link[]): void {
    const links: LinkStatus[] = useful.map(({ name, subnets }) => ({
      name,
      subnets: subnets.map(formatPrefix),
    }));
    const text = JSON.stringify(links);
    if (text === this.#reportedLinks) return;
    this.#reportedLinks = text;
    this.#report({ kind: 'links', links });
  }
}
