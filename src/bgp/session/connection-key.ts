import { createHash } from 'node:crypto';
import { formatIp } from '../../address/index.ts';
import type { ResolvedPeer } from '../peer.ts';

/**
 * A digest of the settings that an open TCP connection to the peer cannot change, the password included. Two speaker processes, which may
 * have different versions, use it to recognize a peer that they share. 32 octets.
 */
export function connectionKey({ settings, password }: ResolvedPeer): Uint8Array {
  const { address, interface: zone, port, sourceAddress } = settings;
  const parts = [formatIp(address), zone ?? null, port, sourceAddress ? formatIp(sourceAddress) : null];
  return createHash('sha256')
    .update(JSON.stringify([...parts, password ?? null]))
    .digest();
}
