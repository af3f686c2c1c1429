/**
 * Measures Bellman's allocator alone. `metallb.go` does the same with MetalLB's.
 *   .cache/bin/node bench/rivals/allocators/bellman.ts fill PREFIX COUNT
 *   .cache/bin/node bench/rivals/allocators/bellman.ts nearly-full PREFIX
 * `fill` begins with an empty pool, and prints the seconds until COUNT Services have addresses. `nearly-full` assigns 99 % of a pool. Then it assigns
 * and releases one more address 20 times, and prints the milliseconds of each assignment.
 */
import { Allocator } from '../../../src/controller/allocator/allocator.ts';
import { config, pool, service } from '../../../test/unit/speaker/fixtures.ts';

const repeats = 20;
const [mode, prefix = '', count] = process.argv.slice(2);

const made = new Allocator();
made.setConfig(config([pool('big', [prefix])], []));
const single = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' } as const;
const named = (name: string) => service(name, [], single);

function allocate(from: Allocator, name: string): void {
  const { refusal } = from.reconcile(named(name));
  if (refusal) throw new Error(`${name} got no address: ${JSON.stringify(refusal)}`);
}

if (mode === 'fill') {
  const startedAt = performance.now();
  for (let i = 0; i < Number(count); i++) allocate(made, `s${i}`);
  console.log((performance.now() - startedAt) / 1000);
} else {
  const size = Number(made.usage()[0]?.size);
  for (let i = 0; i < Math.floor((size * 99) / 100); i++) allocate(made, `s${i}`);
  for (let i = 0; i < repeats; i++) {
    const startedAt = performance.now();
    allocate(made, 'new');
    console.log(performance.now() - startedAt);
    made.release('default/new');
  }
}
