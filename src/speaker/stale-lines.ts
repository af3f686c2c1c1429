/**
 * The lines of announcing records that are no longer true. The map holds the time at which each line became stale, by Service, then by
 * address.
 */
export type StaleLines = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Returns the stale lines after a sweep that found `stale`. A line that was stale before keeps its time. */
export function nextStaleLines(
  before: StaleLines,
  stale: ReadonlyMap<string, readonly string[]>,
  nowMs: number,
): StaleLines {
  return new Map(
    [...stale].map(([service, addresses]) => [
      service,
      new Map(addresses.map((address) => [address, before.get(service)?.get(address) ?? nowMs])),
    ]),
  );
}
