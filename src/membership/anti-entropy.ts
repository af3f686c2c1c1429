/**
 * Anti-entropy: finds members whose knowledge differs, and exchanges the records that differ. Records are divided into buckets by the hash
 * of their name. Each packet carries a summary, which is one hash of all that its sender knows. When several packets in a row carry a
 * summary that differs from the receiver's own, the receiver sends a digest, which holds one hash for each bucket. The answering member
 * sends its records in the buckets that differ, in as many packets as necessary. For a bucket with many records, it first sends the hashes
 * of the bucket's leaves (hash-tree.ts), and then only the records in the leaves that differ:
 *
 *     asker                               answerer
 *     digest, wants reply ──────────────→
 *                         ←────────────── branches, want reply
 *                         ←────────────── records, records, … in steps that fit the asker's socket buffer
 *                         ←────────────── digest
 *     records, branches   ──────────────→
 *                         ←────────────── records in the leaves that differ
 *
 * Members of some earlier releases do not read branches. Such a member gets all records of the buckets that differ.
 *
 * After its start, a member exchanges digests with one member after another. It is synced when its summary equals that of several members
 * and no exchange is under way.
 */

import { updateSize } from './codec.ts';
import { type Draft, updateOctets } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import type { Knowledge, RecordName } from './knowledge.ts';
import { type Body, type Branch, maxBranches, type Update } from './packet.ts';
import { RecentCount } from './recent-count.ts';

/** An exchange is given up when no records or branches arrive for this time. The next exchange may then start. */
export const syncIntervalMs = 300;
/**
 * When an exchange ends because both members agree or the answer is complete, the next exchange may start after this time, or when the wait of
 * `syncIntervalMs` is over, whichever comes first.
 */
const nextMeetingMs = 100;
/**
 * An exchange starts after this many packets in a row with a differing summary. One such packet proves little, because it may have crossed
 * an update on the wire.
 */
const differencesBeforeSync = 3;
/**
 * Once this member has been synced, differing summaries start no exchange while much news about members arrives. Much news means more than
 * `mostNews` changes, and more changes than this share of all live members, within about `newsMs`. When many members come back at once, all
 * summaries differ until the news has reached everyone. Exchanges in the meantime would carry the records of the whole cluster, although the
 * news brings most of these records anyway.
 */
const mostNewsShare = 1 / 8;
const mostNews = 8;
const newsMs = 50;
/** When summaries have differed from this member's own for this long, this member starts an exchange even if much news arrives. */
const longestUnsteadyMs = 1000;
/**
 * Extra wait before an exchange with the next unmet member (`Unmet`). During the wait, a received packet can start an exchange with the
 * packet's sender instead.
 */
const meetingPauseMs = 50;
/**
 * When exchanges with a member bring no agreement, they are repeated about this many times. Then the member counts as met, and only
 * differing summaries start a further exchange with it.
 */
const maxMeetings = 5;
/**
 * This member is synced when it agrees with this many other members, or with all of them if there are fewer. Agreement with one member is
 * not enough, because that member may itself have just started.
 */
const agreementsForSync = 3;
/** Number of packets in the first step of an answer. 64 packets of 1,400 octets fit a socket buffer of the usual 212,992 octets. */
const packetsAtOnce = 64;
/**
 * Maximum number of packets with records in each further step, for all answers under way together. With packets below 1,400 octets and a
 * step every `stepMs`, the rate is at most 2.8 MB a second.
 */
const packetsPerStep = 20;
const stepMs = 10;
/** Maximum number of answers under way. When there are that many, further members that ask get no answer and ask again later. */
const maxAnswers = 32;
/** While this many records of an answer are still unsent, received branches add no records to the answer. The next exchange finds those records. */
const maxWaiting = 20_000;

interface Exchange {
  readonly partner: string;
  /** The buckets, by `bucketKey`, for which the partner has sent branches. */
  readonly branched: Set<string>;
  progressAtMs: number;
}

/** A member with which this member still has to exchange digests. */
interface Unmet {
  endpoint: Endpoint;
  meetings: number;
}

/** Records still to be sent to one member. */
interface Answer {
  readonly endpoint: Endpoint;
  readonly records: RecordName[];
  readonly wantsReply: boolean;
  next: number;
}

type Digest = Extract<Body, { kind: 'digest' }>;
type Branches = Extract<Body, { kind: 'branches' }>;

const bucketKey = ({ tree, bucket }: Pick<Branch, 'tree' | 'bucket'>) => `${tree} ${bucket}`;

export class AntiEntropy {
  readonly #knowledge: Knowledge;
  readonly #unmet = new Map<string, Unmet>();
  readonly #agreed = new Set<string>();
  readonly #answers = new Map<string, Answer>();
  #exchange: Exchange | undefined;
  #nextExchangeAtMs = 0;
  #nextStepAtMs = Number.POSITIVE_INFINITY;
  #differences = 0;
  /** When the first of these differences was seen. */
  #differingSinceMs = 0;
  /** News about members. */
  readonly #news = new RecentCount(newsMs);
  /** Whether this member has agreed with several others at some time. */
  #wasSynced = false;

