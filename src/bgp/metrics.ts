import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { BgpState } from './fsm/connection-state.ts';
import { LabelledCounter } from './labelled-counter.ts';
import { LastErrorGauge } from './last-error-gauge.ts';

/** Values of bgpPeerState in BGP4-MIB (RFC 4273). */
const stateNumbers: Readonly<Record<BgpState, number>> = {
  Idle: 1,
  Connect: 2,
  Active: 3,
  OpenSent: 4,
  OpenConfirm: 5,
  Established: 6,
};

const messageNames = {
  opens: 'OPEN',
  keepalives: 'KEEPALIVE',
  notifications: 'NOTIFICATION',
  updates: 'UPDATE',
  route_refreshes: 'ROUTE-REFRESH',
} as const;
export type MessageKind = keyof typeof messageNames;

/** MetalLB's names. They are irregular, but MetalLB's dashboards use them. */
const sentNames: Readonly<Record<MessageKind, string>> = {
  opens: 'opens_sent',
  keepalives: 'keepalives_sent',
  notifications: 'notifications_sent',
  updates: 'updates_total',
  route_refreshes: 'route_refresh_sent',
};
const receivedNames: Readonly<Record<MessageKind, string>> = {
  opens: 'opens_received',
  keepalives: 'keepalives_received',
  notifications: 'notifications_received',
  updates: 'updates_total_received',
  route_refreshes: 'route_refresh_received',
};

const peer = ['peer'] as const;

/**
 * The metrics of all peers, labelled with the peer's name. Most names in this file lack the prefix `bellman_bgp_…`: the methods that
 * register the metrics add it. The metrics from `session_up` to `total_received` keep MetalLB's names after this prefix, because MetalLB's
 * dashboards use those names.
 */
