import type { Node } from '../../kubernetes/model.ts';
import {
  type AdmittedPools,
  type AdoptionRules,
  type HeldAddress,
  isNodeAdmitted,
  isSamePools,
  noPools,
} from '../plan/adoption.ts';
import type { ServicePlan } from '../plan/service-plan.ts';

/**
 * `held`: the node is not admitted, and this speaker has no BGP session. `waiting`: the node is admitted, but another program on the node has a
 * session, or this speaker does not know yet whether another program has one. `live`: the node is admitted, and this speaker announces by BGP.
 */
export type BgpAdoption = 'held' | 'waiting' | 'live';

/** A held address with the Service that has it. */
export interface HeldForService extends HeldAddress {
  readonly service: string;
}

/**
 * The addresses that this node holds back with `--adopt-only`, and why. A live node stays live until its label is removed, even if another
 * program opens a session later. The table of TCP connections does not show which program has a session, so the speaker could not tell that
 * session from its own.
 */
export class AdoptionState {
  #pools: AdmittedPools = noPools;
  #bgp: BgpAdoption = 'held';
  /** Names of the peers with which another program has a session; `undefined` before they are known. */
  #otherSessions: ReadonlySet<string> | undefined;
  /** Layer-2 addresses for which a node, this one or another, was allowed to answer at any time since they were admitted. */
  readonly #live = new Set<string>();
  /** By Service. */
  readonly #held = new Map<string, readonly HeldAddress[]>();

  get pools(): AdmittedPools {
    return this.#pools;
  }

  get bgp(): BgpAdoption {
    return this.#bgp;
  }

  get otherSessions(): Iterable<string> {
    return this.#otherSessions ?? [];
  }

  get rules(): AdoptionRules {
    return {
      pools: this.#pools,
      announcesByBgp: this.#bgp === 'live',
      wasLive: (address) => this.#live.has(address),
    };
  }

  /** Sets the admitted pools. Returns whether plans may change. */
  setPools(pools: AdmittedPools): boolean {
    if (isSamePools(pools, this.#pools)) return false;
    this.#pools = pools;
    return true;
  }

  /** Takes the Node of this speaker, and what is known of other programs' sessions. Returns whether plans may change. */
  judgeBgp(node: Node | undefined, otherSessions = this.#otherSessions): boolean {
    const before = this.#bgp;
    // While this node was live, nothing looked for sessions of other programs, so nothing is known of them now.
    this.#otherSessions = before === 'live' ? undefined : otherSessions;
    if (!isNodeAdmitted(node)) this.#bgp = 'held';
    else if (before !== 'live') this.#bgp = otherSessions?.size === 0 ? 'live' : 'waiting';
    return (before === 'live') !== (this.#bgp === 'live');
  }

  planned(service: string, { held, layer2 }: ServicePlan): void {
    if (held.length > 0) this.#held.set(service, held);
    else this.#held.delete(service);
    for (const { address, isAdmitted } of held) if (!isAdmitted) this.#live.delete(address);
    for (const { address, sources } of layer2) if (sources.length > 0) this.#live.add(address);
  }

  *held(): Iterable<HeldForService> {
    for (const [service, held] of this.#held) for (const each of held) yield { service, ...each };
  }
}
