/**
 * Finds the nodes whose layer-2 process got no processor for so long that the others were right to declare it dead. The tests share their
 * processors with other programs, and a process that does not run looks like a dead one.
 */
import { readFileSync } from 'node:fs';
import type { Lab } from '../../lab/lab.ts';

/** The others may declare a member dead that stays silent for twice this time: a ping, its repetition and `suspicionMinMs`. */
const starvedMs = 150;
const sampleMs = 50;

/** Adds up the time for which a process waited for a processor, as long as it waited more than it ran or slept. */
export class WaitMeter {
  #spanMs = 0;
  longestMs = 0;

  sample(elapsedMs: number, waitedMs: number): void {
    this.#spanMs = waitedMs * 2 > elapsedMs ? this.#spanMs + waitedMs : 0;
    this.longestMs = Math.max(this.longestMs, this.#spanMs);
  }
}

/** Time in ms for which the main thread of a process has waited for a processor: the second number of `schedstat`, in ns. */
function waitedMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
}

export class StarvationWatch {
  readonly #meters = new Map<string, WaitMeter>();
  readonly #processes: { readonly pid: number; readonly meter: WaitMeter; waitedMs: number }[] = [];
  readonly #timer = setInterval(() => this.#sample(), sampleMs);
  #sampledAtMs = performance.now();

  static async start(lab: Lab): Promise<StarvationWatch> {
    const watch = new StarvationWatch();
    for (const node of lab.fabric.nodes) {
      const meter = new WaitMeter();
      watch.#meters.set(node.name, meter);
      for (const pid of await lab.layer2Processes(node))
        watch.#processes.push({ pid, meter, waitedMs: waitedMs(pid) });
    }
    return watch;
  }

  /** The longest wait of each starved node, in ms. */
  stop(): Map<string, number> {
    clearInterval(this.#timer);
    return new Map(
      [...this.#meters]
        .filter(([, { longestMs }]) => longestMs >= starvedMs)
        .map(([name, { longestMs }]) => [name, Math.round(longestMs)]),
    );
  }

  #sample(): void {
    const now = performance.now();
    for (const process of this.#processes) {
      let waited: number;
      try {
        waited = waitedMs(process.pid);
      } catch {
        // A fault has ended the process.
        continue;
      }
      process.meter.sample(now - this.#sampledAtMs, waited - process.waitedMs);
      process.waitedMs = waited;
    }
    this.#sampledAtMs = now;
  }
}
