import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedFiles } from '../../../scripts/chart/files.ts';
import { root } from '../../../scripts/target.ts';

for (const [name, text] of Object.entries(generatedFiles()))
  test(`manifests/${name} is up to date; if not, run \`make schema\``, () => {
    const file = readFileSync(join(root, 'manifests', name), 'utf8');
    if (name.endsWith('.json')) assert.deepEqual(JSON.parse(file), JSON.parse(text));
    else assert.equal(file, text);
  });
