/**
 * Removes secrets from texts. Pure. A configuration may hold passwords in the clear (`peers[].password`). `redactConfig` removes them from the text
 * of a configuration by their keys, even if the text does not parse. `scrubber` removes their values from any text.
 */
import { FAILSAFE_SCHEMA, load } from 'js-yaml';

const redacted = '<redacted>';

/** A key whose value is a secret, in block or flow style, with the white space after its colon. */
const secretKey = /((?<![\w-])["']?(?:password|passwd|token|secret|private-key)["']?[ \t]*:[ \t]*)/gi;
/** A shorter value could be a part of any word, so it is removed only where its key precedes it. */
const minValueLength = 4;
/** Messages cut a long value of a configuration to 64 or 63 characters. A cut inside a surrogate pair leaves one character less. */
const shownCharacters = [64, 63, 62];

/** The secrets of a configuration, also of one that the gate would reject. Returns none for a text that is not YAML. */
export function secretsOf(configText: string): string[] {
  let document: unknown;
  try {
    document = load(configText, { schema: FAILSAFE_SCHEMA });
  } catch {
    return [];
  }
  return [...valuesOf(document)];
}

function* valuesOf(node: unknown, depth = 0): Generator<string> {
  if (typeof node !== 'object' || node === null || depth > 20) return;
  for (const [key, value] of Object.entries(node))
    if (typeof value === 'string' && isSecretKey(key)) yield value;
    else yield* valuesOf(value, depth + 1);
}

function isSecretKey(key: string): boolean {
  return /^(password|passwd|token|secret|private-key)$/i.test(key);
}

/** Removes the values of secret keys from the text of a configuration. */
export function redactConfig(text: string): string {
  let clean = '';
  let at = 0;
  for (const match of text.matchAll(secretKey)) {
    const valueAt = match.index + match[0].length;
    if (valueAt < at) continue;
    const end = valueEnd(text, valueAt, match.index);
    // A key without a value stays as it is.
    if (text.slice(valueAt, end).trim() === '') continue;
    clean += `${text.slice(at, valueAt)}${redacted}`;
    at = end;
  }
  return clean + text.slice(at);
}

/** White space, comments, an anchor and a tag, which may precede a scalar. */
const properties = /(?:\s|#.*|!<[^>]*>|[&!][^\s,[\]{}]*)*/y;

/** The end of the YAML value that begins at `start`. A scalar may go on in the lines that are indented further than its key. */
function valueEnd(text: string, start: number, keyAt: number): number {
  const end = endOfDeeperLines(text, endOfLine(text, start), columnOf(text, keyAt));
  const inFlow = isInFlow(text, keyAt);
  const scalarAt = closing(text, start, properties) ?? start;
  const first = inFlow || scalarAt < end ? text[scalarAt] : undefined;
  if (first === '"') return closing(text, scalarAt, /"(?:[^"\\]|\\[\s\S])*"/y) ?? end;
  if (first === "'") return closing(text, scalarAt, /'(?:[^']|'')*'/y) ?? end;
  // In a flow mapping, `,`, `}` or `]` ends a plain scalar. Elsewhere the scalar may contain these characters, so it ends where its lines end.
  return inFlow ? (closing(text, scalarAt, /[^,}\]]*/y) ?? end) : end;
}

/**
 * The end of the text that the pattern matches at `start`; `undefined` when the pattern does not match there, for example at a quoted scalar
 * without its closing quote.
 */
function closing(text: string, start: number, pattern: RegExp): number | undefined {
  pattern.lastIndex = start;
  const found = pattern.exec(text);
  return found ? start + found[0].length : undefined;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf('\n', at) + 1);
}

/** The end of the lines that are indented further than the column. Empty lines at the end do not belong to them. */
function endOfDeeperLines(text: string, lineEnd: number, column: number): number {
  let end = lineEnd;
  for (let at = lineEnd; at < text.length; ) {
    const next = endOfLine(text, at + 1);
    const line = text.slice(at + 1, next);
    at = next;
    if (line.trim() === '') continue;
    if ((/^[ \t]*/.exec(line)?.[0].length ?? 0) <= column) break;
    end = next;
  }
  return end;
}

function isInFlow(text: string, keyAt: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', keyAt) + 1, keyAt + 1);
  return line.includes('{');
}

/** The text as JSON writes it, without the quotes. A message quotes a value once, and a JSON file that contains the message quotes it again. */
function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/**
 * Returns a function that removes secrets from a text. Of each secret, and of each line of a secret, it removes the whole text, the beginning (a
 * message may cut the rest), and the form in JSON. It removes nothing that is shorter than four characters.
 */
export function scrubber(secrets: Iterable<string>): (text: string) => string {
  const values = new Set<string>();
  for (const secret of secrets)
    for (const line of [secret, ...secret.split('\n')])
      for (const part of [line, ...shownCharacters.map((length) => line.slice(0, length))])
        for (const form of [part, quoted(part), quoted(quoted(part))])
          if (form.trim().length >= minValueLength) values.add(form);
  // A longer value comes first, so that no part of it stays.
  const longestFirst = [...values].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((clean, value) => clean.replaceAll(value, redacted), text);
}
