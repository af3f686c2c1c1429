import { formatIp } from '../address/index.ts';
import type { Clock } from '../clock.ts';
import { FlightRecorder, type RecordedEvent, take } from '../telemetry/flight-recorder.ts';
import type { ClaimStore } from './ownership/claim-store.ts';
import type { OwnershipAction, OwnershipEvent } from './ownership/event.ts';
import type { Ownership } from './ownership/ownership.ts';
import type { Steps } from './ownership/steps.ts';

/** Maximum number of actions in one recorded event. The flight recorder itself cuts the lists in events to the same length. */
const maxActions = 32;
/** Maximum number of addresses whose steps are kept. */
const maxAddresses = 1024;
/** Maximum number of steps kept for each address. */
const stepsPerAddress = 8;

export interface OwnershipRecorderOptions {
  readonly clock: Clock;
  /** The process's flight recorder. */
  readonly recorder: FlightRecorder;
  readonly ownership: Pick<Ownership, 'summary' | 'isAnswering'>;
  readonly claims: Pick<ClaimStore, 'newest'>;
}

/**
 * Records the steps of the ownership machine. Each event is recorded under `ownership`, except a tick without actions. A second flight recorder
 * also records the part of an event that concerns one address, under `address ADDRESS`, and keeps the last steps of each address. It is
 * separate, so that the steps of thousands of addresses do not displace the events of other machines.
 */
export class OwnershipRecorder {
  readonly #options: OwnershipRecorderOptions;
  readonly #addresses: FlightRecorder;

  constructor(options: OwnershipRecorderOptions) {
    this.#options = options;
    this.#addresses = new FlightRecorder({
      clock: options.clock,
      eventsPerMachine: stepsPerAddress,
      machines: maxAddresses,
    });
  }

  /** Steps of single addresses, in order. */
  addressEvents(): RecordedEvent[] {
    return this.#addresses.events();
  }

  /** Records an event and its actions. Yields between addresses. */
  *record(event: OwnershipEvent, actions: readonly OwnershipAction[]): Steps<void> {
    const { recorder, ownership, claims } = this.#options;
    if (event.kind === 'tick' && actions.length === 0) return;
    const listed: unknown[] = actions.slice(0, maxActions).map(flat);
    if (actions.length > maxActions) listed.push(`… ${actions.length - maxActions} more`);
    recorder.record('ownership', ownership.summary(), summaryOf(event), listed);
    if (event.kind === 'claims-received')
      for (const address of take(event.addresses, maxAddresses)) {
        yield;
        this.#recordAddress(address, { kind: event.kind, claim: claims.newest(address) }, []);
      }
    for (const [address, detail] of take(perAddress(actions), maxAddresses)) {
      yield;
      this.#recordAddress(address, { kind: event.kind }, [detail]);
    }
  }

  #recordAddress(address: string, event: unknown, actions: readonly unknown[]): void {
    const state = this.#options.ownership.isAnswering(address) ? 'answering' : 'not answering';
    this.#addresses.record(`address ${address}`, state, event, actions);
  }
}

/** The event in short form. Instead of its entries, a table has their number, and a change has their addresses. */
function summaryOf(event: OwnershipEvent): unknown {
  switch (event.kind) {
    case 'table':
      return { kind: event.kind, entries: event.entries.length };
    case 'change':
      return {
        kind: event.kind,
        upsert: event.upsert.map(({ address }) => address),
        remove: event.remove.map(({ address }) => address),
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
      return { kind: event.kind, addresses: [...event.addresses] };
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
      return { kind: action.kind, address: formatIp(action.address), mustAnnounce: action.mustAnnounce };
    case 'silence':
      return { kind: action.kind, address: formatIp(action.address), reason: action.reason };
    case 'claim':
      return action;
  }
}

/** The details of each address, in the order of the actions. */
function* perAddress(actions: readonly OwnershipAction[]): Iterable<readonly [string, unknown]> {
  for (const action of actions)
    if (action.kind !== 'claim') yield [formatIp(action.address), flat(action)];
    else for (const claim of action.claims) yield [claim.address, { kind: action.kind, ...claim }];
}
