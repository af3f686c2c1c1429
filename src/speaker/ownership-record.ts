import type { Clock, Timer } from '../clock.ts';
import { type Announcer, parseAnnouncing, recordAnnouncing } from '../cluster/announcing.ts';
import { annotations } from '../cluster/names.ts';
import type { Api } from '../kubernetes/api.ts';
import { isConflict, isNotFound } from '../kubernetes/api-error.ts';
import type { EventRecord } from '../kubernetes/events.ts';
import { objectKey, type Service } from '../kubernetes/model.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { patchServiceAnnotations } from '../kubernetes/write.ts';
import type { Announcing } from '../layer2/messages.ts';
import type { Logger } from '../log.ts';

/** Longer than a successor needs to answer and to write it down, so that a handover is one line and not three. */
const patienceMs = 8000;
const sweepMs = 2000;
/**
 * A line that another node has written over ours, though we answer, is written again after so long, and twice as long each time: two
 * sides of a partition both answer, and must not spend it on telling the API server so.
 */
const contestMs = { first: 10_000, most: 600_000 } as const;

type Line = readonly [address: string, announcer: Announcer];
const noLines: readonly Line[] = [];

export interface OwnershipRecordOptions {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly client: Api;
  readonly events: { record(event: EventRecord): void };
  readonly logger: Logger;
  /** By `namespace/name`. */
  readonly services: ReadonlyMap<string, Service>;
  /** Whether the record of the Service is for speakers like this one to keep. */
  readonly isOurs: (service: Service) => boolean;
  /** Whether it falls to this node to speak for one that cannot write any more. */
  readonly speaksFor: (node: string) => boolean;
  /** Why nobody answers for an address of the Service. */
  readonly whyNobody: (service: Service, address: string) => string;
}

/**
 * Writes down on each Service who answers for its layer-2 addresses (`bellman.dev/announcing`). The record is compared with what is,
 * again and again, so that it also comes right after an API server's absence. Whoever begins to answer writes its line over that of
 * whom it follows; a line whose node has not answered for a while, and that nobody has written over, is taken out by that node, or for
 * one that is gone by another.
 */
export class OwnershipRecord {
  readonly #options: OwnershipRecordOptions;
  readonly #owned = new Map<string, Announcer>();
  /** By address: when our line was written last, and how long one written over it stays. */
  readonly #written = new Map<string, { readonly at: number; readonly pauseMs: number }>();
  /** By Service, by address: since when its line has not been true. */
  #doubts: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map();
  /** All are looked at every sweep, and few change: each is read once. */
  readonly #lines = new WeakMap<Service, readonly Line[]>();
  readonly #queue: WorkQueue;
  #sweep: Timer | undefined;

