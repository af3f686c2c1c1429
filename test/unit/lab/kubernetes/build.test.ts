/** `lab/kubernetes/build.sh` with a stand-in for Go that writes small files. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../../lab/kubernetes/build.sh', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bellman-build-'));
after(() => rmSync(folder, { recursive: true }));
const cache = join(folder, 'a cache');
const built = join(folder, 'built');

/** A stand-in for `go`. It lists each build in $BUILT. For the program that FAIL_AT names, it writes a partial file and exits with 1. */
const go = `#!/bin/sh
case "$1 $2" in
  'env GOVERSION') echo go1.99.0 ;;
  'mod download') [ -z "$NO_REGISTRY" ] || { echo 'no route' >&2; exit 1; } ;;
  build*)
    while [ "$1" != -o ]; do shift; done
    sleep 0.05
    echo "$3" >>"$BUILT"
    printf part >"$2"
    case $3 in *"$FAIL_AT") exit 1 ;; esac
    printf program >"$2"
    chmod +x "$2"
    ;;
esac
`;

beforeEach(() => {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'bin/go'), go);
  chmodSync(join(folder, 'bin/go'), 0o755);
  writeFileSync(built, '');
});

function build(environment: Readonly<Record<string, string>> = {}, ...args: readonly string[]) {
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
    HOME: folder,
    BELLMAN_CACHE: cache,
    BUILT: built,
    FAIL_AT: 'nothing',
    NO_REGISTRY: '',
    ...environment,
  };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(script, args, { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout: stdout.trim(), stderr }),
    );
  });
}

const buildsOf = () => readFileSync(built, 'utf8').trim().split('\n');
const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kubectl'];

test('builds each program once, and prints the path of a folder that holds exactly these programs', async () => {
  const first = await build();
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /a cache\/kubernetes\/v\d+\.\d+\.\d+$/);
  assert.deepEqual(
    readdirSync(first.stdout).filter((name) => name !== '.lock'),
    programs,
  );
  assert.deepEqual(await build(), { code: 0, stdout: first.stdout, stderr: '' });
  assert.equal(buildsOf().length, programs.length);
});

test('builds kubelet and kube-scheduler only for a cluster', async () => {
  const { stdout } = await build();
  assert.equal((await build({}, '--cluster')).stdout, stdout);
  assert.deepEqual(
    readdirSync(stdout).filter((name) => name !== '.lock'),
    [...programs, 'kube-scheduler', 'kubelet'].sort(),
  );
  assert.equal(buildsOf().length, programs.length + 2);
});

test('leaves no partial program after a failure, and the next run resumes there', async () => {
  const { code, stdout, stderr } = await build({ FAIL_AT: 'kube-controller-manager' });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /building kube-controller-manager failed/);
  assert.equal((await build()).code, 0);
  assert.equal(buildsOf().length, programs.length + 1);
});

test('when two runs start together, one builds and the other waits', async () => {
  const [one, two] = await Promise.all([build(), build()]);
  assert.deepEqual([one.code, two.code], [0, 0], one.stderr + two.stderr);
  assert.equal(one.stdout, two.stdout);
  assert.equal(buildsOf().length, programs.length);
});

test('exits with 69 and says so when the modules cannot be downloaded', async () => {
  const { code, stderr } = await build({ NO_REGISTRY: 'yes' });
  assert.equal(code, 69);
  assert.match(stderr, /no route\nkubernetes: Go cannot download the modules of Kubernetes \(see above\)\n$/);
});

test('builds the version that KUBERNETES_VERSION names, rejects an unknown version and lists the known ones', async () => {
  const { code, stderr } = await build({ KUBERNETES_VERSION: 'v1.2.3' });
  assert.equal(code, 1);
  const [newest = '', oldest = '', ...others] =
    /set it to one of: (.*)\n$/.exec(stderr)?.[1]?.split(' ') ?? [];
  assert.deepEqual(others, [], stderr);
  const built = await Promise.all(
    [{}, { KUBERNETES_VERSION: newest }, { KUBERNETES_VERSION: oldest }].map((environment) =>
      build(environment),
    ),
  );
  assert.deepEqual(
    built.map(({ stdout }) => stdout.split('/').at(-1)),
    [newest, newest, oldest],
  );
});
