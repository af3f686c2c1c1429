import type { Clock } from '../clock.ts';
import type { AddressState } from './address-state.ts';
import type { LinkPort } from './link-port.ts';

export type ProbeOutcome =
  | { readonly kind: 'free' }
  | { readonly kind: 'claimed'; readonly mac: string; readonly interface: string }
  /** No link carries the address: nobody can be asked. */
  | { readonly kind: 'no-link' };

/**
 * PROBE_NUM of RFC 5227 with intervals that fit a Service's first announcement: its own of a second and more are made
 * for hosts that boot, while a host that uses an address answers within a millisecond.
 */
const probeCount = 3;
const probeIntervalMs = 100;
/** Further probes wait, so that a new pool's addresses are not asked for in one blast. */
export const concurrentProbes = 250;

/** Asks links whether an address is in use (RFC 5227 section 2.1, RFC 4862 section 5.4). */
export class Prober {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends the probes; ends with the first claim, or 100 ms after the last probe. Ports are asked for at each one. */
  async probe(state: AddressState, ports: () => readonly LinkPort[]): Promise<ProbeOutcome> {
    let claim: ((outcome: ProbeOutcome) => void) | undefined;
    const outcome = new Promise<ProbeOutcome>((resolve) => {
      claim = resolve;
    });
    const onClaim = (mac: string, interfaceName: string) =>
      claim?.({ kind: 'claimed', mac, interface: interfaceName });
    state.probes.add(onClaim);
    if (this.#running >= concurrentProbes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    let sent = 0;
    let reached = 0;
    const step = () => {
      if (sent === probeCount || (sent > 0 && reached === 0)) {
        claim?.({ kind: reached === 0 ? 'no-link' : 'free' });
        return;
      }
      sent++;
      for (const port of ports()) {
        port.probe(state);
        reached++;
      }
      timer = this.#clock.after(reached === 0 ? 0 : probeIntervalMs, step);
    };
    let timer = this.#clock.after(0, step);
    try {
      return await outcome;
    } finally {
      timer.cancel();
      state.probes.delete(onClaim);
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}
