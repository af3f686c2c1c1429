import { ClaimPayloads } from '../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore } from '../../src/layer2/ownership/claim-store.ts';
import type { Endpoint } from '../../src/membership/endpoint.ts';
import { isLive } from '../../src/membership/member-table.ts';
import { Membership } from '../../src/membership/membership.ts';
import type { Packet } from '../../src/membership/packet.ts';
import type { MembershipSettings } from '../../src/membership/timing.ts';

/** Seeded random numbers, 0 to below 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Happening {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

/** A heap by time, then by order of arrival. */
class Agenda {
  readonly #heap: Happening[] = [];
  #order = 0;

  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, happen: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#order++, happen });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#swapIfBefore(i, parent)) break;
      i = parent;
    }
  }

  take(): Happening | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || first === last) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      const child = left + 1 < heap.length && isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (child >= heap.length || !this.#swapIfBefore(child, i)) break;
      i = child;
    }
    return first;
  }

  #swapIfBefore(child: number, parent: number): boolean {
    const heap = this.#heap;
    const [a, b] = [heap[child], heap[parent]];
    if (!a || !b || !isBefore(a, b)) return false;
    heap[child] = b;
    heap[parent] = a;
    return true;
  }
}

function isBefore(a: Happening | undefined, b: Happening | undefined): boolean {
  if (!a || !b) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export interface NetOptions {
  readonly nodes: number;
  /** Share of datagrams that are lost, each way. */
  readonly loss: number;
  readonly seed: number;
  readonly settings?: Partial<MembershipSettings>;
}

export interface Loss {
  readonly at: number;
  readonly observer: string;
  readonly subject: string;
  /** The subject lived: a false positive. */
  readonly isFalse: boolean;
}

interface Speaker {
  readonly machine: Membership;
  readonly claims: ClaimStore;
  wakeAt: number;
}

/** One-way delays in milliseconds: a switch, and a process that has other things to do now and then. */
const delayMs = { least: 0.2, mean: 0.4 } as const;

/** Membership machines over a lossy network in virtual time. */
export class MembershipNet {
  readonly #options: NetOptions;
  readonly #random: () => number;
  readonly #agenda = new Agenda();
  readonly #speakers = new Map<string, Speaker>();
  readonly #names: readonly string[];
  readonly #parted = new Set<string>();
  readonly losses: Loss[] = [];
  now = 0;
  packets = 0;

  /** Everybody starts within the first second and knows the names of all. */
  constructor(options: NetOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#names = Array.from({ length: options.nodes }, (_, i) => `node-${i}`);
    for (const name of this.#names) this.#agenda.add(this.#random() * 1000, () => this.start(name));
  }

  get names(): readonly string[] {
    return this.#names;
  }

  machine(name: string): Membership | undefined {
    return this.#speakers.get(name)?.machine;
  }

  claims(name: string): ClaimStore | undefined {
    return this.#speakers.get(name)?.claims;
  }

  start(name: string): void {
    const claims = new ClaimStore();
    const machine = new Membership({
      name,
      payloads: new ClaimPayloads(claims),
      incarnation: Math.round(this.now) + 1,
      endpoint: { host: name, port: 1 },
      metadata: '',
      random: this.#random,
      ...(this.#options.settings ? { settings: this.#options.settings } : {}),
    });
    this.#speakers.set(name, { machine, claims, wakeAt: Number.POSITIVE_INFINITY });
    this.do(name, (each, now) => each.know(this.#endpoints(), now));
  }

  /** Gone without a word. */
  kill(name: string): void {
    this.#speakers.delete(name);
  }

  /** From now on these are heard by each other only, and the rest likewise; none: a whole network again. */
  part(names: Iterable<string>): void {
    this.#parted.clear();
    for (const name of names) this.#parted.add(name);
  }

  do(name: string, step: (machine: Membership, now: number) => void): void {
    const speaker = this.#speakers.get(name);
    if (!speaker) return;
    step(speaker.machine, this.now);
    const { packets, lost } = speaker.machine.take();
    for (const { name: subject } of lost)
      this.losses.push({ at: this.now, observer: name, subject, isFalse: this.#speakers.has(subject) });
    for (const { endpoint, packet } of packets) this.#transmit(name, endpoint, packet);
    const wakeAt = Math.max(this.now, speaker.machine.wakeAt());
    if (wakeAt >= speaker.wakeAt && speaker.wakeAt > this.now) return;
    speaker.wakeAt = wakeAt;
    this.#agenda.add(wakeAt, () => {
      if (this.#speakers.get(name) !== speaker || speaker.wakeAt !== wakeAt) return;
      speaker.wakeAt = Number.POSITIVE_INFINITY;
      this.do(name, (machine, now) => machine.wake(now));
    });
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.#agenda.next <= end) {
      const next = this.#agenda.take();
      if (!next) break;
      this.now = next.at;
      next.happen();
    }
    this.now = end;
  }

  /** Runs until it holds, looking every `stepMs`; false when it does not within `limitMs`. */
  runUntil(holds: () => boolean, limitMs: number, stepMs = 50): boolean {
    for (const end = this.now + limitMs; this.now < end; this.run(stepMs)) if (holds()) return true;
    return holds();
  }

  /** Whether every speaker takes exactly the living for alive. */
  allAgree(): boolean {
    const alive = this.#speakers.size - 1;
    for (const { machine } of this.#speakers.values()) {
      let live = 0;
      for (const member of machine.members()) {
        if (!isLive(member)) continue;
        if (!this.#speakers.has(member.name)) return false;
        live++;
      }
      if (live !== alive) return false;
    }
    return true;
  }

  #transmit(from: string, { host }: Endpoint, packet: Packet): void {
    this.packets++;
    if (this.#random() < this.#options.loss || this.#parted.has(from) !== this.#parted.has(host)) return;
    const delay = delayMs.least - delayMs.mean * Math.log(1 - this.#random());
    this.#agenda.add(this.now + delay, () =>
      this.do(host, (machine, now) => machine.receive(packet, { host: from, port: 1 }, now)),
    );
  }

  #endpoints(): ReadonlyMap<string, readonly Endpoint[]> {
    return new Map(this.#names.map((name) => [name, [{ host: name, port: 1 }]]));
  }
}
