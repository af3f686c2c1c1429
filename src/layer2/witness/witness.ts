/**
 * The witness checks that addresses are answered on the wire. A node that owns an address believes that it answers, but a network card, a switch
 * or a filter may drop its answers. Another speaker on the same link therefore asks for the address, with its own address as the sender.
 *
 *     entries, claims, view ──→ subjects.ts ──→ Questioner ──questions──→ link
 *                                                   ↑ └──report──→ facts ──→ other nodes
 *                                                 answers
 *     reports of other nodes ──→ Verdicts ──→ unverified (status, event), mute ──→ facts ──→ Eligibility of every node
 *
 * This file joins the two machines of one node: the questioner for addresses of other nodes, and the verdicts on the node's own addresses.
 */
import type { IpAddress } from '../../address/index.ts';
import type { Claim } from '../ownership/claim.ts';
import { Eligibility } from '../ownership/eligibility.ts';
import type { TrackedEntry } from '../ownership/entry-table.ts';
import type { OwnershipView } from '../ownership/event.ts';
import type { Steps } from '../ownership/steps.ts';
import { everyAddress, includesAddress, type WitnessFacts } from '../ownership/witness-facts.ts';
import { type Question, Questioner, type Stranger } from './questioner.ts';
import { WitnessRanking } from './ranking.ts';
import { chooseControls, chooseSubjects } from './subjects.ts';
import { type Opinion, type OwnAddress, type VerdictChange, Verdicts } from './verdicts.ts';

/** The state of the node and of the cluster, as this node knows it. */
export interface WitnessInput {
  readonly view: OwnershipView;
  /** All entries by address. */
  readonly entries: {
    tracked(): Iterable<readonly [address: string, tracked: TrackedEntry]>;
    get(address: string): TrackedEntry | undefined;
  };
  readonly claim: (address: string) => Claim | undefined;
  /** The addresses that this node answers for, each with the time at which it began to. */
  readonly answering: ReadonlyMap<string, number>;
  /** Whether this node's process lacks CPU time, so that it handles requests too late. */
  readonly isStarved: boolean;
  /** The address of each node's host. */
  readonly hosts: Iterable<readonly [node: string, text: string, address: IpAddress]>;
}

/**
 * Maximum number of questions a second: from one node, and on one link from all nodes together. `perSecondOfLink` is divided by the number of all
 * nodes that ask. Each node may ask one question a second in any case.
 */
const perSecondOfNode = 50;
const perSecondOfLink = 200;

export class Witness {
  readonly #self: string;
  readonly #questioner: Questioner;
  readonly #verdicts = new Verdicts();

  /** `intervalMs` is the time between two questions for one address. */
  constructor(self: string, intervalMs: number) {
    this.#self = self;
    this.#questioner = new Questioner(intervalMs);
  }

  /** Number of addresses that this node asks for. */
  get subjects(): number {
    return this.#questioner.subjects;
  }

  /** The segments on which this node asks. */
  segments(): Iterable<string> {
    return this.#questioner.segments();
  }

  /** Addresses of this node whose witnesses get no answer, with the witnesses. */
  unverified(): Iterable<readonly [address: string, witnesses: readonly string[]]> {
    return this.#verdicts.unverified();
  }

  /** Takes the present state, and judges this node's addresses. Call it after changes, and at `judgeAtMs()`. */
  *update(input: WitnessInput, nowMs: number): Steps<VerdictChange[]> {
    const { view, entries, claim } = input;
    const { nodes } = view;
    const eligibility = new Eligibility(nodes);
    const ranking = new WitnessRanking(nodes, eligibility);
    const subjects = yield* chooseSubjects({
      ...{ self: this.#self, nodes, ranking, claim },
      entries: entries.tracked(),
    });
    const witnesses = [...nodes.values()].filter(({ witness }) => witness !== undefined).length;
    const perSecond = Math.min(perSecondOfNode, Math.ceil(perSecondOfLink / Math.max(1, witnesses)));
    const controls = chooseControls(this.#self, nodes, input.hosts);
    this.#questioner.watch(subjects, controls, perSecond, nowMs);
    this.#verdicts.forget((address) => entries.get(address) !== undefined);
    const opinions = this.#opinions(nodes);
    const own = yield* this.#unansweredAddresses(input, { opinions, ranking, eligibility });
    const self = [this.#self];
    return this.#verdicts.judge(
      {
        ...{ opinions, own, isStarved: input.isStarved },
        canHandOver: view.claiming === 'allowed',
        isWitnessed: (address) => {
          const tracked = entries.get(address);
          const isAnswering = input.answering.has(address) && tracked !== undefined;
          return isAnswering && ranking.witnesses(tracked, this.#self).length > 0;
        },
        isCarried: (address) => {
          const tracked = entries.get(address);
          return (
            tracked !== undefined &&
            eligibility.carriersAmong(self, tracked.address, tracked.entry).length > 0
          );
        },
      },
      nowMs,
    );
  }

  /** Returns the questions to send now. Call it at `askAtMs()`, after the answers that have arrived were handled. */
  ask(nowMs: number): Question[] {
    return this.#questioner.tick(nowMs);
  }

  /** The nodes from which no answer has ever arrived on a segment. A node is returned only once for each segment. */
  takeStrangers(): readonly Stranger[] {
    return this.#questioner.takeStrangers();
  }

  answered(question: Question, nowMs: number): void {
    this.#questioner.answered(question, nowMs);
  }

  /** The facts that the other nodes should learn. */
  facts(nowMs: number): WitnessFacts {
    const mute = this.#verdicts.mute();
    return { witness: this.#questioner.report(nowMs), ...(mute.size > 0 ? { mute } : {}) };
  }

  askAtMs(): number {
    return this.#questioner.wakeAtMs();
  }

  judgeAtMs(nowMs: number): number {
    return this.#verdicts.wakeAtMs(nowMs);
  }

  /** Reports of live nodes that say anything about this node. */
  #opinions(nodes: OwnershipView['nodes']): Map<string, Opinion> {
    const none = new Set<string>();
    const opinions = new Map<string, Opinion>();
    for (const [node, { witness }] of nodes) {
      if (node === this.#self || !witness) continue;
      const unanswered = witness.unanswered.get(this.#self) ?? none;
      const answered = witness.answered.get(this.#self) ?? none;
      if (unanswered.size + answered.size > 0) opinions.set(node, { unanswered, answered });
    }
    return opinions;
  }

  *#unansweredAddresses(
    { view, entries, answering }: WitnessInput,
    {
      opinions,
      ranking,
      eligibility,
    }: {
      readonly opinions: ReadonlyMap<string, Opinion>;
      readonly ranking: WitnessRanking;
      readonly eligibility: Eligibility;
    },
  ): Steps<OwnAddress[]> {
    const named = new Set([...opinions.values()].flatMap(({ unanswered }) => [...unanswered]));
    const own: OwnAddress[] = [];
    for (const address of named.has(everyAddress) ? answering.keys() : named) {
      yield;
      const tracked = entries.get(address);
      const sinceMs = answering.get(address);
      if (!tracked || sinceMs === undefined) continue;
      const hasSuccessor = eligibility
        .eligible(tracked.address, tracked.entry)
        .some(
          (node) =>
            node !== this.#self &&
            eligibility.isReady(node) &&
            !includesAddress(view.nodes.get(node)?.mute, address),
        );
      own.push({ address, sinceMs, hasSuccessor, witnesses: ranking.witnesses(tracked, this.#self) });
    }
    return own;
  }
}
