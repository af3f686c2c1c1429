import type { Clock, Timer } from '../../clock.ts';
import type { Node } from '../../kubernetes/model.ts';
import { type Leaving, type LeavingRules, leavingOf } from '../plan/leaving.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { DrainSchedule } from './drain-schedule.ts';

/** Whether this node leaves, and which addresses it still announces. The lists are made when they are read. */
export interface LeavingState {
  /** `undefined` when the node does not leave. */
  readonly leaving: Leaving | undefined;
  readonly isDraining: boolean;
  /** Addresses that the node announces by marked routes, until the drain delay has passed. */
  readonly draining: readonly string[];
  readonly isHeldByFloor: boolean;
  /** Addresses that the node keeps announcing, because too few other nodes could. */
  readonly heldByFloor: readonly string[];
}

export interface LeavingNodesOptions {
  /** The node of this speaker. */
  readonly nodeName: string;
  readonly clock: Clock;
  readonly delayMs: () => number;
  /** Called when the drains of these Services are over. Their plans then change. */
  readonly onDrainsOver: (services: readonly string[]) => void;
}

/** The wait before another attempt to end a drain that is over. An attempt fails when the plan of the Service raises an exception. */
const retryMs = 100;

/** The nodes that leave, and the addresses that this node drains or keeps. */
export class LeavingNodes {
  readonly #options: LeavingNodesOptions;
  /** When the timer last reported drains that are over. */
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  readonly #nodes = new Map<string, Leaving>();
  readonly #drains = new DrainSchedule();
  /** By Service. Even if this node does not leave, it drains the addresses of a Service whose endpoints on this node terminate. */
  readonly #draining = new Map<string, readonly string[]>();
  /** By Service. It is empty while this node does not leave. */
  readonly #heldByFloor = new Map<string, readonly string[]>();
  #timer: Timer | undefined;

  constructor(options: LeavingNodesOptions) {
    this.#options = options;
  }

  /** All nodes that leave, by name. */
  get nodes(): ReadonlyMap<string, Leaving> {
    return this.#nodes;
  }

  /** The state of this node by the latest plan of each Service. */
  get state(): LeavingState {
    const [draining, heldByFloor] = [this.#draining, this.#heldByFloor];
    return {
      leaving: this.#nodes.get(this.#options.nodeName),
      isDraining: draining.size > 0,
      get draining() {
        return allOf(draining);
      },
      isHeldByFloor: heldByFloor.size > 0,
      get heldByFloor() {
        return allOf(heldByFloor);
      },
    };
  }

  setNode(name: string, node: Node | undefined, rules: LeavingRules): void {
    const leaving = node && leavingOf(node, rules);
    if (leaving) this.#nodes.set(name, leaving);
    else this.#nodes.delete(name);
  }

  /** Whether the drain of an address is over. If the address is announced now and its drain has not begun, this call begins it. */
  isDrainOver(service: string, address: string, isAnnounced: boolean): boolean {
    const { clock, delayMs } = this.#options;
    return this.#drains.isOver(service, address, { isAnnounced, nowMs: clock.now(), delayMs: delayMs() });
  }

  /** Whether the routes of the address are marked. */
  isDraining(service: string, address: string): boolean {
    return this.#draining.get(service)?.includes(address) ?? false;
  }

  /** Takes the plan of a Service. */
  planned(service: string, { draining, heldByFloor }: ServicePlan): void {
    this.#drains.keep(service, draining);
    putOrDelete(this.#draining, service, draining);
    putOrDelete(this.#heldByFloor, service, heldByFloor);
  }

  /** Sets the timer that calls `onDrainsOver` when the first drain ends. Call this method each time plans have been made. */
  awaitDrains(): void {
    const { clock, delayMs, onDrainsOver } = this.#options;
    this.#timer?.cancel();
    const { firstMs } = this.#drains;
    if (firstMs === undefined) return;
    // A drain stays due when the plan of its Service failed. The next attempt must not follow at once.
    const atMs = Math.max(firstMs + delayMs(), this.#attemptedAtMs + retryMs);
    this.#timer = clock.after(atMs - clock.now(), () => {
      this.#attemptedAtMs = clock.now();
      onDrainsOver(this.#drains.due(clock.now(), delayMs()));
    });
  }
}

function allOf(lists: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return [...new Set([...lists.values()].flat())];
}

function putOrDelete(lists: Map<string, readonly string[]>, key: string, list: readonly string[]): void {
  if (list.length > 0) lists.set(key, list);
  else lists.delete(key);
}
