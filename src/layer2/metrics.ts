import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Metrics of the membership and of owned addresses. The responder registers the metrics of answers. */
export class Layer2Metrics {
  readonly takeoverSeconds: Histogram;
  readonly #datagrams: Counter<'direction'>;
  readonly #dropped: Counter<'reason'>;

  constructor(
    registry: Registry,
    state: {
      readonly members: () => readonly string[];
      readonly unreachable: () => number;
      readonly owned: () => number;
      readonly witness: () => { readonly unverified: number; readonly asked: number };
    },
  ) {
    const registers = [registry];
    this.takeoverSeconds = new Histogram({
      name: 'bellman_layer2_takeover_seconds',
      help: 'Time from the last packet of a dead owner until this node answered in its place.',
      buckets: [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2, 5],
      registers,
    });
    this.#datagrams = new Counter({
      name: 'bellman_membership_datagrams_total',
      help: 'Membership datagrams, by direction.',
      labelNames: ['direction'],
      registers,
    });
    this.#dropped = new Counter({
      name: 'bellman_membership_dropped_total',
      help: 'Membership datagrams dropped, by reason.',
      labelNames: ['reason'],
      registers,
    });
    new Gauge({
      name: 'bellman_membership_members',
      help: 'Other speakers, by their state as this speaker sees it.',
      labelNames: ['state'],
      registers,
      collect() {
        this.reset();
        for (const each of ['alive', 'suspect', 'dead', 'left']) this.set({ state: each }, 0);
        for (const each of state.members()) this.inc({ state: each });
      },
    });
    new Gauge({
      name: 'bellman_membership_unreachable',
      help: 'Speakers that Kubernetes knows and this speaker does not hear, except those that left. A value that stays above 0 means a partition.',
      registers,
      collect() {
        this.set(state.unreachable());
      },
    });
    new Gauge({
      name: 'bellman_layer2_addresses_owned',
      help: 'Addresses that this node answers for.',
      registers,
      collect() {
        this.set(state.owned());
      },
    });
    new Gauge({
      name: 'bellman_layer2_addresses_unverified',
      help: 'Addresses that this node answers for and whose witnesses get no answer.',
      registers,
      collect() {
        this.set(state.witness().unverified);
      },
    });
    let counted = 0;
    new Counter({
      name: 'bellman_layer2_witness_questions_total',
      help: 'ARP requests and neighbour solicitations by which this node asked whether another node answers for an address.',
      registers,
      collect() {
        const { asked } = state.witness();
        this.inc(asked - counted);
        counted = asked;
      },
    });
  }

  datagram({ sent, received, dropped }: { sent?: number; received?: number; dropped?: string }): void {
    if (sent !== undefined) this.#datagrams.inc({ direction: 'sent' });
    if (received !== undefined) this.#datagrams.inc({ direction: 'received' });
    if (dropped !== undefined) this.#dropped.inc({ reason: dropped });
  }
}
