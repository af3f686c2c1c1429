import { formatIp, parseIp } from '../address/index.ts';

/** A Service by name, or an address. */
export type Subject =
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'address'; readonly address: string };

/** Reads an argument: an address, `namespace/name`, or the name of a Service in `namespace`. Throws when it is none of them. */
export function parseSubject(text: string, namespace: string): Subject {
  const ip = parseIp(text);
  if (ip) return { kind: 'address', address: formatIp(ip) };
  const parts = text.split('/');
  const name = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
  if (parts.length > 2 || !parts.every((part) => name.test(part)))
    throw new Error(
      `${JSON.stringify(text)} is neither an address nor the name of a Service; give namespace/name, name or an address`,
    );
  const [first = '', second] = parts;
  return second === undefined
    ? { kind: 'service', namespace, name: first }
    : { kind: 'service', namespace: first, name: second };
}
