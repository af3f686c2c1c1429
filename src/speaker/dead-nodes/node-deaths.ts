/**
 * Decides which other nodes this speaker finds dead, which nodes it asks, and when it writes its report. It is pure: the shell
 * (`death-reporter.ts`) opens the connections and gives the time.
 *
 * The membership shows only that a speaker died. Its node may live on. So this speaker also asks the node by TCP connections. The kernel of a
 * living node accepts or refuses them, whatever the processes of the node do. A node is dead to this speaker when all of this holds:
 *
 * - The membership has declared its speaker dead.
 * - Since the membership began to suspect its speaker, the node has left a question unanswered.
 * - The node answered the last question before its speaker went missing. Without this rule, a firewall that drops the questions would look like
 *   death.
 * - The node has answered no question since its speaker went missing. An answer shows that only the speaker has crashed. After such an answer,
 *   this speaker does not report the node, even if the node dies later. Such a report could be wrong, and a node without a speaker cannot
 *   contradict it by a death report of its own. Only Kubernetes finds the later death. This speaker can report the node again once the speaker
 *   of the node is heard again and the node has then answered a question.
 *
 *     alive ── suspect ─────────────────── dead
 *       │        ├── question, 0.5 s ──┤     │
 *       │                              └──┬──┘
 *     answered before                     └─→ dead to this speaker, until the node answers or its speaker is heard
 *
 * A report is due when the dead nodes change. It is also due when several speakers go missing, and every few seconds while most speakers are
 * missing. This node may then be the one that is cut off, and the write shows the controller that this node lives.
 */
import type { MemberStatus } from '../../layer2/messages.ts';

/** `unknown`: this node could not ask, for instance because it has no route. */
export type ProbeAnswer = 'answered' | 'silent' | 'unknown';

export const nodeDeathTiming = {
  /** Interval of the questions to a node whose speaker is alive. They only show that the node answers questions. */
  proofMs: 300_000,
  /** Interval of these questions to a node that has never answered, or that left the last question unanswered. */
  firstProofMs: 30_000,
  /** Interval of the questions to a node whose speaker is suspect or dead. */
  pursuitMs: 1000,
  /** The questions come less often when the speaker has been missing for this long. */
  pursuitForMs: 30_000,
  slowPursuitMs: 5000,
  /**
   * Interval at which this node writes an unchanged report while it is cut off. For `deathTiming.quietMs` after each write, the controller does
   * not count new reports that the writer is dead. The interval is shorter than `quietMs`.
   */
  repeatMs: 4000,
} as const;

/** Maximum number of questions under way to nodes with a living speaker. Questions to nodes with a missing speaker are not limited. */
const maxProofs = 8;
/** A node counts as cut off only if it misses at least this many others, however few nodes the cluster has. */
const troublingMembers = 2;

/** A question to one node. */
export interface Question {
  readonly node: string;
  readonly number: number;
}

interface NodeState {
  state: MemberStatus['state'];
  /** The node answered the last question while its speaker was alive, and has answered none since its speaker went missing. */
  isProven: boolean;
  /** A question has ended since the speaker appeared or came back. Until then, `isProven` may be false although no question was left unanswered. */
  isTried: boolean;
  /** The last question since the speaker went missing was left unanswered. */
  isSilent: boolean;
  /** When the speaker was first suspect; `undefined` while it is alive. */
  missingSinceMs: number | undefined;
  /** The question that is under way. */
  asked: { readonly number: number; readonly whileMissing: boolean } | undefined;
  nextAtMs: number;
}

export class NodeDeaths {
  readonly #nodes = new Map<string, NodeState>();
  #questions = 0;
  /** The names in the last report; `undefined` before the first one. */
  #reported: string | undefined;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  /** This node has written a report since several speakers went missing. */
  #hasShownLife = false;

