import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const main = new URL('../../../src/main.ts', import.meta.url).pathname;

function bellman(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
}

const refused: readonly (readonly [string, string[], RegExp])[] = [
  ['an unknown flag', ['controller', '--nmaespace', 'x'], /unknown option '--nmaespace'[\s\S]*--namespace/],
  ['an unknown command', ['contoller'], /unknown command 'contoller'[\s\S]*controller/],
  ['a speaker without a node', ['speaker'], /--node-name <name>' not specified/],
  [
    'a listening address that is none',
    ['controller', '--metrics-address', 'nonsense'],
    /--metrics-address[\s\S]*'nonsense' is invalid. expected host:port/,
  ],
  ['a port out of range', ['speaker', '--node-name', 'a', '--membership-port', '70000'], /expected a port/],
  [
    'a policy that is none',
    ['speaker', '--node-name', 'a', '--conflict-policy', 'flee'],
    /Allowed choices are/,
  ],
  ['seconds that are none', ['speaker', '--node-name', 'a', '--announce-every', '1m'], /expected seconds/],
  ['a log level that is none', ['speaker', '--node-name', 'a', '--log-level', 'loud'], /Allowed choices are/],
  ['validate without a file', ['validate'], /missing required argument 'file'/],
];
for (const [name, args, message] of refused) {
  test(`bellman refuses ${name} with one message and exit code 2`, () => {
    const { status, stdout, stderr } = bellman(...args);
    assert.match(stderr, message);
    assert.equal(status, 2);
    assert.equal(stdout, '');
  });
}

test('bellman --help names every command and exits 0', () => {
  const { status, stdout } = bellman('--help');
  assert.equal(status, 0);
  for (const command of ['controller', 'speaker', 'validate', 'status'])
    assert.match(stdout, new RegExp(command));
});
