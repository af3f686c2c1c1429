/**
 * The neighbour responder answers ARP and NDP for the addresses that it is given, on the links that should carry them, and
 * announces an address when this node starts answering for it. It decides nothing about ownership.
 *
 * An address is answered on the links that its pool names, or on every link whose subnet holds it (`link-ports.ts`). Announcements follow
 * one schedule per address, and one rate limit applies to all of them (`announcer.ts`). When another host uses an address, the policy
 * decides whether to defend it or to yield (`conflicts.ts`). `probe` finds out whether an address is free before it is announced for the
 * first time. A takeover from a dead node normally skips the probe, because failover must not wait.
 *
 * After a stall of the process, the responder waits a moment before it answers or announces. Meanwhile the process hears the other speakers
 * (`stall.ts`).
 *
 *     rtnetlink → Links ──→ LinkPorts ──→ LinkPort per link ──→ ArpResponder, NdpResponder
 *     add, remove ──────→  ↑              ↑ ↓      └── conflicts ──→ ConflictHandler
 *     Announcer ───────────┘              pcap capture
 *
 * RFC 826 (ARP), 4861 (Neighbour Discovery), 4862 (duplicate address detection), 5227 (IPv4 address conflict detection).
 */
import type { Registry } from 'prom-client';
import { formatIp, type IpAddress } from '../../address/index.ts';
import { type Clock, systemClock } from '../../clock.ts';
import type { OpenCapture } from '../../link/capture.ts';
import { type DropReason, formatMac } from '../../link/frame.ts';
import { carries, type Link } from '../../link/link-table.ts';
import { type Links, watchLinks } from '../../link/link-watcher.ts';
import type { Logger } from '../../log.ts';
import { openGroupSocket } from '../../ndp/group-socket.ts';
import type { GroupSocket } from '../../ndp/solicited-node-groups.ts';
import { Guard } from '../../telemetry/guard.ts';
import { type AddressCounts, type AddressState, newAddressState } from './address-state.ts';
import type { AnnouncementPolicy } from './announcement-queue.ts';
import { Announcer } from './announcer.ts';
import { type Conflict, ConflictHandler } from './conflicts.ts';
import type { DefencePolicy } from './defence.ts';
import { findKernelAnswers, type KernelAnswer, readArpIgnore } from './kernel-answers.ts';
import type { Protocol } from './link-port.ts';
import { LinkPorts } from './link-ports.ts';
import { NeighbourCounters, registerNeighbourMetrics } from './metrics.ts';
import { type ProbeOutcome, probe } from './probe.ts';
import { type NeighbourAnswer, QuestionPorts } from './question-ports.ts';

const defaultAnnouncements: AnnouncementPolicy = {
  offsetsMs: [0, 50, 200, 500, 1000, 2000, 4000],
  refreshMs: 0,
  // An announcement of an IPv4 address is two frames, a request and a reply. At this rate, the announcements are 4,000 frames of 60 octets a second,
  // or 2 Mbit/s, and a takeover of 2,000 addresses is announced within a second.
  perSecond: 2000,
  burst: 250,
};

/**
 * How long this process counts as short of CPU time after a late request. Witnesses that get no answer ask once a second. So if none of their
 * requests arrives for this long, the link loses them, and lack of CPU time is not the cause.
 */
const lateForMs = 10_000;

export interface NeighbourResponderOptions {
  readonly log: Logger;
  readonly registry?: Registry;
  readonly guard?: Guard;
  readonly announcements?: Partial<AnnouncementPolicy>;
  /** Reaction to a conflict with a host that is not a speaker; `defend` by default. */
  readonly defence?: DefencePolicy;
  /** Called on a new conflict, and every ten seconds while it lasts. */
  readonly onConflict?: (conflict: Conflict) => void;
  /** Called after links or their subnets have changed. The results of `carriers` may then differ. */
  readonly onLinksChanged?: () => void;
  /** Called after each change of any interface or address of the host. The results of `kernelAnswers` may then differ. */
  readonly onHostChanged?: () => void;
  /** Called for each answer to a question of this node. */
  readonly onAnswer?: (answer: NeighbourAnswer) => void;
  /** Called for each answer to a question of `watch`, and for each answer that another program on this host sends. */
  readonly onWatchedAnswer?: (answer: NeighbourAnswer) => void;
  /** Checked before each announcement. */
  readonly isOwner?: (address: IpAddress) => boolean;
  readonly clock?: Clock;
  readonly links?: Links;
  readonly openCapture?: OpenCapture;
  readonly groupSocket?: GroupSocket;
}

/** An address and the links that may carry it. An empty list means every link whose subnet holds the address. */
export interface PlacedAddress {
  readonly address: IpAddress;
  readonly interfaces: readonly string[];
}

