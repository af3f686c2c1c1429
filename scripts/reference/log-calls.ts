/**
 * Finds the calls of the logger in a source text. The project's version of TypeScript does not offer its parser as a library. This file
 * therefore parses just enough of the language: strings, templates, regular expressions, comments and brackets.
 */

export interface LogCall {
  readonly level: string;
  /** Every message that the call can write. `…` stands for each insertion of a template. */
  readonly messages: readonly string[];
  /** Keys of the object that the call passes, as far as the source shows them. */
  readonly fields: readonly string[];
  /** Line of the call, counted from 1. */
  readonly line: number;
}

const call =
  /\b(?:\w*[lL]ogger|log)\??\.(trace|debug|info|warn|error|fatal)\(|#(?:\w*[lL]ogger|log)\.(trace|debug|info|warn|error|fatal)\(/g;

export function logCalls(source: string): readonly LogCall[] {
  const text = withoutComments(source);
  return Array.from(text.matchAll(call), (match) => {
    const args = splitTopLevel(text, match.index + match[0].length);
    const [first = '', second] = args;
    return {
      level: match[1] ?? match[2] ?? '',
      messages: messagesOf(second ?? first, text),
      fields: second === undefined ? [] : fieldsOf(first, text),
      line: source.slice(0, match.index).split('\n').length,
    };
  });
}

/**
 * The expressions between an opening bracket and its closing bracket, split at the commas that are outside inner brackets. `start` is the
 * index after the opening bracket.
 */
function splitTopLevel(text: string, start: number): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = start;
  for (let at = start; at < text.length; at++) {
    const char = text[at] ?? '';
    if (isQuote(char)) at = endOfString(text, at);
    else if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) {
      if (depth-- > 0) continue;
      parts.push(text.slice(from, at).trim());
      break;
    } else if (char === ',' && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  return parts.filter((part) => part !== '');
}

/** All strings and templates in the expression. If the expression is a name, the strings and templates in the constant of that name. */
function messagesOf(expression: string, text: string): string[] {
  const literals = stringsIn(expression);
  return literals.length > 0 ? literals : stringsIn(constant(expression, text));
}

function stringsIn(expression: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < expression.length; at++) {
    if (!isQuote(expression[at] ?? '')) continue;
    const end = endOfString(expression, at);
    // A string that is compared belongs to a condition and is not a message.
    if (!/[=!]==\s*$/.test(expression.slice(0, at))) found.push(shown(expression.slice(at + 1, end)));
    at = end;
  }
  return found;
}

/** The text of a literal, with `…` in place of each insertion. */
function shown(literal: string): string {
  let result = '';
  for (let at = 0; at < literal.length; at++) {
    if (literal[at] === '\\') result += literal[++at] ?? '';
    else if (literal.startsWith('${', at)) {
      at = endOfInsertion(literal, at);
      result += '…';
    } else result += literal[at];
  }
  return result;
}

function fieldsOf(expression: string, text: string): string[] {
  const object = expression.startsWith('{') ? expression : constant(expression, text);
  if (!object.startsWith('{')) return [];
  return splitTopLevel(object, 1).flatMap((part) => {
    if (part.startsWith('...'))
      return Array.from(part.matchAll(/\{/g), ({ index }) => fieldsOf(part.slice(index), text)).flat();
    const [, key] = /^(\w+)/.exec(part) ?? [];
    return key === undefined ? [] : [key];
  });
}

/** The initializer of a constant in the source; empty if there is no such constant. */
function constant(name: string, text: string): string {
  if (!/^\w+$/.test(name)) return '';
  const definition = new RegExp(`\\bconst ${name}(?:: [^=]+)? =\\s+`).exec(text);
  if (definition === null) return '';
  const start = definition.index + definition[0].length;
  return text.slice(start, text.indexOf(';', start));
}

function isQuote(char: string): boolean {
  return char === "'" || char === '"' || char === '`';
}

/** Index of the closing quote for the opening quote at `start`. */
function endOfString(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (quote === '`' && text.startsWith('${', at)) at = endOfInsertion(text, at);
    else if (text[at] === quote) return at;
  }
  return text.length;
}

/** Index of the `}` that closes the `${` at `start`. */
function endOfInsertion(text: string, start: number): number {
  let depth = 0;
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at] ?? '';
    if (isQuote(char)) at = endOfString(text, at);
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return at;
  }
  return text.length;
}

/** The source with spaces in place of comments. Every other character keeps its place. */
export function withoutComments(source: string): string {
  let result = '';
  for (let at = 0; at < source.length; at++) {
    const char = source[at] ?? '';
    const regex = char === '/' ? regexAt(source, at) : undefined;
    let end = at;
    if (isQuote(char)) end = endOfString(source, at);
    else if (source.startsWith('//', at)) end = lineEnd(source, at) - 1;
    else if (source.startsWith('/*', at)) end = source.indexOf('*/', at) + 1;
    else if (regex !== undefined) end = at + regex.length - 1;
    const part = source.slice(at, end + 1);
    const isComment = char === '/' && regex === undefined && end > at;
    result += isComment ? part.replaceAll(/[^\n]/g, ' ') : part;
    at = end;
  }
  return result;
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end < 0 ? text.length : end;
}

/**
 * The regular expression that begins at the slash at `at`; `undefined` when none does. A slash begins a regular expression only at the start of the
 * source, after `return`, or after one of the characters `= > ( , : [ ! & | ? { } ; +`.
 */
function regexAt(source: string, at: number): string | undefined {
  if (source[at + 1] === '/' || source[at + 1] === '*') return undefined;
  const before = source.slice(Math.max(0, at - 20), at).trimEnd();
  if (!/(?:^|[=>(,:[!&|?{};+]|return)$/.test(before)) return undefined;
  return /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/\w*/.exec(source.slice(at, lineEnd(source, at)))?.[0];
}
