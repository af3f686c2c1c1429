/**
 * Loaded into a process by `NODE_OPTIONS=--require=…`. On SIGUSR2, writes the process's heap statistics to the file
 * `BELLMAN_HEAP_PROBE/PID.json`: as they are, and after a collection of all garbage.
 */
'use strict';
const { renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

function statistics() {
  const v8 = require('node:v8');
  return { heap: v8.getHeapStatistics(), spaces: v8.getHeapSpaceStatistics(), usage: process.memoryUsage() };
}

process.on('SIGUSR2', () => {
  const before = statistics();
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const text = JSON.stringify({ before, after: statistics() });
  const file = join(process.env.BELLMAN_HEAP_PROBE ?? '/tmp', `${process.pid}.json`);
  // A reader never sees half of the file.
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
});
