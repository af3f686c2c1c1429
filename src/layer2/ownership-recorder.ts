import { formatIp } from '../address/index.ts';
import type { Clock } from '../clock.ts';
import { FlightRecorder, type RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { ClaimStore } from './ownership/claim-store.ts';
import type { OwnershipAction, OwnershipEvent } from './ownership/event.ts';
import type { Ownership } from './ownership/ownership.ts';

/** Addresses of one event that are recorded; the flight recorder cuts longer lists anyway. */
const maxAddresses = 32;

export interface OwnershipRecorderOptions {
  readonly clock: Clock;
  /** The process's flight recorder. */
  readonly recorder: FlightRecorder;
  readonly ownership: Pick<Ownership, 'summary' | 'isAnswering'>;
  readonly claims: Pick<ClaimStore, 'newest'>;
}

/**
 * Records the steps of the ownership machine: each event under `ownership`, and what concerns one address under `address ADDRESS` too. Addresses
 * have a recorder of their own, so that thousands of them displace neither each other's last steps nor other machines.
 */
export class OwnershipRecorder {
  readonly #options: OwnershipRecorderOptions;
  readonly #addresses: FlightRecorder;

  constructor(options: OwnershipRecorderOptions) {
    this.#options = options;
    this.#addresses = new FlightRecorder({ clock: options.clock, eventsPerMachine: 16, machines: 1024 });
  }

  /** Steps of single addresses, in order. */
  addressEvents(): RecordedEvent[] {
    return this.#addresses.events();
  }

  record(event: OwnershipEvent, actions: readonly OwnershipAction[]): void {
    const { recorder, ownership } = this.#options;
    if (event.kind === 'tick' && actions.length === 0) return;
    recorder.record(
      'ownership',
      ownership.summary(),
      summaryOf(event),
      actions.slice(0, maxAddresses).map(flat),
    );
    if (event.kind === 'claims-received')
      for (const address of event.addresses)
        this.#recordAddress(address, { kind: event.kind, claim: this.#options.claims.newest(address) }, []);
    for (const action of actions)
      for (const [address, detail] of perAddress(action))
        this.#recordAddress(address, { kind: event.kind }, [detail]);
  }

  #recordAddress(address: string, event: unknown, actions: readonly unknown[]): void {
    const state = this.#options.ownership.isAnswering(address) ? 'answering' : 'not answering';
    this.#addresses.record(`address ${address}`, state, event, actions);
  }
}

/** The event without long lists. */
function summaryOf(event: OwnershipEvent): unknown {
  switch (event.kind) {
    case 'table':
      return { kind: event.kind, entries: event.entries.length };
    case 'change':
      return {
        kind: event.kind,
        upsert: event.upsert.slice(0, maxAddresses).map(({ address }) => address),
        remove: event.remove.slice(0, maxAddresses).map(({ address }) => address),
      };
    case 'view': {
      const { nodes, claiming } = event.view;
      const phases = [...nodes].map(([node, { isStarting, isLeaving }]) =>
        isStarting ? `${node} (starting)` : isLeaving ? `${node} (leaving)` : node,
      );
      return { kind: event.kind, nodes: phases, claiming };
    }
    case 'claims-received':
    case 'claims-published':
      return { kind: event.kind, addresses: new Set(event.addresses) };
    case 'started':
    case 'conflict':
    case 'tick':
      return event;
  }
}

/** The action as plain values. */
function flat(action: OwnershipAction): unknown {
  switch (action.kind) {
    case 'answer': {
      const { kind, reason, from, mustProbe } = action;
      return { kind, address: formatIp(action.address), reason, from, mustProbe };
    }
    case 'adjust':
      return { kind: action.kind, address: formatIp(action.address) };
    case 'silence':
      return { kind: action.kind, address: formatIp(action.address), reason: action.reason };
    case 'claim':
      return action;
  }
}

function perAddress(action: OwnershipAction): (readonly [address: string, detail: unknown])[] {
  if (action.kind !== 'claim') return [[formatIp(action.address), flat(action)]];
  return action.claims.map((claim) => [claim.address, { kind: action.kind, ...claim }]);
}