export class BgpMetrics {
  readonly #all: { remove(labels: { peer: string }): void }[] = [];
  readonly #registry: Registry;
  readonly sessionUp: Gauge<'peer'>;
  readonly announcedPrefixes: Gauge<'peer'>;
  readonly pendingPrefixes: Gauge<'peer'>;
  readonly receivedPrefixes: Counter<'peer'>;
  readonly #sent: Record<MessageKind, Counter<'peer'>>;
  readonly #received: Record<MessageKind, Counter<'peer'>>;
  readonly #totalSent: Counter<'peer'>;
  readonly #totalReceived: Counter<'peer'>;
  readonly fsmState: Gauge<'peer'>;
  readonly #fsmTransitions: LabelledCounter<'from' | 'to'>;
  readonly establishedTransitions: Counter<'peer'>;
  readonly holdExpiries: Counter<'peer'>;
  readonly sendHoldExpiries: Counter<'peer'>;
  readonly bfdDamped: Gauge<'peer'>;
  readonly bfdLossesIgnored: Counter<'peer'>;
  readonly #notifications: LabelledCounter<'direction' | 'code' | 'subcode'>;
  readonly sentBytes: Counter<'peer'>;
  readonly receivedBytes: Counter<'peer'>;
  readonly queuedBytes: Gauge<'peer'>;
  readonly prefixesPerUpdate: Histogram<'peer'>;
  readonly #malformedUpdates: LabelledCounter<'treatment'>;
  readonly #lastError: LastErrorGauge;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.sessionUp = this.#gauge('session_up', '1 while the session is Established.');
    this.announcedPrefixes = this.#gauge(
      'announced_prefixes_total',
      'Prefixes currently announced to the peer.',
    );
    this.pendingPrefixes = this.#gauge(
      'pending_prefixes_total',
      'Prefixes that this node should announce to the peer.',
    );
    this.receivedPrefixes = this.#counter(
      'received_prefixes_total',
      'Prefixes received from the peer. All are dropped.',
    );
    this.#sent = this.#perKind(sentNames);
    this.#received = this.#perKind(receivedNames);
    this.#totalSent = this.#counter('total_sent', 'Messages sent.');
    this.#totalReceived = this.#counter('total_received', 'Messages received.');
    this.fsmState = this.#gauge(
      'fsm_state',
      'State of the session: 1 Idle, 2 Connect, 3 Active, 4 OpenSent, 5 OpenConfirm, 6 Established.',
    );
    this.#fsmTransitions = this.#detailed('fsm_transitions_total', 'Changes of the session state.', [
      'from',
      'to',
    ]);
    this.establishedTransitions = this.#counter(
      'established_transitions_total',
      'How often the session came up.',
    );
    this.holdExpiries = this.#counter(
      'hold_timer_expiries_total',
      'Sessions that ended because the peer was silent for the hold time.',
    );
    this.sendHoldExpiries = this.#counter(
      'send_hold_timer_expiries_total',
      'Sessions that ended because the peer read nothing for the send hold time.',
    );
    this.bfdDamped = this.#gauge(
      'bfd_damped',
      '1 while BFD is damped: its losses do not end the session, because BFD has ended the session too often.',
    );
    this.bfdLossesIgnored = this.#counter(
      'bfd_losses_ignored_total',
      'Losses by BFD that did not end the session, because BFD was damped.',
    );
    this.#notifications = this.#detailed('notifications_total', 'NOTIFICATION messages, by error.', [
      'direction',
      'code',
      'subcode',
    ]);
    this.sentBytes = this.#counter('sent_bytes_total', 'Octets sent.');
    this.receivedBytes = this.#counter('received_bytes_total', 'Octets received.');
    this.queuedBytes = this.#gauge('queued_bytes', 'Octets that wait to be written to the socket.');
    this.prefixesPerUpdate = this.#histogram();
    this.#malformedUpdates = this.#detailed(
      'malformed_updates_total',
      'Malformed UPDATE messages, by their treatment under RFC 7606.',
      ['treatment'],
    );
    this.#lastError = new LastErrorGauge(registry);
    this.#all.push(this.#lastError);
  }

  /** Sets the error that ended or prevented the last session. */
  lastError(name: string, error: string, atEpochMs: number): void {
    this.#lastError.set(name, error, atEpochMs);
  }

  sent(name: string, kind: MessageKind, bytes: number): void {
    this.#sent[kind].inc({ peer: name });
    this.#totalSent.inc({ peer: name });
    this.sentBytes.inc({ peer: name }, bytes);
  }

  /** `updates` holds the number of prefixes in each UPDATE; `bytes` counts the octets of all messages. */
  sentUpdates(name: string, updates: readonly number[], routeRefreshes: number, bytes: number): void {
    const labels = { peer: name };
    for (const prefixes of updates) this.prefixesPerUpdate.observe(labels, prefixes);
    this.#sent.updates.inc(labels, updates.length);
    this.#sent.route_refreshes.inc(labels, routeRefreshes);
    this.#totalSent.inc(labels, updates.length + routeRefreshes);
    this.sentBytes.inc(labels, bytes);
  }

  received(name: string, kind: MessageKind): void {
    this.#received[kind].inc({ peer: name });
    this.#totalReceived.inc({ peer: name });
  }

  transition(name: string, from: BgpState, to: BgpState): void {
    this.state(name, to);
    this.#fsmTransitions.inc(name, { from, to });
    if (to === 'Established') this.establishedTransitions.inc({ peer: name });
  }

  /** Sets the state without counting a transition. */
  state(name: string, state: BgpState): void {
    this.fsmState.set({ peer: name }, stateNumbers[state]);
    this.sessionUp.set({ peer: name }, state === 'Established' ? 1 : 0);
  }

  notification(name: string, direction: 'sent' | 'received', code: number, subcode: number): void {
    this.#notifications.inc(name, { direction, code: String(code), subcode: String(subcode) });
  }

  malformedUpdate(name: string, treatment: string): void {
    this.#malformedUpdates.inc(name, { treatment });
  }

  /** Gives a new peer its first samples of the metrics that alerts may use, because an alert cannot watch a metric without samples. */
  add(name: string): void {
    this.sessionUp.set({ peer: name }, 0);
    this.fsmState.set({ peer: name }, stateNumbers.Idle);
    this.announcedPrefixes.set({ peer: name }, 0);
    this.pendingPrefixes.set({ peer: name }, 0);
    this.establishedTransitions.inc({ peer: name }, 0);
    this.holdExpiries.inc({ peer: name }, 0);
    this.bfdDamped.set({ peer: name }, 0);
    this.#sent.updates.inc({ peer: name }, 0);
  }

  /** Removes all samples of a peer. */
  remove(name: string): void {
    for (const metric of this.#all) metric.remove({ peer: name });
  }

  #perKind(names: Readonly<Record<MessageKind, string>>): Record<MessageKind, Counter<'peer'>> {
    const counter = (kind: MessageKind) =>
      this.#counter(
        names[kind],
        `${messageNames[kind]} messages ${names[kind].endsWith('received') ? 'received' : 'sent'}.`,
      );
    return {
      opens: counter('opens'),
      keepalives: counter('keepalives'),
      notifications: counter('notifications'),
      updates: counter('updates'),
      route_refreshes: counter('route_refreshes'),
    };
  }

  #gauge(name: string, help: string): Gauge<'peer'> {
    const gauge = new Gauge({
      name: `bellman_bgp_${name}`,
      help,
      labelNames: peer,
      registers: [this.#registry],
    });
    this.#all.push(gauge);
    return gauge;
  }

  #counter(name: string, help: string): Counter<'peer'> {
    const counter = new Counter({
      name: `bellman_bgp_${name}`,
      help,
      labelNames: peer,
      registers: [this.#registry],
    });
    this.#all.push(counter);
    return counter;
  }

  #detailed<L extends string>(name: string, help: string, labels: readonly L[]): LabelledCounter<L> {
    const counter = new LabelledCounter(this.#registry, `bellman_bgp_${name}`, help, labels);
    this.#all.push(counter);
    return counter;
  }

  #histogram(): Histogram<'peer'> {
    const histogram = new Histogram({
      name: 'bellman_bgp_update_prefixes',
      help: 'Prefixes in each UPDATE message sent.',
      labelNames: peer,
      // A full message of 4096 octets holds about 800 /32 or 230 /128 prefixes. A message of 65,535 octets holds about 13,000 /32 prefixes.
      buckets: [1, 2, 5, 10, 25, 50, 100, 200, 400, 800, 1600, 13_000],
      registers: [this.#registry],
    });
    this.#all.push(histogram);
    return histogram;
  }
}
