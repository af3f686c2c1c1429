/** A lab leaves nothing behind, however it ends, and two labs do not see each other. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const started: ChildProcess[] = [];
after(() => {
  for (const child of started) child.kill('SIGKILL');
});

/** A lab in its own world, inside the world of this test. It reports when it is up and runs until its input ends. */
function lab(nodes: number): { readonly child: ChildProcess; readonly output: () => string } {
  const script = `
    import { Lab } from '${root}lab/lab.ts';
    const lab = await Lab.start({ nodes: ${nodes}, bellman: false });
    console.log('up ' + (await lab.kubectl('get', 'nodes', '-o', 'name')).trim().split('\\n').length);
    process.stdin.on('data', () => { throw new Error('failed on request'); });
    process.stdin.on('end', () => lab.close().then(() => process.exit(0)));`;
  const child = spawn(
    `${root}lab/world`,
    [process.execPath, '--input-type=module-typescript', '-e', script],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      // A terminal gives each command its own process group and sends Ctrl-C to the whole group.
      detached: true,
    },
  );
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  return { child, output: () => text };
}

/** PIDs of all descendants of a process, from /proc. */
function descendants(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)]);
    } catch {
      // The process has ended in the meantime.
    }
  }
  const below = (of: number): number[] =>
    (parents.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Whether the process runs. A zombie does not. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

async function comesUp(nodes: number) {
  const one = lab(nodes);
  await eventually(`a lab of ${nodes} nodes is up`, () => one.output().includes(`up ${nodes}`), {
    explain: () => `\n${one.output()}`,
  });
  const pids = descendants(one.child.pid ?? 0);
  assert.ok(pids.length >= 4, 'the lab runs processes');
  return { ...one, pids };
}

const ends: readonly (readonly [string, (child: ChildProcess) => void])[] = [
  ['its end', (child) => void child.stdin?.end()],
  ['a failure', (child) => void child.stdin?.write('fail\n')],
  ['Ctrl-C', (child) => void process.kill(-(child.pid ?? 0), 'SIGINT')],
  ['SIGTERM', (child) => void child.kill('SIGTERM')],
  ['SIGKILL', (child) => void child.kill('SIGKILL')],
];
for (const [name, end] of ends) {
  test(`a lab leaves no process, namespace or file after ${name}`, async () => {
    const files = readdirSync('/tmp').sort();
    const { child, pids } = await comesUp(1);
    end(child);
    await eventually('every process is gone', () => !pids.some(isAlive));
    assert.deepEqual(readdirSync('/tmp').sort(), files);
    assert.deepEqual(existsSync('/run/netns') ? readdirSync('/run/netns') : [], []);
  });
}

test('two labs run at once without seeing each other', async () => {
  const [one, two] = await Promise.all([comesUp(1), comesUp(2)]);
  assert.match(one.output(), /up 1/);
  assert.match(two.output(), /up 2/);
  for (const { child } of [one, two]) child.stdin?.end();
  await eventually('every process of both labs is gone', () => ![...one.pids, ...two.pids].some(isAlive));
});

test('a private world has its own home directory and hides /tmp, but shows a clone of the repository under /tmp, even if the path of the clone contains a space', () => {
  const clone = mkdtempSync(join(tmpdir(), 'a clone '));
  const world = join(clone, 'lab/world');
  mkdirSync(join(clone, 'lab'));
  copyFileSync(join(root, 'lab/world'), world);
  writeFileSync(join(clone, 'marker'), 'visible');
  const outside = mkdtempSync('/tmp/outside-');
  const inside = `${outside}-inside`;
  const script = `cat marker; echo; echo "$HOME"; ls -A "$HOME"; test -e ${outside} && echo seen; echo made > ${inside}; cat ${inside}`;
  const { stdout, stderr } = spawnSync(world, ['sh', '-c', script], { cwd: clone, encoding: 'utf8' });
  assert.equal(stdout, 'visible\n/run/home\nmade\n', stderr);
  assert.ok(!existsSync(inside), 'a file that the world leaves in /tmp is not seen outside');
  for (const folder of [clone, outside]) rmSync(folder, { recursive: true });
});
