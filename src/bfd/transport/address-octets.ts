import { ipToBytes, parseIp } from '../../address/index.ts';

/** The octets of an address, in network byte order. Throws a RangeError when the text is not an address, which is a bug in the caller. */
export function octetsOf(text: string): Uint8Array {
  const address = parseIp(text);
  if (!address) throw new RangeError(`not an address: ${text}`);
  return ipToBytes(address);
}
