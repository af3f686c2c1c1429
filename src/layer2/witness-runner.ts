import { formatIp, type IpAddress, parseIp } from '../address/index.ts';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { interfacesOf } from './address-entry.ts';
import type { FromLayer2 } from './messages.ts';
import type { OwnershipView } from './ownership/event.ts';
import { complete } from './ownership/steps.ts';
import type { WitnessFacts } from './ownership/witness-facts.ts';
import type { NeighbourAnswer } from './responder/question-ports.ts';
import type { NeighbourResponder } from './responder/responder.ts';
import type { Question } from './witness/questioner.ts';
import { trialAddresses } from './witness/subjects.ts';
import type { VerdictChange } from './witness/verdicts.ts';
import { Witness, type WitnessInput } from './witness/witness.ts';

export interface WitnessRunnerOptions {
  readonly nodeName: string;
  /** Interval of the questions for one address; 0 for a node that asks no questions. */
  readonly everySeconds: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: FlightRecorder;
  readonly responder: Pick<
    NeighbourResponder,
    'ask' | 'isLate' | 'keepQuestionLinks' | 'setTrials' | 'drainCaptures'
  >;
  readonly entries: WitnessInput['entries'];
  readonly claim: WitnessInput['claim'];
  readonly answering: WitnessInput['answering'];
  /** The IP address of each member's membership socket, as text, by node. */
  readonly hosts: () => Iterable<readonly [node: string, host: string]>;
  readonly report: (message: FromLayer2) => void;
  /** Called when the facts of this node have changed. */
  readonly onFacts: () => void;
}

/** Minimum time between two updates. Each update reads all addresses. */
const updateEveryMs = 250;
/** Time until the next judgement when the process lacks CPU time. */
const starvedMs = 1000;
/** Updates take at most this share of the time. */
const updateShare = 0.05;

/** Runs the witness machine: its timers, its questions, and the reports of its verdicts. */
export class WitnessRunner {
  readonly #options: WitnessRunnerOptions;
  readonly #witness: Witness | undefined;
  #view: OwnershipView = { nodes: new Map(), claiming: 'refused' };
  #facts: WitnessFacts = {};
  #factsText = '';
  /** The node of each MAC. */
  #nodeOfMac = new Map<string, string>();
  #updateTimer: Timer | undefined;
  #askTimer: Timer | undefined;
  #judgeTimer: Timer | undefined;
  #factsTimer: Timer | undefined;
  #updatedAtMs = Number.NEGATIVE_INFINITY;
  #pauseMs = updateEveryMs;
  #asked = 0;
  #isStopped = false;

  constructor(options: WitnessRunnerOptions) {
    this.#options = options;
    if (options.everySeconds === 0) return;
    this.#witness = new Witness(options.nodeName, options.everySeconds * 1000);
    this.#facts = this.#witness.facts(options.clock.now());
    this.#factsText = textOf(this.#facts);
  }

  /** The facts about this node that the other nodes should learn. */
  get facts(): WitnessFacts {
    return this.#facts;
  }

  /** Questions sent. */
  get asked(): number {
    return this.#asked;
  }

  /** Number of this node's addresses whose witnesses get no answer. */
  get unverified(): number {
    return this.#witness ? [...this.#witness.unverified()].length : 0;
  }

  see(view: OwnershipView): void {
    this.#view = view;
    this.#nodeOfMac = new Map();
    for (const [node, { links }] of view.nodes) for (const { mac } of links) this.#nodeOfMac.set(mac, node);
    this.changed();
  }

  /** Call it after claims, entries or answered addresses have changed. */
  changed(): void {
    if (!this.#witness || this.#isStopped || this.#updateTimer) return;
    const waitMs = Math.max(0, this.#updatedAtMs + this.#pauseMs - this.#options.clock.now());
    this.#updateTimer = this.#options.clock.after(waitMs, () => {
      this.#updateTimer = undefined;
      this.#update();
    });
  }

  answered({ address, family, mac, interface: link }: NeighbourAnswer): void {
    const node = this.#nodeOfMac.get(mac);
    if (!this.#witness || node === undefined) return;
    const { clock } = this.#options;
    this.#witness.answered({ address, node, segment: `${link}/${family}` }, clock.now());
    // Frames may arrive in the middle of a step of the membership, which must not get new facts during the step.
    this.#factsTimer ??= clock.after(0, () => {
      this.#factsTimer = undefined;
      this.#takeFacts();
    });
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of [this.#updateTimer, this.#askTimer, this.#judgeTimer, this.#factsTimer])
      timer?.cancel();
  }

