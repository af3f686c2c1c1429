/**
 * Prints the interoperability page from the columns that the matrix tests wrote (see `matrix.ts`).
 *   node test/interop/report.ts DIRECTORY > docs/reference/interop.md
 */
import { readdir, readFile } from 'node:fs/promises';
import { argv, exit, stderr, stdout } from 'node:process';
import { features } from './daemons/daemon.ts';
import type { Column } from './matrix.ts';

const [, , directory] = argv;
if (directory === undefined) {
  stderr.write('usage: node test/interop/report.ts DIRECTORY\n');
  exit(2);
}
const files = (await readdir(directory)).filter((name) => name.endsWith('.json')).sort();
const columns = await Promise.all(
  files.map(async (name): Promise<Column> => JSON.parse(await readFile(`${directory}/${name}`, 'utf8'))),
);
const notes: string[] = [];

function cell({ cells }: Column, feature: (typeof features)[number]): string {
  const text = cells[feature] ?? 'not run';
  if (text === 'yes' || text === 'failed' || text === 'not run') return text;
  let note = notes.indexOf(text) + 1;
  if (note === 0) note = notes.push(text);
  return `– [${note}]`;
}

const rows = features.map(
  (feature) => `| ${feature} | ${columns.map((one) => cell(one, feature)).join(' | ')} |`,
);
stdout.write(
  [
    '# Interoperability',
    '',
    'Bellman was tested against other BGP implementations, each in a network namespace of its own. `make interop` writes this page from',
    'the results of `test/interop/matrix-*.test.ts`. *yes* means that the test passed.',
    '',
    `| | ${columns.map(({ daemon, version }) => `${daemon} ${version}`).join(' | ')} |`,
    `|---|${columns.map(() => '---|').join('')}`,
    ...rows,
    '',
    ...notes.map((note, i) => `${i + 1}. Not tested: ${note}.`),
    '',
  ].join('\n'),
);
