import { formatPrefix, parsePrefix } from '../address/index.ts';
import { formatMac } from '../link/frame.ts';
import type { Link } from '../link/link-table.ts';

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
}

/** As many octets as fit a datagram beside everything else. */
const maxLength = 900;

/**
 * The text that travels: JSON `{"leaving":true,"links":[[name, mac, [subnet…]]…]}`. Links without a subnet are told only when an
 * advertisement names them, since a node has one for each Pod.
 */
export function formatFacts(
  links: readonly Link[],
  namedInterfaces: ReadonlySet<string>,
  isLeaving: boolean,
): string {
  const told = links
    .filter(({ name, subnets }) => subnets.length > 0 || namedInterfaces.has(name))
    .map(({ name, mac, subnets }) => [name, formatMac(mac), subnets.map(formatPrefix)] as const);
  for (;;) {
    const text = inAscii(JSON.stringify({ ...(isLeaving ? { leaving: true } : {}), links: told }));
    if (text.length <= maxLength) return text;
    told.pop();
  }
}

/** Packets carry ASCII only, the kernel takes any name for a link. */
function inAscii(json: string): string {
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Reads the text; what does not fit is left out, as a newer version may say more. */
export function parseFacts(text: string): NodeFacts {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { links: [], isLeaving: false };
  }
  if (typeof raw !== 'object' || raw === null) return { links: [], isLeaving: false };
  const { links, leaving } = raw as { links?: unknown; leaving?: unknown };
  return {
    isLeaving: leaving === true,
    links: (Array.isArray(links) ? links : []).flatMap((link: unknown) => {
      if (!Array.isArray(link)) return [];
      const [name, mac, subnets] = link as unknown[];
      if (typeof name !== 'string' || typeof mac !== 'string' || !Array.isArray(subnets)) return [];
      return [{ name, mac, subnets: subnets.flatMap((subnet) => parsePrefix(String(subnet)) ?? []) }];
    }),
  };
}
