import type { AttributeFault } from '../codec/index.ts';
import type { DownCause } from '../fsm/connection-events.ts';
import type { BgpState } from '../fsm/connection-state.ts';
import type { Message, UpdateMessage } from '../message.ts';
import type { BgpMetrics, MessageKind } from '../metrics.ts';
import type { LastError } from './last-error.ts';

const kinds: Readonly<Record<Message['kind'], MessageKind>> = {
  open: 'opens',
  keepalive: 'keepalives',
  notification: 'notifications',
  update: 'updates',
  'route-refresh': 'route_refreshes',
};

/** The metrics of one peer, under its current name. */
export class SessionMetrics {
  readonly #metrics: BgpMetrics;
  #name: string;

  constructor(name: string, metrics: BgpMetrics) {
    this.#metrics = metrics;
    this.#name = name;
    metrics.add(name);
  }

  /** Counts from zero under the new name. `BgpSpeaker` has already removed the samples of the old name. */
  renamed(name: string, state: BgpState, { reason, atEpochMs }: LastError): void {
    this.#name = name;
    this.#metrics.add(name);
    this.#metrics.state(name, state);
    if (reason !== undefined) this.#metrics.lastError(name, reason, atEpochMs);
  }

  forget(): void {
    this.#metrics.remove(this.#name);
  }

  stateChanged(from: BgpState, to: BgpState): void {
    this.#metrics.transition(this.#name, from, to);
  }

  lastError(reason: string, atEpochMs: number): void {
    this.#metrics.lastError(this.#name, reason, atEpochMs);
  }

  ended(cause: DownCause): void {
    const labels = { peer: this.#name };
    if (cause.kind === 'hold-timer') this.#metrics.holdExpiries.inc(labels);
    if (cause.kind === 'send-hold-timer') this.#metrics.sendHoldExpiries.inc(labels);
    if (cause.kind === 'received')
      this.#metrics.notification(this.#name, 'received', cause.error.code, cause.error.subcode);
  }

  bfdDamped(isDamped: boolean): void {
    this.#metrics.bfdDamped.set({ peer: this.#name }, isDamped ? 1 : 0);
  }

  bfdLossIgnored(): void {
    this.#metrics.bfdLossesIgnored.inc({ peer: this.#name });
  }

  receivedOctets(count: number): void {
    this.#metrics.receivedBytes.inc({ peer: this.#name }, count);
  }

  received(message: Message): void {
    this.#metrics.received(this.#name, kinds[message.kind]);
  }

  /** A malformed UPDATE counts once for each treatment (RFC 7606), however many of its attributes are malformed. */
  updateReceived({ nlri, attributes }: UpdateMessage, faults: readonly AttributeFault[]): void {
    const prefixes = nlri.length + (attributes.mpReach?.nlri.length ?? 0);
    if (prefixes > 0) this.#metrics.receivedPrefixes.inc({ peer: this.#name }, prefixes);
    for (const treatment of new Set(faults.map((fault) => fault.treatment)))
      this.#metrics.malformedUpdate(this.#name, treatment);
  }

  sent(message: Message, octets: number): void {
    this.#metrics.sent(this.#name, kinds[message.kind], octets);
    if (message.kind === 'notification')
      this.#metrics.notification(this.#name, 'sent', message.code, message.subcode);
  }
}
