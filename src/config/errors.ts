/** Errors of a configuration and their texts. Each text has a bounded length, even for a hostile document. */

/** Keys and list indexes from the document's root. */
export type Path = readonly (string | number)[];

/** One error or warning with its place. */
export interface ConfigError {
  /** For example `address-pools[1].addresses[0]`. Empty when the error concerns the whole document. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The fault and its remedy. */
  readonly message: string;
  /** Present in a warning about a value that has no effect. Such a warning does not make `bellman convert` report the value as changed. */
  readonly isIdle?: true;
}

/** Formats an error in one line: `address-pools[1].addresses[0], line 14, column 7: …`. */
export function formatConfigError({ path, line, column, message }: ConfigError): string {
  return `${path === '' ? '' : `${path}, `}line ${line}, column ${column}: ${message}`;
}

/** Formats a path like `peers[0].node-selectors[1].match-labels["a b"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w./-]{1,64}$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(shortened(part))}]`;
  }
  return text;
}

/** Prepares text from the document for a message. Keeps a short word as it is. Quotes any other text, and shortens it if it is long. */
export function show(text: string): string {
  return /^[\x21-\x7e]{1,64}$/.test(text) ? text : JSON.stringify(shortened(text));
}

/** Lists the first `limit` names and the number of the others, for messages. */
export function showSome(names: readonly string[], limit = 12): string {
  if (names.length === 0) return 'none';
  const more = names.length > limit ? `, and ${names.length - limit} more` : '';
  return names.slice(0, limit).map(show).join(', ') + more;
}

function shortened(text: string): string {
  return text.length > 64 ? `${text.slice(0, 63).toWellFormed()}…` : text.toWellFormed();
}
