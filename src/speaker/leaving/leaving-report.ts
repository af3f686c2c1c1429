/** Reports that this node leaves, in the log and by events on the Node, and keeps the time at which it began to leave. */
import type { Clock } from '../../clock.ts';
import type { EventReason } from '../../kubernetes/event-reasons.ts';
import { type EventRecord, regardingNode } from '../../kubernetes/events.ts';
import type { Node } from '../../kubernetes/model.ts';
import type { Logger } from '../../log.ts';
import type { Leaving } from '../plan/leaving.ts';
import type { LeavingState } from './leaving-nodes.ts';

/** Number of addresses that a message names. */
const namedAddresses = 3;

export interface LeavingReportOptions {
  readonly clock: Clock;
  readonly events: { record(event: EventRecord): void };
  /** The Node of this speaker. */
  readonly node: () => Pick<Node, 'name' | 'uid'> | undefined;
  readonly logger: Logger;
}

export class LeavingReport {
  readonly #options: LeavingReportOptions;
  #leaving: Leaving | undefined;
  /** When this speaker saw the present cause, RFC 3339. */
  #seenAt = '';
  #isHeld = false;
  #wasDraining = false;

  constructor(options: LeavingReportOptions) {
    this.#options = options;
  }

  /** When the present cause began: the time in the Node object, or when this speaker saw the cause. RFC 3339. */
  get since(): string {
    return this.#leaving?.since ?? this.#seenAt;
  }

  update(state: LeavingState): void {
    const { leaving, isDraining } = state;
    const { clock, logger } = this.#options;
    const before = this.#leaving;
    if (leaving?.reason !== before?.reason) {
      if (leaving?.cause !== before?.cause) this.#seenAt = new Date(clock.epochMs()).toISOString();
      this.#leaving = leaving;
      if (leaving) {
        logger.info({ node: this.#name, reason: leaving.reason }, 'this node leaves');
        this.#record('Normal', 'NodeLeaving', `node ${this.#name} leaves: it ${leaving.reason}`);
      } else {
        logger.info({ node: this.#name }, 'this node does not leave any more');
        this.#record('Normal', 'NodeReturned', `node ${this.#name} does not leave any more`);
      }
    }
    this.#reportHeld(state);
    // A drain also ends when the floor begins to hold its address. The routes of that address then stay.
    if (this.#wasDraining && !isDraining && leaving && !state.isHeldByFloor)
      logger.info({ node: this.#name }, 'the routes of this node are withdrawn');
    this.#wasDraining = isDraining;
  }

  /** Reports when the floor begins to hold addresses, and when it ends. A change of the addresses in between is not worth an event. */
  #reportHeld(state: LeavingState): void {
    if (state.isHeldByFloor === this.#isHeld) return;
    this.#isHeld = state.isHeldByFloor;
    const { logger } = this.#options;
    if (!this.#isHeld) {
      // When the node does not leave any more, the floor holds nothing either, but this node still announces its addresses itself.
      if (state.leaving)
        logger.info(
          { node: this.#name },
          'this node leaves, and the floor holds none of its addresses any more',
        );
      return;
    }
    const addresses = state.heldByFloor;
    const named = addresses.slice(0, namedAddresses).join(', ');
    const others = addresses.length > namedAddresses ? ` and ${addresses.length - namedAddresses} more` : '';
    const reason = `too few other nodes could announce ${named}${others}`;
    logger.warn({ node: this.#name, reason }, 'this node leaves, but keeps announcing addresses');
    this.#record('Warning', 'DrainBlocked', `node ${this.#name} leaves, but keeps announcing: ${reason}`);
  }

  get #name(): string {
    return this.#options.node()?.name ?? '';
  }

  #record(type: EventRecord['type'], reason: EventReason, message: string): void {
    const node = this.#options.node();
    if (node) this.#options.events.record({ regarding: regardingNode(node), type, reason, message });
  }
}
