/** Steps that all programs of `tables/` share: read the flags, make the table, print it and write it to a file. */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Figure, markdown, type Table, unfinished } from './figures.ts';
import type { Result } from './page.ts';

/** Reads the flags `--rounds N` and `--out FILE` and the flags in `defaults`, makes the table, and exits. */
export async function runTable<T extends Record<string, string>>(
  defaults: T,
  make: (flags: Record<keyof T, string>, rounds: number) => Promise<Table>,
): Promise<never> {
  const own = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, { type: 'string' as const, default: value }]),
  );
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '3' }, out: { type: 'string' }, ...own },
  });
  const flags = values as Record<string, string>;
  const before = loadavg()[0] ?? 0;
  const table = await make(flags as Record<keyof T, string>, Number(flags.rounds));
  const result: Result = { table, load: [before, loadavg()[0] ?? 0] };
  console.log(`\n${table.title}\n${markdown(table)}`);
  if (flags.out !== undefined) writeFileSync(flags.out, JSON.stringify(result));
  process.exit();
}

/** Waits until the condition holds and resolves to the seconds that it took, or to `unfinished` after the deadline. */
export async function secondsUntil(
  holds: () => Promise<boolean>,
  { deadlineSeconds, pollMs = 20 }: { readonly deadlineSeconds: number; readonly pollMs?: number },
): Promise<Figure> {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  for (;;) {
    if (await holds().catch(() => false)) return seconds();
    if (seconds() > deadlineSeconds) return unfinished;
    await sleep(pollMs);
  }
}

export function progress(text: string): void {
  console.log(`  ${text}`);
}
