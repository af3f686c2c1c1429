import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const source = fileURLToPath(new URL('./single-user.c', import.meta.url));
/** /tmp is empty in every private world. */
const library = '/tmp/single-user.so';

/** The environment and the options with which zebra and bfdd of FRR run in a private world. bgpd has an option of its own (-S). */
export async function frrPrivileges(): Promise<{
  readonly environment: NodeJS.ProcessEnv;
  readonly options: readonly string[];
}> {
  if (!existsSync(library)) await run('gcc', ['-shared', '-fPIC', '-o', library, source]);
  return { environment: { ...process.env, LD_PRELOAD: library }, options: ['-u', 'root', '-g', 'root'] };
}
