/** Number of items that one step sorts or merges. Sorting that many takes well under a millisecond. */
const itemsPerStep = 250;

/**
 * Sorts as `toSorted` does, in steps, so that the caller can do other work in between (`src/turns.ts`, `src/layer2/ownership/steps.ts`). Equal items
 * keep their order.
 */
export function* sortedInSteps<Item extends object>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<undefined, readonly Item[], undefined> {
  let runs: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += itemsPerStep) {
    runs.push(items.slice(at, at + itemsPerStep).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const longer: (readonly Item[])[] = [];
    for (let i = 0; i < runs.length; i += 2)
      longer.push(yield* merged(runs[i] ?? [], runs[i + 1] ?? [], compare));
    runs = longer;
  }
  return runs[0] ?? [];
}

function* merged<Item extends object>(
  first: readonly Item[],
  second: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<undefined, readonly Item[], undefined> {
  const all: Item[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [a, b] = [first[i], second[j]];
    const next = a === undefined || (b !== undefined && compare(b, a) < 0) ? b : a;
    if (next === undefined) return all;
    if (next === a) i++;
    else j++;
    all.push(next);
    if (all.length % itemsPerStep === 0) yield;
  }
}
