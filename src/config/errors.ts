/** How errors of a configuration look: where, what is wrong, what would be right; bounded whatever was written. */

/** Keys and list positions from the document's root. */
export type Path = readonly (string | number)[];

/** One thing that is wrong, with where it stands. */
export interface ConfigError {
  /** As `address-pools[1].addresses[0]`; empty for the document. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** One line for people: `address-pools[1].addresses[0], line 14, column 7: …`. */
export function formatConfigError({ path, line, column, message }: ConfigError): string {
  return `${path === '' ? '' : `${path}, `}line ${line}, column ${column}: ${message}`;
}

/** `peers[0].node-selectors[1].match-labels["a b"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w./-]{1,64}$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(shortened(part))}]`;
  }
  return text;
}

/** Text from the document as a message may carry it: as it is when it is one short word, else quoted and cut. */
export function show(text: string): string {
  return /^[\x21-\x7e]{1,64}$/.test(text) ? text : JSON.stringify(shortened(text));
}

/** Some names of many, for messages. */
export function showSome(names: readonly string[], limit = 12): string {
  if (names.length === 0) return 'none';
  const more = names.length > limit ? `, and ${names.length - limit} more` : '';
  return names.slice(0, limit).map(show).join(', ') + more;
}

function shortened(text: string): string {
  return text.length > 64 ? `${text.slice(0, 63).toWellFormed()}…` : text.toWellFormed();
}
