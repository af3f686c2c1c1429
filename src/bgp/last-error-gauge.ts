import { Gauge, type Registry } from 'prom-client';

/** The time of each peer's last error. A peer has one series, with the text of the error as a label. */
export class LastErrorGauge {
  readonly #gauge: Gauge<'peer' | 'error'>;
  readonly #errors = new Map<string, string>();

  constructor(registry: Registry) {
    this.#gauge = new Gauge({
      name: 'bellman_bgp_last_error_timestamp_seconds',
      help: 'Time of the last error of the session, in seconds since 1970.',
      labelNames: ['peer', 'error'],
      registers: [registry],
    });
  }

  set(name: string, error: string, atEpochMs: number): void {
    this.remove({ peer: name });
    this.#errors.set(name, error);
    this.#gauge.set({ peer: name, error }, atEpochMs / 1000);
  }

  remove({ peer: name }: { peer: string }): void {
    const error = this.#errors.get(name);
    if (error !== undefined) this.#gauge.remove({ peer: name, error });
    this.#errors.delete(name);
  }
}
