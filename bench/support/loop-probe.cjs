/**
 * Loaded into a process by `NODE_OPTIONS=--require=…`. Measures the longest turn of the event loop. On SIGUSR2, writes it to the file
 * `BELLMAN_LOOP_PROBE/PID.json`, and begins again: the CPU time of the main thread, and the time that passed. On a busy machine, only the CPU
 * time says what the process itself does.
 *
 * A timer fires in each turn, but at most once in `everyMs`. What it sees is therefore one long turn, or several short ones.
 *
 * A collection of garbage that the process asks for (`src/memory/keeper.ts`) cannot be cut into slices. It is not part of the turn, and is
 * reported as `collectionCpuMs`.
 *
 * The first turn is left out. In it the process loads its program, and it has no session and no address yet.
 */
'use strict';
const { renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const everyMs = 2;
let [longestCpuMs, longestMs, collectionCpuMs] = [0, 0, 0];
let [cpu, at] = [process.threadCpuUsage(), performance.now()];
let isLoaded = false;
setInterval(() => {
  const { user, system } = process.threadCpuUsage(cpu);
  if (isLoaded) {
    longestCpuMs = Math.max(longestCpuMs, (user + system) / 1000);
    longestMs = Math.max(longestMs, performance.now() - at);
  }
  isLoaded = true;
  cpu = process.threadCpuUsage();
  at = performance.now();
}, everyMs).unref();

const { gc } = globalThis;
if (gc)
  globalThis.gc = new Proxy(gc, {
    apply(target, self, options) {
      const beganCpu = process.threadCpuUsage();
      const beganAt = performance.now();
      const result = Reflect.apply(target, self, options);
      const took = process.threadCpuUsage(beganCpu);
      collectionCpuMs = Math.max(collectionCpuMs, (took.user + took.system) / 1000);
      cpu = { user: cpu.user + took.user, system: cpu.system + took.system };
      at += performance.now() - beganAt;
      return result;
    },
  });

process.on('SIGUSR2', () => {
  const file = join(process.env.BELLMAN_LOOP_PROBE ?? '/tmp', `${process.pid}.json`);
  // A reader never sees half of the file.
  writeFileSync(`${file}.part`, JSON.stringify({ longestCpuMs, longestMs, collectionCpuMs }));
  renameSync(`${file}.part`, file);
  [longestCpuMs, longestMs, collectionCpuMs] = [0, 0, 0];
});
