/**
 * The flight recorder keeps the last events of each state machine. An operator can read how a machine reached its state, and a test can
 * replay the events. Each machine has a name, such as `peer router-a`, `ownership` or `membership`.
 *
 * Events are reduced to plain JSON when they are recorded: octets become hex, long values are cut, and values under keys that look
 * secret are masked. A recording therefore holds no reference to live buffers, has a bounded size, and is safe to hand out.
 */
import type { Clock } from '../clock.ts';

/** One step of a machine. */
export interface RecordedEvent {
  readonly machine: string;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly at: number;
  /** The machine's state after the event. */
  readonly state: string;
  readonly event: unknown;
  readonly actions: readonly unknown[];
}

export interface FlightRecorderOptions {
  readonly clock: Clock;
  /** Maximum number of events kept for each machine. The oldest are dropped. */
  readonly eventsPerMachine?: number;
  /** Maximum number of machines kept. The machine without an event for the longest time is dropped. */
  readonly machines?: number;
  /** Receives each event as it is recorded, for `--log-level debug`. */
  readonly debug?: (event: RecordedEvent) => void;
}

const defaultEventsPerMachine = 256;
const defaultMachines = 512;
/** Most OPEN messages with extended parameters fit. A long UPDATE is cut. */
const maxOctets = 512;
const maxTextLength = 256;
const maxItems = 32;
const maxDepth = 6;
const secretKey = /password|secret|keys?$|token/i;

export class FlightRecorder {
  readonly #options: FlightRecorderOptions;
  readonly #events = new Map<string, RecordedEvent[]>();

  constructor(options: FlightRecorderOptions) {
    this.#options = options;
  }

  record(machine: string, state: string, event: unknown, actions: readonly unknown[]): void {
    const { clock, debug, eventsPerMachine = defaultEventsPerMachine } = this.#options;
    const recorded: RecordedEvent = {
      machine,
      at: clock.epochMs(),
      state,
      event: plain(event),
      actions: actions.map((action) => plain(action)),
    };
    const events = this.#events.get(machine) ?? [];
    // Deleting and setting the machine moves it to the end of the map's order.
    this.#events.delete(machine);
    this.#events.set(machine, events);
    events.push(recorded);
    if (events.length > eventsPerMachine) events.shift();
    this.#dropSilent();
    debug?.(recorded);
  }

  /** The events of one machine in the order in which they were recorded, or those of all machines in the order of the wall clock. */
  events(machine?: string): RecordedEvent[] {
    if (machine !== undefined) return [...(this.#events.get(machine) ?? [])];
    return [...this.#events.values()].flat().sort((a, b) => a.at - b.at);
  }

  forget(machine: string): void {
    this.#events.delete(machine);
  }

  #dropSilent(): void {
    const { machines = defaultMachines } = this.#options;
    for (const machine of this.#events.keys()) {
      if (this.#events.size <= machines) return;
      this.#events.delete(machine);
    }
  }
}

/** Octets as a recording shows them. */
export interface RecordedOctets {
  readonly hex: string;
  /** The original length. Present only when the octets were cut. */
  readonly cutFrom?: number;
}

/** A value as bounded JSON, without secrets. */
export function plain(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return value.length > maxTextLength ? `${value.slice(0, maxTextLength)}…` : value;
    case 'bigint':
      return value.toString();
    case 'function':
    case 'symbol':
      return undefined;
    case 'object':
      return value === null ? null : plainObject(value, depth);
    default:
      return value;
  }
}

function plainObject(value: object, depth: number): unknown {
  if (value instanceof Uint8Array) return plainOctets(value);
  if (value instanceof Error) return { error: plain(value.message) };
  if (depth >= maxDepth) return '…';
  if (value instanceof Map)
    return plainList([...take(value, maxItems + 1)].map(maskSecret), value.size, depth);
  if (value instanceof Set) return plainList([...take(value, maxItems + 1)], value.size, depth);
  if (Array.isArray(value)) return plainList(value, value.length, depth);
  const entries = Object.entries(value).slice(0, maxItems);
  return Object.fromEntries(
    entries.map(([key, item]) => [key, secretKey.test(key) ? '***' : plain(item, depth + 1)]),
  );
}

function maskSecret([key, item]: readonly [unknown, unknown]): readonly [unknown, unknown] {
  return typeof key === 'string' && secretKey.test(key) ? [key, '***'] : [key, item];
}

function plainOctets(octets: Uint8Array): RecordedOctets {
  const hex = Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, maxOctets)).toString(
    'hex',
  );
  return octets.length > maxOctets ? { hex, cutFrom: octets.length } : { hex };
}

function plainList(items: readonly unknown[], length: number, depth: number): unknown[] {
  const kept = items.slice(0, maxItems).map((item) => plain(item, depth + 1));
  return length > maxItems ? [...kept, `… ${length - maxItems} more`] : kept;
}

/** The first `count` items. */
export function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === count) return;
    yield item;
  }
}
