/** `scripts/setup.sh` in a clone whose path has a space in it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skippedOnKubernetes } from '../../lab/start-api-server.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Stands in for npm. The test has no registry, so `npm ci` takes the packages of the tree in which the test runs, without the built addon of
 * raw-socket. `npm rebuild` runs the real npm, but builds only this addon, which is the smallest.
 */
const npm = `#!/bin/sh
set -eu
if [ "$1" = ci ]; then
  mkdir node_modules
  for package in "$PACKAGES"/*; do ln -s "$package" node_modules/; done
  rm node_modules/raw-socket
  cp -RL "$PACKAGES/raw-socket" node_modules/
  rm -r node_modules/raw-socket/build
else
  exec "$NPM" rebuild --ignore-scripts=false --no-audit --loglevel=error raw-socket
fi
`;

test('the set-up builds native addons in a path with a space', {
  skip: skippedOnKubernetes('it uses no API server'),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-setup-'));
  try {
    const clone = join(folder, 'a clone');
    const stubs = join(folder, 'stubs');
    for (const each of [stubs, join(clone, 'scripts')]) mkdirSync(each, { recursive: true });
    writeFileSync(join(stubs, 'npm'), npm, { mode: 0o755 });
    for (const file of ['scripts/setup.sh', 'scripts/debian.sh', 'package.json', 'package-lock.json'])
      copyFileSync(join(root, file), join(clone, file));
    const env = {
      ...process.env,
      PATH: `${stubs}:${process.env.PATH}`,
      NPM: spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim(),
      PACKAGES: join(root, 'node_modules'),
    };
    const { status, stdout, stderr } = spawnSync('sh', ['scripts/setup.sh'], {
      cwd: clone,
      env,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
    assert.ok(existsSync(join(clone, 'node_modules/raw-socket/build/Release/raw.node')), stdout + stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
