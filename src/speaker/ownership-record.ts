import { systemClock } from '../clock.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { EventRecorder } from '../kubernetes/event-recorder.ts';
import { objectKey, type Service } from '../kubernetes/model.ts';
import { annotations } from '../kubernetes/names.ts';
import { WorkQueue } from '../kubernetes/work-queue.ts';
import { isConflict, isNotFound, patchServiceAnnotations } from '../kubernetes/write.ts';
import type { Announcing } from '../layer2/table.ts';
import type { Logger } from '../log.ts';
import { type Announcer, parseAnnouncing, recordAnnouncing } from './announcing.ts';

/**
 * Writes down on each Service who answers for its layer-2 addresses (`bellman.dev/announcing`), once this node does. The record is
 * compared with what is, again and again, so that it also comes right after an API server's absence. Only the owner writes; the
 * node that lost an address leaves the record to its successor.
 */
export class OwnershipRecord {
  readonly #nodeName: string;
  readonly #client: KubernetesClient;
  readonly #events: EventRecorder;
  readonly #logger: Logger;
  readonly #service: (key: string) => Service | undefined;
  readonly #owned = new Map<string, Announcer>();
  readonly #queue: WorkQueue;

  constructor(options: {
    readonly nodeName: string;
    readonly client: KubernetesClient;
    readonly events: EventRecorder;
    readonly logger: Logger;
    readonly service: (key: string) => Service | undefined;
  }) {
    this.#nodeName = options.nodeName;
    this.#client = options.client;
    this.#events = options.events;
    this.#logger = options.logger;
    this.#service = options.service;
    this.#queue = new WorkQueue({
      clock: systemClock,
      concurrency: 4,
      work: (key) => this.#write(key),
      onError: (service, error, retryInMs) => {
        if (!isConflict(error))
          this.#logger.debug(
            { service, reason: String(error), retryInMs },
            'announcing record not written yet',
          );
      },
    });
  }

  /** This node has begun to answer. */
  started({ address, interfaces }: Announcing, services: readonly Service[]): void {
    this.#owned.set(address, { node: this.#nodeName, interfaces });
    for (const service of services) this.#queue.add(objectKey(service));
  }

  /** This node has ceased to answer. */
  stopped(address: string): void {
    this.#owned.delete(address);
  }

  /** A Service has changed: its record may be missing or wrong. */
  serviceChanged(service: Service): void {
    if (service.ingress.some(({ ip }) => this.#owned.has(ip))) this.#queue.add(objectKey(service));
  }

  stop(): void {
    this.#queue.stop();
  }

  async #write(key: string): Promise<void> {
    const service = this.#service(key);
    if (!service) return;
    const taken = new Map(
      service.ingress.flatMap(({ ip }) => {
        const announcer = this.#owned.get(ip);
        return announcer ? [[ip, announcer] as const] : [];
      }),
    );
    const record = taken.size === 0 ? undefined : recordAnnouncing(service, taken);
    if (record === undefined) return;
    try {
      await patchServiceAnnotations(
        this.#client,
        service,
        { [annotations.announcing]: record },
        service.resourceVersion,
      );
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    const before = parseAnnouncing(service);
    for (const [address, { node, interfaces }] of taken) {
      if (before.get(address)?.node === node) continue;
      this.#events.record({
        regarding: { kind: 'Service', namespace: service.namespace, name: service.name, uid: service.uid },
        type: 'Normal',
        reason: 'NodeAssigned',
        message: `node ${node} answers for ${address} on ${interfaces.join(', ')}`,
      });
    }
  }
}
