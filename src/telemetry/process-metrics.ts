import { readdirSync, readFileSync } from 'node:fs';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../clock.ts';

/**
 * Registers the metrics that Prometheus' own client libraries give every process, under their usual names, and `bellman_build_info`.
 * They describe this process alone, without its child processes.
 */
export function registerProcessMetrics(
  registry: Registry,
  clock: Clock,
  { component, version }: { readonly component: 'controller' | 'speaker'; readonly version: string },
): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number | undefined) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const current = value();
        if (current === undefined) this.remove();
        else this.set(current);
      },
    });
  new Gauge({
    name: 'bellman_build_info',
    help: 'Always 1. The labels say which process and version runs.',
    labelNames: ['component', 'version', 'node_version'],
    registers,
  }).set({ component, version, node_version: process.version }, 1);
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, in seconds.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const startedSeconds = clock.epochMs() / 1000 - process.uptime();
  gauge('process_start_time_seconds', 'Start of the process, in seconds since 1970.', () => startedSeconds);
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss());
  gauge('process_open_fds', 'Open file descriptors of the process.', openDescriptors);
  gauge('process_max_fds', 'Maximum number of open file descriptors.', maxDescriptors);
}

/** `undefined` when `/proc/self/fd` cannot be read, because the process has no descriptor left. */
function openDescriptors(): number | undefined {
  try {
    // One of the entries is the descriptor of the folder itself.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

/** The soft limit; `undefined` when the number is unlimited or cannot be read. */
function maxDescriptors(): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
