/**
 * Reads the test cases from the text files in `documents/`. A case is a title, a document, and the expected result:
 *
 *     ### hold time of two seconds
 *     peers: [{my-asn: 64512, peer-asn: 64500, peer-address: 10.0.0.1, hold-time: 2s}]
 *     => peers[0].hold-time 1:77 2s is not allowed: 0, or 3s to 65535s (RFC 4271)
 *
 * The expected result is `=> valid`, or one line for each error, in the order in which the parser returns them. Each error line has the path
 * (`.` stands for the whole document), line:column, and the message. After `=> valid`, each line that begins with `~>` is a warning in
 * the same form. `~|` marks a warning about a value that has no effect.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { ConfigError } from '../../../src/config/index.ts';

export interface DocumentCase {
  /** File and title. */
  readonly name: string;
  readonly text: string;
  /** Empty for a valid document. */
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigError[];
}

const folder = new URL('./documents/', import.meta.url);

export function documentCases(): DocumentCase[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const topic = file.replace(/\.txt$/, '');
      const [before, ...cases] = readFileSync(new URL(file, folder), 'utf8').split(/^### /m);
      if (before !== '') throw new Error(`${file}: text before the first title`);
      return cases.map((text) => readCase(topic, text));
    });
}

function readCase(topic: string, text: string): DocumentCase {
  const [title = '', ...lines] = text.trimEnd().split('\n');
  const end = lines.findIndex((line) => line.startsWith('=> '));
  const name = `${topic}: ${title}`;
  if (end < 0) throw new Error(`${name}: the expected result is missing`);
  const results = lines.slice(end);
  const expected = (...marks: readonly string[]) =>
    results.filter((line) => marks.includes(line.slice(0, 3)));
  const errors = expected('=> ');
  return {
    name,
    text: lines
      .slice(0, end)
      .map((line) => `${line}\n`)
      .join(''),
    errors: errors[0] === '=> valid' ? [] : errors.map((line) => readError(name, line)),
    warnings: expected('~> ', '~| ').map((line) => readError(name, line)),
  };
}

function readError(name: string, line: string): ConfigError {
  const [, mark, path, lineNumber, column, message] = /^(..) (\S.*?) (\d+):(\d+) (.+)$/.exec(line) ?? [];
  if (path === undefined || message === undefined) throw new Error(`${name}: cannot read "${line}"`);
  const place = { path: path === '.' ? '' : path, line: Number(lineNumber), column: Number(column) };
  return { ...place, message, ...(mark === '~|' ? { isIdle: true } : {}) };
}
