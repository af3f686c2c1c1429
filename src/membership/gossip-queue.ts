import { updateSize } from './codec.ts';
import { gossipOctets } from './draft.ts';
import type { Update } from './packet.ts';

interface QueuedUpdate {
  readonly update: Update;
  sent: number;
}

/** Updates that do not fit the room left in a packet are skipped, but only so many, to bound the search. */
const maxSkipped = 32;
/** No update is smaller. */
const leastOctets = 40;

/** The subject of an update: news about a subject replaces older news. */
export function subjectOf(update: Update): string {
  return update.kind === 'payload' ? update.key : `member ${update.name}`;
}

/**
 * News that travels with the packets that go out anyway, each item a limited number of times, the least sent first.
 *
 *     #bySent[0]: never sent    #bySent[1]: sent once    …    take() moves each item that it takes one list to the right
 */
export class GossipQueue {
  readonly #bySent: Map<string, QueuedUpdate>[] = [];
  readonly #current = new Map<string, QueuedUpdate>();

  /** Queues the update in place of older news on its subject. An update too large to ride along is left to anti-entropy. */
  add(update: Update): void {
    const subject = subjectOf(update);
    this.#drop(subject);
    if (updateSize(update) > gossipOctets) return;
    const queued = { update, sent: 0 };
    this.#current.set(subject, queued);
    this.#put(subject, queued);
  }

  /** Stops spreading deaths, for instance when they turn out to be doubtful. */
  dropDeaths(): void {
    for (const [subject, { update }] of this.#current)
      if (update.kind === 'member' && update.state === 'dead') this.#drop(subject);
  }

  get size(): number {
    return this.#current.size;
  }

  /** Updates of at most so many octets together. Each update is taken `limit` times in all. */
  take(octets: number, limit: number): Update[] {
    const taken: [string, QueuedUpdate][] = [];
    let room = octets;
    let skipped = 0;
    for (const queue of this.#bySent) {
      for (const entry of queue) {
        if (room < leastOctets || skipped > maxSkipped) break;
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
      this.#bySent[queued.sent]?.delete(subject);
      queued.sent++;
      if (queued.sent >= limit) this.#current.delete(subject);
      else this.#put(subject, queued);
    }
    return taken.map(([, { update }]) => update);
  }

  #put(subject: string, queued: QueuedUpdate): void {
    const queue = this.#bySent[queued.sent] ?? new Map<string, QueuedUpdate>();
    this.#bySent[queued.sent] = queue.set(subject, queued);
  }

  #drop(subject: string): void {
    const queued = this.#current.get(subject);
    if (!queued) return;
    this.#bySent[queued.sent]?.delete(subject);
    this.#current.delete(subject);
  }
}
