/**
 * Converts each file in `sources/`, and compares the whole output with the `.txt` file of the same name in `goldens/`. The files in `sources/`
 * follow the API types and the published examples of the programs that `bellman convert` reads.
 * `BELLMAN_UPDATE_GOLDENS=1` writes the goldens, for the author to read.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { runConvert } from '../../../src/cli/convert-objects.ts';
import { configMapKey, configMapName } from '../../../src/cluster/names.ts';
import { findConfigs, judge } from '../../../src/config/index.ts';

const sources = new URL('./sources/', import.meta.url);
const goldens = new URL('./goldens/', import.meta.url);

for (const file of readdirSync(sources).sort())
  test(`bellman convert prints the known output for ${file}`, async () => {
    const { code, out, err } = await convertFile(file);
    assert.equal(code, 0, err);
    const found = findConfigs(out, { name: configMapName, key: configMapKey });
    assert.ok(found.ok && found.value.length === 1);
    assert.equal(judge(found.value[0]?.text ?? '').kind, 'accepted');
    const output = `${out}---\n${err}`;
    const golden = new URL(file.replace('.yaml', '.txt'), goldens);
    if (process.env.BELLMAN_UPDATE_GOLDENS === '1') {
      mkdirSync(goldens, { recursive: true });
      writeFileSync(golden, output);
    }
    assert.equal(output, readFileSync(golden, 'utf8'));
  });

async function convertFile(file: string) {
  let [out, err] = ['', ''];
  const code = await runConvert(
    { from: 'auto', files: [file], strict: false, usesCluster: false },
    {
      stdin: () => Promise.reject(new Error('no standard input')),
      readFile: (name) => Promise.resolve(readFileSync(new URL(name, sources), 'utf8')),
      stdout: (text) => {
        out += text;
      },
      stderr: (text) => {
        err += text;
      },
      readCluster: () => Promise.reject(new Error('no cluster')),
    },
  );
  return { code, out, err };
}
