/**
 * Anti-entropy: finds members that know something else, and exchanges what differs. Each packet carries a summary of its sender's
 * knowledge. When summaries differ for a while, one member sends a digest, and the other answers with the records in the buckets
 * that differ, however many packets that takes:
 *
 *     asks                                answers
 *     digest, wants reply ──────────────→
 *                         ←────────────── records, records, … in steps, so that the socket buffer of the asker holds them
 *                         ←────────────── digest
 *     records, …          ──────────────→
 *
 * A member that starts has met no other member. It exchanges digests with one member after another, and counts as synced when it agrees
 * with several and no exchange is under way.
 */

import { updateSize } from './codec.ts';
import { type Draft, updateOctets } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import type { Knowledge, RecordName } from './knowledge.ts';
import type { Body, Update } from './packet.ts';

/** From one exchange to the next, and the silence after which an exchange is taken for lost. */
export const syncIntervalMs = 300;
/** From the end of an exchange to the next with a member that was not met yet. */
const nextMeetingMs = 100;
/** Packets in a row whose summaries differ. A single one may just have crossed the news. */
const differencesBeforeSync = 3;
/** Members that were not met yet wait so long for other exchanges to begin. */
const meetingPauseMs = 50;
/** A member that never agrees is left to the comparison of summaries after that many exchanges. */
const maxMeetings = 5;
/** Agreement with so many members, or with all if there are fewer, makes this one synced. One alone may itself be starting. */
const agreementsForSync = 3;
/** Packets in the first step of an answer. 64 of 1,400 octets fit a socket buffer of the usual 212,992 octets. */
const packetsAtOnce = 64;
/** Packets in each further step, over all answers under way, and the time between: 2.7 MB a second. */
const packetsPerStep = 20;
const stepMs = 10;
/** Answers under way. A member beyond them asks again. */
const maxAnswers = 32;

interface Exchange {
  readonly partner: string;
  progressAt: number;
}

interface Unmet {
  endpoint: Endpoint;
  meetings: number;
}

/** Records still to be sent to one member. */
interface Answer {
  readonly endpoint: Endpoint;
  readonly records: readonly RecordName[];
  readonly wantsReply: boolean;
  next: number;
}

type Digest = Extract<Body, { kind: 'digest' }>;

export class AntiEntropy {
  readonly #knowledge: Knowledge;
  readonly #unmet = new Map<string, Unmet>();
  readonly #agreed = new Set<string>();
  readonly #answers = new Map<string, Answer>();
  #exchange: Exchange | undefined;
  #nextExchangeAt = 0;
  #nextStepAt = Number.POSITIVE_INFINITY;
  #differences = 0;

  constructor(knowledge: Knowledge) {
    this.#knowledge = knowledge;
  }

