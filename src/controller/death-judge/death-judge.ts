/**
 * Judges which nodes are dead, from the reports of the speakers and from the Leases of the nodes. It is pure. The shell
 * (`controller/dead-nodes/`) reads the Leases, marks the Pods, and gives the time of its monotonic clock. The judge checks only whether
 * `renewTime` changes, so a wrong clock on a node does no harm.
 *
 *     a majority of all speakers reports the node ──→ the Lease and all reports are read, and read again ──→ dead ──→ its Pods are marked
 *                                                        │                                                     │
 *                                                        └── a sign of life: held                              └── a sign of life: returned
 *
 * A sign of life is a renewal of the node's Lease in `kube-node-lease`, or a write of its own death report. A speaker that is cut off from the
 * other speakers finds several of them dead at once, and writes them in its own report. If its node still reaches the API server, this write is a
 * sign of life. The rules:
 *
 * - A report on a node counts when it arrives after the last renewal of the node's Lease, and at least ten seconds after the node last wrote its
 *   own report: two speakers that report each other are two sides of a partition. Once the node has shown no sign of life for 20 s, all reports
 *   on it count. A gap between the reads of the Lease starts the 20 s again. While the node is marked, all reports on it count
 *   nevertheless, so that such a gap alone does not make the node count as returned.
 * - More than half of all nodes that have a speaker must report the node. A speaker that says nothing counts as one that does not report it.
 * - The Lease must exist, and must stay the same between two reads. The node's own speaker must have written a death report before: a speaker
 *   that never writes one cannot give this sign of life.
 * - Nodes that Kubernetes itself calls not ready are left to Kubernetes.
 * - While more than `max-nodes` nodes are dead, the marked ones included, no further node is marked. At most `max-nodes` nodes are marked within
 *   a minute.
 * - A control-plane node is marked only if fewer than half of the control-plane nodes, this one included, are dead or not ready.
 * - A node that was marked and came back is not marked again for five minutes.
 */
import type { DeadNodesConfig } from '../../config/index.ts';

export const deathTiming = {
  /**
   * A node is dead only if the last read of its Lease came at least this long after the first one, and at least this long after a majority
   * reported the node. If the node lives but is cut off from the other speakers, its own report arrives within this time.
   */
  settleMs: 500,
  /** Reports about a node that arrive within this time after its own report do not count until the node is silent. */
  quietMs: 10_000,
  /**
   * A node without a sign of life for this long is silent. The kubelet renews the Lease every 10 s, so a silent node has missed two
   * renewals. When the gap between two reads of the Lease exceeds `maxGapMs`, the measured silence starts again at zero.
   */
  silenceMs: 20_000,
  maxGapMs: 3000,
  /** A read that is older says nothing about the present. */
  freshMs: 1000,
  /** At most `max-nodes` nodes are marked within this time. */
  rateMs: 60_000,
  /** A node that came back is not marked again within this time. */
  returnedMs: 300_000,
} as const;

/** The facts about a Node object that matter here. */
export interface NodeFacts {
  /** Whether Kubernetes calls the node ready. */
  readonly isReady: boolean;
  readonly isControlPlane: boolean;
}

/**
 * `waiting`: more reads of the Lease or of the reports are needed. `held`: a rule forbids marking the node. `dead`: the node is to be marked.
 * `marked`: the node is marked, and has shown no sign of life since.
 */
export const deathStates = ['waiting', 'held', 'dead', 'marked'] as const;

export interface DeathDecision {
  readonly node: string;
  readonly state: (typeof deathStates)[number];
  /** Speakers that report the node dead, and whose reports count. */
  readonly reports: number;
  /** All nodes that have a speaker. */
  readonly speakers: number;
  /** Why the node is not to be marked; empty in the states `dead` and `marked`. The rest of a sentence whose subject is the node. */
  readonly reason: string;
}

interface Report {
  readonly deadNodes: readonly string[];
  readonly resourceVersion: string;
  readonly writtenAtMs: number;
}

interface LeaseReads {
  /** `undefined` when the node has no Lease. */
  readonly renewTime: string | undefined;
  /** Time of the first read in the present row of reads. A renewal, or a gap of more than `maxGapMs` between two reads, begins a new row. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** When a renewal was last seen. */
  readonly renewedAtMs: number | undefined;
}

/** A node that was marked and then returned, and why it counts as returned. */
export interface ReturnedNode {
  readonly node: string;
  readonly sign: string;
}

const never = Number.NEGATIVE_INFINITY;

