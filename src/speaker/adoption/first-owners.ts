/**
 * Chooses the first owner of an admitted layer-2 address, and writes the line of that node into the announcing record. When the line is there,
 * all speakers plan the address as live and elect the recorded node, which answers without a probe (`ownership.ts`).
 *
 * The node from which another program answers is the first owner, so that the MAC of the address stays. That node sees the answers of
 * the other program on the wire, and writes its own line, because the API server does not let a speaker write the line of another node.
 * When no host answers, or the answering node may not announce the address, the first owner is the first asker (`sightings.ts`). The nodes that may
 * announce the address are chosen as askers before all others. If a host without a speaker answers for the address, the address stays held back.
 */
import type { Clock, Timer } from '../../clock.ts';
import type { Announcing, Sighting } from '../../layer2/messages.ts';
import type { Logger } from '../../log.ts';
import type { KeptService } from '../plan/kept-objects.ts';
import type { HeldForService } from './adoption-state.ts';

/** A first owner that has not begun to answer after this time gives its line up, and the choice begins again. */
const patienceMs = 10_000;

export interface FirstOwnersOptions {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly servicesOf: (address: string) => readonly KeptService[];
  /** Whether the layer-2 process answers for the address. */
  readonly isAnswering: (address: string) => boolean;
  readonly reconciler: {
    started(announcing: Announcing, services: readonly KeptService[]): void;
    stopped(address: string): void;
  };
}

export class FirstOwners {
  readonly #options: FirstOwnersOptions;
  /** The last sighting of each held address. */
  readonly #sightings = new Map<string, Sighting>();
  #held: ReadonlyMap<string, HeldForService> = new Map();
  /** Addresses whose line this node has written. The timer fires when the node should have begun to answer. */
  readonly #written = new Map<string, Timer>();

  constructor(options: FirstOwnersOptions) {
    this.#options = options;
  }

  sighting(address: string): Sighting | undefined {
    return this.#sightings.get(address);
  }

  /** Takes the layer-2 addresses that this node holds back. */
  setHeld(held: ReadonlyMap<string, HeldForService>): void {
    this.#held = held;
    for (const address of this.#sightings.keys()) if (!held.has(address)) this.#sightings.delete(address);
    for (const address of this.#sightings.keys()) this.#consider(address);
  }

  seen(sighting: Sighting): void {
    if (!this.#held.has(sighting.address)) return;
    this.#sightings.set(sighting.address, sighting);
    this.#consider(sighting.address);
  }

  stop(): void {
    for (const timer of this.#written.values()) timer.cancel();
  }

  #consider(address: string): void {
    const { nodeName, clock, logger, reconciler, servicesOf, isAnswering } = this.#options;
    const held = this.#held.get(address);
    const sighting = this.#sightings.get(address);
    if (!held || !sighting || this.#written.has(address) || !isFirstOwner(nodeName, held, sighting)) return;
    const since = new Date(clock.epochMs()).toISOString();
    logger.info({ ip: address, node: sighting.node, mac: sighting.mac }, 'this node is the first owner');
    reconciler.started({ address, interfaces: [sighting.interface], since }, servicesOf(address));
    const timer = clock.after(patienceMs, () => {
      this.#written.delete(address);
      if (!isAnswering(address)) reconciler.stopped(address);
    });
    this.#written.set(address, timer);
  }
}

/** Whether this node is to be the first owner of the address. */
export function isFirstOwner(
  self: string,
  { isAdmitted, mayAnswer }: Pick<HeldForService, 'isAdmitted' | 'mayAnswer'>,
  { mac, node, isFirstAsker }: Pick<Sighting, 'mac' | 'node' | 'isFirstAsker'>,
): boolean {
  if (!isAdmitted || !mayAnswer(self)) return false;
  if (node === self) return true;
  const hasNoOther = mac === '' || (node !== '' && !mayAnswer(node));
  return isFirstAsker && hasNoOther;
}
