import { configMapName, membershipSecretName } from '../cluster/names.ts';
import type { EventRecord } from '../kubernetes/events.ts';
import type { Announcing, FromLayer2, LinkStatus, MemberStatus, Sighting } from '../layer2/messages.ts';
import type { KeptService } from './plan/kept-objects.ts';

export interface Layer2ReportsOptions {
  readonly nodeName: string;
  readonly events: { record(event: EventRecord): void };
  /** The ConfigMap `config`. Events that concern no Service are recorded on it. */
  readonly configMap: () => { readonly namespace: string; readonly uid: string };
  readonly servicesOf: (address: string) => readonly KeptService[];
  /** Keeps the record of owners on the Services. */
  readonly reconciler: {
    started(announcing: Announcing, services: readonly KeptService[]): void;
    stopped(address: string): void;
    partitionEnded(): void;
  };
  /** Called when this node has begun or stopped answering for an address. */
  readonly onAnswering: (address: string, isAnswering: boolean) => void;
  /** Receives each new list of the other members; `undefined` when the membership has ended. */
  readonly onMembers: (members: readonly MemberStatus[] | undefined) => void;
  /** Chooses the first owners of addresses that are held back. */
  readonly firstOwners: { seen(sighting: Sighting): void };
}

/**
 * Keeps the last state that the layer-2 process has reported, records the owners on the Services, and turns conflicts, unverified addresses
 * and unknown keys into events.
 */
export class Layer2Reports {
  readonly #options: Layer2ReportsOptions;
  readonly #owned = new Map<string, string>();
  readonly #inUse = new Map<string, string>();
  readonly #unverified = new Map<string, string>();
  #members: readonly MemberStatus[] | undefined;
  #links: readonly LinkStatus[] | undefined;

  constructor(options: Layer2ReportsOptions) {
    this.#options = options;
  }

  /** Addresses that this node answers for, each with the time (RFC 3339) at which it began. */
  get owned(): ReadonlyMap<string, string> {
    return this.#owned;
  }

  /**
   * Addresses that this node would answer for if no other host used them, each with the other host's MAC and the interface on which that
   * host was seen.
   */
  get inUse(): ReadonlyMap<string, string> {
    return this.#inUse;
  }

  /** Addresses that this node answers for and whose witnesses get no answer, each with the nodes of the witnesses. */
  get unverified(): ReadonlyMap<string, string> {
    return this.#unverified;
  }

  /** All other members; `undefined` before this node has joined the membership. */
  get members(): readonly MemberStatus[] | undefined {
    return this.#members;
  }

  /** The links on which this node can answer; `undefined` while the layer-2 process does not run. */
  get links(): readonly LinkStatus[] | undefined {
    return this.#links;
  }

  handle(message: FromLayer2): void {
    switch (message.kind) {
      case 'announcing':
        for (const announcing of message.started) this.#started(announcing);
        for (const address of message.stopped) this.#stopped(address);
        return;
      case 'conflict':
        return this.#conflict(message);
      case 'unverified':
        return this.#addressUnverified(message);
      case 'verified':
        this.#unverified.delete(message.address);
        return;
      case 'sighting':
        return this.#options.firstOwners.seen(message);
      case 'unknown-key':
        return this.#unknownKey(message.node);
      case 'members':
        return this.#membersChanged(message.members);
      case 'links':
        this.#links = message.links;
        return;
      case 'stopped':
        for (const address of [...this.#owned.keys()]) this.#stopped(address);
        this.#inUse.clear();
        this.#unverified.clear();
        this.#members = undefined;
        this.#links = undefined;
        this.#options.onMembers(undefined);
        return;
      case 'counts':
      case 'metrics':
        return;
    }
  }

  #started(announcing: Announcing): void {
    const { reconciler, servicesOf, onAnswering } = this.#options;
    this.#owned.set(announcing.address, announcing.since);
    this.#inUse.delete(announcing.address);
    onAnswering(announcing.address, true);
    reconciler.started(announcing, servicesOf(announcing.address));
  }

  #stopped(address: string): void {
    this.#owned.delete(address);
    this.#inUse.delete(address);
    this.#unverified.delete(address);
    this.#options.onAnswering(address, false);
    this.#options.reconciler.stopped(address);
  }

  /** The message leaves out the name of this node, so that Kubernetes merges the events of all nodes. */
  #unknownKey(node: string): void {
    const { events, configMap } = this.#options;
    events.record({
      regarding: { kind: 'ConfigMap', name: configMapName, ...configMap() },
      type: 'Warning',
      reason: 'UnknownMembershipKey',
      message: `the speaker of node ${node} uses a membership key that other speakers do not know: it has not read the Secret ${membershipSecretName} since the Secret changed, or they have not`,
    });
  }

  #membersChanged(members: readonly MemberStatus[]): void {
    const before = this.#members ?? [];
    const dead = new Set(before.filter(({ state }) => state === 'dead').map(({ node }) => node));
    this.#members = members;
    this.#options.onMembers(members);
    // A dead member that returns over a bad network may be suspect again before this node learns of its return.
    const isLive = ({ state }: MemberStatus) => state === 'alive' || state === 'suspect';
    if (members.some((member) => isLive(member) && dead.has(member.node)))
      this.#options.reconciler.partitionEnded();
  }

  #addressUnverified({ address, witnesses, isGivenUp }: Extract<FromLayer2, { kind: 'unverified' }>): void {
    const { events, nodeName, servicesOf } = this.#options;
    if (this.#owned.has(address)) this.#unverified.set(address, witnesses.join(' and '));
    const outcome = isGivenUp
      ? 'another node takes the address over'
      : 'the node still announces the address';
    for (const { namespace, name, uid } of servicesOf(address))
      events.record({
        regarding: { kind: 'Service', namespace, name, uid },
        type: 'Warning',
        reason: 'AddressNotVerified',
        message: `node ${nodeName} announces ${address}, but no answer from it reaches ${witnesses.join(' and ')}: ${outcome}`,
      });
  }

  #conflict(conflict: Extract<FromLayer2, { kind: 'conflict' }>): void {
    const { events, nodeName, servicesOf } = this.#options;
    const { address, mac, action } = conflict;
    if (!this.#owned.has(address)) this.#inUse.set(address, `${mac} on ${conflict.interface}`);
    for (const { namespace, name, uid } of servicesOf(address))
      events.record({
        regarding: { kind: 'Service', namespace, name, uid },
        type: 'Warning',
        reason: 'AddressConflict',
        message: `${mac} on ${conflict.interface} of node ${nodeName} claims ${address} too: ${action}`,
      });
  }
}
