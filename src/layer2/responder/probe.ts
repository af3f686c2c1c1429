import type { Clock } from '../../clock.ts';
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

/**
 * Asks links whether an address is in use (RFC 5227 section 2.1, RFC 4862 section 5.4): ends with the first claim, or 100 ms after
 * the last probe. Ports are asked for at each one.
 */
export async function probe(
  clock: Clock,
  state: AddressState,
  ports: () => readonly LinkPort[],
): Promise<ProbeOutcome> {
  const { promise, resolve } = Promise.withResolvers<ProbeOutcome>();
  const onClaim = (mac: string, interfaceName: string) =>
    resolve({ kind: 'claimed', mac, interface: interfaceName });
  state.probes.add(onClaim);
  let sent = 0;
  let reached = 0;
  const step = () => {
    if (sent === probeCount || (sent > 0 && reached === 0)) {
      resolve({ kind: reached === 0 ? 'no-link' : 'free' });
      return;
    }
    sent++;
    for (const port of ports()) {
      port.probe(state);
      reached++;
    }
    timer = clock.after(reached === 0 ? 0 : probeIntervalMs, step);
  };
  let timer = clock.after(0, step);
  try {
    return await promise;
  } finally {
    timer.cancel();
    state.probes.delete(onClaim);
  }
}