  /** Sets the other members. `undefined` means that this node has no membership. */
  setMembers(members: readonly Pick<MemberStatus, 'node' | 'state'>[] | undefined, nowMs: number): void {
    const names = new Set(members?.map(({ node }) => node));
    for (const name of [...this.#nodes.keys()]) if (!names.has(name)) this.#nodes.delete(name);
    for (const { node, state } of members ?? []) this.#setMember(node, state, nowMs);
  }

  #setMember(name: string, state: MemberStatus['state'], nowMs: number): void {
    const known = this.#nodes.get(name);
    if (!known) {
      const isMissing = state !== 'alive';
      this.#nodes.set(name, {
        state,
        isProven: false,
        isTried: false,
        isSilent: false,
        missingSinceMs: isMissing ? nowMs : undefined,
        asked: undefined,
        nextAtMs: nowMs,
      });
      return;
    }
    known.state = state;
    if (state === 'alive' && known.missingSinceMs !== undefined) {
      known.missingSinceMs = undefined;
      known.isTried = false;
      known.isSilent = false;
      known.nextAtMs = nowMs;
      // The question under way was asked while the speaker was missing. An answer to it would clear `isProven`, so the question is dropped.
      known.asked = undefined;
    } else if (state !== 'alive' && known.missingSinceMs === undefined) {
      known.missingSinceMs = nowMs;
      known.nextAtMs = nowMs;
      // The answer to an earlier question may be from before the death.
      known.asked = undefined;
    }
  }

  /** The questions that the shell asks now. It reports the answer to each by `answered()`. */
  due(nowMs: number): Question[] {
    const due: Question[] = [];
    let proofs = this.#proofsUnderWay;
    for (const [name, node] of this.#nodes) {
      if (node.state === 'left' || node.asked || node.nextAtMs > nowMs) continue;
      const whileMissing = node.missingSinceMs !== undefined;
      if (!whileMissing && proofs >= maxProofs) continue;
      if (!whileMissing) proofs++;
      node.asked = { number: ++this.#questions, whileMissing };
      due.push({ node: name, number: this.#questions });
    }
    return due;
  }

  /** Notes the answer to a question. Ignores the answer when the speaker has gone missing or come back since the question was asked. */
  answered(question: Question, answer: ProbeAnswer, nowMs: number): void {
    const node = this.#nodes.get(question.node);
    if (node?.asked?.number !== question.number) return;
    const { whileMissing } = node.asked;
    node.asked = undefined;
    if (!whileMissing) node.isTried = true;
    if (answer === 'answered') {
      node.isProven = !whileMissing;
      node.isSilent = false;
    } else if (answer === 'silent') {
      if (whileMissing) node.isSilent = true;
      else node.isProven = false;
    }
    node.nextAtMs = nowMs + intervalMs(node, nowMs);
  }

  /** Returns the dead nodes when a report is due, else `undefined`. */
  takeReport(nowMs: number): readonly string[] | undefined {
    const { dead, isTroubled } = this;
    const text = dead.join();
    if (!isTroubled) this.#hasShownLife = false;
    const isRepeated = this.#mustShowLife && nowMs - this.#reportedAtMs >= nodeDeathTiming.repeatMs;
    if (text === this.#reported && !isRepeated) return undefined;
    this.#hasShownLife = isTroubled;
    this.#reported = text;
    this.#reportedAtMs = nowMs;
    return dead;
  }

  /** The next time at which `due()` or `takeReport()` may return something without another event. Infinite when there is no such time. */
  wakeAtMs(): number {
    const canProve = this.#proofsUnderWay < maxProofs;
    let atMs = this.#mustShowLife ? this.#reportedAtMs + nodeDeathTiming.repeatMs : Number.POSITIVE_INFINITY;
    for (const { state, asked, missingSinceMs, nextAtMs } of this.#nodes.values())
      if (state !== 'left' && !asked && (canProve || missingSinceMs !== undefined))
        atMs = Math.min(atMs, nextAtMs);
    return atMs;
  }

  get #mustShowLife(): boolean {
    return this.isCutOff || (this.isTroubled && !this.#hasShownLife);
  }

  get #proofsUnderWay(): number {
    let count = 0;
    for (const { asked } of this.#nodes.values()) if (asked && !asked.whileMissing) count++;
    return count;
  }

  /** The nodes that this speaker finds dead, sorted. */
  get dead(): string[] {
    return [...this.#nodes]
      .filter(([, { state, isProven, isSilent }]) => state === 'dead' && isProven && isSilent)
      .map(([name]) => name)
      .sort();
  }

  /** Nodes whose speaker is alive, but which gave no answer to the last question. This speaker would not notice their death. */
  get unproven(): string[] {
    return [...this.#nodes]
      .filter(([, { state, isTried, isProven }]) => state === 'alive' && isTried && !isProven)
      .map(([name]) => name)
      .sort();
  }

  /** Whether this node may be cut off: it misses several others at once. */
  get isTroubled(): boolean {
    return this.#missing >= troublingMembers;
  }

  /** Whether this node misses most of the others. Members that left do not count, because they cannot be missing. */
  get isCutOff(): boolean {
    let present = 0;
    for (const { state } of this.#nodes.values()) if (state !== 'left') present++;
    return this.isTroubled && 2 * this.#missing > present;
  }

  get #missing(): number {
    let missing = 0;
    for (const { state } of this.#nodes.values()) if (state === 'suspect' || state === 'dead') missing++;
    return missing;
  }
}

function intervalMs({ missingSinceMs, isProven }: NodeState, nowMs: number): number {
  const { proofMs, firstProofMs, pursuitMs, pursuitForMs, slowPursuitMs } = nodeDeathTiming;
  if (missingSinceMs === undefined) return isProven ? proofMs : firstProofMs;
  return nowMs - missingSinceMs < pursuitForMs ? pursuitMs : slowPursuitMs;
}
