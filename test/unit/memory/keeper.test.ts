import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

/**
 * Runs the keeper with a clock that advances by 5,000 s in each pause between two checks, while only a millisecond passes. The process
 * therefore always counts as calm. Prints the memory before the keeper runs and after it has given pages back. At the end, the program uses
 * many parts of Node, to show that the process still works without the pages that it gave back.
 */
const program = `
  import { createHash } from 'node:crypto';
  import { readFileSync } from 'node:fs';
  import { setTimeout as pause } from 'node:timers/promises';
  import { gzipSync } from 'node:zlib';
  import { garbageCollector } from ${JSON.stringify(fileURLToPath(new URL('../../../src/memory/garbage-collector.ts', import.meta.url)))};
  import { keepMemorySmall } from ${JSON.stringify(fileURLToPath(new URL('../../../src/memory/keeper.ts', import.meta.url)))};

  const residentKb = (kind) => Number(new RegExp('^Rss' + kind + ':\\\\s+(\\\\d+)', 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  let garbage = Array.from({ length: 300_000 }, (_, index) => ({ index, text: 'garbage ' + index }));
  // Objects that survive a collection are in the old generation, where garbage stays.
  garbageCollector()();
  garbage = undefined;
  const before = { anonymous: residentKb('Anon'), file: residentKb('File') };
  const failures = [];
  let nowMs = 0;
  const clock = { now: () => nowMs, after: (delayMs, run) => setTimeout(() => { nowMs += delayMs * 1000; run(); }, 1) };
  const end = new AbortController();
  keepMemorySmall({ clock, longestPauseMs: Infinity, logger: { debug: (fields) => failures.push(fields) }, signal: end.signal });
  const limit = performance.now() + 240_000;
  while (residentKb('File') > before.file - 5000 && performance.now() < limit) await pause(2);
  end.abort();
  const after = { anonymous: residentKb('Anon'), file: residentKb('File') };
  const digest = createHash('sha256').update(gzipSync(JSON.stringify(process.report.getReport()))).digest('hex');
  console.log(JSON.stringify({ before, after, failures, digest, intl: new Intl.DateTimeFormat('de', { timeZone: 'UTC' }).format(0) }));
`;

function run() {
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
}

test('keepMemorySmall gives garbage and pages of the program back, and the process still works', () => {
  const { stdout, stderr, status } = run();
  assert.equal(status, 0, stderr);
  const { before, after, failures, digest, intl } = JSON.parse(stdout);
  assert.deepEqual(failures, []);
  assert.ok(after.file < before.file - 5000, `${before.file} kB of files, then ${after.file}`);
  assert.ok(after.anonymous < before.anonymous - 10_000, `${before.anonymous} kB, then ${after.anonymous}`);
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.equal(intl, '1.1.1970');
});
