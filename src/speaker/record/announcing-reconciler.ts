/**
 * Keeps the record of layer-2 owners on each Service (`bellman.dev/announcing`), one line per address.
 *
 *   node begins to answer ───→ it writes its line at once, over the line of the previous owner
 *   its line is overwritten ─→ it waits before it writes its line again, longer each time until a partition ends (`record-contest.ts`)
 *   node stops answering ────→ it removes its line after `patienceMs`, unless a successor has overwritten the line
 *   node is dead ────────────→ one live node removes the line of the dead node, also after `patienceMs`
 *   address left the Service → the line of the address is removed after `patienceMs`, without an event
 *
 * After each of these changes, the records that it concerns are unsettled: they may be wrong. Every two seconds, a sweep compares the unsettled
 * records with the facts, in slices, until they are right. The record is therefore soon correct again after an API server outage, and a record
 * that is right costs nothing. Before this node removes a line, it asks the layer-2 process whether a live node claims the address. If a live
 * node does, the line stays until that node overwrites it, and no event reports the address as unanswered.
 */
import type { Clock, Timer } from '../../clock.ts';
import { type Announcer, parseAnnouncing, recordAnnouncing } from '../../cluster/announcing.ts';
import { annotations } from '../../cluster/names.ts';
import type { Api } from '../../kubernetes/api.ts';
import { isConflict, isNotFound } from '../../kubernetes/api-error.ts';
import type { EventRecord } from '../../kubernetes/events.ts';
import { objectKey } from '../../kubernetes/model.ts';
import { WorkQueue } from '../../kubernetes/work-queue.ts';
import { patchServiceAnnotations } from '../../kubernetes/write.ts';
import type { Announcing } from '../../layer2/messages.ts';
import type { Logger } from '../../log.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { TurnHandle, Turns } from '../../turns.ts';
import type { KeptService } from '../plan/kept-objects.ts';
import { ServiceIndex } from '../service-index.ts';
import {
  lineSeen,
  lineWritten,
  mayWriteLine,
  newContest,
  partitionEnded,
  type RecordContest,
  type SeenLine,
} from './record-contest.ts';

/**
 * How long a stale line stays before it is removed. The time is longer than a successor needs to answer and to write its line, so a
 * handover changes the line only once.
 */
const patienceMs = 8000;
const sweepMs = 2000;
const writers = 4;

type Line = readonly [address: string, announcer: Announcer];
const noLines: readonly Line[] = [];

export interface AnnouncingReconcilerOptions {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly client: Api;
  readonly events: { record(event: EventRecord): void };
  readonly logger: Logger;
  readonly guard: Guard;
  readonly turns: Turns;
  /** By `namespace/name`. */
  readonly services: ReadonlyMap<string, KeptService>;
  /** Whether the Service's load balancer class is Bellman's. */
  readonly isOurs: (service: KeptService) => boolean;
  /** Whether this node acts for a dead node. */
  readonly actsForDeadNode: (node: string) => boolean;
  /** Whether a node is dead, whichever node acts for it. */
  readonly isDead: (node: string) => boolean;
  /** Of the given addresses, returns those that this node or another live node claims in layer 2. */
  readonly claimed: (addresses: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Why no node answers for an address of the Service. */
  readonly unansweredReason: (service: KeptService, address: string) => string;
}

/** Changes to one Service's record. */
interface RecordChange {
  readonly before: ReadonlyMap<string, Announcer>;
  /** Lines to write for this node. */
  readonly taken: ReadonlyMap<string, Announcer>;
  /** Addresses whose lines are to be removed, because no node answers for them or the Service has lost them. */
  readonly abandoned: ReadonlySet<string>;
}

/**
 * The contest (`record-contest.ts`) for this node's line in one record. It counts only while `own` is the object in `#owned`. The next call of
 * `started` for the address puts a new object there, and `stopped` removes it.
 */
interface OwnContest {
  readonly own: Announcer;
  readonly contest: RecordContest;
}

export class AnnouncingReconciler {
  readonly #options: AnnouncingReconcilerOptions;
  readonly #owned = new Map<string, Announcer>();
  /** Contests by Service, then by owned address. Services that share an address have a record each. */
  readonly #contests = new Map<string, Map<string, OwnContest>>();
  /** The time at which each line was first found to be no longer true, by Service, then by address. */
  readonly #stale = new Map<string, ReadonlyMap<string, number>>();
  /** Services whose record may be wrong. */
  readonly #unsettled = new Set<string>();
  /** Services by the nodes in their records. */
  readonly #byNode = new ServiceIndex();
  /** Services by the addresses in the lines of this node. */
  readonly #byOwnAddress = new ServiceIndex();
  /** Dead nodes that have lines in records, and for which this node acts. */
  #deadNodes: ReadonlySet<string> = new Set();
  readonly #task: TurnHandle;
  /** Services that the current sweep has not reached yet. */
  #toSweep: string[] = [];
  /** Parsed records. A record is read several times before it is settled. */
  readonly #lines = new WeakMap<KeptService, readonly Line[]>();
  readonly #queue: WorkQueue;
  #sweep: Timer | undefined;

