/** Number of items that one step sorts or merges. */
const perStep = 250;

/** Sorts as `toSorted` does, in steps of well under a millisecond, so that long work (`src/turns.ts`) can be interrupted. */
export function* sortSteps<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<undefined, readonly Item[]> {
  let runs: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += perStep) {
    runs.push(items.slice(at, at + perStep).sort(compare));
    yield undefined;
  }
  while (runs.length > 1) {
    const merged: (readonly Item[])[] = [];
    for (let i = 0; i < runs.length; i += 2)
      merged.push(yield* mergeSteps(runs[i] ?? [], runs[i + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeSteps<Item>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<undefined, readonly Item[]> {
  const merged: Item[] = [];
  for (let [l, r] = [0, 0]; l < left.length || r < right.length; ) {
    const [a, b] = [left[l], right[r]];
    const isLeft = r === right.length || (l < left.length && compare(a as Item, b as Item) <= 0);
    merged.push((isLeft ? a : b) as Item);
    if (isLeft) l++;
    else r++;
    if (merged.length % perStep === 0) yield undefined;
  }
  return merged;
}
