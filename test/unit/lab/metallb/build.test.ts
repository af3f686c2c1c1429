/** `lab/metallb/build.sh` with a stand-in for Go that writes small files. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../../lab/metallb/build.sh', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bellman-metallb-'));
after(() => rmSync(folder, { recursive: true }));
const cache = join(folder, 'a cache');
const built = join(folder, 'built');
/** The folder that stands for the source tree of the module. */
const tree = join(folder, 'tree');
const version = 'v0.99.0';

const go = `#!/bin/sh
case "$1 $2" in
  'env GOVERSION') echo go1.99.0 ;;
  'mod download')
    if [ -n "$NO_MODULE" ]; then printf '{\\n\\t"Error": "not found"\\n}\\n'; exit 1; fi
    printf '{\\n\\t"Path": "%s",\\n\\t"Dir": "%s",\\n\\t"Sum": "x"\\n}\\n' "$4" "$TREE"
    ;;
  'list -deps') [ -z "$NO_DEPENDENCY" ] || { echo 'no route' >&2; exit 1; } ;;
  build*)
    while [ "$1" != -o ]; do shift; done
    echo "$(pwd) $3" >>"$BUILT"
    case $3 in *"$FAIL_AT") exit 1 ;; esac
    printf program >"$2"
    chmod +x "$2"
    ;;
esac
`;

beforeEach(() => {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  mkdirSync(join(tree, 'config/manifests'), { recursive: true });
  writeFileSync(join(tree, 'config/manifests/all.yaml'), 'kind: Namespace\n');
  writeFileSync(join(folder, 'bin/go'), go);
  chmodSync(join(folder, 'bin/go'), 0o755);
  writeFileSync(built, '');
});

function build(environment: Readonly<Record<string, string>> = {}, argument = version) {
  const env = {
    ...{ PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: folder, BELLMAN_CACHE: cache },
    ...{ BUILT: built, TREE: tree, FAIL_AT: 'nothing', NO_MODULE: '', NO_DEPENDENCY: '' },
    ...environment,
  };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(script, [argument], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout: stdout.trim(), stderr }),
    );
  });
}

const buildsOf = () => readFileSync(built, 'utf8').trim().split('\n');
const own = join(cache, 'metallb', version);

test('build.sh builds both programs in the tree of the module, and copies the manifests', async () => {
  const { code, stdout } = await build();
  assert.equal(code, 0);
  assert.equal(stdout, own);
  assert.deepEqual(buildsOf(), [`${tree} ./controller`, `${tree} ./speaker`]);
  for (const name of ['controller', 'speaker', 'config/manifests/all.yaml'])
    assert.ok(existsSync(join(own, name)), name);
});

test('build.sh builds nothing when the programs are there', async () => {
  await build();
  writeFileSync(built, '');
  assert.deepEqual(await build(), { code: 0, stdout: own, stderr: '' });
  assert.deepEqual(buildsOf(), ['']);
});

test('build.sh --folder prints the folder of all versions and builds nothing', async () => {
  assert.equal((await build({}, '--folder')).stdout, join(cache, 'metallb'));
  assert.deepEqual(buildsOf(), ['']);
});

for (const missing of ['NO_MODULE', 'NO_DEPENDENCY'])
  test(`build.sh exits with 69 when Go cannot download a module (${missing})`, async () => {
    const { code, stderr } = await build({ [missing]: 'yes' });
    assert.equal(code, 69);
    assert.match(stderr, /Go cannot download .*MetalLB v0\.99\.0/);
  });

test('build.sh exits with 1 when the build fails, and the next run completes the build', async () => {
  const { code } = await build({ FAIL_AT: 'speaker' });
  assert.equal(code, 1);
  assert.equal(existsSync(join(own, 'speaker')), false);
  assert.equal((await build()).code, 0);
  assert.ok(existsSync(join(own, 'speaker')));
});