export interface NeighbourResponder {
  /**
   * Answers for the address from now on, and announces it. Without `interfaces`, every link whose subnet holds the address answers. If the
   * address is already answered, only its links change, and a new link makes the responder announce the address again.
   */
  add(address: IpAddress, interfaces?: readonly string[]): void;
  /** Stops answering for the address at once. */
  remove(address: IpAddress): void;
  /** Restarts the announcements of an address that is answered. */
  announce(address: IpAddress): void;
  /** Finds out, normally within 300 ms, whether another host uses the address. */
  probe(address: IpAddress, interfaces?: readonly string[]): Promise<ProbeOutcome>;
  /** Names of the links on which the address would be answered. An empty result means that this node is not eligible. */
  carriers(address: IpAddress, interfaces?: readonly string[]): readonly string[];
  /** Links that can answer neighbours now. */
  links(): readonly Link[];
  /** MACs of the other speakers, lower case and colon separated. A conflict with one of them is reported, and not defended against. */
  setSpeakerMacs(macs: ReadonlySet<string>): void;
  /** Finds the addresses that this host's own kernel answers for. */
  kernelAnswers(addresses: Iterable<PlacedAddress>): readonly KernelAnswer[];
  /** Counters of every address that is answered. The object of an address stays the same for as long as the address is answered. */
  counts(): Iterable<AddressCounts>;
  /** Replaces the addresses on trial. For these, only other speakers get answers. */
  setTrials(trials: Iterable<PlacedAddress>): void;
  /**
   * Asks on the link for the address of another host, by ARP or Neighbour Discovery from an address of this host on that link. Returns false
   * when the question could not be sent.
   */
  ask(interfaceName: string, address: IpAddress): boolean;
  /** Asks and listens as a witness does, and also hears the answers of other programs on this host. */
  readonly watch: Pick<QuestionPorts, 'ask' | 'listen'>;
  /** Whether this process handled the last request too late to answer it. False when it handled that request more than ten seconds ago. */
  isLate(): boolean;
  /** Stops listening for answers on all links but these. */
  keepQuestionLinks(interfaces: ReadonlySet<string>): void;
  /** Handles the frames that have arrived. Long tasks call it between items so that neighbours do not wait. */
  drainCaptures(): void;
  /** Stops answering and closes every socket. */
  close(): void;
}

/** Creates a responder and opens its link watch. Throws when the system refuses the link watch. */
export function createNeighbourResponder(options: NeighbourResponderOptions): NeighbourResponder {
  return new Responder(options);
}