  /** A packet came from a member that is new here, or that has restarted. */
  meet(name: string, endpoint: Endpoint, now: number): Draft[] {
    this.#agreed.delete(name);
    // A member that agrees with several others leaves the rest to the comparison of summaries.
    if (this.#agreed.size < agreementsForSync)
      this.#unmet.set(name, { endpoint, meetings: this.#unmet.get(name)?.meetings ?? 0 });
    return this.#ask(name, endpoint, now);
  }

  /** A packet with this summary came from a live member. */
  compare(name: string, endpoint: Endpoint, summary: number, now: number): Draft[] {
    if (summary === this.#knowledge.summary()) {
      this.#agree(name, now);
      return [];
    }
    return ++this.#differences >= differencesBeforeSync ? this.#ask(name, endpoint, now) : [];
  }

  /** Records came in answer to a digest. */
  progress(name: string, now: number): void {
    if (this.#exchange?.partner !== name) return;
    this.#exchange.progressAt = now;
    this.#nextExchangeAt = now + syncIntervalMs;
  }

  /** A digest came: answers with the records that differ, and then with a digest if one is wanted. */
  answer(name: string, endpoint: Endpoint, digest: Digest, now: number): Draft[] {
    if (!digest.wantsReply) this.#finished(name, digest, now);
    if (this.#answers.has(name) || this.#answers.size >= maxAnswers) return [];
    const records = [...this.#knowledge.differingFrom(digest)].filter(
      (record) => record.kind !== 'member' || record.name !== name,
    );
    this.#answers.set(name, { endpoint, records, wantsReply: digest.wantsReply, next: 0 });
    return this.#advance(name, packetsAtOnce, now);
  }

  wake(now: number): Draft[] {
    const drafts: Draft[] = [];
    if (now >= this.#exchangeEndsAt()) this.#exchange = undefined;
    if (now >= this.#nextStepAt) {
      this.#nextStepAt = Number.POSITIVE_INFINITY;
      const share = Math.max(1, Math.floor(packetsPerStep / this.#answers.size));
      for (const name of [...this.#answers.keys()]) drafts.push(...this.#advance(name, share, now));
    }
    if (now >= this.#nextMeetingAt()) drafts.push(...this.#meetNext(now));
    return drafts;
  }

  wakeAt(): number {
    return Math.min(this.#nextStepAt, this.#exchangeEndsAt(), this.#nextMeetingAt());
  }

  /** The member is dead, has left, or is no longer of interest. */
  forget(name: string): void {
    this.#unmet.delete(name);
    this.#agreed.delete(name);
    this.#answers.delete(name);
    if (this.#exchange?.partner === name) this.#exchange = undefined;
  }

  /** Whether this member knows what the others know. False while it has heard no other member. */
  isSynced(liveCount: number): boolean {
    if (liveCount === 0 || this.#exchange) return false;
    return this.#agreed.size >= Math.min(liveCount, agreementsForSync);
  }

  #agree(name: string, now: number): void {
    this.#differences = 0;
    this.#agreed.add(name);
    this.#unmet.delete(name);
    if (this.#agreed.size >= agreementsForSync) this.#unmet.clear();
    this.#endExchange(name, now);
  }

  /** The other side's digest says that it has sent all its records. If payloads still differ, some were lost: they meet again. */
  #finished(name: string, { payloads }: Digest, now: number): void {
    const own = this.#knowledge.digests().payloads;
    if (own.every((hash, bucket) => hash === payloads[bucket])) this.#unmet.delete(name);
    this.#endExchange(name, now);
  }

  #endExchange(name: string, now: number): void {
    if (this.#exchange?.partner !== name) return;
    this.#exchange = undefined;
    this.#nextExchangeAt = Math.min(this.#nextExchangeAt, now + nextMeetingMs);
  }

  #ask(name: string, endpoint: Endpoint, now: number): Draft[] {
    if (now < this.#nextExchangeAt || this.#exchange) return [];
    this.#nextExchangeAt = now + syncIntervalMs;
    this.#differences = 0;
    this.#agreed.delete(name);
    this.#exchange = { partner: name, progressAt: now };
    return [this.#digest(name, endpoint, true)];
  }

  /** The exchange under way is given up then, unless more records come. */
  #exchangeEndsAt(): number {
    return this.#exchange ? this.#exchange.progressAt + syncIntervalMs : Number.POSITIVE_INFINITY;
  }

  #nextMeetingAt(): number {
    if (this.#unmet.size === 0) return Number.POSITIVE_INFINITY;
    // A little later than others may ask: a sender that is unknown here, or that differs, has more to tell.
    return (this.#exchange ? this.#exchangeEndsAt() : this.#nextExchangeAt) + meetingPauseMs;
  }

  #meetNext(now: number): Draft[] {
    for (const [name, { endpoint, meetings }] of this.#unmet) {
      this.#unmet.delete(name);
      if (meetings < maxMeetings) this.#unmet.set(name, { endpoint, meetings: meetings + 1 });
      return this.#ask(name, endpoint, now);
    }
    return [];
  }

  #advance(name: string, packets: number, now: number): Draft[] {
    const answer = this.#answers.get(name);
    if (!answer) return [];
    const drafts = this.#recordsOf(answer, packets).map(
      (updates): Draft => ({ to: name, endpoint: answer.endpoint, body: { kind: 'records' }, updates }),
    );
    if (answer.next < answer.records.length) {
      this.#nextStepAt = Math.min(this.#nextStepAt, now + stepMs);
      return drafts;
    }
    this.#answers.delete(name);
    return answer.wantsReply ? [...drafts, this.#digest(name, answer.endpoint, false)] : drafts;
  }

  /** The newest versions of the next records, packed for so many packets. */
  #recordsOf(answer: Answer, packets: number): Update[][] {
    const packed: Update[][] = [];
    while (packed.length < packets && answer.next < answer.records.length) {
      const updates: Update[] = [];
      let octets = 0;
      for (; answer.next < answer.records.length; answer.next++) {
        const record = answer.records[answer.next];
        const update = record && this.#knowledge.current(record);
        if (!update) continue;
        octets += updateSize(update);
        if (octets > updateOctets && updates.length > 0) break;
        updates.push(update);
      }
      if (updates.length > 0) packed.push(updates);
    }
    return packed;
  }

  #digest(to: string, endpoint: Endpoint, wantsReply: boolean): Draft {
    return { to, endpoint, body: { kind: 'digest', ...this.#knowledge.digests(), wantsReply } };
  }
}
