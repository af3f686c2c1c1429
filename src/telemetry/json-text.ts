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
  const isList = Array.isArray(value);
  const items: readonly (readonly [string, unknown])[] = isList
    ? value.map((item) => ['', item === undefined ? null : item] as const)
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [`${JSON.stringify(key)}: `, item] as const);
  const [open, close] = isList ? '[]' : '{}';
  if (items.length === 0) {
    yield `${open}${close}`;
    return;
  }
  const inner = margin + indent;
  yield open ?? '';
  let piece = '';
  for (const [i, [prefix, item]] of items.entries()) {
    piece += `${i === 0 ? '' : ','}\n${inner}${prefix}`;
    for (const part of jsonPieces(item, depth - 1, inner)) {
      piece += part;
      if (piece.length < pieceLength) continue;
      yield piece;
      piece = '';
    }
  }
  yield `${piece}\n${margin}${close}`;
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
