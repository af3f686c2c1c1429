import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { sourceStack } from '../../../src/telemetry/source-stack.ts';

const folder = mkdtempSync(join(tmpdir(), 'bellman-stack-'));
after(() => rmSync(folder, { recursive: true }));

/** Bundles a module whose third line throws. Returns the error that the bundle throws. */
async function errorOfBundle(sourcemap: boolean): Promise<unknown> {
  const source = join(folder, 'thrower.ts');
  const bundle = join(folder, sourcemap ? 'mapped.js' : 'unmapped.js');
  writeFileSync(source, '\nexport function fail(): never {\n  throw new Error("planted");\n}\n');
  await build({ entryPoints: [source], outfile: bundle, format: 'esm', minify: true, sourcemap });
  const { fail } = (await import(pathToFileURL(bundle).href)) as { fail: () => never };
  try {
    return fail();
  } catch (error) {
    return error;
  }
}

test('sourceStack() names file and line of the source for a bundle with a source map', async () => {
  const [first, second] = (sourceStack(await errorOfBundle(true)) ?? '').split('\n');
  assert.equal(first, 'Error: planted');
  assert.match(second ?? '', /thrower\.ts:3:9/);
});

test('sourceStack() leaves a position without a source map as it is', async () => {
  assert.match(sourceStack(await errorOfBundle(false)) ?? '', /unmapped\.js:1:\d+/);
});

test('sourceStack() has no stack for a value that is not an error', () => {
  assert.equal(sourceStack('planted'), undefined);
});
