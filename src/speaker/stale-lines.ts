/** Lines of the announcing record that no longer hold, with the time since when: by Service, then by address. */
export type StaleLines = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** The next sweep's stale lines. A line that was stale in the last sweep keeps its time. Pure. */
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
