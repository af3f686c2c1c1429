/** A 32-bit hash of a text: FNV-1a, then MurmurHash3's finalizer, because FNV mixes the high bits of short texts badly. */
export function hash32(text: string): number {
  return finish(extend(fnvOffset, text));
}

const fnvOffset = 0x811c9dc5;

/** Continues FNV-1a from `state` over more text. */
function extend(state: number, text: string): number {
  let hash = state;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

function finish(state: number): number {
  let hash = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The weight of a node for a key in rendezvous (highest random weight) hashing. The heaviest node wins the key. */
export function rendezvousWeight(node: string, key: string): number {
  return finish(extend(rendezvousState(node), key));
}

/** The state of the hash after the name of a node. The weights of the node for all keys start from it. */
export function rendezvousState(node: string): number {
  return extend(extend(fnvOffset, node), '\n');
}

/**
 * The same weight as `rendezvousWeight` gives, from the `rendezvousState` of the node. For many keys, `weightFrom` takes a fifth of the time of
 * `rendezvousWeight`.
 */
export function weightFrom(state: number, key: string): number {
  return finish(extend(state, key));
}

/**
 * Another weight of a node for a key, from the `rendezvousState` of the node and the hash of the key. It differs from the weight that `weightFrom`
 * gives. Its cost does not depend on the length of the key.
 */
export function weightFromHash(state: number, keyHash: number): number {
  return finish(state ^ keyHash);
}

/** The `count` heaviest nodes for the key, heaviest first. */
export function rendezvousWinners(nodes: Iterable<string>, key: string, count: number): string[] {
  return [...nodes]
    .map((node) => ({ node, weight: rendezvousWeight(node, key) }))
    .sort((a, b) => b.weight - a.weight || (a.node < b.node ? -1 : 1))
    .slice(0, count)
    .map(({ node }) => node);
}
