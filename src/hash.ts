/** A 32-bit hash of a text: FNV-1a, then MurmurHash3's finalizer, because FNV mixes the high bits of short texts badly. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The weight of a node for a key in rendezvous (highest random weight) hashing. The heaviest node wins the key. */
export function rendezvousWeight(node: string, key: string): number {
  return hash32(`${node}\n${key}`);
}

/** The `count` heaviest nodes for the key, heaviest first. */
export function rendezvousWinners(nodes: Iterable<string>, key: string, count: number): string[] {
  return [...nodes]
    .map((node) => ({ node, weight: rendezvousWeight(node, key) }))
    .sort((a, b) => b.weight - a.weight || (a.node < b.node ? -1 : 1))
    .slice(0, count)
    .map(({ node }) => node);
}
