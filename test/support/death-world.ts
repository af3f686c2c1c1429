/**
 * A cluster in virtual time, to test the decision about which nodes are dead. It has nodes, networks, kubelets, an API server and a controller. The
 * code that decides is the product's own: `NodeDeaths` on each node, `DeathJudge` in the controller. The rest is a model with random delays:
 * which speakers hear each other, how long the membership takes to declare a death, and how long writes and watches take.
 */
import { DeathJudge } from '../../src/controller/death-judge/death-judge.ts';
import { NodeDeaths, type Question } from '../../src/speaker/dead-nodes/node-deaths.ts';

const stepMs = 50;
const kubeletRenewMs = 10_000;

/** Faults of one node, as they are now. */
export interface NodeFaults {
  hasPower: boolean;
  /** Whether the speaker process runs. */
  hasSpeaker: boolean;
  /** Nodes with different numbers exchange no packets. */
  network: number;
  /** Whether the node reaches the API server, if the API server runs. */
  reachesApi: boolean;
  /** Whether UDP of the membership passes. */
  passesMembership: boolean;
}

type State = 'alive' | 'suspect' | 'dead';

interface Heard {
  state: State;
  /** When the next change of the state is due; infinite when none is due. */
  changesAtMs: number;
}

interface WorldNode {
  readonly name: string;
  readonly faults: NodeFaults;
  deaths: NodeDeaths;
  readonly heard: Map<string, Heard>;
  readonly answers: {
    readonly atMs: number;
    readonly question: Question;
    readonly answer: 'answered' | 'silent';
  }[];
  /** A report that is on its way to the API server, with the time of its arrival. */
  write: { atMs: number } | undefined;
  renewAtMs: number;
  renewTime: string;
  /** Since when the node has had power and reached the API server without a break; infinite while it does not reach the API server. */
  reachesSinceMs: number;
  /** When the speaker last ended or began. */
  speakerChangedAtMs: number;
  /** When any node last changed to another network. */
  movedAtMs: number;
  was: NodeFaults;
}

interface StoredReport {
  readonly deadNodes: readonly string[];
  readonly version: number;
}

export interface Mark {
  readonly node: string;
  readonly atMs: number;
  /** Whether the node had power. */
  readonly lives: boolean;
  /** How long the node had reached the API server without a break; 0 if it did not reach the API server. */
  readonly reachedApiForMs: number;
  /**
   * Whether the speaker of the node ended or began within 2 s of the last change of the networks. In that case, the other speakers may have no sign
   * that the node lives, so a test must not call the mark wrong.
   */
  readonly hadNoWitness: boolean;
  /** How long ago the networks last changed. */
  readonly networksForMs: number;
  /** Number of other nodes that exchange packets with this node and reach the API server, so that they can report that this node lives. */
  readonly neighbours: number;
}

export class DeathWorld {
  readonly nodes: readonly WorldNode[];
  readonly marks: Mark[] = [];
  readonly judge = new DeathJudge();
  /** Whether the API server is out of reach for all nodes and the controller. */
  isApiAway = false;
  /** Until this time the controller's watches deliver nothing. */
  watchStallsUntilMs = 0;
  now = 0;
  readonly #random: () => number;
  readonly #stored = new Map<string, StoredReport>();
  /** Events of the watch in the order of the API server, with the time of delivery. */
  #events: { readonly atMs: number; readonly node: string; readonly report: StoredReport }[] = [];
  #reads: { readonly atMs: number; readonly node: string }[] = [];
  #version = 0;