class Responder implements NeighbourResponder {
  readonly #clock: Clock;
  readonly #links: Links;
  readonly #groupSocket: GroupSocket;
  readonly #states = new Map<string, AddressState>();
  readonly #ports: LinkPorts;
  readonly #announcer: Announcer;
  readonly #conflicts: ConflictHandler;
  readonly #questions: QuestionPorts;
  readonly watch: QuestionPorts;
  readonly #counters = new NeighbourCounters();
  #trials = new Set<AddressState>();
  /** The MACs of these links, as text. Kept because another host may send very many conflicting frames. */
  #known: { readonly links: readonly Link[]; readonly macs: ReadonlySet<string> } = {
    links: [],
    macs: new Set(),
  };

  constructor(options: NeighbourResponderOptions) {
    const { log, registry, clock = systemClock, isOwner = () => true, onConflict = () => {} } = options;
    const guard = options.guard ?? new Guard({ logger: log });
    const counters = this.#counters;
    this.#clock = clock;
    this.#groupSocket =
      options.groupSocket ??
      openGroupSocket((reason) => log.warn({ reason }, 'cannot join a solicited-node group'));
    this.#links = options.links ?? watchLinks(guard, { clock });
    this.#ports = new LinkPorts({
      log,
      clock,
      guard,
      links: this.#links,
      groupSocket: this.#groupSocket,
      ...(options.openCapture ? { openCapture: options.openCapture } : {}),
      counters,
      states: () => this.#states.values(),
      onPlaced: (state) => this.#announcer.start(state),
      onConflict: (state, mac, port) => this.#conflicts.handle(state, mac, port),
      isSpeaker: (mac) => this.#conflicts.isSpeaker(mac),
      onLinksChanged: () => options.onLinksChanged?.(),
      onHostChanged: () => options.onHostChanged?.(),
    });
    this.#announcer = new Announcer({
      clock,
      policy: { ...defaultAnnouncements, ...options.announcements },
      portsOf: (state) => this.#ports.portsOf(state),
      isOwner,
      drainCaptures: () => this.drainCaptures(),
    });
    this.#conflicts = new ConflictHandler({
      log,
      clock,
      policy: options.defence ?? 'defend',
      isOwnMac: (mac) => this.#macs().has(mac),
      yieldAddress: (address) => this.remove(address),
      onConflict,
    });
    const questions = {
      ...{ log, clock, guard },
      links: this.#links,
      ...(options.openCapture ? { openCapture: options.openCapture } : {}),
      onDrop: (protocol: Protocol, reason: DropReason) => counters.drop(protocol, reason),
    };
    this.#questions = new QuestionPorts({ ...questions, onAnswer: (answer) => options.onAnswer?.(answer) });
    this.watch = new QuestionPorts({
      ...questions,
      onAnswer: (answer) => options.onWatchedAnswer?.(answer),
      hearsOwnHost: true,
    });
    if (registry) registerNeighbourMetrics(registry, counters, () => this.#ports.count);
  }

  add(address: IpAddress, interfaces: readonly string[] = []): void {
    const state = this.#state(address, interfaces);
    const isNew = !state.answering;
    state.answering = true;
    const hasNewLink = this.#ports.place(state);
    if (isNew || hasNewLink) this.#announcer.start(state);
  }

  remove(address: IpAddress): void {
    const state = this.#states.get(formatIp(address));
    if (!state) return;
    state.answering = false;
    state.conflictHistory = undefined;
    this.#announcer.cancel(state);
    this.#forgetUnused(state);
  }

  announce(address: IpAddress): void {
    const state = this.#states.get(formatIp(address));
    if (state) this.#announcer.start(state);
  }

  async probe(address: IpAddress, interfaces: readonly string[] = []): Promise<ProbeOutcome> {
    if (this.#states.get(formatIp(address))?.answering) return { kind: 'free' };
    const state = this.#state(address, interfaces);
    this.#ports.place(state);
    try {
      return await probe({
        ...{ clock: this.#clock, state },
        ports: () => {
          // Hundreds of probes may be due at the same time, and neighbours must not wait for all of them.
          this.drainCaptures();
          return this.#ports.portsOf(state);
        },
        isCarried: () => this.carriers(address, state.interfaces).length > 0,
      });
    } finally {
      this.#forgetUnused(state);
    }
  }

  carriers(address: IpAddress, interfaces: readonly string[] = []): readonly string[] {
    return this.links()
      .filter((link) => carries(link, address, interfaces))
      .map(({ name }) => name);
  }

  links(): readonly Link[] {
    return this.#links.links();
  }

  setSpeakerMacs(macs: ReadonlySet<string>): void {
    this.#conflicts.setSpeakerMacs(macs);
  }

  kernelAnswers(addresses: Iterable<PlacedAddress>): readonly KernelAnswer[] {
    return findKernelAnswers(addresses, this.links(), this.#links.localAddresses(), readArpIgnore);
  }

  *counts(): Iterable<AddressCounts> {
    for (const state of this.#states.values()) if (state.answering) yield state;
  }

  drainCaptures(): void {
    this.#ports.drain();
    this.#questions.drain();
    this.watch.drain();
  }

  close(): void {
    this.#announcer.close();
    this.#links.close();
    this.#ports.close();
    this.#questions.close();
    this.watch.close();
    this.#groupSocket.close();
  }

  setTrials(trials: Iterable<PlacedAddress>): void {
    const before = this.#trials;
    this.#trials = new Set();
    for (const { address, interfaces } of trials) {
      const state = this.#state(address, interfaces);
      state.isOnTrial = true;
      this.#trials.add(state);
      this.#ports.place(state);
    }
    for (const state of before) {
      if (this.#trials.has(state)) continue;
      state.isOnTrial = false;
      this.#forgetUnused(state);
    }
  }

  ask(interfaceName: string, address: IpAddress): boolean {
    return this.#questions.ask(interfaceName, address);
  }

  isLate(): boolean {
    return this.#clock.now() - this.#counters.lateAtMs < lateForMs;
  }

  keepQuestionLinks(interfaces: ReadonlySet<string>): void {
    this.#questions.keep(interfaces);
  }

  /** The MACs of this node's links, lower case and colon separated. */
  #macs(): ReadonlySet<string> {
    const links = this.links();
    if (this.#known.links !== links)
      this.#known = { links, macs: new Set(links.map(({ mac }) => formatMac(mac))) };
    return this.#known.macs;
  }

  /** The state of the address, which belongs on these links from now on. The caller places it. */
  #state(address: IpAddress, interfaces: readonly string[]): AddressState {
    const text = formatIp(address);
    const state = this.#states.get(text) ?? newAddressState(address, text, interfaces);
    state.interfaces = interfaces;
    this.#states.set(text, state);
    return state;
  }

  #forgetUnused(state: AddressState): void {
    if (state.answering || state.isOnTrial || state.probes.length > 0) return;
    this.#states.delete(state.text);
    this.#ports.remove(state);
  }
}
