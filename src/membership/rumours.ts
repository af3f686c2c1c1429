import { updateSize } from './codec.ts';
import type { Update } from './packet.ts';

interface Rumour {
  readonly update: Update;
  sent: number;
}

/** What an update is about: news on the same subject replaces older news. */
export function subjectOf(update: Update): string {
  return update.kind === 'payload' ? update.key : `member ${update.name}`;
}

/**
 * News to pass on with whatever packet goes out, each a limited number of times, the least told first.
 *
 *     #bySent[0]: never told    #bySent[1]: told once …    take() moves what it takes one to the right
 */
export class Rumours {
  readonly #bySent: Map<string, Rumour>[] = [];
  readonly #current = new Map<string, Rumour>();

  add(update: Update): void {
    const subject = subjectOf(update);
    this.#drop(subject);
    const rumour = { update, sent: 0 };
    this.#current.set(subject, rumour);
    this.#put(subject, rumour);
  }

  /** What is doubtful is passed on no longer. */
  dropDeaths(): void {
    for (const [subject, { update }] of this.#current)
      if (update.kind === 'member' && update.state === 'dead') this.#drop(subject);
  }

  get size(): number {
    return this.#current.size;
  }

  /** Updates of at most so many octets together, to be told `limit` times in all. */
  take(octets: number, limit: number): Update[] {
    const taken: [string, Rumour][] = [];
    let room = octets;
    for (const rumours of this.#bySent) {
      for (const entry of rumours) {
        const size = updateSize(entry[1].update);
        if (size > room) break;
        room -= size;
        taken.push(entry);
      }
      if (room < 40) break;
    }
    for (const [subject, rumour] of taken) {
      this.#bySent[rumour.sent]?.delete(subject);
      rumour.sent++;
      if (rumour.sent >= limit) this.#current.delete(subject);
      else this.#put(subject, rumour);
    }
    return taken.map(([, { update }]) => update);
  }

  #put(subject: string, rumour: Rumour): void {
    const rumours = this.#bySent[rumour.sent] ?? new Map<string, Rumour>();
    this.#bySent[rumour.sent] = rumours.set(subject, rumour);
  }

  #drop(subject: string): void {
    const rumour = this.#current.get(subject);
    if (!rumour) return;
    this.#bySent[rumour.sent]?.delete(subject);
    this.#current.delete(subject);
  }
}

/** Splits updates into lists that fit a datagram each. */
export function chunks(updates: readonly Update[], octets: number): Update[][] {
  const result: Update[][] = [];
  let room = 0;
  for (const update of updates) {
    const size = updateSize(update);
    const last = result.at(-1);
    if (last && size <= room) last.push(update);
    else {
      result.push([update]);
      room = octets;
    }
    room -= size;
  }
  return result;
}
