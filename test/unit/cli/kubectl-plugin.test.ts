/** `kubectl bellman`, run by dash with a kubectl that records its arguments. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const plugin = fileURLToPath(new URL('../../../bin/kubectl-bellman', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bellman-plugin-'));
after(() => rmSync(folder, { recursive: true }));

/** Answers `get pods` with a Pod of each component in RUNNING, and prints the arguments of `exec`, each in angle brackets. */
const kubectl = join(folder, 'kubectl');
writeFileSync(
  kubectl,
  `#!/bin/sh
case " $* " in
  *' get pods '*component=*)
    for component in $RUNNING; do
      case "$*" in *"component=$component"*) printf '%s-pod' "$component"; exit 0 ;; esac
    done
    exit 1 ;;
  *' get pods '*) exit 0 ;;
  *' exec '*) printf '<%s>' "$@"; exit 7 ;;
esac
`,
);
chmodSync(kubectl, 0o755);

function run(running: string, ...args: readonly string[]) {
  const env = { PATH: `${folder}:${process.env.PATH}`, RUNNING: running };
  const { status, stdout, stderr } = spawnSync('dash', [plugin, ...args], { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

/** Name of the case, the arguments, and the arguments that kubectl gets. */
const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    'a command',
    ['explain', 'default/web'],
    [
      '--namespace',
      'bellman-system',
      'exec',
      'controller-pod',
      '--container',
      'controller',
      '--',
      'bellman',
      'explain',
      'default/web',
    ],
  ],
  [
    '--kubeconfig and --context on both sides of the command, and a word with blanks',
    ['--context', 'east side', 'explain', 'a b', '--kubeconfig=/k c'],
    [
      ...['--kubeconfig', '/k c', '--context', 'east side', '--namespace', 'bellman-system'],
      ...['exec', 'controller-pod', '--container', 'controller', '--', 'bellman', 'explain', 'a b'],
    ],
  ],
  [
    '-n before the command for Bellman, and after it for the Service',
    ['-n', 'lb', 'explain', 'web', '-n', 'shop', '-o', 'json'],
    [
      ...['--namespace', 'lb', 'exec', 'controller-pod', '--container', 'controller', '--'],
      ...['bellman', 'explain', 'web', '-n', 'shop', '-o', 'json'],
    ],
  ],
  [
    'standard input for a command that reads it',
    ['validate', '-'],
    [
      ...[
        '--namespace',
        'bellman-system',
        'exec',
        '--stdin',
        'controller-pod',
        '--container',
        'controller',
        '--',
      ],
      ...['bellman', 'validate', '-'],
    ],
  ],
];
for (const [name, args, expected] of rows)
  test(`kubectl-bellman passes on ${name}, and exits with the code of the command`, () => {
    const { status, stdout } = run('controller speaker', ...args);
    assert.equal(stdout, expected.map((word) => `<${word}>`).join(''));
    assert.equal(status, 7);
  });

test('kubectl-bellman takes a Pod of a speaker while no controller runs', () => {
  assert.match(
    run('speaker', 'status').stdout,
    /<exec><speaker-pod><--container><speaker><--><bellman><status>/,
  );
});

/** Name of the case, the arguments, the running components, and the message. */
const refusals: readonly (readonly [string, readonly string[], string, RegExp])[] = [
  ['a cluster without Bellman', ['status'], '', /no Pod of Bellman runs in the namespace bellman-system/],
  ['no command', [], 'controller', /Runs bellman inside the cluster/],
  ['a flag without a value', ['--context'], 'controller', /--context needs a value/],
  ['an unknown flag', ['--frob', 'status'], 'controller', /unknown flag --frob before the command/],
  ['a daemon', ['speaker'], 'controller', /speaker is a daemon/],
];
for (const [name, args, running, message] of refusals)
  test(`kubectl-bellman refuses ${name} with one message and exit code 2`, () => {
    const { status, stdout, stderr } = run(running, ...args);
    assert.match(stderr, message);
    assert.deepEqual([status, stdout], [2, '']);
  });

test('kubectl-bellman --help says how to call it', () => {
  const { status, stdout } = run('', '--help');
  assert.equal(status, 0);
  assert.match(stdout, /kubectl bellman explain default\/web/);
});
