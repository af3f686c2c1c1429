import { parseIp } from '../address/index.ts';
import type { Node } from '../kubernetes/model.ts';

/**
 * The BGP Identifier of a node when its peer's configuration names none (RFC 6286: any 32 bits but zero, unique within the
 * AS): the node's first IPv4 InternalIP; on an IPv6-only node a hash of its name (FNV-1a), which stays the same over restarts.
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
