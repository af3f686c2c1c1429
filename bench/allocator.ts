/**
 * Cost of an allocation.
 *   .cache/bin/node --expose-gc bench/allocator.ts
 * Measures the time per Service while up to 50,000 dual-stack Services take addresses from an IPv4 /15 and an IPv6 /64. Measures the time of one
 * allocation and its release in an empty pool, in a pool that is 99.9 % full, and in a pool where every second address is free. Each round
 * measures all three pools, so that other load on the machine affects them alike. With `--expose-gc`, also measures the memory per Service.
 */
import type { PoolConfig } from '../src/config/index.ts';
import { Allocator } from '../src/controller/allocator/allocator.ts';
import type { Service } from '../src/kubernetes/model.ts';
import { config, pool, service } from '../test/unit/speaker/fixtures.ts';

const rounds = 9;

const dual = { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' } as const;
const v4 = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' } as const;

function allocator(...pools: PoolConfig[]): Allocator {
  const made = new Allocator();
  made.setConfig(config(pools, []));
  return made;
}

function fill(into: Allocator, services: readonly Service[]): void {
  for (const each of services) if (into.reconcile(each).refusal) throw new Error(`${each.name} was refused`);
}

function report(what: string, figure: string): void {
  console.log(`${what.padEnd(66)} ${figure}`);
}

function spread(values: readonly number[], digits = 2): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(digits);
  return `${at(0.5)} (${at(0)} … ${at(1)})`;
}

function microseconds(count: number, work: () => void): number {
  const start = performance.now();
  work();
  return ((performance.now() - start) * 1000) / count;
}

for (const count of [3125, 6250, 12_500, 25_000, 50_000]) {
  const services = Array.from({ length: count }, (_, i) => service(`s${i}`, [], dual));
  const times = Array.from({ length: rounds }, () => {
    const a = allocator(pool('four', ['10.0.0.0/15']), pool('six', ['2001:db8::/64']));
    return microseconds(count, () => fill(a, services));
  });
  report(`${count} dual-stack Services from a /15 and a /64, each`, `${spread(times)} µs`);
}

// One allocation and its release in a /15: empty, 99.9 % full, and with every second address free.
const size = 2 ** 17;
const all = Array.from({ length: size }, (_, i) => service(`s${i}`, [], v4));
const batch = all.slice(0, 100);
const empty = allocator(pool('four', ['10.0.0.0/15']));
const full = allocator(pool('four', ['10.0.0.0/15']));
fill(full, all);
const held = all.map(({ name }) => `default/${name}`);
const step = 997;
const freed = Array.from({ length: Math.floor(size / 1000) }, (_, i) => held[(i * step) % size] ?? '');
for (const key of freed) full.release(key);
const halfFree = allocator(pool('four', ['10.0.0.0/15']));
fill(halfFree, all);
for (let i = 0; i < size; i += 2) halfFree.release(held[i] ?? '');
const extra = batch.map((each) => service(`new-${each.name}`, [], v4));

function takeAndRelease(from: Allocator): number {
  return microseconds(extra.length * 20, () => {
    for (let i = 0; i < 20; i++) {
      fill(from, extra);
      for (const { name } of extra) from.release(`default/${name}`);
    }
  });
}

const results = { empty: [] as number[], full: [] as number[], halfFree: [] as number[] };
for (let round = -3; round < rounds; round++) {
  const now = {
    empty: takeAndRelease(empty),
    full: takeAndRelease(full),
    halfFree: takeAndRelease(halfFree),
  };
  if (round < 0) continue;
  for (const name of ['empty', 'full', 'halfFree'] as const) results[name].push(now[name]);
}
const { free, size: usable } = full.usage()[0] ?? { free: 0n, size: 1n };
report('one allocation and its release, /15 empty', `${spread(results.empty)} µs`);
report(
  `one allocation and its release, /15 ${(100 - (Number(free) / Number(usable)) * 100).toFixed(2)} % full`,
  `${spread(results.full)} µs`,
);
report(
  'time in the full /15 divided by time in the empty /15',
  spread(results.full.map((each, i) => each / (results.empty[i] ?? 1))),
);
report('one allocation and its release, /15 with every other address free', `${spread(results.halfFree)} µs`);
report(
  'time in the half-free /15 divided by time in the empty /15',
  spread(results.halfFree.map((each, i) => each / (results.empty[i] ?? 1))),
);

const collect = globalThis.gc;
if (collect) {
  const services = Array.from({ length: 50_000 }, (_, i) => service(`s${i}`, [], dual));
  collect();
  const before = process.memoryUsage().heapUsed;
  const a = allocator(pool('four', ['10.0.0.0/15']), pool('six', ['2001:db8::/64']));
  fill(a, services);
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / services.length;
  report(
    'memory of the allocator per dual-stack Service, of 50,000',
    `${Math.round(bytes)} octets (${[...a.assigned()].length} addresses)`,
  );
}