  constructor(knowledge: Knowledge) {
    this.#knowledge = knowledge;
  }

  /** Handles a packet from an unknown member, or from a member whose incarnation is greater than the one known here. */
  meet(name: string, endpoint: Endpoint, nowMs: number): Draft[] {
    this.#agreed.delete(name);
    // This member needs no meeting if it agrees with several others. A new member starts an exchange itself, and `compare` finds differences.
    if (this.#agreed.size >= agreementsForSync) return [];
    this.#unmet.set(name, { endpoint, meetings: this.#unmet.get(name)?.meetings ?? 0 });
    return this.#ask(name, endpoint, nowMs);
  }

  /** Handles the summary in a packet from a live member. */
  compare(name: string, endpoint: Endpoint, summary: number, nowMs: number): Draft[] {
    if (summary === this.#knowledge.summary()) {
      this.#agree(name, nowMs);
      return [];
    }
    if (this.#differences++ === 0) this.#differingSinceMs = nowMs;
    const isDue = this.#differences >= differencesBeforeSync && (!this.#wasSynced || this.#isSteady(nowMs));
    return isDue ? this.#ask(name, endpoint, nowMs) : [];
  }

  /** Notes that records or branches came in answer to a digest. */
  progress(name: string, nowMs: number): void {
    if (this.#exchange?.partner !== name) return;
    this.#exchange.progressAtMs = nowMs;
    this.#nextExchangeAtMs = nowMs + syncIntervalMs;
  }

  /**
   * Answers a digest with the branches or records of the buckets that differ, and then with this member's own digest if the sender wants one.
   * `readsBranches` says whether the sender reads branches.
   */
  answer(name: string, endpoint: Endpoint, digest: Digest, readsBranches: boolean, nowMs: number): Draft[] {
    const branched = (this.#exchange?.partner === name && this.#exchange.branched) || new Set<string>();
    if (!digest.wantsReply) this.#finished(name, digest, nowMs);
    if (this.#answers.has(name) || this.#answers.size >= maxAnswers) return [];
    const { records, branches } = this.#knowledge.compare(digest, readsBranches);
    // A bucket is left out if the partner has already sent its branch of the bucket, because this member has then sent its own branch too.
    const drafts = this.#branches(
      name,
      endpoint,
      branches.filter((branch) => !branched.has(bucketKey(branch))),
      true,
    );
    const others = records.filter((record) => record.kind !== 'member' || record.name !== name);
    this.#answers.set(name, { endpoint, records: others, wantsReply: digest.wantsReply, next: 0 });
    return [...drafts, ...this.#advance(name, packetsAtOnce - drafts.length, nowMs)];
  }

  /** Answers branches with the records in the leaves that differ, and with this member's own branches if the sender wants them. */
  answerBranches(
    name: string,
    endpoint: Endpoint,
    { branches, wantsReply }: Branches,
    nowMs: number,
  ): Draft[] {
    this.progress(name, nowMs);
    if (this.#exchange?.partner === name)
      for (const branch of branches) this.#exchange.branched.add(bucketKey(branch));
    const own = branches.map((branch) => this.#knowledge.branch(branch));
    const records = branches
      .flatMap((branch) => this.#knowledge.compareLeaves(branch))
      .filter((record) => record.kind !== 'member' || record.name !== name);
    const drafts = wantsReply ? this.#branches(name, endpoint, own, false) : [];
    return [...drafts, ...this.#answerFurther(name, endpoint, records, nowMs)];
  }

  /** Notes that a member has changed. */
  memberChanged(nowMs: number): void {
    this.#news.add(nowMs);
  }

  wake(nowMs: number): Draft[] {
    const drafts: Draft[] = [];
    if (nowMs >= this.#exchangeEndsAtMs()) this.#exchange = undefined;
    if (nowMs >= this.#nextStepAtMs) drafts.push(...this.#step(nowMs));
    if (nowMs >= this.#nextMeetingAtMs()) drafts.push(...this.#meetNext(nowMs));
    return drafts;
  }

  /** Sends the next records of the answers under way. If there are more answers than packets in a step, the answers take turns. */
  #step(nowMs: number): Draft[] {
    const drafts: Draft[] = [];
    const share = Math.max(1, Math.floor(packetsPerStep / this.#answers.size));
    for (const [name, answer] of [...this.#answers].slice(0, packetsPerStep)) {
      this.#answers.delete(name);
      this.#answers.set(name, answer);
      drafts.push(...this.#advance(name, share, nowMs));
    }
    this.#nextStepAtMs = this.#answers.size > 0 ? nowMs + stepMs : Number.POSITIVE_INFINITY;
    return drafts;
  }

  wakeAtMs(): number {
    return Math.min(this.#nextStepAtMs, this.#exchangeEndsAtMs(), this.#nextMeetingAtMs());
  }

  /** Drops all state about a member that is dead, has left, or was forgotten. */
  forget(name: string): void {
    this.#unmet.delete(name);
    this.#agreed.delete(name);
    this.#answers.delete(name);
    if (this.#exchange?.partner === name) this.#exchange = undefined;
  }

  /** Whether this member knows what the others know. False while no other member is live. */
  isSynced(liveCount: number): boolean {
    if (liveCount === 0 || this.#exchange) return false;
    return this.#agreed.size >= Math.min(liveCount, agreementsForSync);
  }

  /**
   * Whether an exchange may start: the summaries have differed for `newsMs`, and little news about members arrives. After
   * `longestUnsteadyMs`, an exchange may start in any case.
   */
  #isSteady(nowMs: number): boolean {
    const differsForMs = nowMs - this.#differingSinceMs;
    if (differsForMs < newsMs || differsForMs >= longestUnsteadyMs) return differsForMs >= newsMs;
    return this.#news.at(nowMs) <= Math.max(mostNews, this.#knowledge.liveCount * mostNewsShare);
  }

  #agree(name: string, nowMs: number): void {
    this.#differences = 0;
    this.#agreed.add(name);
    this.#unmet.delete(name);
    if (this.#agreed.size >= agreementsForSync) {
      this.#unmet.clear();
      this.#wasSynced = true;
    }
    this.#endExchange(name, nowMs);
  }

  /**
   * Ends the exchange, because the received digest is the end of the other member's answer. If payload hashes still differ, an unmet member
   * stays unmet: some records were lost on the way, or the answer to this member's branches has yet to bring them.
   */
  #finished(name: string, { payloads }: Digest, nowMs: number): void {
    const own = this.#knowledge.digests().payloads;
    if (own.every((hash, bucket) => hash === payloads[bucket])) this.#unmet.delete(name);
    this.#endExchange(name, nowMs);
  }

  #endExchange(name: string, nowMs: number): void {
    if (this.#exchange?.partner !== name) return;
    this.#exchange = undefined;
    this.#nextExchangeAtMs = Math.min(this.#nextExchangeAtMs, nowMs + nextMeetingMs);
  }

  #ask(name: string, endpoint: Endpoint, nowMs: number): Draft[] {
    if (nowMs < this.#nextExchangeAtMs || this.#exchange) return [];
    this.#nextExchangeAtMs = nowMs + syncIntervalMs;
    this.#differences = 0;
    this.#agreed.delete(name);
    this.#exchange = { partner: name, branched: new Set(), progressAtMs: nowMs };
    return [this.#digest(name, endpoint, true)];
  }

  /** The time at which the exchange under way is given up if no more records arrive. */
  #exchangeEndsAtMs(): number {
    return this.#exchange ? this.#exchange.progressAtMs + syncIntervalMs : Number.POSITIVE_INFINITY;
  }

  #nextMeetingAtMs(): number {
    if (this.#unmet.size === 0) return Number.POSITIVE_INFINITY;
    // During the pause, a packet may come from a new member or with a differing summary. The exchange with the packet's sender then goes first.
    return (this.#exchange ? this.#exchangeEndsAtMs() : this.#nextExchangeAtMs) + meetingPauseMs;
  }

  #meetNext(nowMs: number): Draft[] {
    for (const [name, { endpoint, meetings }] of this.#unmet) {
      this.#unmet.delete(name);
      if (meetings < maxMeetings) this.#unmet.set(name, { endpoint, meetings: meetings + 1 });
      return this.#ask(name, endpoint, nowMs);
    }
    return [];
  }

  /** Adds records to the answer under way, or starts an answer. */
  #answerFurther(name: string, endpoint: Endpoint, records: RecordName[], nowMs: number): Draft[] {
    if (records.length === 0) return [];
    const answer = this.#answers.get(name);
    if (answer) {
      if (answer.records.length - answer.next < maxWaiting) answer.records.push(...records);
      return [];
    }
    if (this.#answers.size >= maxAnswers) return [];
    this.#answers.set(name, { endpoint, records, wantsReply: false, next: 0 });
    return this.#advance(name, packetsAtOnce, nowMs);
  }

  #branches(to: string, endpoint: Endpoint, branches: readonly Branch[], wantsReply: boolean): Draft[] {
    const drafts: Draft[] = [];
    for (let at = 0; at < branches.length; at += maxBranches) {
      const body = { kind: 'branches', branches: branches.slice(at, at + maxBranches), wantsReply } as const;
      drafts.push({ to, endpoint, body });
    }
    return drafts;
  }

  #advance(name: string, packets: number, nowMs: number): Draft[] {
    const answer = this.#answers.get(name);
    if (!answer) return [];
    const drafts = this.#recordsOf(answer, packets).map(
      (updates): Draft => ({ to: name, endpoint: answer.endpoint, body: { kind: 'records' }, updates }),
    );
    if (answer.next < answer.records.length) {
      this.#nextStepAtMs = Math.min(this.#nextStepAtMs, nowMs + stepMs);
      return drafts;
    }
    this.#answers.delete(name);
    return answer.wantsReply ? [...drafts, this.#digest(name, answer.endpoint, false)] : drafts;
  }

  /** The newest versions of the next records, packed into at most `packets` lists. */
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
