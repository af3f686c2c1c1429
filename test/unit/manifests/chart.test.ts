import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedFiles } from '../../../scripts/chart/files.ts';
import { chartValues } from '../../../scripts/chart/values.ts';
import { root } from '../../../scripts/target.ts';

for (const [name, text] of Object.entries(generatedFiles()))
  test(`manifests/${name} is up to date; if not, run \`make schema\``, () => {
    const file = readFileSync(join(root, 'manifests', name), 'utf8');
    if (name.endsWith('.json')) assert.deepEqual(JSON.parse(file), JSON.parse(text));
    else assert.equal(file, text);
  });

test('speaker.maxUnavailable of the chart takes a number from 1 and a percentage from 1% to 100%', () => {
  const accepts = (maxUnavailable: unknown) =>
    chartValues.shape.speaker.shape.maxUnavailable.safeParse(maxUnavailable).success;
  for (const value of [1, 3, '1%', '10%', '99%', '100%']) assert.ok(accepts(value), `${value}`);
  for (const value of [0, '0%', '00%', '05%', '101%', '500%', '%', '5'])
    assert.ok(!accepts(value), `${value}`);
});
