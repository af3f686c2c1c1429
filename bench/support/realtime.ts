/**
 * Keeps a busy machine from distorting measured times. Programs that only measure, or that play a router, get real-time scheduling where the
 * world permits it. One such program, `ip monitor`, records the times of the kernel's reports.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { NetworkNamespace } from '../../lab/netns.ts';

/** These words before a command run the command with real-time scheduling. Where the kernel does not permit that, the words change nothing. */
export const realtime: readonly string[] =
  spawnSync('chrt', ['-f', '20', 'true']).status === 0 ? ['chrt', '-f', '20'] : ['env'];

/** Milliseconds since the epoch, with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export interface KernelWatch {
  /** When `ip monitor` received the first report that matches, in milliseconds since the epoch. */
  firstAt(report: RegExp): number | undefined;
  forget(): void;
  stop(): void;
}

/** Records the times of the kernel's reports in this network namespace. `what` are kinds of objects of `ip monitor`, such as `link`. */
export function watchKernel(...what: readonly string[]): KernelWatch {
  return watch(spawn, what);
}

/** Like {@link watchKernel}, for another network namespace. */
export function watchKernelOf(namespace: NetworkNamespace, ...what: readonly string[]): KernelWatch {
  return watch((command, args, options) => namespace.spawn(command, args, options), what);
}

type Spawn = (
  command: string,
  args: string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly stdio: ['ignore', 'pipe', 'inherit'] },
) => ChildProcess;

function watch(start: Spawn, what: readonly string[]): KernelWatch {
  const [program = '', ...args] = realtime;
  // Each report is one line that begins with the local time: `[2026-11-25T06:35:21.123456] Deleted …`.
  const monitor = start(program, [...args, 'ip', '-oneline', '-tshort', 'monitor', ...what], {
    env: { ...process.env, TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  monitor.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return {
    firstAt(report) {
      const line = text.split('\n').find((each) => report.test(each));
      const [, second = '', microseconds] = /^\[([^\].]+)\.(\d{6})\]/.exec(line ?? '') ?? [];
      return microseconds === undefined ? undefined : Date.parse(`${second}Z`) + Number(microseconds) / 1000;
    },
    forget() {
      text = '';
    },
    stop: () => void monitor.kill('SIGKILL'),
  };
}
