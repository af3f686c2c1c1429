import { updateSize } from './codec.ts';
import { gossipOctets } from './draft.ts';
import type { Update } from './packet.ts';

interface QueuedUpdate {
  readonly update: Update;
  sent: number;
}

/** Maximum number of updates to skip because they do not fit the room left in a packet. The maximum bounds the search. */
const maxSkipped = 32;
/** The search ends when a packet has fewer octets of room than this, because hardly any update would fit. */
const leastOctets = 40;

/** The subject of an update. A new update about a subject replaces the older one. */
export function subjectOf(update: Update): string {
  return update.kind === 'payload' ? update.key : `member ${update.name}`;
}

/**
 * Updates that travel in packets sent for other reasons. Each update is sent a limited number of times. Deaths and departures go first, and
 * then the updates that were sent least often.
 *
 *     #bySent[0]: never sent    #bySent[1]: sent once    …    take() moves each taken item one list to the right
 */
export class GossipQueue {
  /** Deaths and departures. They go first, because the long descriptions of live members would hold them up for seconds. */
  readonly #ends: Map<string, QueuedUpdate>[] = [];
  readonly #bySent: Map<string, QueuedUpdate>[] = [];
  readonly #current = new Map<string, QueuedUpdate>();

  /** Queues the update and drops an older one with the same subject. Updates too large for gossip are left to anti-entropy. */
  add(update: Update): void {
    const subject = subjectOf(update);
    this.#drop(subject);
    if (updateSize(update) > gossipOctets) return;
    const queued = { update, sent: 0 };
    this.#current.set(subject, queued);
    this.#put(subject, queued);
  }

  /** Stops spreading deaths. Call it when a partition may have ended, because deaths declared during the partition may be wrong. */
  dropDeaths(): void {
    for (const [subject, { update }] of this.#current)
      if (update.kind === 'member' && update.state === 'dead') this.#drop(subject);
  }

  get size(): number {
    return this.#current.size;
  }

  /** Takes updates of at most `octets` octets in total. An update leaves the queue after it was taken `limit` times. */
  take(octets: number, limit: number): Update[] {
    const taken: [string, QueuedUpdate][] = [];
    let room = octets;
    let skipped = 0;
    for (const queue of [...this.#ends, ...this.#bySent]) {
      for (const entry of queue) {
        if (room < leastOctets || skipped >= maxSkipped) break;
        const size = updateSize(entry[1].update);
        if (size > room) {
          skipped++;
          continue;
        }
        room -= size;
        taken.push(entry);
      }
    }
    for (const [subject, queued] of taken) {
      this.#listsOf(queued)[queued.sent]?.delete(subject);
      queued.sent++;
      if (queued.sent >= limit) this.#current.delete(subject);
      else this.#put(subject, queued);
    }
    return taken.map(([, { update }]) => update);
  }

  #put(subject: string, queued: QueuedUpdate): void {
    const lists = this.#listsOf(queued);
    const queue = lists[queued.sent] ?? new Map<string, QueuedUpdate>();
    lists[queued.sent] = queue.set(subject, queued);
  }

  #listsOf({ update }: QueuedUpdate): Map<string, QueuedUpdate>[] {
    const isEnd = update.kind === 'member' && (update.state === 'dead' || update.state === 'left');
    return isEnd ? this.#ends : this.#bySent;
  }

  #drop(subject: string): void {
    const queued = this.#current.get(subject);
    if (!queued) return;
    this.#listsOf(queued)[queued.sent]?.delete(subject);
    this.#current.delete(subject);
  }
}
