/**
 * Writes the generated files of the Helm chart, manifests/chart: the values and their schema, from scripts/chart/values.ts, and the templates that
 * differ from the manifests only in the namespace. `make schema` runs it.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartFiles } from './chart/files.ts';
import { root } from './target.ts';

const folder = join(root, 'manifests/chart');
for (const [name, text] of Object.entries(chartFiles())) writeFileSync(join(folder, name), text);
execFileSync(join(root, 'node_modules/.bin/biome'), [
  'format',
  '--write',
  join(folder, 'values.schema.json'),
]);
