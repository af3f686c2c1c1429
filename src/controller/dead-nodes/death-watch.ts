/**
 * Follows the reports of the speakers while the configuration has `dead-nodes`. Reads the signs of life of reported nodes, and marks the Pods
 * of dead nodes. `DeathJudge` decides.
 *
 *     watches of Nodes, speaker Pods, death reports ──→ DeathJudge ──→ status, events, metrics
 *     reads of Leases and of all reports ─────────────→     └────────→ markPods(), which reads the Lease again before each write
 *
 * The Lease of a node is read only while a majority reports the node, or while the node is marked. In a cluster of 1,000 nodes, a watch of all
 * their Leases would deliver a hundred changes a second.
 */
import type { Clock, Timer } from '../../clock.ts';
import { type DeathReport, decodeDeathReport, speakerOfReport } from '../../cluster/death-report.ts';
import { speakerPodSelector } from '../../cluster/names.ts';
import type { DeadNodesConfig } from '../../config/index.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { isNotFound } from '../../kubernetes/api-error.ts';
import { decodeNode, decodeSpeakerPod } from '../../kubernetes/decode.ts';
import type { EventReason } from '../../kubernetes/event-reasons.ts';
import type { EventRecorder } from '../../kubernetes/event-recorder.ts';
import { regardingNode } from '../../kubernetes/events.ts';
import { listPages } from '../../kubernetes/list.ts';
import type { Node, SpeakerPod } from '../../kubernetes/model.ts';
import { ObjectReader } from '../../kubernetes/object-reader.ts';
import { pause } from '../../kubernetes/retry.ts';
import { type WatchOptions, watch } from '../../kubernetes/watch.ts';
import { readRawObject } from '../../kubernetes/watch-event.ts';
import { isOlderVersion, paths } from '../../kubernetes/write.ts';
import type { Logger } from '../../log.ts';
import type { FlightRecorder } from '../../telemetry/flight-recorder.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { Turns } from '../../turns.ts';
import { type DeathDecision, DeathJudge } from '../death-judge/death-judge.ts';
import type { ControllerMetrics } from '../metrics.ts';
import { markPods } from './pod-marker.ts';

export interface DeathWatchOptions {
  /** Refuses to write once the `LeaderTerm` is over. */
  readonly client: Api;
  readonly namespace: string;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<ControllerMetrics, 'nodeDeaths' | 'podsMarked'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly guard: Guard;
  readonly recorder: FlightRecorder;
  /** Ends the watches and all work. */
  readonly signal: AbortSignal;
}

const controlPlaneLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
const nodeLeaseNamespace = 'kube-node-lease';
const nodePageSize = 100;
const readTimeoutMs = 1000;
const reportPageSize = 500;
/** Reads of several Leases within this time share one read of all reports. */
const reportsFreshMs = 300;
/**
 * Pause before a round of reads. `calm` applies while no death is in the state `waiting`, in which the judge needs further reads before it decides.
 * `first` applies when the first death enters this state, and `urgent` as long as a death stays in it.
 */
const roundMs = { first: 0, urgent: 100, calm: 1000 } as const;
/** Maximum number of nodes whose Leases one round reads. When there are more, the next rounds read the others. */
const maxReads = 50;
/**
 * The calm pause while this many nodes are watched. With more than `maxReads` nodes it is shorter, but at least `urgent`, so that each node is
 * still read about once a second. After a gap of more than `maxGapMs` between two reads, `DeathJudge` measures the silence of the node from
 * zero again.
 */
const calmMs = (watched: number) =>
  Math.max(roundMs.urgent, roundMs.calm / Math.max(1, Math.ceil(watched / maxReads)));
/**
 * Each round of marking lists the Pods of one dead node and marks them. A Pod that changes between the list and the write is left out, and the
 * next round tries again. After this many rounds with such a Pod, the marking of the node ends. Rounds in which a request failed do not count.
 */
