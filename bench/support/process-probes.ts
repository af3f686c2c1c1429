/** Probes of running processes of Bellman: `/healthz` and the event loop. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../lab/processes.ts';
import type { HealthAnswers } from '../health-probe.ts';

/** Asks for `/healthz` until the returned function is called. Resolves when the first answer has come. */
export async function probeHealth(host: Host, url: string): Promise<() => Promise<HealthAnswers>> {
  const script = fileURLToPath(new URL('../health-probe.ts', import.meta.url));
  const child = host.spawn(process.execPath, [script, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (!child.stdout) throw new Error('the probe of /healthz has no output');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return async () => {
    child.kill('SIGTERM');
    const { value } = await lines.next();
    return JSON.parse(String(value)) as HealthAnswers;
  };
}

/** The variables with which a process measures its event loop. `folder` takes the results. */
export function loopProbeVariables(folder: string): Readonly<Record<string, string>> {
  const probe = fileURLToPath(new URL('loop-probe.cjs', import.meta.url));
  return { NODE_OPTIONS: `--require=${probe}`, BELLMAN_LOOP_PROBE: folder };
}

export interface LongestTurn {
  readonly longestCpuMs: number;
  /** The CPU time of the longest turn when the garbage collections that V8 decides on are left out. */
  readonly ownCpuMs: number;
  readonly longestMs: number;
  /** The longest collection of garbage that the process asked for; 0 for none. It is not part of a turn. */
  readonly collectionCpuMs: number;
}

export function turnText({ longestCpuMs, ownCpuMs, longestMs, collectionCpuMs }: LongestTurn): string {
  const turn = `${longestCpuMs.toFixed(1)} (${longestMs.toFixed(0)}) ms`;
  return `${turn}, without V8's collections ${ownCpuMs.toFixed(1)} ms, collection ${collectionCpuMs.toFixed(0)} ms`;
}

/** The longest turn of the process since the last call. */
export async function longestTurnOf(pid: number, folder: string): Promise<LongestTurn> {
  const file = join(folder, `${pid}.json`);
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  while (!existsSync(file)) await pause(20);
  return JSON.parse(readFileSync(file, 'utf8')) as LongestTurn;
}
