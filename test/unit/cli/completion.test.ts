import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { completionScript } from '../../../src/cli/completion/scripts.ts';
import { shells } from '../../../src/cli/completion/shells.ts';
import { bellmanProgram } from '../../../src/cli/program.ts';

const program = bellmanProgram('1');

for (const shell of shells)
  test(`completionScript() names every command and every flag for ${shell}`, () => {
    const script = completionScript(shell, program);
    for (const command of program.commands) {
      assert.ok(script.includes(command.name()));
      for (const { long } of command.options) assert.ok(script.includes((long ?? '').slice(2)), String(long));
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
    'another value of the same flag at another command',
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
