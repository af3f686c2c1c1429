import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { daemonCommand } from '../../../src/cli/flags.ts';

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

function bellman(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    // Leaves out all other variables, because one of them might set a flag.
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
  });
}

const refused: readonly (readonly [string, string[], RegExp])[] = [
  ['an unknown flag', ['controller', '--nmaespace', 'x'], /unknown option '--nmaespace'[\s\S]*--namespace/],
  ['an unknown command', ['contoller'], /unknown command 'contoller'[\s\S]*controller/],
  ['a speaker without a node', ['speaker'], /--node-name <name>' not specified/],
  [
    'an invalid listening address',
    ['controller', '--metrics-address', 'nonsense'],
    /--metrics-address[\s\S]*'nonsense' is invalid. expected host:port/,
  ],
  ['a port out of range', ['speaker', '--node-name', 'a', '--membership-port', '70000'], /expected a port/],
  ['an unknown policy', ['speaker', '--node-name', 'a', '--conflict-policy', 'flee'], /Allowed choices are/],
  ['invalid seconds', ['speaker', '--node-name', 'a', '--announce-every', '1m'], /expected seconds/],
  ['an unknown log level', ['speaker', '--node-name', 'a', '--log-level', 'loud'], /Allowed choices are/],
  ['explain with words that name no Service', ['explain', 'A b'], /"A b" is neither an address nor/],
  ['status with words that name no Service', ['status', 'a/b/c'], /"a\/b\/c" is neither an address nor/],
  ['completion for an unknown shell', ['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
  ['validate without a file', ['validate'], /missing required argument 'file'/],
  ['drain without a node', ['drain'], /missing required argument 'node'/],
  ['convert from an unknown program', ['convert', '--from', 'metalb'], /Allowed choices are auto, metallb/],
  ['convert without a source', ['convert'], /give files with --file, or a cluster with --kubeconfig/],
];
for (const [name, args, message] of refused) {
  test(`bellman refuses ${name} with one message and exit code 2`, () => {
    const { status, stdout, stderr } = bellman(...args);
    assert.match(stderr, message);
    assert.equal(status, 2);
    assert.equal(stdout, '');
  });
}

test('bellman --help lists every command and exits 0', () => {
  const { status, stdout } = bellman('--help');
  assert.equal(status, 0);
  const [, commands = ''] = stdout.split('Commands:\n');
  assert.deepEqual(
    Array.from(commands.matchAll(/^ {2}(\S+)/gm), ([, name]) => name),
    [
      'controller',
      'speaker',
      'validate',
      'convert',
      'status',
      'explain',
      'trace',
      'collect',
      'capture',
      'drain',
      'undrain',
      'takeover',
      'page',
      'completion',
      'plugin',
      'help',
    ],
  );
});

describe('the environment variable of a flag that takes no value', () => {
  const optionsWith = async (
    name: string,
    environment: Readonly<Record<string, string>>,
    ...flags: string[]
  ) => {
    const saved = { ...process.env };
    Object.assign(process.env, environment);
    try {
      const command = daemonCommand('controller', '')
        .exitOverride()
        .configureOutput({ writeErr: () => {} });
      command.addOption(new Option('--no-leader-election').env('BELLMAN_LEADER_ELECTION'));
      let options: Record<string, unknown> = {};
      command.action((given) => {
        options = given;
      });
      await command.parseAsync(flags, { from: 'user' });
      return options[name];
    } finally {
      process.env = saved;
    }
  };
  for (const [variable, value, name, means] of [
    ['BELLMAN_ADOPT_ONLY', 'true', 'adoptOnly', true],
    ['BELLMAN_ADOPT_ONLY', '1', 'adoptOnly', true],
    ['BELLMAN_ADOPT_ONLY', 'False', 'adoptOnly', false],
    ['BELLMAN_ADOPT_ONLY', '0', 'adoptOnly', false],
    ['BELLMAN_LEADER_ELECTION', 'true', 'leaderElection', true],
    ['BELLMAN_LEADER_ELECTION', 'false', 'leaderElection', false],
  ] as const)
    test(`${variable}=${value} means ${means}`, async () =>
      assert.equal(await optionsWith(name, { [variable]: value }), means));

  test('the flag wins over the variable', async () => {
    assert.equal(await optionsWith('adoptOnly', { BELLMAN_ADOPT_ONLY: 'false' }, '--adopt-only'), true);
    const election = { BELLMAN_LEADER_ELECTION: 'true' };
    assert.equal(await optionsWith('leaderElection', election, '--no-leader-election'), false);
  });

  test('a value other than true, false, 1 and 0 is refused', () => {
    const { status, stderr } = spawnSync(process.execPath, [main, 'speaker', '--node-name', 'a'], {
      encoding: 'utf8',
      env: { ...process.env, BELLMAN_ADOPT_ONLY: 'maybe' },
    });
    assert.match(
      stderr,
      /'--adopt-only' value 'maybe' from env 'BELLMAN_ADOPT_ONLY' is invalid\. Use true or false\./,
    );
    assert.equal(status, 2);
  });
});

test('bellman --version prints the version of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(bellman('--version').stdout, `${version}\n`);
});

test('bellman reports unwritable output in one line, and reports nothing when the reader of its output has exited', () => {
  const full = spawnSync('sh', ['-c', '"$0" "$1" --help >/dev/full', process.execPath, main], {
    encoding: 'utf8',
  });
  assert.equal(full.status, 2);
  assert.match(full.stderr, /^bellman: cannot write the output: ENOSPC.*\n$/);
  const config = fileURLToPath(new URL('../../../config/bgp-and-layer2.yaml', import.meta.url));
  // The reader exits before anything is written.
  const script = '{ sleep 0.1; "$0" "$1" validate "$2"; echo "ended $?" >&2; } | true';
  const early = spawnSync('sh', ['-c', script, process.execPath, main, config], { encoding: 'utf8' });
  assert.equal(early.stderr, 'ended 0\n');
});