  constructor(options: OwnershipRecordOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: 4,
      reachability: options.client.reachability,
      work: (key) => this.#write(key),
      onError: (service, error, retryInMs) => {
        if (!isConflict(error))
          options.logger.debug(
            { service, reason: String(error), retryInMs },
            'announcing record not written yet',
          );
      },
    });
  }

  /** The picture is whole: lines that are not true may be looked for. */
  start(): void {
    this.#sweep ??= this.#options.clock.after(sweepMs, () => {
      this.#sweep = undefined;
      this.#look();
      this.start();
    });
  }

  /** This node has begun to answer. */
  started({ address, interfaces }: Announcing, services: readonly Service[]): void {
    this.#owned.set(address, { node: this.#options.nodeName, interfaces });
    this.#written.delete(address);
    for (const service of services) this.#queue.add(objectKey(service));
  }

  /** This node has ceased to answer. */
  stopped(address: string): void {
    this.#owned.delete(address);
    this.#written.delete(address);
  }

  /** A Service has changed: its record may be missing or wrong. */
  serviceChanged(service: Service): void {
    if (this.#isOverdue(service)) this.#queue.add(objectKey(service));
  }

  /** A line of an address of this node is not there, or not true, and may be written. */
  #isOverdue(service: Service): boolean {
    const lines = new Map(this.#linesOf(service));
    return service.ingress.some(({ ip }) => {
      const own = this.#owned.get(ip);
      const line = lines.get(ip);
      if (!own || this.#isContested(ip, line)) return false;
      return line?.node !== own.node || line.interfaces.join() !== own.interfaces.join();
    });
  }

  #isContested(address: string, line: Announcer | undefined): boolean {
    const written = this.#written.get(address);
    const isOthers = line !== undefined && line.node !== this.#options.nodeName;
    return isOthers && written !== undefined && this.#options.clock.now() - written.at < written.pauseMs;
  }

  stop(): void {
    this.#sweep?.cancel();
    this.#queue.stop();
  }

  #look(): void {
    const { client, services, isOurs, clock } = this.#options;
    // A successor that could not write either has its time once the API server is back.
    if (!client.reachability.isAnswering) {
      this.#doubts = new Map();
      return;
    }
    const now = clock.now();
    const doubts = new Map<string, Map<string, number>>();
    for (const [key, service] of services) {
      if (service.deleting || (service.type === 'LoadBalancer' && !isOurs(service))) continue;
      if (this.#isOverdue(service)) this.#queue.add(key);
      const doubtful = this.#linesOf(service).filter(([address, { node }]) =>
        this.#isDoubtful(address, node),
      );
      if (doubtful.length === 0) continue;
      const since = new Map(
        doubtful.map(([address]) => [address, this.#doubts.get(key)?.get(address) ?? now]),
      );
      doubts.set(key, since);
      if ([...since.values()].some((at) => now - at >= patienceMs)) this.#queue.add(key);
    }
    this.#doubts = doubts;
  }

  #linesOf(service: Service): readonly Line[] {
    let lines = this.#lines.get(service);
    if (!lines) {
      lines =
        service.annotations[annotations.announcing] === undefined ? noLines : [...parseAnnouncing(service)];
      this.#lines.set(service, lines);
    }
    return lines;
  }

  #isDoubtful(address: string, node: string): boolean {
    const { nodeName, speaksFor } = this.#options;
    return node === nodeName ? !this.#owned.has(address) : speaksFor(node);
  }

  async #write(key: string): Promise<void> {
    const { client, clock, services } = this.#options;
    const service = services.get(key);
    if (!service) return;
    const before = parseAnnouncing(service);
    const taken = new Map(
      service.ingress.flatMap(({ ip }) => {
        const announcer = this.#owned.get(ip);
        return announcer && !this.#isContested(ip, before.get(ip)) ? [[ip, announcer] as const] : [];
      }),
    );
    const abandoned = new Set(
      [...(this.#doubts.get(key) ?? [])].flatMap(([address, since]) => {
        const line = before.get(address);
        const isDue = clock.now() - since >= patienceMs && line && this.#isDoubtful(address, line.node);
        return isDue ? [address] : [];
      }),
    );
    if (taken.size + abandoned.size === 0) return;
    const record = recordAnnouncing(service, taken, abandoned);
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
    for (const address of taken.keys()) this.#wrote(address, before.get(address));
    this.#tell(service, before, taken, abandoned);
  }

  #wrote(address: string, before: Announcer | undefined): void {
    const { clock, nodeName } = this.#options;
    const last = this.#written.get(address);
    const isAgain = last !== undefined && before !== undefined && before.node !== nodeName;
    const pauseMs = isAgain ? Math.min(contestMs.most, last.pauseMs * 2) : (last?.pauseMs ?? contestMs.first);
    this.#written.set(address, { at: clock.now(), pauseMs });
  }

  #tell(
    service: Service,
    before: ReadonlyMap<string, Announcer>,
    taken: ReadonlyMap<string, Announcer>,
    abandoned: ReadonlySet<string>,
  ): void {
    const { events, whyNobody } = this.#options;
    const regarding = {
      kind: 'Service',
      namespace: service.namespace,
      name: service.name,
      uid: service.uid,
    } as const;
    for (const [address, { node, interfaces }] of taken)
      if (before.get(address)?.node !== node)
        events.record({
          regarding,
          type: 'Normal',
          reason: 'NodeAssigned',
          message: `node ${node} answers for ${address} on ${interfaces.join(', ')}`,
        });
    for (const address of abandoned)
      if (!taken.has(address))
        events.record({
          regarding,
          type: 'Normal',
          reason: 'NodeUnassigned',
          message: `no node answers for ${address} any more: ${whyNobody(service, address)}`,
        });
  }
}
