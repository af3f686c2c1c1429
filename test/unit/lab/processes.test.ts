import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownHost, Processes } from '../../../lab/processes.ts';

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
