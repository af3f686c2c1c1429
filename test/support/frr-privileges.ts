import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const source = fileURLToPath(new URL('./single-user.c', import.meta.url));
/**
 * A library that lets zebra and bfdd look up groups and call setgroups(2) in a private world. Every private world begins with an empty /tmp, so the
 * library is compiled once in each world.
 */
const library = '/tmp/single-user.so';

/** The environment and the options with which zebra and bfdd of FRR run in a private world. bgpd can run with its own option -S instead. */
export async function frrPrivileges(): Promise<{
  readonly environment: NodeJS.ProcessEnv;
  readonly options: readonly string[];
}> {
  if (!existsSync(library)) await run('gcc', ['-shared', '-fPIC', '-o', library, source]);
  return { environment: { ...process.env, LD_PRELOAD: library }, options: ['-u', 'root', '-g', 'root'] };
}
