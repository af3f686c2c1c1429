import { formatIp, parseIp } from '../address/index.ts';
import type { Service } from '../kubernetes/model.ts';
import { annotations } from './names.ts';

/** Who answers for an address on the local segment. */
export interface Announcer {
  readonly node: string;
  readonly interfaces: readonly string[];
}

/**
 * Reads the record `bellman.dev/announcing`: `address=node/interface[+interface…]`, comma separated, by canonical address.
 * What does not parse is as if it were not there: the record is advice, and the next owner writes it anew.
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

/** The record's text, addresses in order. */
export function formatAnnouncing(announcers: ReadonlyMap<string, Announcer>): string {
  return [...announcers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, { node, interfaces }]) => `${address}=${node}/${interfaces.join('+')}`)
    .join(',');
}

/**
 * The record after this node has taken over some of the Service's addresses, and others have nobody any more: lines for
 * addresses that the Service no longer has go, the others stay. `undefined` when nothing changes, `null` when no line is left.
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
