import { updateSize } from './codec.ts';
import type { Update } from './packet.ts';

/** Splits updates, in order, into lists of at most `octets` octets. An update larger than that gets a list of its own. */
export function packUpdates(updates: Iterable<Update>, octets: number): Update[][] {
  const packed: Update[][] = [];
  let room = 0;
  for (const update of updates) {
    const size = updateSize(update);
    const last = packed.at(-1);
    if (last && size <= room) last.push(update);
    else {
      packed.push([update]);
      room = octets;
    }
    room -= size;
  }
  return packed;
}
