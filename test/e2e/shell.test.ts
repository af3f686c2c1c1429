/** `make lab` as its user sees it: a shell whose suggestions work, a second terminal, and a clean end. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const environment = { ...process.env, EDITOR: 'cat' };

/** A program that the test operates as a user does at a terminal. */
class Terminal {
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #shown = '';
  #typed = 0;

  constructor(command: string, ...args: string[]) {
    this.#child = spawn(command, args, { cwd: root, env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#shown += chunk;
      });
    this.ended = new Promise((resolve) => this.#child.on('close', resolve));
  }

  get shown(): string {
    return this.#shown;
  }

  /** Types a command and returns its output, with the exit code in the last line. */
  async type(command: string): Promise<string> {
    const end = `end-${++this.#typed}-`;
    const from = this.#shown.length;
    this.#child.stdin?.write(`${command}; echo "${end}$?"\n`);
    await eventually(`the end of ${command}`, () => new RegExp(`${end}\\d+\\n`).test(this.#shown), {
      explain: () => `\n${this.#shown.slice(from)}`,
    });
    return this.#shown.slice(from).replace(end, 'exit code ').trim();
  }

  leave(code: number): Promise<number | null> {
    this.#child.stdin?.write(`exit ${code}\n`);
    return this.ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Number of processes in a PID namespace, as far as this user may see. */
function processesIn(world: string): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/pid`) === world;
    } catch {
      return false;
    }
  }).length;
}

let shell: Terminal;
let suggestions: readonly string[] = [];
before(async () => {
  shell = new Terminal(`${root}lab/world`, process.execPath, `${root}lab/shell.ts`);
  await eventually('the lab is up', () => shell.shown.includes('Everything here ends'), {
    explain: () => `\n${shell.shown}`,
  });
  suggestions = (/Six things to try:\n((?: {2}.+\n)+)/.exec(shell.shown)?.[1] ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
});
after(() => shell.kill());

test('the lab suggests six commands, and each works at the first try', async (t) => {
  assert.equal(suggestions.length, 6);
  for (const command of suggestions)
    await t.test(command, async () => {
      assert.match(await shell.type(command), /exit code 0$/);
    });
});

test('`on HOST curl` runs curl on that host', async () => {
  const [, far = ''] =
    /([0-9a-f:]{17})/.exec(await shell.type('on far cat /sys/class/net/eth0/address')) ?? [];
  assert.match(far, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  assert.match(await shell.type('on far curl -s file:///sys/class/net/eth0/address'), new RegExp(far));
});

test('kubectl, birdc, bellman, curl and `on HOST` work without set-up', async () => {
  assert.match(
    await shell.type('kubectl get services'),
    /web +LoadBalancer .* 198\.51\.100\.0,2001:db8:100::/,
  );
  assert.match(
    await shell.type('kubectl create configmap made --from-literal=a=b'),
    /configmap\/made created/,
  );
  assert.match(await shell.type('birdc show protocols'), /node_3 +BGP .* Established/);
  assert.match(await shell.type('curl -s http://192.0.2.240/'), /printer-\d+ on node-\d/);
  assert.match(await shell.type('on far curl -s http://198.51.100.0/'), /web-\d+ on node-\d/);
  assert.match(await shell.type('on node-2 ip -br address show eth0'), /192\.0\.2\.12\/24/);
  assert.match(await shell.type('bellman --help'), /Usage: bellman[\s\S]*exit code 0$/);
});

test('a second terminal enters the lab, with and without the number of the lab', async () => {
  const printed = /enters with: lab\/enter (\d+)/.exec(shell.shown)?.[1] ?? '';
  assert.equal(readFileSync(`/proc/${printed}/comm`, 'utf8'), 'unshare\n');
  for (const args of [[printed], []]) {
    const second = new Terminal(`${root}lab/enter`, ...args);
    try {
      assert.match(await second.type('kubectl get configmap made -o name'), /configmap\/made/);
      assert.match(await second.type('birdc show status'), /BIRD 2/);
      assert.equal(await second.leave(3), 3);
    } finally {
      second.kill();
    }
  }
});

test('lab/enter reports a lab that does not exist', async () => {
  const lost = new Terminal(`${root}lab/enter`, '4194305');
  assert.equal(await lost.ended, 1);
  assert.match(lost.shown, /there is no lab 4194305/);
});

test('the lab ends when its shell ends, with the exit code of the shell and without leftover processes', async () => {
  const second = new Terminal(`${root}lab/enter`);
  await second.type('true');
  const printed = /enters with: lab\/enter (\d+)/.exec(shell.shown)?.[1] ?? '';
  const world = readlinkSync(`/proc/${printed}/ns/pid_for_children`);
  assert.ok(processesIn(world) > 0);
  assert.equal(await shell.leave(7), 7);
  assert.notEqual(await second.ended, 0);
  assert.equal(processesIn(world), 0);
  const none = new Terminal(`${root}lab/enter`);
  assert.equal(await none.ended, 1);
  assert.match(none.shown, /no lab is running/);
});
