/**
 * Loaded into a process by `NODE_OPTIONS=--require=…`. Measures the longest turn of the event loop: the CPU time of the main thread, and the
 * time that passed. On SIGUSR2, writes both to the file `BELLMAN_LOOP_PROBE/PID.json`, and begins again. On a busy machine, only the CPU time
 * says what the process itself does.
 *
 * A timer fires in each turn, but at most once in `everyMs`. The span between two firings is therefore one long turn, or several short ones.
 *
 * A collection of garbage cannot be cut into slices. A collection that the process asks for (`src/memory/keeper.ts`) is not part of the turn,
 * and is reported as `collectionCpuMs`. `ownCpuMs` is the longest turn without the collections that V8 decides on. Node reports how long these
 * take, but not their CPU time. On a busy machine they take longer than their CPU time, so `ownCpuMs` is too small.
 *
 * The first turn is left out, because the process loads its program in that turn, and has no session and no address yet.
 */
'use strict';
const { renameSync, writeFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const { join } = require('node:path');
const { PerformanceObserver } = require('node:perf_hooks');
const vm = require('node:vm');

const everyMs = 2;
/** Shorter turns are not kept one by one. */
const longMs = 5;
let [longestCpuMs, longestMs, collectionCpuMs] = [0, 0, 0];
let [cpu, at] = [process.threadCpuUsage(), performance.now()];
let isLoaded = false;
/** @typedef {{ readonly from: number, readonly to: number }} Span In milliseconds of `performance.now()`. */
/** @type {(Span & { readonly cpuMs: number })[]} */
let longTurns = [];
/** All collections. @type {Span[]} */
let collections = [];
/** Those that the process asked for. @type {Span[]} */
let requested = [];

/** @param {readonly { readonly startTime: number, readonly duration: number }[]} entries */
const noteCollections = (entries) => {
  for (const { startTime, duration } of entries)
    collections.push({ from: startTime, to: startTime + duration });
};
const observer = new PerformanceObserver((list) => noteCollections(list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

setInterval(() => {
  const { user, system } = process.threadCpuUsage(cpu);
  const now = performance.now();
  const cpuMs = (user + system) / 1000;
  if (isLoaded) {
    longestCpuMs = Math.max(longestCpuMs, cpuMs);
    longestMs = Math.max(longestMs, now - at);
    if (cpuMs > longMs) longTurns.push({ from: at, to: now, cpuMs });
  }
  isLoaded = true;
  cpu = process.threadCpuUsage();
  at = performance.now();
}, everyMs).unref();

/**
 * Measures the collections that `src/memory/garbage-collector.ts` asks for. That file takes V8's `gc` from a new context.
 * @param {Function} gc
 */
const measured = (gc) =>
  new Proxy(gc, {
    apply(target, self, options) {
      const beganCpu = process.threadCpuUsage();
      const beganAt = performance.now();
      const result = Reflect.apply(target, self, options);
      const took = process.threadCpuUsage(beganCpu);
      const endedAt = performance.now();
      collectionCpuMs = Math.max(collectionCpuMs, (took.user + took.system) / 1000);
      cpu = { user: cpu.user + took.user, system: cpu.system + took.system };
      at += endedAt - beganAt;
      requested.push({ from: beganAt, to: endedAt });
      return result;
    },
  });

const { runInNewContext } = vm;
vm.runInNewContext = (code, ...rest) => {
  const result = runInNewContext(code, ...rest);
  return code === 'gc' ? measured(result) : result;
};
syncBuiltinESMExports();

/** @param {Span} a @param {Span} b */
const overlapMs = (a, b) => Math.max(0, Math.min(a.to, b.to) - Math.max(a.from, b.from));

function longestOwnMs() {
  noteCollections(observer.takeRecords());
  const byV8 = collections.filter((each) => !requested.some((other) => overlapMs(each, other) > 0));
  const own = longTurns.map(
    (turn) => turn.cpuMs - byV8.reduce((sum, each) => sum + overlapMs(turn, each), 0),
  );
  return Math.max(Math.min(longestCpuMs, longMs), ...own);
}

process.on('SIGUSR2', () => {
  const file = join(process.env.BELLMAN_LOOP_PROBE ?? '/tmp', `${process.pid}.json`);
  const measured = { longestCpuMs, ownCpuMs: longestOwnMs(), longestMs, collectionCpuMs };
  // A reader never sees half of the file.
  writeFileSync(`${file}.part`, JSON.stringify(measured));
  renameSync(`${file}.part`, file);
  [longestCpuMs, longestMs, collectionCpuMs] = [0, 0, 0];
  longTurns = [];
  collections = [];
  requested = [];
  // The turn of this handler does not count, because its work grows with the number of collections.
  cpu = process.threadCpuUsage();
  at = performance.now();
});
