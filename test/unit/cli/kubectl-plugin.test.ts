/**
 * `kubectl bellman`, run by dash. A script takes the place of kubectl and records its arguments. No test forwards a real port, because the API
 * server of the lab cannot do that. In a cluster, kube-apiserver passes the stream of `kubectl port-forward` on to the kubelet, and the container
 * runtime connects it to the loopback address in the network namespace of the Pod, where `bellman page` listens.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.ts';

const plugin = fileURLToPath(new URL('../../../bin/kubectl-bellman', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bellman-plugin-'));
after(() => rmSync(folder, { recursive: true }));

/**
 * Takes the place of kubectl. RUNNING names the running Pods, each as COMPONENT or COMPONENT=READY. READY is the status of the Pod's condition Ready.
 * - `get pods` prints the Pods of the requested component, each as a line with the status and the name, as the plugin asks.
 * - `exec` prints its arguments, each in angle brackets.
 * - `exec` of `bellman page` prints an address instead, and waits for the end of its input.
 * - `port-forward` prints a port, and waits until SIGTERM arrives or FOLDER/forward is gone.
 *
 * `bellman page` and `port-forward` also append their arguments to FOLDER/calls. `bellman page` appends another line when its input ends,
 * and `port-forward` when SIGTERM arrives.
 */
const kubectl = join(folder, 'kubectl');
writeFileSync(
  kubectl,
  `#!/bin/sh
case " $* " in
  *' get pods '*component=*)
    number=
    for pod in $RUNNING; do
      case $pod in *=*) ready=\${pod#*=} ;; *) ready=True ;; esac
      case "$*" in *"component=\${pod%=*}"*) printf '%s %s-pod%s\n' "$ready" "\${pod%=*}" "$number"; number=$((number + 1)) ;; esac
    done ;;
  *' get pods '*) exit 0 ;;
  *' bellman page '*--help*) echo help ;;
  *' bellman page '*)
    echo "$*" >>"$FOLDER/calls"
    [ -z "\${FAILS:-}" ] || exit 1
    # This script stands for kubectl and for the command in the Pod. When kubectl ends, the input of the command ends. So the script survives SIGTERM,
    # and reports the end of its input.
    trap : TERM
    echo http://127.0.0.1:41234/KEY/
    cat >/dev/null
    echo 'the input of page has ended' >>"$FOLDER/calls" ;;
  *' port-forward '*)
    echo "$*" >>"$FOLDER/calls"
    echo "$$" >"$FOLDER/forward"
    trap 'echo "port-forward was stopped" >>"$FOLDER/calls"; exit' TERM
    echo 'Forwarding from 127.0.0.1:5555 -> 41234'
    while [ -e "$FOLDER/forward" ]; do sleep 0.1; done ;;
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
    '--kubeconfig and --context from before and after the command, and a word with blanks',
    ['--context', 'east side', 'explain', 'a b', '--kubeconfig=/k c'],
    [
      ...['--kubeconfig', '/k c', '--context', 'east side', '--namespace', 'bellman-system'],
      ...['exec', 'controller-pod', '--container', 'controller', '--', 'bellman', 'explain', 'a b'],
    ],
  ],
  [
    'to kubectl the -n before the command, and to the command the -n after it',
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

for (const [args, reads] of [
  [['validate', 'a.yaml', '-'], true],
  [['convert', '--file', '-'], true],
  [['convert', '--from', 'metallb', '--file=-'], true],
  [['convert', '-f-'], true],
  [['convert'], false],
  [['collect', '-o', '-'], false],
  [['capture', 'default/web', '--output', '-'], false],
] as const)
  test(`kubectl-bellman ${reads ? 'passes on' : 'leaves alone'} the standard input of ${args.join(' ')}`, () =>
    assert.equal(run('controller', ...args).stdout.includes('<--stdin>'), reads));

test('kubectl-bellman takes a Pod of a speaker while no controller runs', () => {
  assert.match(
    run('speaker', 'status').stdout,
    /<exec><speaker-pod><--container><speaker><--><bellman><status>/,
  );
});

for (const [pods, chosen] of [
  ['controller=False controller=True', 'controller-pod1'],
  ['controller=Unknown controller=True controller=True', 'controller-pod1'],
  ['controller= controller=Unknown', 'controller-pod'],
  ['controller=False speaker=True', 'speaker-pod'],
  ['controller=False speaker=False', 'controller-pod'],
  ['speaker=Unknown', 'speaker-pod'],
] as const)
  test(`kubectl-bellman takes ${chosen} of ${pods}, because a Pod on a dead node stays in phase Running`, () =>
    assert.ok(run(pods, 'status').stdout.includes(`<exec><${chosen}>`)));

/** Name of the case, the arguments, the running components, and the message. */
const refusals: readonly (readonly [string, readonly string[], string, RegExp])[] = [
  ['a cluster without Bellman', ['status'], '', /no Pod of Bellman runs in the namespace bellman-system/],
  ['a call without a command', [], 'controller', /Runs bellman inside the cluster/],
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

describe('kubectl-bellman page', { concurrency: false }, () => {
  const calls = join(folder, 'calls');
  const environment = { PATH: `${folder}:${process.env.PATH}`, RUNNING: 'controller', FOLDER: folder };
  beforeEach(() => rmSync(calls, { force: true }));

  /** Starts the plugin and resolves with the first line that it prints. */
  async function start(...args: readonly string[]) {
    const child = spawn('dash', [plugin, ...args], { env: environment });
    const ended = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    return { child, ended, line };
  }

  test('forwards a port to the page in the Pod, and prints the address with this port', async () => {
    const { child, ended, line } = await start('-n', 'lb', 'page', '--port', '8080', '--speaker-port', '1');
    assert.equal(line, 'http://127.0.0.1:5555/KEY/\n');
    assert.deepEqual(readFileSync(calls, 'utf8').trim().split('\n'), [
      '--namespace lb exec --stdin controller-pod --container controller -- bellman page --speaker-port 1 --end-with-input',
      '--namespace lb port-forward --address 127.0.0.1 pod/controller-pod 8080:41234',
    ]);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [143, null]);
  });

  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGKILL'] as const)
    test(`leaves no process in the Pod after ${signal}`, async () => {
      const { child, ended } = await start('page');
      child.kill(signal);
      await ended;
      await eventually('the input of the page ends', () =>
        readFileSync(calls, 'utf8').includes('the input of page has ended'),
      );
      // SIGKILL gives the plugin no time to end its children. The port-forward that remains does no harm, because nothing listens on its port in the
      // Pod. In this test a script plays port-forward. The script ends when the file FOLDER/forward is gone.
      if (signal === 'SIGKILL') return rmSync(join(folder, 'forward'));
      await eventually('port-forward ends', () =>
        readFileSync(calls, 'utf8').includes('port-forward was stopped'),
      );
    });

  test('ends with one message when the page does not start', () => {
    const { status, stderr } = spawnSync('dash', [plugin, 'page'], {
      encoding: 'utf8',
      env: { ...environment, FAILS: 'yes' },
    });
    assert.match(stderr, /bellman page did not start in the Pod/);
    assert.equal(status, 2);
  });

  test('shows the help of the command', () => {
    const { stdout } = spawnSync('dash', [plugin, 'page', '--help'], { encoding: 'utf8', env: environment });
    assert.equal(stdout, 'help\n');
    assert.equal(existsSync(calls), false);
  });
});
