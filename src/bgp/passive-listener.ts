import { formatIp, sameIp } from '../address/index.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { ResolvedPeer } from './peer.ts';
import { acceptedPeerOf } from './session/connection-settings.ts';
import type { Incoming, Listener, ListenFailure, Transport } from './transport/transport.ts';

const retryMs = 10_000;

export interface PassiveListenerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly transport: Transport;
  readonly port: number;
  readonly incoming: (incoming: Incoming) => void;
  /** Called with the reason when a passive peer cannot connect. */
  readonly unreachable: (peerId: string, reason: string) => void;
}

/**
 * The listener for peers that connect to this node. It is open while at least one passive peer is configured whose session may start. A
 * failure to listen is logged once and reported for each affected passive peer. If the failure concerns more than the password of one peer,
 * the listener is opened again after a pause.
 */
export class PassiveListener {
  readonly #options: PassiveListenerOptions;
  #peers: readonly ResolvedPeer[] = [];
  #open: { readonly listener: Listener; readonly key: string } | undefined;
  readonly #loggedFailures = new Set<string>();
  #isRetrying = false;
  #isClosed = false;

  constructor(options: PassiveListenerOptions) {
    this.#options = options;
  }

  /** Opens, replaces or closes the listener, as these peers require. */
  update(peers: readonly ResolvedPeer[]): void {
    this.#peers = peers;
    const ready = peers.filter(({ waitingFor }) => waitingFor === undefined);
    // The kernel keeps one password for each address, and the listener sets the password of the first peer at the address. Passive peers come
    // first, because they have no other way to get a session.
    const passiveFirst = ready.toSorted((a, b) => Number(b.settings.passive) - Number(a.settings.passive));
    const accepted = ready.some(({ settings }) => settings.passive) ? passiveFirst.map(acceptedPeerOf) : [];
    // A failure is retried and reported only for passive peers. When a peer becomes passive, a new listener therefore repeats the attempt, so
    // that a failure is reported for this peer too.
    const passive = passiveFirst.map(({ settings }) => settings.passive);
    const key = JSON.stringify([accepted, passive], (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    if (this.#open?.key === key) return;
    this.#closeListener();
    if (accepted.length === 0) return;
    const { transport, port, clock, incoming } = this.#options;
    const listener = transport.listen(port, accepted, incoming, (failure) => {
      // The failure is handled in a later turn of the event loop, because the sessions of the affected peers may not exist yet.
      clock.after(0, () => this.#failed(failure));
    });
    this.#open = { listener, key };
  }

  close(): void {
    this.#isClosed = true;
    this.#closeListener();
  }

  #closeListener(): void {
    this.#open?.listener.close();
    this.#open = undefined;
  }

  #failed(failure: ListenFailure): void {
    if (this.#isClosed) return;
    const { logger, port, unreachable } = this.#options;
    const { family, peer, reason } = failure;
    const concerned = this.#peers.filter((one) => one.settings.passive && concerns(failure, one));
    if (concerned.length === 0) return;
    const whom = peer ? formatIp(peer.address) : `IPv${family}`;
    if (!this.#loggedFailures.has(`${whom} ${reason}`))
      logger.error({ reason, whom, port }, 'cannot listen for passive peers');
    this.#loggedFailures.add(`${whom} ${reason}`);
    for (const { id } of concerned) unreachable(id, `cannot listen on port ${port}: ${reason}`);
    // A password that cannot be set is not tried again. An operator must change it, and meanwhile the listener is open for the other peers.
    if (!peer) this.#retry();
  }

  #retry(): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#options.clock.after(retryMs, () => {
      this.#isRetrying = false;
      if (this.#isClosed) return;
      this.#closeListener();
      this.update(this.#peers);
    });
  }
}

function concerns({ family, peer }: ListenFailure, { settings, password }: ResolvedPeer): boolean {
  if (!peer) return settings.address.family === family;
  return (
    sameIp(settings.address, peer.address) &&
    settings.interface === peer.interface &&
    password === peer.password
  );
}
