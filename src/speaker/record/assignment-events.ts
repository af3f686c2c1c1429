import type { Clock, Timer } from '../../clock.ts';
import { annotations } from '../../cluster/names.ts';
import { type EventRecord, regardingNode } from '../../kubernetes/events.ts';
import type { Node } from '../../kubernetes/model.ts';

/** How many events `NodeAssigned` may be recorded at the time `atMs`. */
export interface Allowance {
  readonly events: number;
  readonly atMs: number;
}

/**
 * A node that begins to answer for an address writes a record and an event. The record is needed. An event costs as much as a record, so
 * thousands of them double the work of a first placement, for this process and for the API server. Once `burst` is used up, further events
 * are therefore joined in one event on the Node. The allowance grows again by `perSecond`.
 */
const allowed = { burst: 100, perSecond: 1 } as const;
/**
 * The event on the Node is recorded when no further address has come for this time. If the Node object is still unknown by then, the event waits
 * for this time again.
 */
const settleMs = 5000;

export const fullAllowance: Allowance = { events: allowed.burst, atMs: 0 };

/** The allowance at a later time. */
export function allowanceAt({ events, atMs }: Allowance, nowMs: number): Allowance {
  const grown = events + ((nowMs - atMs) * allowed.perSecond) / 1000;
  return { events: Math.min(allowed.burst, grown), atMs: nowMs };
}

export interface AssignmentEventsOptions {
  readonly clock: Clock;
  readonly events: { record(event: EventRecord): void };
  /** The Node of this speaker. */
  readonly node: () => Pick<Node, 'name' | 'uid'> | undefined;
}

/** Records the events of the announcing record. When too many events `NodeAssigned` come at once, a single event on the Node stands for the rest. */
export class AssignmentEvents {
  readonly #options: AssignmentEventsOptions;
  #allowance = fullAllowance;
  #leftOut = 0;
  #timer: Timer | undefined;

  constructor(options: AssignmentEventsOptions) {
    this.#options = options;
  }

  record(event: EventRecord): void {
    const { clock, events } = this.#options;
    if (event.reason !== 'NodeAssigned') return events.record(event);
    const allowance = allowanceAt(this.#allowance, clock.now());
    if (allowance.events >= 1) {
      this.#allowance = { ...allowance, events: allowance.events - 1 };
      return events.record(event);
    }
    this.#leftOut++;
    this.#summarizeLater();
  }

  #summarizeLater(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(settleMs, () => this.#summarize());
  }

  #summarize(): void {
    const { events, node: findNode } = this.#options;
    const node = findNode();
    if (!node) return this.#summarizeLater();
    events.record({
      regarding: regardingNode(node),
      type: 'Normal',
      reason: 'ManyAssigned',
      message: `node ${node.name} answers for ${this.#leftOut} more addresses; the annotation ${annotations.announcing} of each Service names the node`,
    });
    this.#leftOut = 0;
  }
}
