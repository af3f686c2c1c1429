import { formatIp, parseIp } from '../address/index.ts';
import type { Service } from '../kubernetes/model.ts';
import { annotations } from './names.ts';

/** The node that answers for an address on the local segment. */
export interface Announcer {
  readonly node: string;
  readonly interfaces: readonly string[];
}

/**
 * Parses the record `bellman.dev/announcing`: `address=node/interface[+interface…]`, comma separated. The result is keyed by canonical
 * address. An item that does not parse is skipped: the record is only advice, and the next owner of the address writes it again.
 */
export function parseAnnouncing(service: Pick<Service, 'annotations'>): Map<string, Announcer> {
  const announcers = new Map<string, Announcer>();
  for (const item of (service.annotations[annotations.announcing] ?? '').split(',')) {
    const [, text, node, interfaces] = /^\s*([^=]+)=([^/=\s]+)(?:\/(\S*))?\s*$/.exec(item) ?? [];
    const address = text === undefined ? undefined : parseIp(text);
    if (!address || node === undefined) continue;
    announcers.set(formatIp(address), { node, interfaces: interfaces?.split('+').filter(Boolean) ?? [] });
  }
  return announcers;
}

/** Formats the record, sorted by address. */
export function formatAnnouncing(announcers: ReadonlyMap<string, Announcer>): string {
  return [...announcers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, { node, interfaces }]) => `${address}=${node}/${interfaces.join('+')}`)
    .join(',');
}

/**
 * The record after this node took some addresses and others were abandoned. Drops the items of abandoned addresses and of addresses that
 * the Service no longer has; the other items stay. Returns `undefined` when nothing changes, `null` when no item is left.
 */
export function recordAnnouncing(
  service: Pick<Service, 'annotations' | 'ingress'>,
  taken: ReadonlyMap<string, Announcer>,
  abandoned: ReadonlySet<string> = new Set(),
): string | null | undefined {
  const current = new Set(service.ingress.map(({ ip }) => ip));
  const next = new Map(
    [...parseAnnouncing(service), ...taken].filter(
      ([address]) => current.has(address) && (taken.has(address) || !abandoned.has(address)),
    ),
  );
  const text = formatAnnouncing(next);
  if (text === (service.annotations[annotations.announcing] ?? '')) return undefined;
  return text === '' ? null : text;
}
