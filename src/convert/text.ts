import { printable } from '../printable.ts';

/** Prepares a value of the source for a message: one line, bounded, safe in a terminal. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'keys and values';
  return printable(String(value), 64) || '""';
}

/** Lists the first names and the number of the others, for messages. */
export function showSome(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length > 8 ? `, and ${names.length - 8} more` : '';
  return names.slice(0, 8).map(show).join(', ') + more;
}
