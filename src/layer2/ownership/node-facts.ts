import { formatPrefix, parsePrefix } from '../../address/index.ts';
import { formatMac } from '../../link/frame.ts';
import type { Link } from '../../link/link-table.ts';
import { parseWitnessFacts, type WitnessFacts, witnessToJson } from './witness-facts.ts';

/** The part of a link that other nodes need to know. */
export interface NodeLink extends Pick<Link, 'name' | 'subnets'> {
  /** Lower case, colon separated. */
  readonly mac: string;
}

/** Facts that each node tells all others about itself, so that every node can judge which nodes could answer for an address. */
export interface NodeFacts extends WitnessFacts {
  readonly links: readonly NodeLink[];
  /** The node hands over its addresses and must not receive new ones. */
  readonly isLeaving: boolean;
  /** The node has started and does not answer yet. The addresses that it owned before its start count as vacant. */
  readonly isStarting: boolean;
}

/** All facts except the links. */
export type NodePhase = Omit<NodeFacts, 'links'>;

/** The text for other nodes, and the names of links that do not fit in it. */
export interface FormattedFacts {
  readonly text: string;
  readonly leftOut: readonly string[];
}

/** Longest text of the facts. The facts share a datagram with other content. */
const maxLength = 900;

/**
 * Formats the facts for the membership's metadata:
 *
 *     {"leaving":true,"starting":true,"links":[["eth0","02:00:00:00:00:01",["192.0.2.0/24"]]]}
 *
 * The node's report as a witness and its mute addresses stand between `starting` and `links` (`witnessToJson`). If the text is too long, these
 * two statements take a shorter form. If the text is still too long, as on a node with many container networks, it includes only the links that
 * `isNeeded` selects. The last step leaves out the node's report as a witness, and the links that do not fit. Every form of the text says that a
 * mute node is mute. Otherwise, other nodes would give the node its addresses back.
 */
export function formatFacts(
  links: readonly Link[],
  isNeeded: (link: Link) => boolean,
  phase: NodePhase,
): FormattedFacts {
  const all = fitStatements(links, phase);
  if (all !== undefined) return { text: all, leftOut: [] };
  const needed = links.filter(isNeeded);
  const some = fitStatements(needed, phase);
  if (some !== undefined) return { text: some, leftOut: [] };
  for (let count = needed.length; ; count--) {
    const text = toJson(needed.slice(0, count), phase, 'mute');
    if (text.length <= maxLength || count === 0)
      return { text, leftOut: needed.slice(count).map(({ name }) => name) };
  }
}

/** The text with all these links and the longest statements that fit; `undefined` when not even the short ones do. */
function fitStatements(links: readonly Link[], phase: NodePhase): string | undefined {
  for (const form of ['long', 'short'] as const) {
    const text = toJson(links, phase, form);
    if (text.length <= maxLength) return text;
  }
  return undefined;
}

function toJson(links: readonly Link[], phase: NodePhase, statements: 'long' | 'short' | 'mute'): string {
  const { witness, ...others } = phase;
  return toAscii(
    JSON.stringify({
      ...(phase.isLeaving ? { leaving: true } : {}),
      ...(phase.isStarting ? { starting: true } : {}),
      ...witnessToJson(statements === 'mute' ? others : phase, statements !== 'long'),
      links: links.map(({ name, mac, subnets }) => [name, formatMac(mac), subnets.map(formatPrefix)]),
    }),
  );
}

/** Escapes all characters except printable ASCII. Packets carry ASCII only, but a link name may contain other characters. */
function toAscii(json: string): string {
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const noFacts: NodeFacts = { links: [], isLeaving: false, isStarting: false };

/** Parses the facts of another node. Unknown and malformed parts are ignored, because a newer version of Bellman may use other parts. */
export function parseFacts(text: string): NodeFacts {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return noFacts;
  }
  if (typeof raw !== 'object' || raw === null) return noFacts;
  const { links, leaving, starting } = raw as { links?: unknown; leaving?: unknown; starting?: unknown };
  return {
    isLeaving: leaving === true,
    isStarting: starting === true,
    ...parseWitnessFacts(raw),
    links: (Array.isArray(links) ? links : []).flatMap((link: unknown) => parseLink(link) ?? []),
  };
}

function parseLink(link: unknown): NodeLink | undefined {
  if (!Array.isArray(link)) return undefined;
  const [name, mac, subnets] = link as unknown[];
  if (typeof name !== 'string' || typeof mac !== 'string' || !Array.isArray(subnets)) return undefined;
  return { name, mac, subnets: subnets.flatMap((subnet) => parsePrefix(String(subnet)) ?? []) };
}
