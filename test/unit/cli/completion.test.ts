import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { completionScript } from '../../../src/cli/completion/scripts.ts';
import { type Shell, shells } from '../../../src/cli/completion/shells.ts';
import { bellmanProgram } from '../../../src/cli/program.ts';

const program = bellmanProgram('1');

const daemons = ['controller', 'speaker'];

/** Finds the lines that list the flags of a command, and each flag in them. */
const flagPatterns: Readonly<Record<Shell, (command: string) => readonly [line: RegExp, flag: RegExp]>> = {
  bash: (command) => [RegExp(`^ *${command}\\) mapfile .*`, 'gm'), /(?<=[ '])--[\w-]+(?=[ '])/g],
  zsh: (command) => [RegExp(`^ *${command}\\) _arguments .*`, 'gm'), /(?<=\))--[\w-]+(?=\[)/g],
  fish: (command) => [RegExp(`^.*__fish_seen_subcommand_from ${command}' -l .*`, 'gm'), /(?<= -l )[\w-]+/g],
  kubectl: (command) => [RegExp(`^ *${command}:-\\*\\) offer .*`, 'gm'), /(?<= ')--[\w-]+(?=' ')/g],
};

for (const shell of shells)
  test(`completionScript() names every command that ${shell} completes, each with its flags`, () => {
    const script = completionScript(shell, program);
    const left = shell === 'kubectl' ? daemons : [];
    const added = shell === 'kubectl' ? ['--help', '--kubeconfig', '--context'] : ['--help'];
    for (const command of program.commands.filter((each) => !left.includes(each.name()))) {
      const [line, flag] = flagPatterns[shell](command.name());
      const found = script.match(line)?.join('\n').match(flag) ?? [];
      const expected = new Set([...command.options.map(({ long }) => long ?? ''), ...added]);
      assert.deepEqual(
        found.map((name) => `--${name.replace(/^--/, '')}`).sort(),
        [...expected].sort(),
        command.name(),
      );
    }
  });

/** The completions that bash offers for a line. The last word is the one to complete. */
function completions(...words: readonly string[]): string[] {
  const script = `${completionScript('bash', program)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bellman; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['a command', ['bellman', 'exp'], ['explain']],
  ['a flag of a command', ['bellman', 'status', '--prob'], ['--problems']],
  ['a value of a flag', ['bellman', 'status', '-o', 'y'], ['yaml']],
  [
    'the values that a flag has at this command, not those at another command',
    ['bellman', 'trace', 'x', '-o', ''],
    ['text', 'json'],
  ],
  ['a value of an argument', ['bellman', 'completion', 'z'], ['zsh']],
  ['a command after a flag of the plugin', ['kubectl-bellman', '--context', 'c', 'tra'], ['trace']],
  ['nothing for a flag of another command', ['bellman', 'trace', '--prob'], []],
];
for (const [name, words, expected] of rows)
  test(`bash completes ${name}`, () => {
    assert.deepEqual(completions(...words), expected);
  });

const folder = mkdtempSync(join(tmpdir(), 'bellman-completion-'));
after(() => rmSync(folder, { recursive: true }));
const completer = join(folder, 'kubectl_complete-bellman');
writeFileSync(completer, completionScript('kubectl', program), { mode: 0o755 });
// kubectl completes a plugin only if it finds the plugin.
writeFileSync(join(folder, 'kubectl-bellman'), '#!/bin/sh\n', { mode: 0o755 });

/**
 * The completions that the script prints for the words after `kubectl bellman`, without their descriptions. The last element is the directive, which
 * tells kubectl whether to complete the names of files too.
 */
function candidates(...words: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync('dash', [completer, ...words], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '');
}

/** Name of the case, the words, a completion that must be there, one that must not, and the directive. */
const kubectlRows: readonly (readonly [string, readonly string[], string, string, string])[] = [
  ['a command', [''], 'explain', '--problems', ':4'],
  ['no daemon', [''], 'status', 'speaker', ':4'],
  ['the flags of the plugin', ['-'], '--context', '--problems', ':4'],
  ['a command after flags of the plugin', ['--context', 'c', '-n', 'lb', 'tra'], 'trace', '--context', ':4'],
  ['a flag of a command', ['status', '--pro'], '--problems', 'explain', ':4'],
  ['each flag only once', ['status', '-'], '--kubeconfig', '--since', ':4'],
  ['a value of a flag', ['status', '-o', ''], 'yaml', 'explain', ':4'],
  [
    'the values that a flag has at this command, not those at another command',
    ['trace', 'x', '-o', ''],
    'json',
    'yaml',
    ':4',
  ],
  ['a value of an argument', ['completion', ''], 'zsh', '--help', ':4'],
  ['nothing for an argument that takes any text', ['explain', ''], ':4', 'explain', ':4'],
  ['nothing for a flag that takes any text', ['explain', 'x', '-n', ''], ':4', 'explain', ':4'],
  ['files for a kubeconfig', ['status', '--kubeconfig', ''], ':0', 'explain', ':0'],
  ['no command for the value of a flag', ['--context', ''], ':4', 'explain', ':4'],
];
for (const [name, words, present, absent, directive] of kubectlRows)
  test(`kubectl completes ${name}`, () => {
    const found = candidates(...words);
    assert.ok(found.includes(present), found.join());
    assert.ok(!found.includes(absent), found.join());
    assert.equal(found.at(-1), directive);
    assert.equal(new Set(found).size, found.length, found.join());
  });

const { stdout: kubectlVersion } = spawnSync('kubectl', ['version', '--client', '-o', 'json'], {
  encoding: 'utf8',
});
const [, minor = '0'] = /"gitVersion": "v1\.(\d+)/.exec(kubectlVersion) ?? [];

test('kubectl itself shows the completions of the script', {
  skip: Number(minor) < 26 && 'this kubectl is older than 1.26',
}, () => {
  const complete = (...words: readonly string[]) =>
    spawnSync('kubectl', ['__complete', 'bellman', ...words], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    }).stdout;
  assert.match(complete('expl'), /^explain\t.+$/m);
  assert.match(complete('status', '--pr'), /^--problems\t[\s\S]+\n:4\n$/m);
});

test('bellman plugin prints the plugin', () => {
  const root = new URL('../../../', import.meta.url);
  const { stdout } = spawnSync(process.execPath, [fileURLToPath(new URL('src/main.ts', root)), 'plugin'], {
    encoding: 'utf8',
  });
  assert.equal(stdout, readFileSync(new URL('bin/kubectl-bellman', root), 'utf8'));
});