const maxMarkTries = 10;
const markRetryMs = 500;
const longestMarkRetryMs = 8000;

export class DeathWatch {
  readonly #options: DeathWatchOptions;
  readonly #judge = new DeathJudge();
  readonly #uids = new Map<string, string>();
  /** The node of each speaker Pod. */
  readonly #speakerPods = new Map<string, string>();
  #haveSpeakersChanged = true;
  readonly #reports = new Map<string, DeathReport>();
  /** Kinds of objects whose first list is not complete; `undefined` before the watches begin. */
  #unsynced: Set<string> | undefined;
  readonly #marking = new Set<Promise<void>>();
  #decisions: readonly DeathDecision[] = [];
  #reading: Promise<void> | undefined;
  #readingReports: Promise<void> | undefined;
  #reportsReadAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** Whether a decision already waited before the last round of reads. */
  #wasWaiting = false;

  constructor(options: DeathWatchOptions) {
    this.#options = options;
  }

  /** The decisions about the nodes that a majority of the speakers reports. */
  get decisions(): readonly DeathDecision[] {
    return this.#decisions;
  }

  get #isSynced(): boolean {
    return this.#unsynced?.size === 0;
  }

  /** Nodes whose speaker has written no death report, sorted. */
  get withoutReport(): string[] {
    if (!this.#isSynced) return [];
    return [...this.#speakers()].filter((node) => !this.#reports.has(node)).sort();
  }

  setMaxNodes(maxNodes: DeadNodesConfig['maxNodes']): void {
    this.#judge.setMaxNodes(maxNodes);
  }

  /** Runs until the signal aborts and the work under way has ended. */
  async run(): Promise<void> {
    const { namespace } = this.#options;
    this.#unsynced = new Set(['Nodes', 'Pods', 'death reports']);
    const pods = { labelSelector: speakerPodSelector };
    const changes = {
      node: (name: string, node: Node | undefined) => this.#nodeChanged(name, node),
      pod: (key: string, pod: SpeakerPod | undefined) => this.#podChanged(key, pod?.nodeName),
      report: (key: string, report: DeathReport | undefined) => {
        const speaker = speakerOfReport(key.slice(`${namespace}/`.length));
        if (speaker !== undefined) this.#takeReport(speaker, report);
      },
    };
    const leases = paths.leases(namespace);
    await Promise.all([
      this.#follow('Nodes', paths.nodes, decodeNode, changes.node, { pageSize: nodePageSize }),
      this.#follow('Pods', paths.pods(namespace), decodeSpeakerPod, changes.pod, pods),
      this.#follow('death reports', leases, decodeDeathReport, changes.report, pods),
    ]);
    this.#timer?.cancel();
    await Promise.all([this.#reading, ...this.#marking]);
  }

  #follow<T>(
    kind: string,
    path: string,
    decode: (raw: RawObject) => T | undefined,
    changed: (key: string, object: T | undefined) => void,
    more: Pick<WatchOptions<T>, 'labelSelector' | 'pageSize'>,
  ): Promise<void> {
    const { client, clock, turns, logger, guard, signal } = this.#options;
    const handler = {
      changed: (key: string, object: T | undefined) => {
        changed(key, object);
        this.#step();
      },
      synced: () => {
        this.#unsynced?.delete(kind);
        this.#step();
      },
    };
    return watch({ client, path, decode, handler, guard, clock, turns, logger, signal, ...more });
  }

  #nodeChanged(name: string, node: Node | undefined): void {
    this.#haveSpeakersChanged ||= this.#uids.has(name) !== (node !== undefined);
    if (node) this.#uids.set(name, node.uid);
    else this.#uids.delete(name);
    const isControlPlane = controlPlaneLabels.some((label) => node?.labels[label] !== undefined);
    this.#judge.setNode(name, node && { isReady: node.ready, isControlPlane });
  }

  #podChanged(key: string, nodeName: string | undefined): void {
    this.#haveSpeakersChanged = true;
    if (nodeName === undefined) this.#speakerPods.delete(key);
    else this.#speakerPods.set(key, nodeName);
  }

  /** Ignores a report that is older than the known one: an event of the watch may arrive after a newer read. */
  #takeReport(speaker: string, report: DeathReport | undefined): void {
    const before = this.#reports.get(speaker);
    if (report && before && isOlderVersion(report.resourceVersion, before.resourceVersion)) return;
    if (report) this.#reports.set(speaker, report);
    else this.#reports.delete(speaker);
    this.#judge.setReport(speaker, report, this.#options.clock.now());
  }

  /** Nodes that have a speaker. */
  #speakers(): Set<string> {
    return new Set([...this.#speakerPods.values()].filter((node) => this.#uids.has(node)));
  }

  /** Judges the present state, and acts on the decisions. */
  #step(): void {
    const { clock, signal } = this.#options;
    if (!this.#isSynced || signal.aborted) return;
    if (this.#haveSpeakersChanged) this.#judge.setSpeakers(this.#speakers());
    this.#haveSpeakersChanged = false;
    for (const { node, sign } of this.#judge.takeReturned(clock.now())) this.#returned(node, sign);
    const decisions = this.#judge.decide(clock.now());
    for (const decision of decisions) this.#noteDecision(decision);
    this.#decisions = decisions;
    for (const decision of decisions) if (decision.state === 'dead') this.#dead(decision);
    this.#readSoon();
  }

  #readSoon(): void {
    const watched = this.#judge.watched().length;
    if (watched === 0) this.#wasWaiting = false;
    if (this.#reading || watched === 0) return;
    const isWaiting = this.#decisions.some(({ state }) => state === 'waiting');
    const isFirst = isWaiting && !this.#wasWaiting;
    if (this.#timer && !isFirst) return;
    // A decision that begins to wait also ends a calm pause.
    this.#timer?.cancel();
    const pauseMs = isFirst ? roundMs.first : isWaiting ? roundMs.urgent : calmMs(watched);
    this.#wasWaiting = isWaiting;
    this.#timer = this.#options.clock.after(pauseMs, () => {
      this.#timer = undefined;
      this.#reading = this.#readAll().then(() => {
        this.#reading = undefined;
        this.#step();
      });
    });
  }

  async #readAll(): Promise<void> {
    await Promise.all(
      this.#judge
        .watched()
        .slice(0, maxReads)
        .map((node) => this.#read(node)),
    );
  }

  /** Reads the Lease of a node, and all reports unless they were just read. Resolves to false when one of these reads failed. */
  async #read(node: string): Promise<boolean> {
    const { clock, logger } = this.#options;
    const sentMs = clock.now();
    try {
      if (clock.now() - this.#reportsReadAtMs > reportsFreshMs)
        this.#readingReports ??= this.#readReports().finally(() => {
          this.#readingReports = undefined;
        });
      const [lease] = await Promise.all([
        this.#get(`${paths.leases(nodeLeaseNamespace)}/${node}`),
        this.#readingReports,
      ]);
      const renewTime = lease && (new ObjectReader(lease).object('spec').text('renewTime') ?? '');
      this.#judge.setLease(node, renewTime, clock.now(), sentMs);
      return true;
    } catch (error) {
      logger.debug({ node, reason: String(error) }, 'signs of life not read');
      return false;
    }
  }

  /** Reads all reports as they are now. The watch may be behind. */
  async #readReports(): Promise<void> {
    const { client, clock, namespace, signal } = this.#options;
    const sentMs = clock.now();
    const reports = listPages(client, paths.leases(namespace), {
      ...{ query: { labelSelector: speakerPodSelector }, pageSize: reportPageSize },
      ...{ timeoutMs: readTimeoutMs, signal },
    });
    for await (const { items } of reports)
      for (const item of items) {
        const report = decodeDeathReport(readRawObject(item));
        if (report) this.#takeReport(report.speaker, report);
      }
    this.#reportsReadAtMs = sentMs;
    this.#judge.noteReportsRead(sentMs);
  }

  async #get(path: string): Promise<RawObject | undefined> {
    const { client, signal } = this.#options;
    try {
      return await client.request<RawObject>({ method: 'GET', path, timeoutMs: readTimeoutMs, signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #noteDecision(decision: DeathDecision): void {
    const { logger, recorder } = this.#options;
    const { node, state, reason, reports, speakers } = decision;
    const before = this.#decisions.find((each) => each.node === node);
    if (before?.state === state && before.reason === reason) return;
    recorder.record('dead-nodes', state, { kind: 'decision', node, reports, speakers, reason }, []);
    if (state === 'held')
      logger.warn({ node, reports, speakers, reason }, 'node is reported dead, but its Pods are not marked');
  }

  #dead({ node, reports, speakers }: DeathDecision): void {
    const { clock, logger, metrics } = this.#options;
    this.#judge.mark(node, clock.now());
    this.#decisions = this.#decisions.map((each) =>
      each.node === node ? { ...each, state: 'marked' as const } : each,
    );
    logger.warn({ node, reports, speakers }, 'node is dead: its Pods are set to not ready');
    metrics.nodeDeaths.inc({ result: 'marked' });
    this.#record(
      node,
      'NodeDead',
      `node ${node} is dead: ${reports} of ${speakers} speakers get no answer from it, and it does not renew its Lease. Its Pods are set to not ready`,
    );
    const marking = this.#mark(node).finally(() => this.#marking.delete(marking));
    this.#marking.add(marking);
  }

  async #mark(node: string): Promise<void> {
    const { client, clock, logger, metrics, signal } = this.#options;
    const isStillDead = async () =>
      !signal.aborted && (await this.#read(node)) && this.#judge.isMarked(node, clock.now());
    let total = 0;
    let pauseMs = markRetryMs;
    // A failed request says nothing about the Pods, so a round counts only if a Pod changed during it.
    for (let conflicts = 0; conflicts < maxMarkTries && !signal.aborted; ) {
      let hasFailed = false;
      try {
        const { marked, skipped, isStopped, failure } = await markPods(node, {
          client,
          epochMs: () => clock.epochMs(),
          isStillDead,
        });
        total += marked;
        metrics.podsMarked.inc(marked);
        if (failure !== undefined) throw failure;
        if (!isStopped && skipped === 0) break;
        if (isStopped) hasFailed = true;
        else conflicts++;
      } catch (error) {
        logger.warn({ node, reason: String(error) }, 'Pods of a dead node not marked, retrying');
        hasFailed = true;
      }
      pauseMs = hasFailed ? Math.min(2 * pauseMs, longestMarkRetryMs) : markRetryMs;
      await pause(clock, pauseMs, signal);
      // A failed read is no sign of life, so the marking goes on as long as the node has its mark.
      if (!this.#judge.hasMark(node)) break;
    }
    if (total > 0) logger.info({ node, pods: total }, 'Pods of a dead node were set to not ready');
    this.#step();
  }

  #returned(node: string, sign: string): void {
    const { logger, metrics, recorder } = this.#options;
    logger.warn({ node, reason: sign }, 'node is not dead: its kubelet sets its Pods to ready again');
    recorder.record('dead-nodes', 'returned', { kind: 'returned', node, reason: sign }, []);
    metrics.nodeDeaths.inc({ result: 'returned' });
    this.#record(
      node,
      'NodeAlive',
      `node ${node}, whose Pods were set to not ready, ${sign}. Its kubelet sets the Pods to ready again`,
    );
  }

  #record(name: string, reason: EventReason, message: string): void {
    const uid = this.#uids.get(name) ?? '';
    this.#options.events.record({
      regarding: regardingNode({ name, uid }),
      type: 'Warning',
      reason,
      message,
    });
  }
}
