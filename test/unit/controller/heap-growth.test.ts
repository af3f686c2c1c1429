import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/**
 * A program that runs `begin`, and then replaces many live objects one after another. It prints the largest size of the heap, divided by the
 * size of the live objects.
 */
const program = (begin: string) => `
  import { boundHeapGrowth } from ${JSON.stringify(fileURLToPath(new URL('../../../src/controller/heap-growth.ts', import.meta.url)))};

  ${begin}
  const made = (index) => ({ index, text: 'object ' + index });
  const objects = Array.from({ length: 200_000 }, (_, index) => made(index));
  gc();
  const live = process.memoryUsage().heapUsed;
  let most = 0;
  for (let i = 0; i < 1_000_000; i++) {
    objects[(i * 7919) % objects.length] = made(i);
    if (i % 10_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed);
  }
  console.log(most / live);
`;

function heapOf(begin: string): number {
  const flags = ['--expose-gc', '--max-semi-space-size=1', '--input-type=module'];
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, '--eval', program(begin)], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

test('boundHeapGrowth bounds the garbage of a busy process', () => {
  const [bounded, unbounded] = [heapOf('boundHeapGrowth();'), heapOf('')];
  assert.ok(bounded < 2, `the heap grew to ${bounded.toFixed(2)} times its live objects`);
  assert.ok(
    unbounded > 3,
    `without the bound, the heap grew only to ${unbounded.toFixed(2)} times its live objects`,
  );
});