  constructor(options: AnnouncingReconcilerOptions) {
    this.#options = options;
    this.#task = options.turns.task({
      name: 'announcing records',
      step: () => this.#sweepNext(),
      remaining: () => this.#toSweep.length,
    });
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: writers,
      reachability: options.client.reachability,
      work: (key) => this.#reconcile(key),
      onError: (service, error, retryInMs) => {
        if (isConflict(error)) return;
        options.logger.debug(
          { service, reason: String(error), retryInMs },
          'announcing record not written, retrying',
        );
      },
    });
  }

  /** Starts the sweeps. Call it once all Services are known. */
  start(): void {
    this.#sweep ??= this.#options.clock.after(sweepMs, () => {
      this.#sweep = undefined;
      this.#beginSweep();
      this.start();
    });
  }

  stop(): void {
    this.#sweep?.cancel();
    this.#task.end();
    this.#queue.stop();
  }

  /** This node has begun to answer for an address of these Services. */
  started({ address, interfaces }: Announcing, services: readonly KeptService[]): void {
    this.#owned.set(address, { node: this.#options.nodeName, interfaces });
    for (const service of services) {
      this.#unsettled.add(objectKey(service));
      this.#queue.add(objectKey(service));
    }
  }

  /** This node has stopped answering for an address. */
  stopped(address: string): void {
    this.#owned.delete(address);
    for (const key of this.#byOwnAddress.of(address)) this.#unsettled.add(key);
  }

  /** A member that was dead is alive again. */
  partitionEnded(): void {
    for (const contests of this.#contests.values())
      for (const [address, { own, contest }] of contests)
        contests.set(address, { own, contest: partitionEnded(contest) });
  }

  /** A Service has changed, so its record may lack a line of this node. */
  serviceChanged(service: KeptService): void {
    const key = objectKey(service);
    const lines = this.#linesOf(service);
    this.#byNode.set(key, [...new Set(lines.map(([, { node }]) => node))]);
    this.#byOwnAddress.set(
      key,
      lines.flatMap(([address, { node }]) => (node === this.#options.nodeName ? [address] : [])),
    );
    const isOwned = service.ingress.some(({ ip }) => this.#owned.has(ip));
    if (!isOwned) this.#contests.delete(key);
    if (lines.length === 0 && !isOwned) return this.#settle(key);
    this.#unsettled.add(key);
    if (this.#mayTouch(service) && this.#missingLines(service).includes('may be written'))
      this.#queue.add(key);
  }

  serviceGone(key: string): void {
    this.#byNode.set(key, []);
    this.#byOwnAddress.set(key, []);
    this.#contests.delete(key);
    this.#settle(key);
  }

  #settle(key: string): void {
    this.#unsettled.delete(key);
    this.#stale.delete(key);
  }

  #beginSweep(): void {
    // While the API server does not answer, no successor can write its line. Once the server answers again, each successor gets the full
    // `patienceMs`.
    if (!this.#options.client.reachability.isAnswering) {
      this.#stale.clear();
      this.#toSweep = [];
      return;
    }
    this.#noticeDeadNodes();
    if (this.#toSweep.length > 0) return;
    this.#toSweep = [...this.#unsettled];
    if (this.#toSweep.length > 0) this.#task.request();
  }

  #noticeDeadNodes(): void {
    const { actsForDeadNode, nodeName } = this.#options;
    const dead = new Set<string>();
    for (const node of this.#byNode.terms()) if (node !== nodeName && actsForDeadNode(node)) dead.add(node);
    for (const node of dead.symmetricDifference(this.#deadNodes))
      for (const key of this.#byNode.of(node)) this.#unsettled.add(key);
    this.#deadNodes = dead;
  }

  /** Compares one record with the facts. Returns false after the last one of a sweep. */
  #sweepNext(): boolean {
    const key = this.#toSweep.pop();
    if (key === undefined) return false;
    this.#options.guard.run({ entrance: 'watch', source: `Service ${key}` }, () => this.#compare(key));
    return this.#toSweep.length > 0;
  }

  #compare(key: string): void {
    const service = this.#options.services.get(key);
    if (!service || !this.#mayTouch(service)) return this.#settle(key);
    const nowMs = this.#options.clock.now();
    const before = this.#stale.get(key);
    const stale = new Map(
      this.#linesOf(service).flatMap(([address, { node }]) =>
        this.#isStale(service, address, node) ? [[address, before?.get(address) ?? nowMs] as const] : [],
      ),
    );
    const missing = this.#missingLines(service);
    if (missing.length === 0 && stale.size === 0) return this.#settle(key);
    this.#stale.set(key, stale);
    if (missing.includes('may be written') || [...stale.values()].some((at) => this.#isDue(at)))
      this.#queue.add(key);
  }

  /**
   * Whether this node may change the Service's record. A Service with the class of another implementation is left alone. A Service that was
   * a LoadBalancer earlier may still carry a record, which this node removes.
   */
  #mayTouch(service: KeptService): boolean {
    if (service.deleting) return false;
    return service.type !== 'LoadBalancer' || this.#options.isOurs(service);
  }

  /** For each line of this node that the record lacks, whether it may be written now. */
  #missingLines(service: KeptService): ('may be written' | 'must wait')[] {
    const lines = new Map(this.#linesOf(service));
    return service.ingress.flatMap(({ ip }) => {
      const own = this.#owned.get(ip);
      if (!own) return [];
      const line = lines.get(ip);
      const mayWrite = this.#mayWrite(objectKey(service), ip, line);
      if (isSameLine(line, own)) return [];
      return mayWrite ? 'may be written' : 'must wait';
    });
  }

  /** Notes the line as seen, and returns whether this node's line may replace it. */
  #mayWrite(key: string, address: string, line: Announcer | undefined): boolean {
    const nowMs = this.#options.clock.now();
    const seen = this.#seen(line);
    const contest = lineSeen(this.#contestOf(key, address), seen, nowMs);
    this.#setContest(key, address, contest);
    return mayWriteLine(contest, seen, nowMs);
  }

  #contestOf(key: string, address: string): RecordContest {
    const known = this.#contests.get(key)?.get(address);
    return known && known.own === this.#owned.get(address) ? known.contest : newContest;
  }

  #setContest(key: string, address: string, contest: RecordContest): void {
    const own = this.#owned.get(address);
    if (!own || contest === this.#contestOf(key, address)) return;
    const contests = this.#contests.get(key) ?? new Map<string, OwnContest>();
    this.#contests.set(key, contests.set(address, { own, contest }));
  }

  /** A dead node's line counts as absent, because a dead node does not overwrite this node's line. */
  #seen(line: Announcer | undefined): SeenLine {
    if (line === undefined) return 'absent';
    if (line.node === this.#options.nodeName) return 'ours';
    return this.#options.isDead(line.node) ? 'absent' : 'other';
  }

  /** Whether a line is no longer true and this node must remove it. */
  #isStale(service: KeptService, address: string, node: string): boolean {
    const { nodeName, actsForDeadNode } = this.#options;
    if (node !== nodeName && !actsForDeadNode(node)) return false;
    return !this.#owned.has(address) || !hasAddress(service, address);
  }

  #isDue(sinceMs: number): boolean {
    return this.#options.clock.now() - sinceMs >= patienceMs;
  }

  #linesOf(service: KeptService): readonly Line[] {
    let lines = this.#lines.get(service);
    if (!lines) {
      lines =
        service.annotations[annotations.announcing] === undefined ? noLines : [...parseAnnouncing(service)];
      this.#lines.set(service, lines);
    }
    return lines;
  }

  async #reconcile(key: string): Promise<void> {
    const { client, services } = this.#options;
    const service = services.get(key);
    if (!service || !this.#mayTouch(service)) return;
    const change = await this.#changeOf(key, service);
    if (change.taken.size + change.abandoned.size === 0) return;
    const record = recordAnnouncing(service, change.taken, change.abandoned);
    if (record === undefined) return;
    try {
      await patchServiceAnnotations(
        client,
        service,
        { [annotations.announcing]: record },
        service.resourceVersion,
      );
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    for (const address of change.taken.keys()) this.#written(key, address, change.before.get(address));
    this.#recordEvents(service, change);
  }

  async #changeOf(key: string, service: KeptService): Promise<RecordChange> {
    const before = parseAnnouncing(service);
    const due = [...(this.#stale.get(key) ?? [])].flatMap(([address, since]) => {
      const line = before.get(address);
      return line && this.#isDue(since) && this.#isStale(service, address, line.node) ? [address] : [];
    });
    const claimed = due.length > 0 ? await this.#options.claimed(due) : new Set<string>();
    // Read the owned addresses only now, because they may have changed during the call above.
    const taken = new Map(
      service.ingress.flatMap(({ ip }) => {
        const announcer = this.#owned.get(ip);
        return announcer && this.#mayWrite(key, ip, before.get(ip)) ? [[ip, announcer] as const] : [];
      }),
    );
    const abandoned = new Set(
      due.filter(
        (address) => !hasAddress(service, address) || !(claimed.has(address) || this.#owned.has(address)),
      ),
    );
    return { before, taken, abandoned };
  }

  #written(key: string, address: string, over: Announcer | undefined): void {
    this.#setContest(key, address, lineWritten(this.#contestOf(key, address), this.#seen(over)));
  }

  #recordEvents(service: KeptService, { before, taken, abandoned }: RecordChange): void {
    const { events, unansweredReason } = this.#options;
    const { namespace, name, uid } = service;
    const regarding = { kind: 'Service', namespace, name, uid } as const;
    for (const [address, { node, interfaces }] of taken)
      if (before.get(address)?.node !== node)
        events.record({
          regarding,
          type: 'Normal',
          reason: 'NodeAssigned',
          message: `node ${node} answers for ${address} on ${interfaces.join(', ')}`,
        });
    for (const address of abandoned)
      if (hasAddress(service, address))
        events.record({
          regarding,
          type: 'Normal',
          reason: 'NodeUnassigned',
          message: `no node answers for ${address} any more: ${unansweredReason(service, address)}`,
        });
  }
}

function hasAddress({ ingress }: KeptService, address: string): boolean {
  return ingress.some(({ ip }) => ip === address);
}

function isSameLine(line: Announcer | undefined, own: Announcer): boolean {
  return line?.node === own.node && line.interfaces.join() === own.interfaces.join();
}
