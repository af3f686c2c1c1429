/**
 * Writes the generated files in manifests/. In the Helm chart, these are the values and their schema (from scripts/chart/values.ts), the
 * templates that differ from the manifests only in the namespace and a condition, and copies of the alerts and dashboards. `make schema` runs this.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './chart/files.ts';
import { root } from './target.ts';

const folder = join(root, 'manifests');
const files = generatedFiles();
for (const [name, text] of Object.entries(files)) {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
const json = Object.keys(files).filter((name) => name.endsWith('.json'));
execFileSync(join(root, 'node_modules/.bin/biome'), [
  'format',
  '--write',
  ...json.map((name) => join(folder, name)),
]);