export class DeathJudge {
  #maxNodes: DeadNodesConfig['maxNodes'] = { kind: 'number', nodes: 1 };
  readonly #nodes = new Map<string, NodeFacts>();
  #speakers: ReadonlySet<string> = new Set();
  readonly #reports = new Map<string, Report>();
  /** For each reported node, the time from which each speaker reports it without a break. Nodes that no speaker reports are not in it. */
  readonly #reportedSinceMs = new Map<string, Map<string, number>>();
  readonly #leases = new Map<string, LeaseReads>();
  /** For each node, the time since which a majority of all speakers has reported it. Only reports that count matter here. */
  readonly #majoritySinceMs = new Map<string, number>();
  readonly #markedAtMs = new Map<string, number>();
  readonly #returnedAtMs = new Map<string, number>();
  /** When all reports were last read from the API server. A watch may be behind. */
  #reportsReadAtMs = never;
  /** Times of the last marks. */
  #marks: readonly number[] = [];

  setMaxNodes(maxNodes: DeadNodesConfig['maxNodes']): void {
    this.#maxNodes = maxNodes;
  }

  setNode(name: string, facts: NodeFacts | undefined): void {
    if (facts) this.#nodes.set(name, facts);
    else this.#nodes.delete(name);
  }

  /** Sets the nodes that have a speaker. */
  setSpeakers(nodes: ReadonlySet<string>): void {
    this.#speakers = nodes;
  }

  /** Takes the report of a speaker as it is now; `undefined` when there is none. A report that is known already changes nothing. */
  setReport(
    speaker: string,
    report: { readonly deadNodes: readonly string[]; readonly resourceVersion: string } | undefined,
    nowMs: number,
  ): void {
    const before = this.#reports.get(speaker);
    if (report?.resourceVersion === before?.resourceVersion && report) return;
    const deadNodes = report?.deadNodes ?? [];
    for (const node of before?.deadNodes ?? []) if (!deadNodes.includes(node)) this.#withdraw(speaker, node);
    for (const node of deadNodes) {
      const sinceMs = this.#reportedSinceMs.get(node) ?? new Map<string, number>();
      if (!sinceMs.has(speaker)) sinceMs.set(speaker, nowMs);
      this.#reportedSinceMs.set(node, sinceMs);
    }
    if (report) this.#reports.set(speaker, { ...report, writtenAtMs: nowMs });
    else this.#reports.delete(speaker);
  }

