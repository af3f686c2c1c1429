import { formatIp, parseIp } from '../address/index.ts';
import type { Service } from '../kubernetes/model.ts';
import { annotations } from './names.ts';

/** The node that answers for an address on the local segment. */
export interface Announcer {
  readonly node: string;
  readonly interfaces: readonly string[];
}

/** A line of a record, with its text exactly as the record holds it. */
interface WrittenLine extends Announcer {
  readonly text: string;
}

/**
 * A line without the white space around it. No two neighbouring parts match the same character, so that matching takes linear time. Users may edit
 * the record, and commands print its names. The pattern therefore allows no name of a node or interface with a character that `printable` replaces.
 */
const announcingLine = /^([^=\s]+)=([^/=\s\p{Cc}\p{Cf}\p{Cs}]+)(?:\/([^\s\p{Cc}\p{Cf}\p{Cs}]*))?$/u;
/** The names of objects in Kubernetes are never longer. */
const maxNodeCharacters = 253;
/** 256 interfaces. The name of each has at most 15 characters in Linux, and a `+` follows it. */
const maxInterfacesCharacters = 4096;

/**
 * Parses the announcing record: `address=node/interface[+interface…]`, comma separated. The keys of the result are addresses in canonical
 * text. Skips a line that does not parse, because the record is only advice and the next owner of the address rewrites the line.
 */
export function parseAnnouncing(service: Pick<Service, 'annotations'>): Map<string, Announcer> {
  return new Map(
    Array.from(writtenLines(service), ([address, { node, interfaces }]) => [address, { node, interfaces }]),
  );
}

function writtenLines(service: Pick<Service, 'annotations'>): Map<string, WrittenLine> {
  const lines = new Map<string, WrittenLine>();
  for (const line of (service.annotations[annotations.announcing] ?? '').split(',')) {
    const [, text, node, interfaces] = announcingLine.exec(line.trim()) ?? [];
    const address = text === undefined ? undefined : parseIp(text);
    if (!address || node === undefined || node.length > maxNodeCharacters) continue;
    if (interfaces !== undefined && interfaces.length > maxInterfacesCharacters) continue;
    const named = interfaces?.split('+').filter(Boolean) ?? [];
    lines.set(formatIp(address), { node, interfaces: named, text: line });
  }
  return lines;
}

/** Formats the record, sorted by address. A line that was read from a record keeps its text. */
export function formatAnnouncing(announcers: ReadonlyMap<string, Announcer | WrittenLine>): string {
  return [...announcers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, line]) =>
      'text' in line ? line.text : `${address}=${line.node}/${line.interfaces.join('+')}`,
    )
    .join(',');
}

/**
 * The new announcing record of a Service. Sets the lines of the addresses in `taken`. Drops lines that do not parse, the lines of the addresses in
 * `abandoned`, and the lines of addresses that the Service does not have. Keeps all other lines as they stand, even lines that a user has edited,
 * because the admission policy refuses a changed line of another node. Returns `undefined` when nothing changes, and `null` when no line is left.
 */
export function recordAnnouncing(
  service: Pick<Service, 'annotations' | 'ingress'>,
  taken: ReadonlyMap<string, Announcer>,
  abandoned: ReadonlySet<string> = new Set(),
): string | null | undefined {
  const current = new Set(service.ingress.map(({ ip }) => ip));
  const next = new Map(
    [...writtenLines(service), ...taken].filter(
      ([address]) => current.has(address) && (taken.has(address) || !abandoned.has(address)),
    ),
  );
  const text = formatAnnouncing(next);
  if (text === (service.annotations[annotations.announcing] ?? '')) return undefined;
  return text === '' ? null : text;
}
