/**
 * Repairs flow collections that are indented less than YAML 1.2 requires. Many people close a bracket at the column of its key, and the
 * parser that MetalLB uses accepts this:
 *
 *     addresses: [
 *       192.0.2.0/24,
 *     ]
 *
 * Line breaks and comments before an underindented line become spaces. The text keeps its length, so every offset stays valid.
 */

/** A line that opens a flow collection: indent and dashes, an optional key, an optional anchor, the bracket. */
const opening = /^( *(?:- +)*)(?:(?:"[^"\n]*"|'[^'\n]*'|[^\s#"'[{&*!|>-][^:\n]*): +)?(?:&\S+ +)?[[{]/;
/**
 * Indent and dashes of a line. `blockScalar` does not contain them, because one pattern for the whole line could backtrack over the dashes,
 * which takes quadratic time.
 */
const indentOf = /^ *(?:- +)*/;
/** The rest of the line after `indentOf`, if a block scalar begins there. The scalar may hold anything, so its lines are skipped. */
const blockScalar = /^(?:[^#\n]*: +)?[|>][-+0-9]*\s*(?:#[^\n]*)?$/;

/** Joins the underindented flow lines of a text. Returns `undefined` when there is no such line, or a bracket is never closed. */
export function joinFlowLines(text: string): string | undefined {
  const pieces: string[] = [];
  let copied = 0;
  let lineStart = 0;
  while (lineStart < text.length) {
    const lineEnd = endOfLine(text, lineStart);
    const line = text.slice(lineStart, lineEnd);
    const lead = indentOf.exec(line)?.[0] ?? '';
    const rest = line.slice(lead.length);
    if (blockScalar.test(rest)) {
      const isItem = /^[|>]/.test(rest) && lead.includes('-');
      lineStart = endOfBlockScalar(text, lineEnd + 1, isItem ? lead.lastIndexOf('-') : lead.length);
      continue;
    }
    const [head, indent = ''] = opening.exec(line) ?? [];
    if (head === undefined) {
      lineStart = lineEnd + 1;
      continue;
    }
    const flow = scanFlow(text, lineStart + head.length - 1, indent.length);
    if (!flow) return undefined;
    for (const { from, to } of flow.gaps) {
      pieces.push(text.slice(copied, from), ' '.repeat(to - from));
      copied = to;
    }
    lineStart = endOfLine(text, flow.end) + 1;
  }
  return pieces.length === 0 ? undefined : pieces.join('') + text.slice(copied);
}

interface Flow {
  /** Offset after the last bracket. */
  readonly end: number;
  /** Line breaks and comments before underindented lines. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
}

/** Follows a flow collection from its first bracket. Returns `undefined` when that bracket is never closed. */
function scanFlow(text: string, start: number, keyColumn: number): Flow | undefined {
  const gaps: { from: number; to: number }[] = [];
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const character = text[i] ?? '';
    if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') {
      if (--depth === 0) return { end: i + 1, gaps };
    } else if ((character === '"' || character === "'") && /[\s,:[{]/.test(text[i - 1] ?? ' ')) {
      i = endOfQuotes(text, i);
    } else if (character === '\n' || (character === '#' && /\s/.test(text[i - 1] ?? ''))) {
      const next = nextToken(text, i);
      // A carriage return that stays would be a line break too.
      const from = character === '\n' && text[i - 1] === '\r' ? i - 1 : i;
      if (next.column <= keyColumn) gaps.push({ from, to: next.offset });
      i = next.offset - 1;
    }
  }
  return undefined;
}

/** The first character after line breaks, blanks and comments, with its column from 0. */
function nextToken(text: string, from: number): { readonly offset: number; readonly column: number } {
  let lineStart = from;
  for (let i = from; i < text.length; i++) {
    const character = text[i];
    if (character === '#') i = endOfLine(text, i) - 1;
    else if (character === '\n') lineStart = i + 1;
    else if (character !== ' ' && character !== '\t' && character !== '\r')
      return { offset: i, column: i - lineStart };
  }
  return { offset: text.length, column: 0 };
}

/** Offset of the closing quote, or the end of the text. */
function endOfQuotes(text: string, start: number): number {
  const quote = text[start];
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\' && quote === '"') i++;
    else if (text[i] === quote) return i;
  }
  return text.length;
}

/** Start of the first line after a block scalar. This line is not blank and is indented no more than the scalar's key, or its dash in a list. */
function endOfBlockScalar(text: string, from: number, parentColumn: number): number {
  let lineStart = from;
  while (lineStart < text.length) {
    const line = text.slice(lineStart, endOfLine(text, lineStart));
    if (line.trim() !== '' && line.search(/[^ ]/) <= parentColumn) return lineStart;
    lineStart += line.length + 1;
  }
  return text.length;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}
