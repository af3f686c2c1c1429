/**
 * The allocators alone, without an API server.
 *   .cache/bin/node bench/rivals/tables/allocator.ts [--rounds 3] [--out FILE] [--counts 1000,2000,4000]
 * The programs in `allocators/` print the times. Each round starts a new process for each figure.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Figures, quantile } from '../figures.ts';
import { metalLbAllocator } from '../paths.ts';
import { progress, runTable } from '../run.ts';

const programs = {
  Bellman: [process.execPath, fileURLToPath(new URL('../allocators/bellman.ts', import.meta.url))],
  MetalLB: [metalLbAllocator],
} as const;
const nearlyFull = ['/20', '/16'];

await runTable({ counts: '1000,2000,4000' }, async ({ counts }, rounds) => {
  const figures = new Figures(Object.keys(programs));
  const run = ([program, ...first]: readonly [string, ...string[]], ...args: readonly string[]) =>
    execFileSync(program, [...first, ...args], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  for (let round = 0; round < rounds; round++)
    for (const [name, program] of Object.entries(programs)) {
      for (const count of counts.split(',')) {
        const [seconds = Number.NaN] = run(program, 'fill', '10.0.0.0/16', count);
        figures.add(`${Number(count).toLocaleString('en')} addresses of an empty /16, s`, name, seconds);
      }
      for (const length of nearlyFull) {
        const milliseconds = quantile(run(program, 'nearly-full', `10.0.0.0${length}`), 0.5);
        figures.add(`one address of a ${length} that is 99 % full, ms`, name, milliseconds);
      }
      progress(`${name}: round ${round + 1}`);
    }
  return figures.table('Allocators alone', [
    'One process, no API server. Bellman runs from source in Node, with the time that V8 takes to compile. MetalLB is a Go program.',
  ]);
});
