/**
 * Prints the interoperability page from the columns that the matrix tests wrote (see `matrix.ts`).
 *   node test/interop/report.ts DIRECTORY > docs/reference/interop.md
 */
import { readdir, readFile } from 'node:fs/promises';
import { argv, exit, stderr, stdout } from 'node:process';
import { bfdFeatures } from './bfd/daemons/daemon.ts';
import { features } from './daemons/daemon.ts';

const [, , directory] = argv;
if (directory === undefined) {
  stderr.write('usage: node test/interop/report.ts DIRECTORY\n');
  exit(2);
}
/** A column of either matrix. */
interface AnyColumn {
  readonly daemon: string;
  readonly version: string;
  readonly cells: Readonly<Record<string, string>>;
}

async function columnsIn(folder: string): Promise<readonly AnyColumn[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(files.map(async (name) => JSON.parse(await readFile(`${folder}/${name}`, 'utf8'))));
}

/** The table, and a numbered note for each reason why a feature was not tested. */
function matrix(features: readonly string[], columns: readonly AnyColumn[]): string[] {
  const notes: string[] = [];
  const cell = ({ cells }: AnyColumn, feature: string): string => {
    const text = cells[feature] ?? 'not run';
    if (text === 'yes' || text === 'failed' || text === 'not run') return text;
    let note = notes.indexOf(text) + 1;
    if (note === 0) note = notes.push(text);
    return `– [${note}]`;
  };
  const rows = features.map(
    (feature) => `| ${feature} | ${columns.map((one) => cell(one, feature)).join(' | ')} |`,
  );
  return [
    `| | ${columns.map(({ daemon, version }) => `${daemon} ${version}`).join(' | ')} |`,
    `|---|${columns.map(() => '---|').join('')}`,
    ...rows,
    '',
    ...notes.map((note, i) => `${i + 1}. Not tested: ${note}.`),
    '',
  ];
}

stdout.write(
  [
    '# Interoperability',
    '',
    'Bellman was tested against other implementations, each in a network namespace of its own. `make interop` writes this page from the',
    'results of `test/interop/matrix-*.test.ts`. *yes* means that the test passed.',
    '',
    '## BGP',
    ...matrix(features, await columnsIn(directory)),
    '## BFD',
    ...matrix(bfdFeatures, await columnsIn(`${directory}/bfd`)),
  ].join('\n'),
);