  #update(): void {
    const { clock, entries, claim, answering, responder } = this.#options;
    if (!this.#witness) return;
    const startMs = clock.now();
    const isStarved = responder.isLate();
    const input = { view: this.#view, entries, claim, answering, isStarved, hosts: this.#hosts() };
    const drain = () => responder.drainCaptures();
    const changes = complete(this.#witness.update(input, startMs), drain);
    this.#updatedAtMs = clock.now();
    this.#pauseMs = Math.max(updateEveryMs, (this.#updatedAtMs - startMs) / updateShare);
    for (const change of changes) this.#tell(change);
    this.#takeFacts();
    this.#setTrials();
    responder.keepQuestionLinks(new Set([...this.#witness.segments()].map(linkOf)));
    this.#askTimer?.cancel();
    this.#ask();
    this.#judgeTimer?.cancel();
    // A deadline that passed during the update has not been judged yet.
    const judgeAtMs = isStarved ? this.#updatedAtMs + starvedMs : this.#witness.judgeAtMs(startMs);
    if (judgeAtMs < Number.POSITIVE_INFINITY)
      this.#judgeTimer = clock.after(judgeAtMs - clock.now(), () => this.changed());
  }

  #ask(): void {
    const { clock, responder } = this.#options;
    if (!this.#witness || this.#isStopped) return;
    // Answers that have arrived count before their questions are judged.
    responder.drainCaptures();
    for (const question of this.#witness.ask(clock.now())) this.#send(question);
    for (const { node, segment } of this.#witness.takeStrangers())
      this.#options.logger.warn(
        { node, interface: linkOf(segment) },
        'no answer of the named node has ever arrived on the link; if the node is on another segment with the same subnet, give each segment a pool with node-selectors',
      );
    this.#takeFacts();
    const atMs = this.#witness.askAtMs();
    if (atMs < Number.POSITIVE_INFINITY)
      this.#askTimer = clock.after(Math.max(1, atMs - clock.now()), () => this.#ask());
  }

  #send({ address: text, segment }: Question): void {
    const address = parseIp(text);
    if (address && this.#options.responder.ask(linkOf(segment), address)) this.#asked++;
  }

  *#hosts(): Iterable<readonly [node: string, text: string, address: IpAddress]> {
    for (const [node, host] of this.#options.hosts()) {
      const address = parseIp(host);
      if (address) yield [node, formatIp(address), address];
    }
  }

  #setTrials(): void {
    const { responder, entries, answering, nodeName } = this.#options;
    responder.setTrials(
      trialAddresses(this.#facts.mute).flatMap((text) => {
        const tracked = answering.has(text) ? undefined : entries.get(text);
        return tracked
          ? [{ address: tracked.address, interfaces: interfacesOf(tracked.entry, nodeName) }]
          : [];
      }),
    );
  }

  #takeFacts(): void {
    const { clock, recorder, onFacts } = this.#options;
    if (!this.#witness) return;
    const facts = this.#witness.facts(clock.now());
    const text = textOf(facts);
    if (text === this.#factsText) return;
    this.#facts = facts;
    this.#factsText = text;
    recorder.record('witness', `asks for ${this.#witness.subjects} addresses`, { kind: 'report' }, [text]);
    onFacts();
  }

  #tell(change: VerdictChange): void {
    const { logger, recorder, report } = this.#options;
    const { kind, address } = change;
    recorder.record('witness', `${this.unverified} addresses unverified`, change, []);
    switch (kind) {
      case 'unverified': {
        const { witnesses } = change;
        logger.warn(
          { ip: address, witnesses: witnesses.join() },
          'address not verified: no answer reaches its witnesses',
        );
        return report({ kind: 'unverified', address, witnesses, isGivenUp: false });
      }
      case 'mute': {
        const { witnesses } = change;
        logger.warn(
          { ip: address, witnesses: witnesses.join() },
          'giving the address up: no answer reaches its witnesses',
        );
        return report({ kind: 'unverified', address, witnesses, isGivenUp: true });
      }
      case 'verified':
        logger.info({ ip: address }, 'address verified again, or no longer announced by this node');
        return report({ kind: 'verified', address });
      case 'audible':
        logger.info(
          { ip: address },
          'a witness gets answers for the address: this node may announce it again',
        );
    }
  }
}

/** The name of the link in a segment's text, which is `link/family` (subjects.ts). */
function linkOf(segment: string): string {
  return segment.slice(0, segment.lastIndexOf('/'));
}

/** A text that differs whenever the facts differ. */
function textOf({ witness, mute }: WitnessFacts): string {
  const lists = (by: ReadonlyMap<string, ReadonlySet<string>> | undefined) =>
    [...(by ?? [])].map(([node, set]) => [node, [...set].sort()]);
  return JSON.stringify({
    unanswered: lists(witness?.unanswered),
    answered: lists(witness?.answered),
    isDeaf: witness?.isDeaf,
    mute: [...(mute ?? [])],
  });
}
