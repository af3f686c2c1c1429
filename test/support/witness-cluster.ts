import { parseIp } from '../../src/address/index.ts';
import type { AddressEntry } from '../../src/layer2/address-entry.ts';
import { complete } from '../../src/layer2/ownership/steps.ts';
import { parseWitnessFacts, witnessToJson } from '../../src/layer2/ownership/witness-facts.ts';
import type { Question } from '../../src/layer2/witness/questioner.ts';
import type { VerdictChange } from '../../src/layer2/witness/verdicts.ts';
import { Witness } from '../../src/layer2/witness/witness.ts';
import { addressEntry, Layer2Cluster, nodeFacts } from './layer2-cluster.ts';
import { seededRandom } from './membership-net.ts';

export interface WitnessClusterOptions {
  readonly nodes: number;
  readonly addresses: number;
  readonly seed: number;
  /** Fields of each entry, besides its address and its candidates. */
  readonly entry?: Partial<AddressEntry>;
  /** Whether the facts of each node have room only for the short form of what its witness states (see `witnessToJson`). */
  readonly hasShortFacts?: boolean;
}

const intervalMs = 5000;
const updateMs = 250;
const pollMs = 250;

interface Observer {
  readonly witness: Witness;
  readonly sinceMs: Map<string, number>;
  factsText: string;
  /** Whether the node has learned something since its last update. */
  isChanged: boolean;
  updatedAtMs: number;
  /** The time until which the process does not run. Answers wait meanwhile. */
  stalledUntilMs: number;
  readonly unread: Question[];
}

/**
 * The ownership machines of a cluster with the product's witness machines, in virtual time. A switch between the nodes carries questions and
 * answers, and loses those that `loses` selects.
 */
export class WitnessCluster {
  readonly cluster: Layer2Cluster;
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  readonly changes: (VerdictChange & { readonly node: string; readonly atMs: number })[] = [];
  /** Changes of the owner of any address. */
  readonly moves: { readonly address: string; readonly to: string; readonly atMs: number }[] = [];
  readonly random: () => number;
  questions = 0;
  /** Whether the packet from one node to another is lost. */
  loses: (packet: {
    readonly kind: 'question' | 'answer';
    readonly from: string;
    readonly to: string;
    /** Whether the packet is about the host's own address, for which the kernel answers. */
    readonly isKernel: boolean;
  }) => boolean = () => false;
  readonly #observers = new Map<string, Observer>();
  readonly #owners = new Map<string, string>();
  readonly #hasShortFacts: boolean;

