import type { Clock } from '../../clock.ts';
import type { AddressState } from './address-state.ts';
import type { LinkPort } from './link-port.ts';
import { stallMs } from './stall.ts';

export type ProbeOutcome =
  | { readonly kind: 'free' }
  | { readonly kind: 'in-use'; readonly mac: string; readonly interface: string }
  /** No link carries the address, so there is no host to ask. Or no link could send a probe for two seconds. */
  | { readonly kind: 'no-link' };

/**
 * PROBE_NUM of RFC 5227, with shorter intervals. The intervals of the RFC, a second and more, are meant for hosts that boot. A host
 * that uses an address answers within a millisecond, and a new Service should not wait for seconds.
 */
const probeCount = 3;
const probeIntervalMs = 100;
/**
 * How long `probe` tries to send before it gives up. A lost capture is opened again sooner, within half a second. If `probe` never gave up, the
 * owner would never answer on a link that can send answers but no probes, and the probes of other addresses would wait.
 */
const giveUpAfterMs = 2000;

export interface ProbeOptions {
  readonly clock: Clock;
  readonly state: AddressState;
  /** The open links that carry the address. Called before each probe. */
  readonly ports: () => readonly LinkPort[];
  /** Whether any link carries the address, open or not. */
  readonly isCarried: () => boolean;
}

/**
 * Probes for another host that uses the address (RFC 5227 section 2.1, RFC 4862 section 5.4). Resolves on the first conflicting packet, at
 * once when there is no link, or 100 ms after the last probe. Only probes that a link has sent count. Without a question on the wire, the
 * address is not known to be free.
 */
export async function probe({ clock, state, ports, isCarried }: ProbeOptions): Promise<ProbeOutcome> {
  const { promise, resolve } = Promise.withResolvers<ProbeOutcome>();
  const onConflict = (mac: string, interfaceName: string) =>
    resolve({ kind: 'in-use', mac, interface: interfaceName });
  state.probes = [...state.probes, onConflict];
  let sent = 0;
  let dueAtMs = clock.now();
  const giveUpAtMs = dueAtMs + giveUpAfterMs;
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
    if (sent === probeCount) return resolve({ kind: 'free' });
    const asked = ports().filter((port) => port.probe(state));
    if (asked.length > 0) sent++;
    else if (clock.now() >= giveUpAtMs || !isCarried()) return resolve({ kind: 'no-link' });
    timer = stepAfter(probeIntervalMs);
  };
  let timer = stepAfter(0);
  try {
    return await promise;
  } finally {
    timer.cancel();
    state.probes = state.probes.filter((listener) => listener !== onConflict);
  }
}
