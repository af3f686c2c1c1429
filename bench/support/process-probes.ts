/** Probes of running processes of Bellman: `/healthz` and the event loop. */
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../lab/processes.ts';
import type { HealthAnswers } from '../health-probe.ts';

/** Asks for `/healthz` until the returned function is called. */
export function probeHealth(host: Host, url: string): () => Promise<HealthAnswers> {
  const script = fileURLToPath(new URL('../health-probe.ts', import.meta.url));
  const child = host.spawn(process.execPath, [script, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  return async () => {
    const { stdout } = child;
    if (!stdout) throw new Error('the probe of /healthz has no output');
    child.kill('SIGTERM');
    const [output] = await Promise.all([text(stdout), once(child, 'exit')]);
    return JSON.parse(output) as HealthAnswers;
  };
}

/** The variables with which a process measures its event loop. `folder` takes the results. */
export function loopProbeEnvironment(folder: string): readonly string[] {
  const probe = fileURLToPath(new URL('loop-probe.cjs', import.meta.url));
  return [`NODE_OPTIONS=--require=${probe}`, `BELLMAN_LOOP_PROBE=${folder}`];
}

export interface LongestTurn {
  readonly longestCpuMs: number;
  readonly longestMs: number;
}

/** The longest turn of the process since the last call. */
export async function longestTurnOf(pid: number, folder: string): Promise<LongestTurn> {
  const file = join(folder, `${pid}.json`);
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  while (!existsSync(file)) await pause(20);
  return JSON.parse(readFileSync(file, 'utf8')) as LongestTurn;
}
