/** A number with its noun: `1 peer`, `2 peers`. `plural` is the ending that the noun gets for any number but one. */
export function counted(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`;
}
