/**
 * Loaded into a process by `NODE_OPTIONS=--require=…`. Measures the longest turn of the event loop. On SIGUSR2, writes it to the file
 * `BELLMAN_LOOP_PROBE/PID.json`, and begins again: the CPU time of the main thread, and the time that passed. On a busy machine, only the CPU
 * time says what the process itself does.
 *
 * A timer fires in each turn, but at most once in `everyMs`. What it sees is therefore one long turn, or several short ones.
 */
'use strict';
const { renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const everyMs = 2;
let [longestCpuMs, longestMs] = [0, 0];
let [cpu, at] = [process.threadCpuUsage(), performance.now()];
setInterval(() => {
  const { user, system } = process.threadCpuUsage(cpu);
  longestCpuMs = Math.max(longestCpuMs, (user + system) / 1000);
  longestMs = Math.max(longestMs, performance.now() - at);
  cpu = process.threadCpuUsage();
  at = performance.now();
}, everyMs).unref();

process.on('SIGUSR2', () => {
  const file = join(process.env.BELLMAN_LOOP_PROBE ?? '/tmp', `${process.pid}.json`);
  // A reader never sees half of the file.
  writeFileSync(`${file}.part`, JSON.stringify({ longestCpuMs, longestMs }));
  renameSync(`${file}.part`, file);
  [longestCpuMs, longestMs] = [0, 0];
});