  constructor(count: number, maxNodes: number, random: () => number) {
    this.#random = random;
    this.nodes = Array.from({ length: count }, (_, i) => ({
      name: `n${i}`,
      faults: { hasPower: true, hasSpeaker: true, network: 0, reachesApi: true, passesMembership: true },
      deaths: new NodeDeaths(),
      heard: new Map(),
      answers: [],
      write: undefined,
      renewAtMs: this.#between(0, kubeletRenewMs),
      renewTime: '',
      reachesSinceMs: 0,
      speakerChangedAtMs: Number.NEGATIVE_INFINITY,
      movedAtMs: Number.NEGATIVE_INFINITY,
      was: { hasPower: true, hasSpeaker: true, network: 0, reachesApi: true, passesMembership: true },
    }));
    this.judge.setMaxNodes({ kind: 'number', nodes: maxNodes });
    this.judge.setSpeakers(new Set(this.nodes.map(({ name }) => name)));
    for (const { name } of this.nodes) this.judge.setNode(name, { isReady: true, isControlPlane: false });
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += stepMs) this.#step();
  }

  /** Ends the speaker process and starts it again, so that it has forgotten everything. */
  restartSpeaker(node: WorldNode): void {
    node.deaths = new NodeDeaths();
    node.heard.clear();
    node.answers.length = 0;
    node.write = undefined;
    node.faults.hasSpeaker = true;
    node.speakerChangedAtMs = this.now;
  }

  #step(): void {
    for (const node of this.nodes) {
      const { faults } = node;
      if (faults.hasSpeaker !== node.was.hasSpeaker) node.speakerChangedAtMs = this.now;
      if (this.nodes.some(({ faults: { network }, was }) => network !== was.network))
        node.movedAtMs = this.now;
      if (!this.#reachesApi(node)) node.reachesSinceMs = Number.POSITIVE_INFINITY;
      else if (node.reachesSinceMs === Number.POSITIVE_INFINITY) node.reachesSinceMs = this.now;
      if (faults.hasPower) this.#kubelet(node);
      if (faults.hasPower && faults.hasSpeaker) this.#speaker(node);
    }
    for (const node of this.nodes) node.was = { ...node.faults };
    this.#controller();
  }

  #reachesApi({ faults }: WorldNode): boolean {
    return faults.hasPower && faults.reachesApi && !this.isApiAway;
  }

  /** Renews the Lease about every 10 s, and within 7 s after a failure. The values of `renewTime` are random, as if the clock of the node jumped. */
  #kubelet(node: WorldNode): void {
    if (this.now < node.renewAtMs) return;
    const reaches = this.#reachesApi(node);
    if (reaches) node.renewTime = String(this.#random());
    node.renewAtMs =
      this.now + (reaches ? kubeletRenewMs * this.#between(1, 1.04) : this.#between(200, 7000));
  }

  #speaker(node: WorldNode): void {
    const others = this.nodes.filter((other) => other !== node);
    for (const other of others) this.#hear(node, other);
    const states = others.flatMap(({ name }) => {
      const state = node.heard.get(name)?.state;
      return state === undefined ? [] : [{ node: name, state }];
    });
    node.deaths.setMembers(states, this.now);
    while ((node.answers[0]?.atMs ?? Number.POSITIVE_INFINITY) <= this.now) {
      const next = node.answers.shift();
      if (next) node.deaths.answered(next.question, next.answer, this.now);
    }
    for (const question of node.deaths.due(this.now)) {
      const other = this.nodes.find(({ name }) => name === question.node);
      const answers = other?.faults.hasPower && other.faults.network === node.faults.network;
      node.answers.push({
        atMs: this.now + (answers ? stepMs : 500),
        question,
        answer: answers ? 'answered' : 'silent',
      });
      node.answers.sort((a, b) => a.atMs - b.atMs);
    }
    if (node.deaths.takeReport(this.now)) node.write ??= { atMs: this.now + this.#between(5, 400) };
    if (!node.write || this.now < node.write.atMs) return;
    if (this.#reachesApi(node)) this.#store(node);
    // After a failure the speaker tries again.
    node.write = this.#reachesApi(node) ? undefined : { atMs: this.now + this.#between(100, 1000) };
  }

  /** A model of SWIM: a suspicion after 0.3 to 0.5 s of silence, a death 0.15 to 1 s later, and news of a return within a second. */
  #hear(node: WorldNode, other: WorldNode): void {
    const { faults } = other;
    const passes = node.faults.passesMembership && faults.passesMembership;
    const isHeard = faults.hasPower && faults.hasSpeaker && passes && faults.network === node.faults.network;
    const heard = node.heard.get(other.name);
    if (!heard) {
      if (isHeard) node.heard.set(other.name, { state: 'alive', changesAtMs: Number.POSITIVE_INFINITY });
      return;
    }
    const isRight = isHeard === (heard.state === 'alive');
    if (isHeard ? isRight : heard.state === 'dead') heard.changesAtMs = Number.POSITIVE_INFINITY;
    else if (heard.changesAtMs === Number.POSITIVE_INFINITY)
      heard.changesAtMs = this.now + (isHeard ? this.#between(0, 1000) : this.#between(300, 500));
    if (this.now < heard.changesAtMs) return;
    if (isHeard) heard.state = 'alive';
    else if (heard.state === 'alive') heard.state = 'suspect';
    else heard.state = 'dead';
    const isDying = heard.state === 'suspect';
    heard.changesAtMs = isDying ? this.now + this.#between(150, 1000) : Number.POSITIVE_INFINITY;
  }

  #store(node: WorldNode): void {
    const report = { deadNodes: node.deaths.dead, version: ++this.#version };
    this.#stored.set(node.name, report);
    this.#events.push({ atMs: this.now + this.#between(1, 200), node: node.name, report });
  }

  #controller(): void {
    while (this.now >= this.watchStallsUntilMs && (this.#events[0]?.atMs ?? this.now + 1) <= this.now) {
      const event = this.#events.shift();
      if (event) this.#take(event.node, event.report);
    }
    if (this.isApiAway) {
      this.#reads = [];
      return;
    }
    for (const { node } of this.#reads.filter(({ atMs }) => atMs <= this.now)) this.#read(node);
    this.#reads = this.#reads.filter(({ atMs }) => atMs > this.now);
    for (const node of this.judge.watched())
      if (!this.#reads.some((read) => read.node === node))
        this.#reads.push({ atMs: this.now + this.#between(50, 300), node });
    this.judge.takeReturned(this.now);
    for (const { node, state } of this.judge.decide(this.now)) if (state === 'dead') this.#mark(node);
  }

  #read(name: string): void {
    this.judge.setLease(name, this.nodes.find((node) => node.name === name)?.renewTime, this.now);
    for (const [node, report] of this.#stored) this.#take(node, report);
    this.judge.noteReportsRead(this.now);
  }

  #known = new Map<string, number>();

  #take(node: string, { deadNodes, version }: StoredReport): void {
    if (version < (this.#known.get(node) ?? 0)) return;
    this.#known.set(node, version);
    this.judge.setReport(node, { deadNodes, resourceVersion: String(version) }, this.now);
  }

  #mark(name: string): void {
    this.judge.mark(name, this.now);
    const node = this.nodes.find((each) => each.name === name);
    if (!node) return;
    // `judge.mark` notes only that the marking begins. Before the shell of the controller writes to a Pod, it reads the Lease and the reports
    // again. The model does this too.
    this.#read(name);
    if (!this.judge.isMarked(name, this.now)) return;
    const { faults } = node;
    this.marks.push({
      node: name,
      atMs: this.now,
      lives: faults.hasPower,
      hadNoWitness: Math.abs(node.speakerChangedAtMs - node.movedAtMs) < 2000,
      reachedApiForMs: this.#reachesApi(node) ? this.now - node.reachesSinceMs : 0,
      networksForMs: this.now - node.movedAtMs,
      neighbours: this.nodes.filter(
        (other) => other !== node && this.#reachesApi(other) && other.faults.network === faults.network,
      ).length,
    });
  }

  #between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }
}
