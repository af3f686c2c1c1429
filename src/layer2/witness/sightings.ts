/**
 * Finds out which host answers for addresses that this cluster holds back, because another program announces them. It is a machine: addresses,
 * nodes, answers and the time go in, questions and sightings come out.
 *
 * Two nodes, the askers, ask for each address by ARP or Neighbour Discovery. They are chosen among the nodes that have a link for the address.
 * Candidates of the address come first, so that the first asker can become the first owner. A candidate with a preference below 0, such as a node
 * that leaves, comes after the other candidates. Among equals, the greatest rendezvous weights decide. If the other program runs on the host of an
 * asker, this asker gets no answer to its own questions. It then sees the answers that its host sends to the other asker. If the answering host is
 * not the host of an asker, a speaker on it sees the answers that the host sends to the askers. Only the first asker reports that no host answers.
 *
 *     question every 2 s ── answer, with the MAC of its host ──→ sighting of a node, or of a host without a speaker
 *                        └─ none for 7 s to three questions or more, as the first asker ──→ sighting of no host
 */
import { formatIp, type IpAddress } from '../../address/index.ts';
import { rendezvousWinners } from '../../hash.ts';
import { carries } from '../../link/link-table.ts';
import { type CandidateNodes, interfacesOf } from '../address-entry.ts';
import type { Sighting } from '../messages.ts';
import type { NodeFacts } from '../ownership/node-facts.ts';

/** A question for an address on a link. */
export interface SightingQuestion {
  readonly address: IpAddress;
  readonly interface: string;
}

/** An answer that was sent to this host, or by it. */
export interface SeenAnswer {
  readonly address: string;
  readonly mac: string;
  readonly interface: string;
}

interface State {
  readonly address: IpAddress;
  askAtMs: number;
  /** When the last answer arrived, or when the first question was due if no answer has arrived yet. */
  heardAtMs: number | undefined;
  /** Questions since the last answer. */
  unanswered: number;
  sighting: Sighting | undefined;
}

type CandidateRanks = ReadonlyMap<string, 0 | 1>;

const askEveryMs = 2000;
/**
 * An address is silent when no answer has arrived for `silentAfterMs`, and at least `silentAfterQuestions` questions have stayed unanswered.
 * The time alone is not enough: many addresses and a stall of the process put the questions far apart, and an answer to the last one may still
 * be unread.
 */
const silentAfterMs = 7000;
const silentAfterQuestions = 3;
const askers = 2;
/** Maximum number of questions in one call of `ask`. If more are due, the rest wait for the next call. */
const maxQuestions = 40;
/** Maximum number of nodes that one call of `ask` weighs: each node once for each address. This takes some 15 ms. */
const maxWeighed = 20_000;

export class Sightings {
  readonly #self: string;
  readonly #candidatesOf: (address: string) => CandidateNodes;
  /** Thousands of addresses share one set of candidates. */
  readonly #ranks = new WeakMap<CandidateNodes, CandidateRanks>();
  readonly #states = new Map<string, State>();
  #nodes: ReadonlyMap<string, NodeFacts> = new Map();
  #nodeOfMac = new Map<string, string>();

  /** `candidatesOf` returns the nodes that may answer for an address when it is not held back any more. */
  constructor(self: string, candidatesOf: (address: string) => CandidateNodes) {
    this.#self = self;
    this.#candidatesOf = candidatesOf;
  }

  get size(): number {
    return this.#states.size;
  }

