/**
 * The choice by name that a flag of a bench makes. A misspelt name ends the program with the code 2. Otherwise it would choose nothing, and a
 * bench that measures nothing finds no fault.
 */

/** The items whose names match the regular expression. */
export function matching<T>(
  flag: string,
  pattern: string,
  items: readonly T[],
  nameOf: (item: T) => string,
): readonly T[] {
  const wanted = new RegExp(pattern);
  const chosen = items.filter((item) => wanted.test(nameOf(item)));
  return chosen.length > 0 ? chosen : refuse(flag, pattern, items.map(nameOf));
}

/** Returns the names, if all of them are known. */
export function knownNames(
  flag: string,
  names: readonly string[],
  known: readonly string[],
): readonly string[] {
  const unknown = names.find((name) => !known.includes(name));
  return unknown === undefined ? names : refuse(flag, unknown, known);
}

function refuse(flag: string, value: string, known: readonly string[]): never {
  console.error(`${flag} chooses nothing by the name “${value}”. The names are:\n  ${known.join('\n  ')}`);
  process.exit(2);
}

/** The sizes in a list with commas. They ascend, because benches make objects and delete none between two sizes. */
export function ascending(list: string): number[] {
  return list
    .split(',')
    .map(Number)
    .sort((a, b) => a - b);
}
