import { formatIp, parseIp } from '../address/index.ts';

/** A Service by name, or an address. */
export type Subject =
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'address'; readonly address: string };

/** Reads an argument: an address, `namespace/name`, or a name in the namespace. Returns `undefined` when it is none of them. */
export function subjectOf(text: string, namespace: string): Subject | undefined {
  const ip = parseIp(text);
  if (ip) return { kind: 'address', address: formatIp(ip) };
  const parts = text.split('/');
  const name = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
  if (parts.length > 2 || !parts.every((part) => name.test(part))) return undefined;
  const [first = '', second] = parts;
  return second === undefined
    ? { kind: 'service', namespace, name: first }
    : { kind: 'service', namespace: first, name: second };
}
