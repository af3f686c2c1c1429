/** Selects, sorts and counts what the tables show. Pure: this file runs in the browser, and in tests without a browser. */

/** @typedef {import('../page-data.ts').PageAddress} PageAddress */
/** @typedef {import('../page-data.ts').PageNode} PageNode */
/** @typedef {import('../page-data.ts').PageSession} PageSession */
/** @typedef {'service' | 'address' | 'pool' | 'state'} AddressColumn */
/** @typedef {{ column: AddressColumn, descending: boolean }} RowOrder */
/** @typedef {{ text: string, state: 'all' | 'wrong' | 'waiting', pool: string }} AddressFilter */
/** @typedef {PageSession & { node: string }} SessionRow */

/** Numbers in names count as numbers, so that `web-9` comes before `web-10` and 192.0.2.9 before 192.0.2.10. */
const { compare } = new Intl.Collator('en', { numeric: true });

/**
 * The addresses that pass a filter. Each word of `filter.text` must occur in the Service, the address, the pool or the text of a row.
 * @param {readonly PageAddress[]} addresses
 * @param {AddressFilter} filter
 * @returns {PageAddress[]}
 */
export function filterAddresses(addresses, { text, state, pool }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return addresses.filter((each) => {
    if (state === 'wrong' && each.isAsDesired) return false;
    if (state === 'waiting' && each.address !== undefined) return false;
    if (pool !== '' && each.pool !== pool) return false;
    if (words.length === 0) return true;
    const row = `${each.service} ${each.address ?? ''} ${each.pool} ${each.text}`.toLowerCase();
    return words.every((word) => row.includes(word));
  });
}

/**
 * Rows that are equal in the column are ordered by Service and address.
 * @param {readonly PageAddress[]} addresses
 * @param {RowOrder} order
 * @returns {PageAddress[]}
 */
export function sortAddresses(addresses, { column, descending }) {
  const sign = descending ? -1 : 1;
  return addresses.toSorted(
    (a, b) =>
      sign * compareColumn(a, b, column) ||
      compare(a.service, b.service) ||
      compare(a.address ?? '', b.address ?? ''),
  );
}

/**
 * In the column of states, wrong rows come before rows that are as desired.
 * @param {PageAddress} a
 * @param {PageAddress} b
 * @param {AddressColumn} column
 */
function compareColumn(a, b, column) {
  switch (column) {
    case 'service':
      return compare(a.service, b.service);
    case 'address':
      return compare(a.address ?? '', b.address ?? '');
    case 'pool':
      return compare(a.pool, b.pool);
    case 'state':
      return Number(a.isAsDesired) - Number(b.isAsDesired);
  }
}

/**
 * One page of a list. If the list has no page with this number, the page with the nearest number is returned.
 * @template T
 * @param {readonly T[]} rows
 * @param {number} page starts at 0
 * @param {number} size
 * @returns {{ rows: T[], page: number, pages: number, from: number, to: number, total: number }} `from` and `to` count from 1; 0 in an empty list
 */
export function pageOf(rows, page, size) {
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const shown = Math.min(Math.max(0, page), pages - 1);
  const start = shown * size;
  const part = rows.slice(start, start + size);
  const total = rows.length;
  return {
    rows: part,
    page: shown,
    pages,
    from: total === 0 ? 0 : start + 1,
    to: start + part.length,
    total,
  };
}

/**
 * Nodes with a fault first, then by name.
 * @param {readonly PageNode[]} nodes
 */
export function sortNodes(nodes) {
  return nodes.toSorted((a, b) => Number(a.isAsDesired) - Number(b.isAsDesired) || compare(a.node, b.node));
}

/**
 * The sessions of all nodes, those with a fault first.
 * @param {readonly PageNode[]} nodes
 * @returns {SessionRow[]}
 */
export function sessionRows(nodes) {
  return nodes
    .flatMap(({ node, sessions }) => sessions.map((session) => ({ node, ...session })))
    .sort(
      (a, b) =>
        Number(a.isAsDesired) - Number(b.isAsDesired) || compare(a.node, b.node) || compare(a.peer, b.peer),
    );
}

/**
 * The share of a pool that is in use, from 0 to 1. The counts are texts, because an IPv6 pool may have more addresses than a JavaScript number
 * can count.
 * @param {{ readonly addresses: string, readonly inUse: string }} pool
 */
export function shareInUse({ addresses, inUse }) {
  const size = BigInt(addresses);
  return size === 0n ? 0 : Number((BigInt(inUse) * 10_000n) / size) / 10_000;
}

/**
 * Writes a number for people, with its digits in groups of three. A number with more than 12 digits is rounded down to a power of two. Only IPv6
 * pools are that large.
 * @param {string | number} value
 */
export function formatCount(value) {
  const text = String(value);
  if (text.length > 12) return `about 2^${BigInt(text).toString(2).length - 1}`;
  return text.replace(/\B(?=(\d{3})+$)/g, ',');
}

/**
 * Writes how long ago something was. A time in the future counts as now, because clocks differ.
 * @param {number} ms
 */
export function formatAge(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

/**
 * The Service that a problem is about; `undefined` for a problem of another object.
 * @param {{ readonly kind: string, readonly object: string }} problem
 * @param {ReadonlyMap<string, string>} serviceOfAddress
 */
export function serviceOf({ kind, object }, serviceOfAddress) {
  if (kind === 'service') return object;
  return kind === 'address' ? serviceOfAddress.get(object) : undefined;
}
