import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Changes } from '../membership/change-log.ts';
import { isLive, type Member } from '../membership/member-table.ts';
import type { Membership } from '../membership/membership.ts';
import type { FromLayer2 } from './messages.ts';
import type { OwnershipView } from './ownership/event.ts';
import { type NodeFacts, parseFacts } from './ownership/node-facts.ts';
import { Quorum } from './ownership/quorum.ts';

export interface MemberViewOptions {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly report: (message: FromLayer2) => void;
  /** Receives the MACs of all other speakers, lower case and colon separated. */
  readonly setSpeakerMacs: (macs: ReadonlySet<string>) => void;
  /** Called when a member that was lost is live again. */
  readonly onReturn: (node: string) => void;
}

type MembershipState = Pick<Membership, 'members' | 'member' | 'unreachable'>;

/** Derives what ownership, the responder and the speaker process need to know about the other members. */
export class MemberView {
  readonly #options: MemberViewOptions;
  readonly #quorum = new Quorum();
  /** Members whose loss was logged and whose return was not. */
  readonly #lost = new Set<string>();
  readonly #facts = new ParsedFacts();
  /**
   * When each lost member was last heard. The duration of a takeover is measured from this time. The time is removed when the member is live
   * and ready again. The member may later restart without being found dead. Its addresses are then taken over too, and the takeover must not be
   * measured from the earlier loss.
   */
  readonly #lastHeardAtMs = new Map<string, number>();

  constructor(options: MemberViewOptions) {
    this.#options = options;
  }

  /** The next time at which the view may change without a change of the membership. Infinite means never. */
  wakeAtMs(): number {
    return this.#quorum.wakeAtMs();
  }

  lastHeardAtMs(node: string): number | undefined {
    return this.#lastHeardAtMs.get(node);
  }

  /** Logs members that have died or left. */
  logLosses(lost: Changes['lost'], membership: MembershipState): void {
    const { logger, clock } = this.#options;
    for (const { name: node, heardAtMs } of lost) {
      this.#lastHeardAtMs.set(node, heardAtMs);
      this.#lost.add(node);
      if (membership.member(node)?.state === 'left') logger.info({ node }, 'speaker has left');
      else logger.warn({ node, silentMs: Math.round(clock.now() - heardAtMs) }, 'speaker lost');
    }
  }

  /** The membership has forgotten these members, so no takeover can be due to their loss. Their return still counts as a return. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#lastHeardAtMs.delete(name);
  }

  /**
   * Reports the members and returns the view for ownership. `isCertain` says that the list of speakers comes from their Pods: each listed
   * speaker has a Pod, and no other speakers exist. `isStarted` says that this node has taken its first decision about addresses (`readiness.ts`).
   */
  update(
    membership: MembershipState,
    ownFacts: string,
    { isCertain, isStarted }: { readonly isCertain: boolean; readonly isStarted: boolean },
  ): OwnershipView {
    const { nodeName, clock, report, setSpeakerMacs } = this.#options;
    const others = [...membership.members()].filter(({ name }) => name !== nodeName);
    const live = others.filter(isLive);
    this.#logReturns(live);
    // Dead members are included. Such a member may be alive on the other side of a partition, and is then still a speaker.
    setSpeakerMacs(new Set(others.flatMap((member) => this.#facts.of(member).links.map(({ mac }) => mac))));
    report({ kind: 'members', members: others.map((member) => this.#statusOf(member)) });
    const quorum = {
      live: new Set(live.map(({ name }) => name)),
      suspected: new Set(live.filter(({ state }) => state === 'suspect').map(({ name }) => name)),
      missing: missing(membership, isCertain),
      isStarted,
    };
    const nodes = new Map<string, NodeFacts>(live.map((member) => [member.name, this.#facts.of(member)]));
    nodes.set(nodeName, this.#facts.of({ name: nodeName, metadata: ownFacts }, { isStarting: false }));
    this.#facts.keep(others, nodeName);
    return { nodes, claiming: this.#quorum.judge(quorum, clock.now()) };
  }

  #logReturns(live: readonly Readonly<Member>[]): void {
    // Until a returned node is ready, its addresses may still be taken over because of its death.
    for (const member of this.#lastHeardAtMs.size > 0 ? live : [])
      if (!this.#facts.of(member).isStarting) this.#lastHeardAtMs.delete(member.name);
    for (const { name: node } of live) {
      if (!this.#lost.delete(node)) continue;
      this.#options.logger.info({ node }, 'speaker is back');
      this.#options.onReturn(node);
    }
  }

  #statusOf({ name: node, state, endpoint, sinceMs }: Readonly<Member>) {
    const { clock } = this.#options;
    const sinceEpochMs = clock.epochMs() - (clock.now() - sinceMs);
    return { node, state, address: endpoint.host, since: new Date(sinceEpochMs).toISOString() };
  }
}

/** The facts of each member, parsed once. Equal facts of a member are the same object, so a comparison of references shows a change. */
class ParsedFacts {
  readonly #parsed = new Map<string, { readonly text: string; readonly facts: NodeFacts }>();

  of({ name, metadata }: Pick<Member, 'name' | 'metadata'>, over: Partial<NodeFacts> = {}): NodeFacts {
    const known = this.#parsed.get(name);
    if (known?.text === metadata) return known.facts;
    const facts = { ...parseFacts(metadata), ...over };
    this.#parsed.set(name, { text: metadata, facts });
    return facts;
  }

  /** Drops all facts except those of these members and of `self`. */
  keep(members: readonly Pick<Member, 'name'>[], self: string): void {
    if (this.#parsed.size <= members.length + 1) return;
    const kept = new Set([...members.map(({ name }) => name), self]);
    for (const name of this.#parsed.keys()) if (!kept.has(name)) this.#parsed.delete(name);
  }
}

/**
 * Number of speakers that should be reachable and are not. If the list of speakers is certain, every unreachable speaker on the list
 * counts. If it is not certain, only members that have died count.
 */
function missing(membership: MembershipState, isCertain: boolean): number {
  const unreachable = membership.unreachable();
  if (isCertain) return unreachable.length;
  return unreachable.filter((node) => membership.member(node)?.state === 'dead').length;
}
