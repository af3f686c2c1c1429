import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, targets } from '../../../scripts/target.ts';

test('scripts/build.ts leaves an earlier build alone when it cannot run programs of the architecture', () => {
  const dist = mkdtempSync(join(tmpdir(), 'bellman-build-'));
  try {
    mkdirSync(join(dist, 'app'));
    for (const file of ['bellman', 'app/bellman.js']) writeFileSync(join(dist, file), '');
    const other = targets.find(({ arch }) => arch !== process.arch);
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts/build.ts'), '--arch', other?.arch ?? '', dist],
      { encoding: 'utf8' },
    );
    assert.notEqual(status, 0);
    assert.match(stderr, /a build for another architecture needs a root directory/);
    assert.deepEqual(readdirSync(dist, { recursive: true }).sort(), ['app', 'app/bellman.js', 'bellman']);
  } finally {
    rmSync(dist, { recursive: true });
  }
});
