/** Memory and CPU time of processes, from /proc. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

const clockTicksPerSecond = 100;

export interface Usage {
  /** Proportional set size: a page that n processes share counts as 1/n in each. */
  readonly pssMb: number;
  /** The part of the PSS that no file backs. No other process shares this part. */
  readonly anonymousMb: number;
  /** User and system time since the start of the processes. */
  readonly cpuSeconds: number;
}

/** The processes whose executable is this file and whose command line matches. */
export function processesOf(executable: string, matches: (command: readonly string[]) => boolean): number[] {
  // The kernel shows the path without symbolic links, and from the root of the file system.
  const path = realpathSync(executable);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/exe`) === path &&
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
  const rollups = pids.map((pid) => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    pssMb: sum(rollups.map((rollup) => megabytesOf('Pss', rollup))),
    anonymousMb: sum(rollups.map((rollup) => megabytesOf('Pss_Anon', rollup))),
    cpuSeconds: sum(pids.map(cpuSecondsOf)),
  };
}

function megabytesOf(field: string, rollup: string): number {
  return (Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]) * 1024) / 1e6;
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