  /** Replaces the addresses. */
  watch(addresses: Iterable<IpAddress>, nowMs: number): void {
    const before = new Map(this.#states);
    this.#states.clear();
    for (const address of addresses) {
      const text = formatIp(address);
      const state = { address, askAtMs: nowMs, heardAtMs: undefined, unanswered: 0, sighting: undefined };
      this.#states.set(text, before.get(text) ?? state);
    }
  }

  /** Takes the live nodes, including this one. Returns the sightings that change because their MAC now belongs to another node, or to no node. */
  see(nodes: ReadonlyMap<string, NodeFacts>): Sighting[] {
    this.#nodes = nodes;
    this.#nodeOfMac = new Map();
    for (const [node, { links }] of nodes) for (const { mac } of links) this.#nodeOfMac.set(mac, node);
    const changed: Sighting[] = [];
    for (const [text, state] of this.#states) {
      if (!state.sighting || (this.#nodeOfMac.get(state.sighting.mac) ?? '') === state.sighting.node)
        continue;
      state.sighting = this.#sighting(text, state.sighting);
      changed.push(state.sighting);
    }
    return changed;
  }

  /** Returns the questions that are due, and the sightings of addresses that no host answers for. */
  ask(nowMs: number): { readonly questions: SightingQuestion[]; readonly sightings: Sighting[] } {
    const questions: SightingQuestion[] = [];
    const sightings: Sighting[] = [];
    let weighed = 0;
    for (const [text, state] of this.#states) {
      if (questions.length >= maxQuestions || weighed >= maxWeighed) break;
      if (state.askAtMs > nowMs) continue;
      state.askAtMs = nowMs + askEveryMs;
      // Moves the address to the end, so that the addresses that this call does not reach come first in the next call.
      this.#states.delete(text);
      this.#states.set(text, state);
      weighed += this.#nodes.size;
      const ranked = this.#askersOf(text, state.address);
      // A first asker that does not ask any more must not become the first owner by an old sighting.
      if (ranked[0] !== this.#self && state.sighting?.isFirstAsker) {
        state.sighting = { ...state.sighting, isFirstAsker: false };
        sightings.push(state.sighting);
      }
      if (!ranked.includes(this.#self)) {
        state.unanswered = 0;
        continue;
      }
      const link = this.#linkFor(text, state.address);
      if (link !== undefined) questions.push({ address: state.address, interface: link });
      state.heardAtMs ??= nowMs;
      const isSilent = state.unanswered >= silentAfterQuestions && nowMs - state.heardAtMs >= silentAfterMs;
      state.unanswered++;
      if (ranked[0] !== this.#self || !isSilent) continue;
      const sighting = this.#sighting(text, { mac: '', interface: link ?? '' });
      if (this.#isNews(state, sighting)) sightings.push(sighting);
    }
    return { questions, sightings };
  }

  /** Takes an answer. Returns the sighting if it differs from the last one of the address. */
  answered({ address, mac, interface: link }: SeenAnswer, nowMs: number): Sighting | undefined {
    const state = this.#states.get(address);
    if (!state) return undefined;
    state.heardAtMs = nowMs;
    state.unanswered = 0;
    const sighting = this.#sighting(address, { mac, interface: link });
    return this.#isNews(state, sighting) ? sighting : undefined;
  }

  /** Names of the links of this node that carry at least one of the addresses. */
  links(): ReadonlySet<string> {
    const links = this.#nodes.get(this.#self)?.links ?? [];
    const states = [...this.#states].map(([text, { address }]) => ({
      address,
      interfaces: interfacesOf(this.#candidatesOf(text), this.#self),
    }));
    const used = links.filter((link) =>
      states.some(({ address, interfaces }) => carries(link, address, interfaces)),
    );
    return new Set(used.map(({ name }) => name));
  }

  #sighting(address: string, { mac, interface: link }: Omit<SeenAnswer, 'address'>): Sighting {
    const state = this.#states.get(address);
    return {
      address,
      mac,
      node: this.#nodeOfMac.get(mac) ?? '',
      interface: link,
      isFirstAsker: state !== undefined && this.#askersOf(address, state.address)[0] === this.#self,
    };
  }

  #isNews(state: State, sighting: Sighting): boolean {
    if (JSON.stringify(state.sighting) === JSON.stringify(sighting)) return false;
    state.sighting = sighting;
    return true;
  }

  #askersOf(text: string, address: IpAddress): string[] {
    const candidates = this.#candidatesOf(text);
    const ranks = this.#ranksOf(candidates);
    const able: [string[], string[], string[]] = [[], [], []];
    for (const [node, { links }] of this.#nodes)
      if (links.some((link) => carries(link, address, interfacesOf(candidates, node))))
        able[ranks.get(node) ?? 2].push(node);
    const winners: string[] = [];
    for (const nodes of able)
      if (winners.length < askers) winners.push(...rendezvousWinners(nodes, text, askers - winners.length));
    return winners;
  }

  /** The rank of each candidate: 0, or 1 if its preference is below 0. Nodes that are no candidates come after both (`#askersOf`). */
  #ranksOf(nodes: CandidateNodes): CandidateRanks {
    const rankOf = (node: string) => ((nodes.preferences?.[node] ?? 0) < 0 ? 1 : 0);
    const ranks =
      this.#ranks.get(nodes) ?? new Map(nodes.candidates.map((node) => [node, rankOf(node)] as const));
    this.#ranks.set(nodes, ranks);
    return ranks;
  }

  #linkFor(text: string, address: IpAddress): string | undefined {
    const links = this.#nodes.get(this.#self)?.links ?? [];
    const interfaces = interfacesOf(this.#candidatesOf(text), this.#self);
    return links.find((link) => carries(link, address, interfaces))?.name;
  }
}
