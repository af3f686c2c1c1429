import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A position in a line of a stack trace: `file:///…/bellman.js:3:1841`. */
const position = /(file:\/\/\/[^\s()]+\.js):(\d+):(\d+)/;

/**
 * The stack trace of an error, with positions in a bundle replaced by positions in the source. `undefined` for anything but an error.
 *
 * Node does the same with `--enable-source-maps`, but it reads every map at the start, which costs 8 MB and 0.1 s of CPU. Here a map is read
 * only when an error needs it, and a position without a map stays as it is.
 */
export function sourceStack(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.stack === undefined) return undefined;
  const maps = new Map<string, SourceMap | undefined>();
  return error.stack
    .split('\n')
    .map((line) => line.replace(position, (...parts: string[]) => sourceOf(parts, maps)))
    .join('\n');
}

function sourceOf(
  [whole = '', url = '', line = '', column = '']: readonly string[],
  maps: Map<string, SourceMap | undefined>,
): string {
  if (!maps.has(url)) maps.set(url, readMap(url));
  const origin = maps.get(url)?.findOrigin(Number(line), Number(column));
  if (!origin || !('fileName' in origin)) return whole;
  return `${origin.fileName.replace(/^(\.\.\/)+/, '')}:${origin.lineNumber}:${origin.columnNumber}`;
}

function readMap(url: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    return undefined;
  }
}
