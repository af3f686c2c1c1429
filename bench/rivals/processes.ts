/** Memory and CPU time of processes, from /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const clockTicksPerSecond = 100;

export interface Usage {
  /** Proportional set size: a page that n processes share counts as 1/n in each. */
  readonly pssMb: number;
  /** User and system time since the start of the processes. */
  readonly cpuSeconds: number;
}

/** The processes whose executable is this file and whose command line matches. */
export function processesOf(executable: string, matches: (command: readonly string[]) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/exe`) === executable &&
          matches(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'))
        );
      } catch {
        // The process has ended, or it belongs to the kernel.
        return false;
      }
    })
    .map(Number);
}

/** The sum over the processes. */
export function usageOf(pids: readonly number[]): Usage {
  const each = pids.map((pid) => ({ pssMb: pssMbOf(pid), cpuSeconds: cpuSecondsOf(pid) }));
  return {
    pssMb: each.reduce((sum, { pssMb }) => sum + pssMb, 0),
    cpuSeconds: each.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
  };
}

function pssMbOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1]) * 1024) / 1e6;
}

function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) / clockTicksPerSecond;
}
