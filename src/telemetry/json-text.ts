import type { Turns } from '../turns.ts';

/** Approximate length of a piece. A piece of this length is written well within a millisecond. */
const pieceLength = 16_384;
const indent = '  ';

/**
 * The text of `JSON.stringify(value, null, 2)` for plain data, in pieces, so that other work can go on between two pieces. Only lists and
 * objects on the first `depth` levels are divided.
 */
export function* jsonPieces(value: unknown, depth = 2, margin = ''): Generator<string> {
  if (depth === 0 || typeof value !== 'object' || value === null || 'toJSON' in value) {
    yield (JSON.stringify(value, null, 2) ?? 'null').replaceAll('\n', `\n${margin}`);
    return;
  }
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const inner = margin + indent;
  let piece = open ?? '';
  let isFirst = true;
  for (const [prefix, item] of itemsOf(value)) {
    piece += `${isFirst ? '' : ','}\n${inner}${prefix}`;
    isFirst = false;
    for (const part of jsonPieces(item, depth - 1, inner)) {
      piece += part;
      if (piece.length < pieceLength) continue;
      yield piece;
      piece = '';
    }
  }
  yield isFirst ? `${open}${close}` : `${piece}\n${margin}${close}`;
}

/** The items of a list or an object, each with the text before it. */
function* itemsOf(value: object): Iterable<readonly [string, unknown]> {
  if (Array.isArray(value)) for (const item of value) yield ['', item === undefined ? null : item];
  else
    for (const [key, item] of Object.entries(value))
      if (item !== undefined) yield [`${JSON.stringify(key)}: `, item];
}

/** The text of `JSON.stringify(value, null, 2)` for plain data, made in slices when `turns` is given. */
export async function jsonText(value: unknown, turns: Turns | undefined): Promise<string> {
  const pieces: string[] = [];
  for (const piece of jsonPieces(value)) {
    pieces.push(piece);
    while (turns && !turns.hasTime) await turns.next();
  }
  return pieces.join('');
}
