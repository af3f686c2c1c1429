import type { Timer } from '../../src/clock.ts';
import type { Changes } from '../../src/membership/change-log.ts';
import type { Endpoint } from '../../src/membership/endpoint.ts';
import { isLive } from '../../src/membership/member-table.ts';
import { Membership } from '../../src/membership/membership.ts';
import type { Packet } from '../../src/membership/packet.ts';
import type { PayloadStore } from '../../src/membership/payload.ts';
import type { MembershipSettings } from '../../src/membership/timing.ts';
import { TextStore } from './text-payloads.ts';

/** Seeded random numbers from 0 to below 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A heap ordered by time and, among equal times, by order of scheduling. */
class Agenda {
  readonly #heap: Scheduled[] = [];
  #order = 0;

  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#order++, run });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#swapIfBefore(i, parent)) break;
      i = parent;
    }
  }

  take(): Scheduled | undefined {
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

function isBefore(a: Scheduled | undefined, b: Scheduled | undefined): boolean {
  if (!a || !b) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export interface NetOptions {
  readonly nodes: number;
  /** Share of lost datagrams, from 0 to 1. */
  readonly loss: number;
  readonly seed: number;
  readonly settings?: Partial<MembershipSettings>;
  /** The metadata with which each member starts; empty by default. */
  readonly metadata?: string;
  /** Whether Kubernetes' list of speakers is complete. */
  readonly isListCertain?: boolean;
  /** The payload store of each member; a text store by default. */
  readonly storeOf?: (name: string) => PayloadStore;
  /** CPU time of each received and of each sent datagram; 0 by default. */
  readonly datagramMs?: number;
}

export interface Loss {
  readonly at: number;
  readonly observer: string;
  readonly subject: string;
  /** Whether the subject was alive when the observer lost it. */
  readonly isFalse: boolean;
}

interface NetMember {
  readonly machine: Membership;
  readonly store: PayloadStore;
  wakeAt: number;
  isWakeDue: boolean;
}

/** Number of datagrams that fit into a socket buffer of 425,984 octets. A datagram of 1,400 octets takes 2,304 octets of the buffer. */
const socketBuffer = 184;

/** Number of datagrams that libuv reads in one turn. */
const datagramsAtOnce = 32;

/** When the process of a member runs again, and what waits until then. */
class Schedule {
  freeAt = 0;
  isWaiting = false;
  /** The rest of the present turn of the event loop. */
  readonly phase: (() => void)[] = [];
  readonly timers: (() => void)[] = [];
  readonly datagrams: (() => void)[] = [];
}

/**
 * One-way delay in milliseconds. `least` is the delay of a switch. A random part with the mean `mean` is added to it, because processes are busy
 * now and then.
 */
const delayMs = { least: 0.2, mean: 0.4 } as const;

/** Membership machines over a lossy network in virtual time. */
export class MembershipNet {
  readonly #options: NetOptions;
  readonly #random: () => number;
  readonly #agenda = new Agenda();
  readonly #members = new Map<string, NetMember>();
  readonly #names: readonly string[];
  readonly #parted = new Set<string>();
  /** The two members that do not hear each other. */
  readonly #apart = new Set<string>();
  readonly #schedules = new Map<string, Schedule>();
  readonly losses: Loss[] = [];
  #listed: ReadonlyMap<string, readonly Endpoint[]> | undefined;
  now = 0;
  packets = 0;
  /** Datagrams that found a full socket buffer. */
  overflows = 0;
  /** Called after each step of a member. */
  onChanges: (name: string, changes: Changes) => void = () => {};

  /** All members start within the first second and know each other's names. */
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
    return this.#members.get(name)?.machine;
  }

  /** The store of a member that was started with the default kind of store. */
  store(name: string): TextStore | undefined {
    const store = this.#members.get(name)?.store;
    return store instanceof TextStore ? store : undefined;
  }

  start(name: string, store: PayloadStore = this.#options.storeOf?.(name) ?? new TextStore()): void {
    const machine = new Membership({
      name,
      payloads: store,
      incarnation: Math.round(this.now) + 1,
      port: 1,
      metadata: this.#options.metadata ?? '',
      random: this.#random,
      ...(this.#options.settings ? { settings: this.#options.settings } : {}),
    });
    this.#members.set(name, { machine, store, wakeAt: Number.POSITIVE_INFINITY, isWakeDue: false });
    this.do(name, (each, now) => each.setSpeakers(this.#endpoints(), now, this.#options.isListCertain));
  }

  /** Stops the member without announcing its departure. */
  kill(name: string): void {
    this.#members.delete(name);
    this.#schedules.delete(name);
  }

  /** Splits the network: these members hear only each other, and the other members hear only each other. Without names, the split ends. */
  part(names: Iterable<string>): void {
    this.#parted.clear();
    for (const name of names) this.#parted.add(name);
  }

  /** Cuts the path between two members. The others hear both. */
  cut(...pair: readonly [string, string]): void {
    for (const name of pair) this.#apart.add(name);
  }

  do(name: string, step: (machine: Membership, now: number) => void): void {
    const member = this.#members.get(name);
    if (!member) return;
    step(member.machine, this.now);
    const changes = member.machine.take();
    const { packets, lost } = changes;
    this.onChanges(name, changes);
    for (const { name: subject } of lost)
      this.losses.push({ at: this.now, observer: name, subject, isFalse: this.#members.has(subject) });
    for (const { endpoint, packet } of packets) this.#transmit(name, endpoint, packet);
    const wakeAt = Math.max(this.now, member.machine.wakeAtMs());
    if (wakeAt >= member.wakeAt && member.wakeAt > this.now) return;
    member.wakeAt = wakeAt;
    this.#agenda.add(wakeAt, () => {
      if (this.#members.get(name) !== member || member.wakeAt !== wakeAt) return;
      if (this.isBusy(name)) {
        member.isWakeDue = true;
        this.#resumeLater(name);
        return;
      }
      this.#wake(name, member);
    });
  }

  #wake(name: string, member: NetMember): void {
    member.wakeAt = Number.POSITIVE_INFINITY;
    member.isWakeDue = false;
    this.do(name, (machine, now) => machine.wake(now));
  }

  /** Keeps the process of the member busy for this time. Its timers and datagrams wait. */
  spend(name: string, ms: number): void {
    const schedule = this.#schedule(name);
    schedule.freeAt = Math.max(schedule.freeAt, this.now) + ms;
  }

  /** The time on the clock of the member's process. While the process works, this time is ahead of `now`. */
  timeOf(name: string): number {
    return Math.max(this.now, this.#schedules.get(name)?.freeAt ?? 0);
  }

  isBusy(name: string): boolean {
    const schedule = this.#schedules.get(name);
    return schedule !== undefined && (schedule.isWaiting || schedule.freeAt > this.now);
  }

  #schedule(name: string): Schedule {
    const schedule = this.#schedules.get(name) ?? new Schedule();
    this.#schedules.set(name, schedule);
    return schedule;
  }

  #resumeLater(name: string): void {
    const schedule = this.#schedule(name);
    if (schedule.isWaiting) return;
    schedule.isWaiting = true;
    this.#agenda.add(schedule.freeAt, () => {
      if (this.#schedules.get(name) !== schedule) return;
      schedule.isWaiting = false;
      this.#resume(name, schedule);
    });
  }

  /** Runs the waiting work of a member in the order of an event loop: timers, some datagrams, the wake of the machine, and then timers again. */
  #resume(name: string, schedule: Schedule): void {
    const member = this.#members.get(name);
    for (;;) {
      if (schedule.freeAt > this.now) return this.#resumeLater(name);
      const next = schedule.phase.shift();
      if (next) next();
      else {
        schedule.phase.push(...schedule.timers.splice(0), ...schedule.datagrams.splice(0, datagramsAtOnce));
        if (member?.isWakeDue) {
          member.isWakeDue = false;
          schedule.phase.push(() => this.#wake(name, member));
        }
        if (schedule.phase.length === 0) return;
      }
    }
  }

  /** Runs the callback after a delay. With `name`, the process of this member runs it, and the callback waits while the process is busy. */
  after(delayMs: number, callback: () => void, name = ''): Timer {
    let isCancelled = false;
    const run = () => {
      if (!isCancelled) callback();
    };
    this.#agenda.add(this.timeOf(name) + Math.max(0, delayMs), () => {
      if (isCancelled) return;
      if (!this.isBusy(name)) return run();
      this.#schedule(name).timers.push(run);
      this.#resumeLater(name);
    });
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.#agenda.next <= end) {
      const next = this.#agenda.take();
      if (!next) break;
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  /** Runs until the condition holds, and checks it every `stepMs`. Returns false if the condition does not hold within `limitMs`. */
  runUntil(holds: () => boolean, limitMs: number, stepMs = 50): boolean {
    for (const end = this.now + limitMs; this.now < end; this.run(stepMs)) if (holds()) return true;
    return holds();
  }

  /** Whether each member considers exactly the running members live, which means alive or suspect. */
  allAgree(): boolean {
    const alive = this.#members.size - 1;
    for (const { machine } of this.#members.values()) {
      let live = 0;
      for (const member of machine.members()) {
        if (!isLive(member)) continue;
        if (!this.#members.has(member.name)) return false;
        live++;
      }
      if (live !== alive) return false;
    }
    return true;
  }

  #transmit(from: string, { host }: Endpoint, packet: Packet): void {
    this.packets++;
    if (this.#random() < this.#options.loss || this.#parted.has(from) !== this.#parted.has(host)) return;
    if (this.#apart.has(from) && this.#apart.has(host)) return;
    const delay = delayMs.least - delayMs.mean * Math.log(1 - this.#random());
    const { datagramMs = 0 } = this.#options;
    if (datagramMs > 0) this.spend(from, datagramMs);
    const receive = () => {
      if (datagramMs > 0) this.spend(host, datagramMs);
      this.do(host, (machine, now) => machine.receive(packet, { host: from, port: 1 }, now));
    };
    const departsAt = Math.max(this.now, this.#schedules.get(from)?.freeAt ?? 0);
    this.#agenda.add(departsAt + delay, () => {
      if (!this.isBusy(host)) return receive();
      const { datagrams } = this.#schedule(host);
      if (datagrams.length < socketBuffer) datagrams.push(receive);
      else this.overflows++;
      this.#resumeLater(host);
    });
  }

  #endpoints(): ReadonlyMap<string, readonly Endpoint[]> {
    this.#listed ??= new Map(this.#names.map((name) => [name, [{ host: name, port: 1 }]]));
    return this.#listed;
  }
}
