import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownHost, Processes } from '../../../lab/processes.ts';
import { eventually } from '../../support/eventually.ts';

test('Processes keeps no log file open in its own process, whether the new process starts or not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-processes-'));
  try {
    const processes = new Processes(folder);
    processes.start('sleeper', ownHost, 'sleep', ['60']);
    const failing = {
      spawn: () => {
        throw new Error('no such host');
      },
    };
    assert.throws(() => processes.start('other', failing, 'sleep', ['60']), /no such host/);
    assert.deepEqual(openLogs(folder), []);
    await processes.stopAll();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const [how, kill] of [
  ["stop('SIGKILL')", (processes: Processes) => processes.stop('parent', 'SIGKILL')],
  ['stopAll()', (processes: Processes) => processes.stopAll()],
] as const)
  test(`${how} ends the children of a process that has already ended`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bellman-processes-'));
    try {
      const processes = new Processes(folder);
      processes.start('parent', ownHost, 'sh', ['-c', 'sleep 60 & echo $!']);
      await eventually('the process ends', () => !processes.isRunning('parent'));
      const child = Number(processes.log('parent'));
      assert.ok(isAlive(child));
      await kill(processes);
      await eventually('its child ends', () => !isAlive(child));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

test("stop('SIGKILL') of a process that has ended without children does nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-processes-'));
  try {
    const processes = new Processes(folder);
    processes.start('short', ownHost, 'true', []);
    await eventually('the process ends', () => !processes.isRunning('short'));
    await processes.stop('short', 'SIGKILL');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Whether a process exists and is no zombie. */
function isAlive(id: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${id}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The files of the folder that this process has open. */
function openLogs(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const file = readlinkSync(join('/proc/self/fd', descriptor));
      return file.startsWith(folder) ? [file] : [];
    } catch {
      // The list includes the descriptor with which `readdirSync()` read it. That descriptor is closed by now.
      return [];
    }
  });
}
