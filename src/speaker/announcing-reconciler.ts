/**
 * Keeps the record of layer-2 owners on each Service (`bellman.dev/announcing`), one line per address.
 *
 *   begins to answer ──────→ writes its line at once, over the previous owner's
 *   line overwritten ──────→ waits before it writes its line again, longer each time until a partition ends (`record-contest.ts`)
 *   stopped answering ─────→ removes its line after `patienceMs`, unless a successor has overwritten it
 *   node dead ─────────────→ one live node removes the dead node's line, also after `patienceMs`
 *   Service lost the address → its line is removed after `patienceMs`, without an event
 *
 * A sweep compares the record with the facts every two seconds, for the Services that have a line or an address of this node, so the record is soon
 * correct again after an API server outage. Before this node removes a line, it asks the layer-2 process whether a live node claims the address. If a
 * live node does, the line stays until that node overwrites it, and no event reports the address as unanswered.
 */
import type { Clock, Timer } from '../clock.ts';
import { type Announcer, parseAnnouncing, recordAnnouncing } from '../cluster/announcing.ts';
import { annotations } from '../cluster/names.ts';
import type { Api } from '../kubernetes/api.ts';
import { isConflict, isNotFound } from '../kubernetes/api-error.ts';
import type { EventRecord } from '../kubernetes/events.ts';
import { objectKey } from '../kubernetes/model.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { patchServiceAnnotations } from '../kubernetes/write.ts';
import type { Announcing } from '../layer2/messages.ts';
import type { Logger } from '../log.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { KeptService } from './kept-objects.ts';
import {
  lineSeen,
  lineWritten,
  mayWriteLine,
  newContest,
  partitionEnded,
  type RecordContest,
  type SeenLine,
} from './record-contest.ts';
import { nextStaleLines, type StaleLines } from './stale-lines.ts';

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
  /** By `namespace/name`. */
  readonly services: ReadonlyMap<string, KeptService>;
  /** Whether the Service's load balancer class is Bellman's. */
  readonly isOurs: (service: KeptService) => boolean;
  /** Whether this node acts for a dead node. */
  readonly actsForDeadNode: (node: string) => boolean;
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
  /** Addresses whose lines to remove, because no node answers for them or the Service has lost them. */
  readonly abandoned: ReadonlySet<string>;
}

export class AnnouncingReconciler {
  readonly #options: AnnouncingReconcilerOptions;
  readonly #owned = new Map<string, Announcer>();
  /** Contests by owned address. */
  readonly #contests = new Map<string, RecordContest>();
  #stale: StaleLines = new Map();
  /** Services that have a line, or an address that this node answers for. No other Service can need a change. */
  readonly #concerned = new Set<string>();
  /** Parsed records. Each sweep reads all Services but few of them change, so each record is parsed only once. */
  readonly #lines = new WeakMap<KeptService, readonly Line[]>();
  readonly #queue: WorkQueue;
  #sweep: Timer | undefined;

  constructor(options: AnnouncingReconcilerOptions) {
    this.#options = options;
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
      this.#sweepAll();
      this.start();
    });
  }

  stop(): void {
    this.#sweep?.cancel();
    this.#queue.stop();
  }

  /** This node has begun to answer for an address of these Services. */
  started({ address, interfaces }: Announcing, services: readonly KeptService[]): void {
    this.#owned.set(address, { node: this.#options.nodeName, interfaces });
    this.#contests.set(address, newContest);
    for (const service of services) {
      this.#concerned.add(objectKey(service));
      this.#queue.add(objectKey(service));
    }
  }

  /** This node has stopped answering for an address. */
  stopped(address: string): void {
    this.#owned.delete(address);
    this.#contests.delete(address);
  }

  /** A member that was dead is alive again. */
  partitionEnded(): void {
    for (const [address, contest] of this.#contests) this.#contests.set(address, partitionEnded(contest));
  }

  /** A Service has changed, so its record may lack a line of this node. */
  serviceChanged(service: KeptService): void {
    if (this.#concerns(service)) this.#concerned.add(objectKey(service));
    if (this.#mayTouch(service) && this.#isOverdue(service)) this.#queue.add(objectKey(service));
  }

  #sweepAll(): void {
    const { client, services, clock, guard } = this.#options;
    // While the API server does not answer, no successor can write its line. Once the server answers again, each successor gets the full
    // `patienceMs`.
    if (!client.reachability.isAnswering) {
      this.#stale = new Map();
      return;
    }
    const stale = new Map<string, readonly string[]>();
    for (const key of this.#concerned)
      guard.run({ entrance: 'watch', source: `Service ${key}` }, () => {
        const service = services.get(key);
        if (!service || !this.#concerns(service)) {
          this.#concerned.delete(key);
          return;
        }
        if (!this.#mayTouch(service)) return;
        if (this.#isOverdue(service)) this.#queue.add(key);
        const addresses = this.#linesOf(service)
          .filter(([address, { node }]) => this.#isStale(service, address, node))
          .map(([address]) => address);
        if (addresses.length > 0) stale.set(key, addresses);
      });
    this.#stale = nextStaleLines(this.#stale, stale, clock.now());
    for (const [key, since] of this.#stale)
      if ([...since.values()].some((at) => this.#isDue(at))) this.#queue.add(key);
  }

  #concerns(service: KeptService): boolean {
    return this.#linesOf(service).length > 0 || service.ingress.some(({ ip }) => this.#owned.has(ip));
  }

  /**
   * Whether this node may change the Service's record. A Service with the class of another implementation is left alone. A Service that was
   * a LoadBalancer earlier may still carry a record, which this node removes.
   */
  #mayTouch(service: KeptService): boolean {
    if (service.deleting) return false;
    return service.type !== 'LoadBalancer' || this.#options.isOurs(service);
  }

  /** Whether the record lacks a line that this node may write now. */
  #isOverdue(service: KeptService): boolean {
    const lines = new Map(this.#linesOf(service));
    return service.ingress.some(({ ip }) => {
      const own = this.#owned.get(ip);
      const line = lines.get(ip);
      return own !== undefined && this.#mayWrite(ip, line) && !isSameLine(line, own);
    });
  }

  /** Notes the line as seen, and returns whether this node's line may replace it. */
  #mayWrite(address: string, line: Announcer | undefined): boolean {
    const nowMs = this.#options.clock.now();
    const seen = this.#seen(line);
    const contest = lineSeen(this.#contests.get(address) ?? newContest, seen, nowMs);
    this.#contests.set(address, contest);
    return mayWriteLine(contest, seen, nowMs);
  }

  /** A dead node's line counts as absent, because a dead node does not overwrite this node's line. */
  #seen(line: Announcer | undefined): SeenLine {
    if (line === undefined) return 'absent';
    if (line.node === this.#options.nodeName) return 'ours';
    return this.#options.actsForDeadNode(line.node) ? 'absent' : 'other';
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
    for (const address of change.taken.keys()) this.#written(address, change.before.get(address));
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
        return announcer && this.#mayWrite(ip, before.get(ip)) ? [[ip, announcer] as const] : [];
      }),
    );
    const abandoned = new Set(
      due.filter(
        (address) => !hasAddress(service, address) || !(claimed.has(address) || this.#owned.has(address)),
      ),
    );
    return { before, taken, abandoned };
  }

  #written(address: string, over: Announcer | undefined): void {
    const contest = this.#contests.get(address);
    if (contest) this.#contests.set(address, lineWritten(contest, this.#seen(over)));
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
