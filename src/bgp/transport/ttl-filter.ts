/**
 * The generalized TTL security mechanism for a listener (RFC 5082 section 3). The kernel's own option, IP_MINTTL, sets one minimum per
 * socket. On a listener, this minimum would apply to the segments of all peers whose connections wait to be accepted. But each peer has a
 * minimum of its own. This classic BPF program therefore compares the TTL of every segment, from the first SYN on, with the minimum of the
 * segment's source address. A connection inherits the program. When tcp-listener.ts accepts the connection, it sets the peer's minimum by
 * IP_MINTTL, and removes the program.
 */
import { type Family, ipToBytes } from '../../address/index.ts';
import {
  acceptPacket,
  encodeProgram,
  type Instruction,
  onlyFrom,
  requireTtl,
} from '../../linux/socket-filter.ts';
import type { AcceptedPeer } from './transport.ts';

/** The program for peers of the family; `undefined` when all of them may send with any TTL. */
export function ttlFilter(family: Family, peers: readonly AcceptedPeer[]): Uint8Array | undefined {
  const program: Instruction[] = [];
  for (const { address, minimumTtl } of minimumPerAddress(peers))
    program.push(...onlyFrom(family, address, [...requireTtl(family, minimumTtl), acceptPacket]));
  if (program.length === 0) return undefined;
  program.push(acceptPacket);
  return encodeProgram(program);
}

/**
 * Finds one minimum for each address. When several peers share address and interface, the minimum of the first peer applies. When peers on
 * two interfaces share a link-local address, the lower minimum applies, because the program does not see the interface.
 */
function minimumPerAddress(peers: readonly AcceptedPeer[]): { address: Uint8Array; minimumTtl: number }[] {
  const byLink = new Map<string, AcceptedPeer>();
  for (const peer of peers) {
    const key = `${peer.address.value} ${peer.interface ?? ''}`;
    if (!byLink.has(key)) byLink.set(key, peer);
  }
  const byAddress = new Map<bigint, { address: Uint8Array; minimumTtl: number }>();
  for (const { address, minimumTtl = 0 } of byLink.values()) {
    const lower = Math.min(minimumTtl, byAddress.get(address.value)?.minimumTtl ?? minimumTtl);
    byAddress.set(address.value, { address: ipToBytes(address), minimumTtl: lower });
  }
  return [...byAddress.values()].filter(({ minimumTtl }) => minimumTtl > 0);
}
