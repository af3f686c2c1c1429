import type { Random } from './random.ts';

/** Boundary values of lengths and numbers. */
export const edges = [0, 1, 2, 3, 4, 5, 8, 12, 16, 17, 32, 33, 64, 127, 128, 129, 254, 255];

/**
 * Returns the octets with one to four changes from offset `from` on. A change flips a bit, replaces an octet, inserts, removes or repeats
 * octets, or cuts off the end. A cut leaves at least `minOctets`, if there are so many.
 */
export function mutate(octets: Uint8Array, random: Random, from = 0, minOctets = 0): number[] {
  const changed = [...octets];
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = from + random.below(Math.max(1, changed.length - from));
    switch (random.below(7)) {
      case 0:
        changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 1:
        changed[at] = random.below(256);
        break;
      case 2:
        changed[at] = random.pick(edges);
        break;
      case 3:
        changed.splice(at, 0, ...random.octets(1 + random.below(4)));
        break;
      case 4:
        changed.splice(at, 1 + random.below(6));
        break;
      case 5:
        changed.splice(at, 0, ...changed.slice(at, at + 1 + random.below(40)));
        break;
      default:
        changed.length = Math.min(changed.length, Math.max(minOctets, at));
    }
  }
  return changed;
}