  constructor({ nodes, addresses, seed, entry = {}, hasShortFacts = false }: WitnessClusterOptions) {
    this.#hasShortFacts = hasShortFacts;
    this.names = Array.from({ length: nodes }, (_, i) => `node-${i + 1}`);
    this.addresses = Array.from({ length: addresses }, (_, i) => `192.0.2.${i + 100}`);
    this.random = seededRandom(seed);
    this.cluster = new Layer2Cluster({ names: this.names, seed, maxDelayMs: 20 });
    for (const name of this.names) {
      this.#observers.set(name, {
        witness: new Witness(name, intervalMs),
        sinceMs: new Map(),
        factsText: '',
        isChanged: true,
        updatedAtMs: 0,
        stalledUntilMs: 0,
        unread: [],
      });
      this.#tellFacts(name);
      this.cluster.up(name);
    }
    this.cluster.check = () => {
      for (const observer of this.#observers.values()) observer.isChanged = true;
    };
    this.cluster.change(this.addresses.map((address) => addressEntry(address, this.names, entry)));
  }

  get nowMs(): number {
    return this.cluster.clock.now();
  }

  owner(address: string): string {
    return this.cluster.owner(address) ?? '';
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.cluster.run(Math.max(1, Math.min(endMs, this.#wakeAtMs()) - this.nowMs));
      for (const name of this.names) this.#step(name);
      this.#noteMoves();
    }
  }

  /** When the next process has something to do, but at most `pollMs` from now: facts and claims of other nodes may arrive at any time. */
  #wakeAtMs(): number {
    let atMs = this.nowMs + pollMs;
    for (const { witness, stalledUntilMs } of this.#observers.values())
      atMs = Math.min(atMs, Math.max(stalledUntilMs, witness.askAtMs()));
    return Math.ceil(atMs);
  }

  /** Stops the process of the node for a while. The kernel keeps the answers that arrive meanwhile. */
  stall(name: string, ms: number): void {
    const observer = this.#observer(name);
    observer.stalledUntilMs = this.nowMs + ms;
  }

  mute(name: string): ReadonlySet<string> {
    return this.#observer(name).witness.facts(this.nowMs).mute ?? new Set();
  }

  /** Whether the facts of the node say that it is deaf. */
  isDeaf(name: string): boolean {
    return this.cluster.members.get(name)?.view.nodes.get(name)?.witness?.isDeaf ?? false;
  }

  /** Forges the report of a node. The report says that no address of any other node is answered. */
  lie(name: string): void {
    const unanswered = new Map(
      this.names.filter((each) => each !== name).map((each) => [each, new Set(['*'])]),
    );
    this.#observers.delete(name);
    const witness = { unanswered, answered: new Map(), isDeaf: false };
    this.cluster.setFacts(name, { ...nodeFacts(), witness });
  }

  #observer(name: string): Observer {
    const observer = this.#observers.get(name);
    if (!observer) throw new Error(`no witness on ${name}`);
    return observer;
  }

  #step(name: string): void {
    const observer = this.#observers.get(name);
    const member = this.cluster.members.get(name);
    if (!observer || !member || this.nowMs < observer.stalledUntilMs) return;
    const { witness, sinceMs } = observer;
    for (const address of sinceMs.keys()) if (!member.answering.has(address)) sinceMs.delete(address);
    for (const address of member.answering) if (!sinceMs.has(address)) sinceMs.set(address, this.nowMs);
    const isJudgeable = witness.judgeAtMs(observer.updatedAtMs) <= this.nowMs;
    if ((observer.isChanged || isJudgeable) && this.nowMs - observer.updatedAtMs >= updateMs) {
      observer.isChanged = false;
      observer.updatedAtMs = this.nowMs;
      const update = witness.update(
        {
          view: member.view,
          entries: member.ownership.entries,
          claim: (address) => member.claims.get(address),
          answering: sinceMs,
          isStarved: false,
          hosts: this.names.flatMap((node, i) => {
            const text = `192.0.2.${i + 1}`;
            const address = parseIp(text);
            return address ? [[node, text, address] as const] : [];
          }),
        },
        this.nowMs,
      );
      for (const change of complete(update)) this.changes.push({ ...change, node: name, atMs: this.nowMs });
    }
    // As in the layer-2 process, the facts are read only after the witness has done something.
    let hasWorked = observer.updatedAtMs === this.nowMs || observer.unread.length > 0;
    if (witness.askAtMs() <= this.nowMs) {
      hasWorked = true;
      for (const question of witness.ask(this.nowMs)) this.#ask(name, question);
    }
    for (const question of observer.unread.splice(0)) witness.answered(question, this.nowMs);
    if (hasWorked) this.#tellFacts(name);
  }

  #ask(from: string, question: Question): void {
    this.questions++;
    const to = question.node;
    const isKernel = !this.addresses.includes(question.address);
    const member = this.cluster.members.get(to);
    const isAnswering = member?.answering.has(question.address) || this.#isOnTrial(to, question.address);
    if (!isKernel && !isAnswering) return;
    // The speaker drops questions that have waited too long.
    if (!isKernel && this.nowMs < (this.#observers.get(to)?.stalledUntilMs ?? 0)) return;
    if (this.loses({ kind: 'question', from, to, isKernel })) return;
    if (this.loses({ kind: 'answer', from: to, to: from, isKernel })) return;
    this.#observers.get(from)?.unread.push(question);
  }

  #isOnTrial(node: string, address: string): boolean {
    const observer = this.#observers.get(node);
    return observer?.witness.facts(this.nowMs).mute?.has(address) ?? false;
  }

  #tellFacts(name: string): void {
    const observer = this.#observers.get(name);
    if (!observer) return;
    const facts = observer.witness.facts(this.nowMs);
    const text = JSON.stringify(facts, (_, value: unknown) =>
      value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value,
    );
    if (text === observer.factsText) return;
    observer.factsText = text;
    const told = this.#hasShortFacts ? parseWitnessFacts(witnessToJson(facts, true)) : facts;
    this.cluster.setFacts(name, { ...nodeFacts(), ...told });
  }

  #noteMoves(): void {
    for (const address of this.addresses) {
      const owner = this.owner(address);
      const before = this.#owners.get(address);
      if (before !== undefined && before !== '' && owner !== before)
        this.moves.push({ address, to: owner, atMs: this.nowMs });
      this.#owners.set(address, owner);
    }
  }
}
