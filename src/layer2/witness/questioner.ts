/**
 * The questioner asks other nodes for addresses by ARP or Neighbour Discovery, and counts the questions that stay unanswered. It is a
 * machine: subjects, answers and the time go in, questions and a report come out.
 *
 *     every interval ──→ question ── answer ──→ next interval
 *                           │ none within 250 ms
 *                           ↓
 *                       question again, five times ── answer ──→ next interval
 *                           │ none, but another node answers on the segment
 *                           ↓
 *                       reported as unanswered; one question a second ── answer ──→ next interval
 *
 * While a question stays unanswered, the questioner also asks other nodes of the segment. If none of them answers either, this node hears
 * no node of the segment. It then reports that it is deaf, and reports no addresses of any node, not even on other segments.
 *
 * A process that was stopped for a while finds its timers due before it has read the answers. Questions that were open across such a stall
 * therefore get more time.
 *
 * The number of questions in a second is bounded. If the subjects need more questions than that, the interval grows. Repeated questions, controls
 * (the questions to other nodes while a question stays unanswered) and regular questions take turns, so that none of the three crowds out another.
 * If this node asked only repeated questions, it might get no answer from any node, and call itself deaf.
 */
import { everyAddress, type WitnessReport } from '../ownership/witness-facts.ts';
import { Pace } from './pace.ts';

/** An address that this node asks another node for. */
export interface Subject {
  readonly address: string;
  /** The node that should answer. */
  readonly node: string;
  /** The link and the family by which this node asks. An answer from any node of a segment proves that this node can hear there. */
  readonly segment: string;
  /** `owner`: the node owns the address. `trial`: the node has given the address away, and answers only other speakers for it. */
  readonly role: 'owner' | 'trial';
  /** The first question is due at once, because another witness got no answer. */
  readonly isUrgent: boolean;
}

/** An address of another node for which that node's kernel answers. A question for it shows whether this node can hear. */
export interface Control {
  readonly address: string;
  readonly node: string;
  readonly segment: string;
}

export type Question = Pick<Subject, 'address' | 'node' | 'segment'>;

/** A node that has never answered on the segment. It may be on another segment with the same subnet. */
export type Stranger = Pick<Subject, 'node' | 'segment'>;

interface State {
  subject: Subject;
  /** In `#open`, the deadline of the answer. In `#pressed`, the time of the next question. Unused in `#regular`. */
  dueAtMs: number;
  /** Questions since the last answer, including the open one. */
  asked: number;
  /** Answers in a row. */
  hits: number;
}

/** An answer takes well below a millisecond. A loaded host may take longer, and a late answer counts too. */
const answerWithinMs = 250;
/**
 * With 20 % of all packets lost in each direction, a question fails with a probability of 36 %. In 0.2 % of all checks, six questions in a
 * row fail. In 0.0005 %, six questions in a row of both witnesses fail.
 */
const missesToReport = 6;
const hitsToReport = 3;
const reportedIntervalMs = 1000;
/** Longest list of addresses of one node in the report. If more stay unanswered, the report names all addresses of the node. */
export const maxListed = 16;
/** For this long after an answer on the segment, this node counts as able to hear there. */
const hearingMs = 10_000;
const deafMs = 30_000;
/** A tick that is late by more than this follows a stall. */
const stallMs = 200;

