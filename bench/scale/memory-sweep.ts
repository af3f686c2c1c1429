import { addressOf } from './fixtures.ts';
import type { Sweep } from './sweep.ts';

interface Entry {
  readonly round: number;
  readonly addresses: readonly string[];
}

/**
 * A plain loop that replaces the entry of each address in several tables. Its number of operations is proportional to the number of addresses. An
 * exponent above 1 shows that larger tables are further away from the processor, and that V8 copies more objects that are still in use. Work that
 * mostly searches as many tables cannot do better.
 */
export function memorySweep(tableCount: number): Sweep {
  return {
    part: 'machine',
    work: `a plain loop replaces the entry of each address in ${tableCount} tables`,
    by: 'addresses',
    kind: 'whole',
    sizes: [1000, 3000, 10_000, 30_000, 100_000],
    quickSizes: [200, 800, 3200],
    prepare: (size) => {
      const tables = Array.from({ length: tableCount }, () => new Map<string, Entry>());
      const addresses = Array.from({ length: size }, (_, i) => addressOf(i));
      return {
        units: 1,
        run: () => {
          for (const address of addresses)
            for (const table of tables)
              table.set(address, { round: 1 + (table.get(address)?.round ?? 0), addresses: [address] });
        },
      };
    },
  };
}
