import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { skippedOnKubernetes } from '../../lab/start-api-server.ts';
import { runTutorial } from '../../lab/tutorial.ts';

test('the commands of the tutorial print what the page shows', {
  skip: skippedOnKubernetes('the page shows what the embedded server and an older kubectl print'),
}, async () => {
  const page = readFileSync(new URL('../../docs/tutorial.md', import.meta.url), 'utf8');
  assert.deepEqual(stableLines(await runTutorial(page)), stableLines(page));
});

/**
 * The sorted lines without parts that differ between runs: times, durations, ages, MAC addresses, the answering nodes and Pods, the client address
 * that a Pod sees, the leader, and the mark of the best route in BIRD.
 */
function stableLines(page: string): readonly string[] {
  return page
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, 'TIME')
    .replaceAll(/\b\d+(?:\.\d+)?ms\b/g, 'DURATION')
    .replaceAll(/(?<=\s)(?:\d+m)?\d+s\b/g, 'AGE')
    .replaceAll(/(?:[0-9A-F]{2}:){5}[0-9A-F]{2}/g, 'MAC')
    .replaceAll(/\bnode[-_]\d\b/g, 'NODE')
    .replaceAll(/\bprinter-\d+/g, 'POD')
    .replaceAll(/you are [\d.]+/g, 'you are ADDRESS')
    .replaceAll(/controller: \S+ leads, Lease renewed \d+ s ago/g, 'controller: LEADER')
    .replaceAll(/(?<=\]|TIME\]) \* (?=\()/g, ' ')
    .replaceAll(/ +/g, ' ')
    .split('\n')
    .sort();
}
