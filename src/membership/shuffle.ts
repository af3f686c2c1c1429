/** Shuffles in place (Fisher–Yates) and returns the same array. `random` returns numbers from 0 to below 1. */
export function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [items[i], items[j]] as [T, T];
    items[i] = b;
    items[j] = a;
  }
  return items;
}
