import { parseIp } from '../../address/index.ts';
import type { Node } from '../../kubernetes/model.ts';

/**
 * The BGP Identifier of a node, used unless a peer's configuration sets one: the node's first IPv4 InternalIP. On an IPv6-only node, the
 * identifier is an FNV-1a hash of the node's name, which stays the same across restarts. RFC 6286 asks for 32 bits other than zero, unique
 * within the AS.
 */
export function routerIdOf(nodeName: string, node: Node | undefined): number {
  for (const text of node?.internalIPs ?? []) {
    const address = parseIp(text);
    if (address?.family === 4 && address.value !== 0n) return Number(address.value);
  }
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(nodeName)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash === 0 ? 1 : hash;
}
