import type { Clock } from '../../clock.ts';
import type { AddressState } from './address-state.ts';
import type { LinkPort } from './link-port.ts';
import { stallMs } from './stall.ts';

export type ProbeOutcome =
  | { readonly kind: 'free' }
  | { readonly kind: 'in-use'; readonly mac: string; readonly interface: string }
  /** No link carries the address, so there is no host to ask. */
  | { readonly kind: 'no-link' };

/**
 * PROBE_NUM of RFC 5227, with shorter intervals. The intervals of the RFC, a second and more, are meant for hosts that boot. A host
 * that uses an address answers within a millisecond, and a new Service should not wait for seconds.
 */
const probeCount = 3;
const probeIntervalMs = 100;

/**
 * Probes for another host that uses the address (RFC 5227 section 2.1, RFC 4862 section 5.4). Resolves on the first conflicting packet, at
 * once when there is no link, or 100 ms after the last probe. `ports` is called before each probe.
 */
export async function probe(
  clock: Clock,
  state: AddressState,
  ports: () => readonly LinkPort[],
): Promise<ProbeOutcome> {
  const { promise, resolve } = Promise.withResolvers<ProbeOutcome>();
  const onConflict = (mac: string, interfaceName: string) =>
    resolve({ kind: 'in-use', mac, interface: interfaceName });
  state.probes = [...state.probes, onConflict];
  let sent = 0;
  let reached = 0;
  let dueAtMs = clock.now();
  const stepAfter = (delayMs: number) => {
    dueAtMs = clock.now() + delayMs;
    return clock.after(delayMs, step);
  };
  const step = () => {
    const isStalled = sent > 0 && clock.now() - dueAtMs > stallMs;
    if (isStalled) {
      // Answers that arrived during the stall are still unread.
      timer = stepAfter(probeIntervalMs);
      return;
    }
    if (sent === probeCount || (sent > 0 && reached === 0)) {
      resolve({ kind: reached === 0 ? 'no-link' : 'free' });
      return;
    }
    sent++;
    for (const port of ports()) {
      port.probe(state);
      reached++;
    }
    timer = stepAfter(reached === 0 ? 0 : probeIntervalMs);
  };
  let timer = stepAfter(0);
  try {
    return await promise;
  } finally {
    timer.cancel();
    state.probes = state.probes.filter((listener) => listener !== onConflict);
  }
}