export class Questioner {
  readonly #intervalMs: number;
  /** Subjects that wait for their next question, in the order in which they are asked. */
  readonly #regular = new Map<string, State>();
  /** Subjects with an open regular question, in the order in which they were asked. */
  readonly #open = new Map<string, State>();
  /**
   * Subjects whose last question was not answered, and urgent ones, in the order in which they are asked. At most `maxListed + 1` for each node.
   */
  readonly #pressed = new Map<string, State>();
  readonly #pressedOf = new Map<string, number>();
  /** Keys of the subjects on trial. */
  readonly #trials = new Set<string>();
  /** When each node last answered on each segment. */
  readonly #heardAtMs = new Map<string, Map<string, number>>();
  /** Nodes that have never answered on a segment, although this node hears there, by segment. */
  readonly #strangers = new Map<string, Set<string>>();
  readonly #newStrangers: Stranger[] = [];
  #controls = new Map<string, Control[]>();
  /** Nodes that can be asked on each segment. */
  #nodesOn = new Map<string, ReadonlySet<string>>();
  #nextControl = 0;
  /** The subject of the last repeated question, until the control that belongs to it has had its turn. */
  #uncontrolled: Subject | undefined;
  /** The kinds of questions. Each function returns a question that is due. */
  readonly #kinds = [
    (nowMs: number) => this.#nextPressed(nowMs),
    (nowMs: number) => this.#nextOfControls(nowMs),
    (nowMs: number) => this.#nextRegular(nowMs),
  ];
  /** The kind whose turn it is. */
  #turn = 0;
  #nextRegularAtMs = 0;
  #pace: Pace;
  #expectedAtMs = Number.POSITIVE_INFINITY;
  #deafUntilMs = Number.NEGATIVE_INFINITY;

  /** `intervalMs` is the time between two questions for the same address while they are answered. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.#pace = new Pace(1);
  }

  /** Number of addresses that this node asks for. */
  get subjects(): number {
    return this.#regular.size + this.#open.size + this.#pressed.size;
  }

  /** The segments of the subjects. */
  *segments(): Iterable<string> {
    const seen = new Set<string>();
    for (const states of [this.#regular, this.#open, this.#pressed])
      for (const { subject } of states.values())
        if (!seen.has(subject.segment)) {
          seen.add(subject.segment);
          yield subject.segment;
        }
  }

  /** Replaces the subjects and the controls. `perSecond` is the greatest number of questions in a second, of all kinds together. */
  watch(subjects: Iterable<Subject>, controls: readonly Control[], perSecond: number, nowMs: number): void {
    this.#pace.perSecond = perSecond;
    const wanted = new Set<string>();
    const nodesOn = new Map<string, Set<string>>();
    const note = ({ segment, node }: Question) =>
      nodesOn.set(segment, (nodesOn.get(segment) ?? new Set()).add(node));
    this.#trials.clear();
    for (const subject of subjects) {
      const key = keyOf(subject);
      wanted.add(key);
      if (subject.role === 'trial') this.#trials.add(key);
      this.#put(subject, nowMs);
      note(subject);
    }
    for (const key of [...this.#regular.keys(), ...this.#open.keys(), ...this.#pressed.keys()])
      if (!wanted.has(key)) this.#remove(key);
    for (const control of controls) note(control);
    this.#controls = Map.groupBy(controls, ({ segment }) => segment);
    this.#nodesOn = nodesOn;
    for (const segment of this.#heardAtMs.keys()) if (!nodesOn.has(segment)) this.#heardAtMs.delete(segment);
    for (const segment of this.#strangers.keys()) if (!nodesOn.has(segment)) this.#strangers.delete(segment);
  }

  /** Returns the questions to send now. Call it at `wakeAtMs()`, after the answers that have arrived were handled. */
  tick(nowMs: number): Question[] {
    if (nowMs >= this.#deafUntilMs) this.#deafUntilMs = Number.NEGATIVE_INFINITY;
    if (nowMs - this.#expectedAtMs > stallMs) this.#extendOpen(nowMs);
    for (const [key, state] of this.#open) {
      if (state.dueAtMs > nowMs) break;
      this.#open.delete(key);
      this.#missRegular(key, state, nowMs);
    }
    const questions: Question[] = [];
    for (let passed = 0; passed < this.#kinds.length && this.#pace.isReady(nowMs); ) {
      const question = this.#kinds[this.#turn]?.(nowMs);
      this.#turn = (this.#turn + 1) % this.#kinds.length;
      passed = question ? 0 : passed + 1;
      if (!question) continue;
      this.#pace.take();
      questions.push(question);
    }
    return questions;
  }

  /** Handles an answer of the node for the address. An answer to an earlier question counts too. */
  answered({ address, node, segment }: Question, nowMs: number): void {
    const heard = this.#heardAtMs.get(segment) ?? new Map<string, number>();
    this.#heardAtMs.set(segment, heard.set(node, nowMs));
    this.#strangers.get(segment)?.delete(node);
    const key = keyOf({ address, node });
    const state = this.#open.get(key) ?? this.#pressed.get(key);
    if (!state) return;
    this.#remove(key);
    state.hits++;
    state.asked = 0;
    this.#regular.set(key, state);
  }

  /** The nodes from which no answer has ever arrived on a segment. A node is returned only once for each segment. */
  takeStrangers(): readonly Stranger[] {
    return this.#newStrangers.splice(0);
  }

  /** The report for the other nodes. */
  report(nowMs: number): WitnessReport {
    if (nowMs < this.#deafUntilMs) return { unanswered: new Map(), answered: new Map(), isDeaf: true };
    const unanswered = new Map<string, Set<string>>();
    for (const { subject, asked } of this.#pressed.values())
      if (asked > missesToReport) add(unanswered, subject);
    const answered = new Map<string, Set<string>>();
    for (const key of this.#trials) {
      const state = this.#regular.get(key) ?? this.#open.get(key);
      if (state && state.hits >= hitsToReport) add(answered, state.subject);
    }
    for (const [node, all] of unanswered)
      if (all.size > maxListed) unanswered.set(node, new Set([everyAddress]));
    return { unanswered, answered, isDeaf: false };
  }

  /** When to call `tick` next; infinite for never. */
  wakeAtMs(): number {
    let atMs = this.#regular.size > 0 ? this.#nextRegularAtMs : Number.POSITIVE_INFINITY;
    if (this.#uncontrolled) atMs = Number.NEGATIVE_INFINITY;
    for (const { dueAtMs } of this.#open.values()) {
      atMs = Math.min(atMs, dueAtMs);
      break;
    }
    for (const { dueAtMs } of this.#pressed.values()) atMs = Math.min(atMs, dueAtMs);
    // A deaf node is not a witness and has no subjects, so nothing else would end its deafness.
    if (this.#deafUntilMs !== Number.NEGATIVE_INFINITY) atMs = Math.min(atMs, this.#deafUntilMs);
    this.#expectedAtMs = Math.max(atMs, this.#pace.readyAtMs());
    return this.#expectedAtMs;
  }

  #put(subject: Subject, nowMs: number): void {
    const key = keyOf(subject);
    const known = this.#regular.get(key) ?? this.#open.get(key) ?? this.#pressed.get(key);
    if (known && known.subject.role === subject.role && known.subject.segment === subject.segment) {
      const becomesUrgent = subject.isUrgent && !known.subject.isUrgent;
      known.subject = subject;
      if (becomesUrgent && this.#regular.has(key)) this.#press(key, known, nowMs);
      return;
    }
    this.#remove(key);
    const state = { subject, dueAtMs: nowMs, asked: 0, hits: 0 };
    if (!subject.isUrgent || !this.#press(key, state, nowMs)) this.#regular.set(key, state);
  }

  /**
   * Asks for the subject at once, and again and again until the node answers. Does nothing and returns false for a subject on trial, and when
   * `#pressed` already holds more than `maxListed` subjects of the node.
   */
  #press(key: string, state: State, nowMs: number): boolean {
    const { node, role } = state.subject;
    const count = this.#pressedOf.get(node) ?? 0;
    if (role === 'trial' || count > maxListed) return false;
    this.#regular.delete(key);
    this.#pressed.set(key, state);
    this.#pressedOf.set(node, count + 1);
    state.dueAtMs = nowMs;
    return true;
  }

  #remove(key: string): void {
    this.#regular.delete(key);
    this.#open.delete(key);
    const pressed = this.#pressed.get(key);
    if (!pressed) return;
    this.#pressed.delete(key);
    const { node } = pressed.subject;
    const count = (this.#pressedOf.get(node) ?? 1) - 1;
    if (count === 0) this.#pressedOf.delete(node);
    else this.#pressedOf.set(node, count);
  }

  /** Gives all open questions more time, because their answers may still be unread. */
  #extendOpen(nowMs: number): void {
    for (const states of [this.#open, this.#pressed])
      for (const state of states.values()) state.dueAtMs = Math.max(state.dueAtMs, nowMs + answerWithinMs);
  }

  #missRegular(key: string, state: State, nowMs: number): void {
    state.hits = 0;
    if (!this.#press(key, state, nowMs)) this.#regular.set(key, state);
  }

  #nextPressed(nowMs: number): Question | undefined {
    for (const [key, state] of this.#pressed) {
      if (state.dueAtMs > nowMs) continue;
      const { subject } = state;
      this.#uncontrolled = subject;
      state.asked++;
      const isUnanswered = state.asked > missesToReport;
      // An answer to the control that followed the previous question counts here, even if a slow pace has made it older than `hearingMs`.
      const sinceMs = Math.min(nowMs - hearingMs, state.dueAtMs - reportedIntervalMs - answerWithinMs);
      state.dueAtMs = nowMs + (isUnanswered ? reportedIntervalMs : answerWithinMs);
      if (!isUnanswered) return subject;
      // Subjects that are not reported yet stay in front. A reported one goes behind all others.
      this.#pressed.delete(key);
      this.#pressed.set(key, state);
      if (this.#canHear(subject, sinceMs)) this.#noteStranger(subject);
      else this.#deafUntilMs = nowMs + deafMs;
      return subject;
    }
    return undefined;
  }

  #noteStranger({ segment, node }: Subject): void {
    const strangers = this.#strangers.get(segment) ?? new Set<string>();
    if (this.#heardAtMs.get(segment)?.has(node) || strangers.has(node)) return;
    this.#strangers.set(segment, strangers.add(node));
    this.#newStrangers.push({ segment, node });
  }

  #nextRegular(nowMs: number): Question | undefined {
    const spacingMs = Math.max(1000 / this.#pace.perSecond, this.#intervalMs / Math.max(1, this.subjects));
    // After a pause, the missed questions are not asked all at once.
    this.#nextRegularAtMs = Math.max(this.#nextRegularAtMs, nowMs - spacingMs);
    if (this.#nextRegularAtMs > nowMs) return undefined;
    for (const [key, state] of this.#regular) {
      this.#nextRegularAtMs += spacingMs;
      state.asked = 1;
      this.#regular.delete(key);
      state.dueAtMs = nowMs + answerWithinMs;
      this.#open.set(key, state);
      return state.subject;
    }
    return undefined;
  }

  /** The control for the last repeated question: a question to another node of the segment. None is needed if another node has just answered. */
  #nextOfControls(nowMs: number): Control | undefined {
    const subject = this.#uncontrolled;
    if (!subject) return undefined;
    this.#uncontrolled = undefined;
    const heard = this.#heardAtMs.get(subject.segment) ?? new Map<string, number>();
    for (const [node, atMs] of heard)
      if (node !== subject.node && nowMs - atMs < answerWithinMs) return undefined;
    const others = (this.#controls.get(subject.segment) ?? []).filter(({ node }) => node !== subject.node);
    return others[this.#nextControl++ % Math.max(1, others.length)];
  }

  /**
   * Whether a node other than that of the subject has answered since `sinceMs`. True when the segment has no other node, because this node then
   * cannot find out.
   */
  #canHear({ segment, node }: Subject, sinceMs: number): boolean {
    const heard = this.#heardAtMs.get(segment);
    let hasOther = false;
    for (const other of this.#nodesOn.get(segment) ?? []) {
      if (other === node) continue;
      hasOther = true;
      if ((heard?.get(other) ?? Number.NEGATIVE_INFINITY) > sinceMs) return true;
    }
    return !hasOther;
  }
}

function keyOf({ address, node }: Pick<Subject, 'address' | 'node'>): string {
  return `${node} ${address}`;
}

function add(lists: Map<string, Set<string>>, { node, address }: Subject): void {
  lists.set(node, (lists.get(node) ?? new Set()).add(address));
}
