import type { Processes } from '../processes.ts';

/**
 * Lets the kube-proxies of the nodes write their rules late, as in a large cluster: SIGSTOP suspends the processes during a change of
 * pods, and for `lateMs` after it. The rules that they wrote earlier stay in force.
 */
export class LateKubeProxies {
  readonly #processes: Processes;
  readonly #names: readonly string[];
  readonly #lateMs: number;
  /** The number of changes that are being made. */
  #changes = 0;
  #waking: NodeJS.Timeout | undefined;

  /** `names` are the names of the processes. */
  constructor(processes: Processes, names: readonly string[], lateMs: number) {
    this.#processes = processes;
    this.#names = names;
    this.#lateMs = lateMs;
  }

  async during<T>(change: () => Promise<T>): Promise<T> {
    this.#changes++;
    clearTimeout(this.#waking);
    this.#signal('SIGSTOP');
    try {
      return await change();
    } finally {
      this.#changes--;
      if (this.#changes === 0) this.#waking = setTimeout(() => this.#signal('SIGCONT'), this.#lateMs).unref();
    }
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    for (const name of this.#names) this.#processes.signal(name, signal);
  }
}
