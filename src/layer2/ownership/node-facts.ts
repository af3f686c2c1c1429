import { formatPrefix, parsePrefix } from '../../address/index.ts';
import { formatMac } from '../../link/frame.ts';
import type { Link } from '../../link/link-table.ts';

/** A link as other nodes need to know it. */
export interface NodeLink extends Pick<Link, 'name' | 'subnets'> {
  /** Lower case, colon separated. */
  readonly mac: string;
}

/** What each node tells all others of itself, so that every one can judge who could answer for an address. */
export interface NodeFacts {
  readonly links: readonly NodeLink[];
  /** It is handing over its addresses and must not be given any. */
  readonly isLeaving: boolean;
  /** It has come, and answers nothing yet: what it owned before has lost its owner. */
  readonly isStarting: boolean;
}

/** What a node says of itself beside its links. */
export type NodePhase = Pick<NodeFacts, 'isLeaving' | 'isStarting'>;

/** The text that travels, and the links that it has no room for. */
export interface FormattedFacts {
  readonly text: string;
  readonly leftOut: readonly string[];
}

/** As many octets as fit a datagram beside everything else. */
const maxLength = 900;

/**
 * The text that travels: JSON `{"leaving":true,"starting":true,"links":[[name, mac, [subnet…]]…]}`. Of many links, as a node has
 * that runs containers of its own, only those that `isNeeded` are told.
 */
export function formatFacts(
  links: readonly Link[],
  isNeeded: (link: Link) => boolean,
  phase: NodePhase,
): FormattedFacts {
  const all = phaseAndLinks(links, phase);
  if (all.length <= maxLength) return { text: all, leftOut: [] };
  const needed = links.filter(isNeeded);
  for (let count = needed.length; ; count--) {
    const text = phaseAndLinks(needed.slice(0, count), phase);
    if (text.length <= maxLength || count === 0)
      return { text, leftOut: needed.slice(count).map(({ name }) => name) };
  }
}

function phaseAndLinks(links: readonly Link[], { isLeaving, isStarting }: NodePhase): string {
  return inAscii(
    JSON.stringify({
      ...(isLeaving ? { leaving: true } : {}),
      ...(isStarting ? { starting: true } : {}),
      links: links.map(({ name, mac, subnets }) => [name, formatMac(mac), subnets.map(formatPrefix)]),
    }),
  );
}

/** Packets carry ASCII only, the kernel takes any name for a link. */
function inAscii(json: string): string {
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const nothing: NodeFacts = { links: [], isLeaving: false, isStarting: false };

/** Reads the text; what does not fit is left out, as a newer version may say more. */
export function parseFacts(text: string): NodeFacts {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return nothing;
  }
  if (typeof raw !== 'object' || raw === null) return nothing;
  const { links, leaving, starting } = raw as { links?: unknown; leaving?: unknown; starting?: unknown };
  return {
    isLeaving: leaving === true,
    isStarting: starting === true,
    links: (Array.isArray(links) ? links : []).flatMap((link: unknown) => {
      if (!Array.isArray(link)) return [];
      const [name, mac, subnets] = link as unknown[];
      if (typeof name !== 'string' || typeof mac !== 'string' || !Array.isArray(subnets)) return [];
      return [{ name, mac, subnets: subnets.flatMap((subnet) => parsePrefix(String(subnet)) ?? []) }];
    }),
  };
}
