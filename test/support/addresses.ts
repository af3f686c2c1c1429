/** Addresses and prefixes from text. A text that does not parse is a mistake in the test, so these functions throw. */
import { type IpAddress, type Prefix, parseIp, parsePrefix } from '../../src/address/index.ts';

export function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return address;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!parsed) throw new Error(`not a prefix: ${text}`);
  return parsed;
}
