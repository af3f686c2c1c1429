import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

test('the tools that `make` starts keep their caches in the clone, not in the home directory', () => {
  const { XDG_CACHE_HOME: _, NODE_COMPILE_CACHE: __, ...environment } = process.env;
  const { stdout, stderr } = spawnSync(
    'make',
    [
      '--no-print-directory',
      '--eval',
      'print-caches: ; @printenv XDG_CACHE_HOME NODE_COMPILE_CACHE',
      'print-caches',
    ],
    { cwd: root, env: environment, encoding: 'utf8' },
  );
  assert.equal(stdout, `${join(root, '.cache')}\n${join(root, '.cache/compiled')}\n`, stderr);
});