  #withdraw(speaker: string, node: string): void {
    const sinceMs = this.#reportedSinceMs.get(node);
    sinceMs?.delete(speaker);
    if (sinceMs?.size === 0) this.#reportedSinceMs.delete(node);
  }

  /** Notes that `setReport()` has received all reports as they were at this time. */
  noteReportsRead(nowMs: number): void {
    this.#reportsReadAtMs = nowMs;
  }

  /**
   * Takes the `renewTime` of a node's Lease as it was just read; `undefined` when the Lease does not exist. A read that was sent at `sentMs`
   * says nothing about later renewals.
   */
  setLease(node: string, renewTime: string | undefined, nowMs: number, sentMs = nowMs): void {
    const before = this.#leases.get(node);
    // A deleted Lease is no sign of life, because any client may delete a Lease. A new `renewTime` is a sign, and so is a Lease that exists again:
    // the kubelet renews its Lease, and creates it when it is missing.
    const isRenewed = before !== undefined && renewTime !== undefined && before.renewTime !== renewTime;
    const isInRow = before !== undefined && !isRenewed && nowMs - before.lastAtMs <= deathTiming.maxGapMs;
    this.#leases.set(node, {
      renewTime,
      firstAtMs: isInRow ? before.firstAtMs : nowMs,
      lastAtMs: sentMs,
      renewedAtMs: isRenewed ? nowMs : before?.renewedAtMs,
    });
  }

  /**
   * Nodes whose Leases and reports the shell reads again and again: those that a majority reports, and those that are marked. The nodes whose
   * last read is the oldest come first.
   */
  watched(): string[] {
    const reported = [...this.#reportedSinceMs.keys()].filter((node) => this.#isCandidate(node));
    const readAtMs = (node: string) => this.#leases.get(node)?.lastAtMs ?? Number.MIN_SAFE_INTEGER;
    return [...new Set([...reported, ...this.#markedAtMs.keys()])].sort((a, b) => readAtMs(a) - readAtMs(b));
  }

  /** Notes that the shell begins to mark the node. */
  mark(node: string, nowMs: number): void {
    this.#markedAtMs.set(node, nowMs);
    this.#marks = [...this.#marks.filter((atMs) => nowMs - atMs < deathTiming.rateMs), nowMs];
  }

  /** Whether the node is marked, and has shown no sign of life since. The last reads may be old. */
  hasMark(node: string): boolean {
    return this.#markedAtMs.has(node) && this.#signSinceMark(node) === undefined;
  }

  /** Whether the node is marked, and recent reads show no sign that it lives. The shell asks before each write. */
  isMarked(node: string, nowMs: number): boolean {
    return (
      this.hasMark(node) &&
      this.#nodes.get(node)?.isReady === true &&
      this.#isMajority(this.#counted(node, nowMs)) &&
      this.#leases.get(node)?.renewTime !== undefined &&
      this.#isFresh(node, nowMs)
    );
  }

  /** The decisions about all watched nodes, sorted by name. Before the shell calls this again, it calls `mark` for each node in the state `dead`. */
  decide(nowMs: number): DeathDecision[] {
    this.#forget();
    const watched = this.watched().sort();
    for (const node of watched) this.#noteMajority(node, nowMs);
    for (const node of [...this.#majoritySinceMs.keys()])
      if (!watched.includes(node)) this.#majoritySinceMs.delete(node);
    let found = 0;
    return watched.map((node) => {
      const counts = { node, reports: this.#counted(node, nowMs), speakers: this.#speakers.size };
      if (this.#markedAtMs.has(node)) return { ...counts, state: 'marked', reason: '' };
      const held = this.#heldBecause(node, found, nowMs);
      if (held !== undefined) return { ...counts, state: 'held', reason: held };
      const waiting = this.#waitingBecause(node, nowMs);
      if (waiting !== undefined) return { ...counts, state: 'waiting', reason: waiting };
      found++;
      return { ...counts, state: 'dead', reason: '' };
    });
  }

  /**
   * Forgets the marks of the nodes that showed a sign of life, or that no majority reports any more, and returns these nodes. Also forgets the
   * marks of nodes that are gone, or that Kubernetes itself calls not ready, and does not return these.
   */
  takeReturned(nowMs: number): ReturnedNode[] {
    const returned: ReturnedNode[] = [];
    for (const node of [...this.#markedAtMs.keys()]) {
      const facts = this.#nodes.get(node);
      // Kubernetes has noticed the death itself, or the node is gone.
      if (!facts?.isReady) this.#markedAtMs.delete(node);
      const sign = this.#signSinceMark(node) ?? this.#lackOfReports(node, nowMs);
      if (!facts?.isReady || sign === undefined) continue;
      this.#markedAtMs.delete(node);
      this.#returnedAtMs.set(node, nowMs);
      returned.push({ node, sign });
    }
    return returned;
  }

  /** Why the node is not to be marked although a majority reports it. `found` other nodes are about to be marked. */
  #heldBecause(node: string, found: number, nowMs: number): string | undefined {
    const { rateMs, returnedMs } = deathTiming;
    const counted = this.#counted(node, nowMs);
    if (!this.#isMajority(counted))
      return 'has shown a sign of life shortly before or after the speakers reported it';
    const limit = this.#limit;
    const dead = this.#deadTogether(node);
    if (dead.size > limit)
      return `is one of ${dead.size} nodes that died together, and max-nodes allows ${limit}`;
    if (this.#nodes.get(node)?.isControlPlane && this.#losesControlPlane(dead))
      return 'is a control-plane node, and at least half of the control-plane nodes are dead or not ready';
    if (this.#marks.filter((atMs) => nowMs - atMs < rateMs).length + found >= limit)
      return `has to wait, because max-nodes limits the nodes marked within ${rateMs / 1000} s to ${limit}`;
    const returnedAtMs = this.#returnedAtMs.get(node);
    if (returnedAtMs !== undefined && nowMs - returnedAtMs < returnedMs)
      return `was marked and came back within the last ${returnedMs / 60_000} minutes`;
    if (!this.#reports.has(node))
      return 'has written no death report, so its signs of life could not be seen';
    const lease = this.#leases.get(node);
    return lease && lease.renewTime === undefined ? 'has no Lease in kube-node-lease' : undefined;
  }

  #waitingBecause(node: string, nowMs: number): string | undefined {
    const lease = this.#leases.get(node);
    const sinceMs = this.#majoritySinceMs.get(node);
    if (!lease || sinceMs === undefined || !this.#isFresh(node, nowMs))
      return 'has to wait until its Lease and the death reports are read again';
    const isSettled = lease.lastAtMs - Math.max(lease.firstAtMs, sinceMs) >= deathTiming.settleMs;
    return isSettled ? undefined : 'may still renew its Lease';
  }

  /** Whether Kubernetes calls the node ready and a majority reports it, even if the reports do not count. */
  #isCandidate(node: string): boolean {
    if (!this.#speakers.has(node) || !this.#nodes.get(node)?.isReady) return false;
    let reports = 0;
    for (const _ of this.#reportsOn(node)) reports++;
    return this.#isMajority(reports);
  }

  /**
   * The nodes that count as dead: this one, the marked ones, and those that a majority reports and that have not renewed their Lease since the
   * newest report on them.
   */
  #deadTogether(node: string): Set<string> {
    const cleared = (other: string) => {
      const renewedAtMs = this.#leases.get(other)?.renewedAtMs ?? never;
      return [...this.#reportsOn(other)].every((sinceMs) => sinceMs <= renewedAtMs);
    };
    const candidates = [...this.#reportedSinceMs.keys()].filter(
      (other) => this.#isCandidate(other) && !cleared(other),
    );
    return new Set([node, ...candidates, ...this.#markedAtMs.keys()]);
  }

  #losesControlPlane(dead: ReadonlySet<string>): boolean {
    const controlPlane = [...this.#nodes].filter(([, { isControlPlane }]) => isControlPlane);
    const lost = controlPlane.filter(([name, { isReady }]) => dead.has(name) || !isReady);
    return 2 * lost.length >= controlPlane.length;
  }

  get #limit(): number {
    const { kind } = this.#maxNodes;
    if (kind === 'number') return this.#maxNodes.nodes;
    return Math.max(1, Math.floor((this.#speakers.size * this.#maxNodes.percent) / 100));
  }

  #isMajority(reports: number): boolean {
    return 2 * reports > this.#speakers.size;
  }

  #isFresh(node: string, nowMs: number): boolean {
    const lease = this.#leases.get(node);
    const readAtMs = Math.min(lease?.lastAtMs ?? never, this.#reportsReadAtMs);
    return nowMs - readAtMs <= deathTiming.freshMs;
  }

  /** For each other speaker that reports the node, the time since which it has reported the node. */
  *#reportsOn(node: string): Iterable<number> {
    for (const [speaker, sinceMs] of this.#reportedSinceMs.get(node) ?? [])
      if (speaker !== node && this.#speakers.has(speaker)) yield sinceMs;
  }

  /** Number of the reports on the node that count. */
  #counted(node: string, nowMs: number): number {
    const lease = this.#leases.get(node);
    const renewedAtMs = lease?.renewedAtMs ?? never;
    const wroteAtMs = this.#reports.get(node)?.writtenAtMs ?? never;
    const silentSinceMs = lease ? Math.max(lease.firstAtMs, wroteAtMs) : nowMs;
    const allCount = this.hasMark(node) || nowMs - silentSinceMs >= deathTiming.silenceMs;
    let count = 0;
    for (const sinceMs of this.#reportsOn(node))
      if (allCount || (sinceMs > renewedAtMs && sinceMs >= wroteAtMs + deathTiming.quietMs)) count++;
    return count;
  }

  #noteMajority(node: string, nowMs: number): void {
    if (!this.#isMajority(this.#counted(node, nowMs))) this.#majoritySinceMs.delete(node);
    else if (!this.#majoritySinceMs.has(node)) this.#majoritySinceMs.set(node, nowMs);
  }

  #signSinceMark(node: string): string | undefined {
    const markedAtMs = this.#markedAtMs.get(node) ?? Number.POSITIVE_INFINITY;
    if ((this.#leases.get(node)?.renewedAtMs ?? never) >= markedAtMs) return 'has renewed its Lease';
    if ((this.#reports.get(node)?.writtenAtMs ?? never) >= markedAtMs)
      return 'has a speaker that writes again';
    return undefined;
  }

  #lackOfReports(node: string, nowMs: number): string | undefined {
    return this.#isMajority(this.#counted(node, nowMs)) ? undefined : 'is heard by speakers again';
  }

  /** Drops the Lease reads of nodes that are neither reported nor marked, and the return times of nodes that no longer exist. */
  #forget(): void {
    for (const node of [...this.#leases.keys()]) {
      if (!this.#reportedSinceMs.has(node) && !this.#markedAtMs.has(node)) this.#leases.delete(node);
    }
    for (const node of [...this.#returnedAtMs.keys()])
      if (!this.#nodes.has(node)) this.#returnedAtMs.delete(node);
  }
}
