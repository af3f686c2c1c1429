import { createHash } from 'node:crypto';
import { formatIp } from '../../address/index.ts';
import type { ResolvedPeer } from '../peer.ts';

/**
 * A SHA-256 hash (32 octets) of the settings that cannot change while a TCP connection to the peer is open, the password included. By this
 * hash, a successor finds its peer for a connection that its predecessor passes on. The two processes may have different versions, so each
 * version must compute the hash in this way.
 */
export function connectionKey({ settings, password }: ResolvedPeer): Uint8Array {
  const { address, interface: zone, port, sourceAddress } = settings;
  const parts = [formatIp(address), zone ?? null, port, sourceAddress ? formatIp(sourceAddress) : null];
  return createHash('sha256')
    .update(JSON.stringify([...parts, password ?? null]))
    .digest();
}
