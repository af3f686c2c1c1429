/**
 * The neighbour responder: answers ARP and NDP for the addresses it is given, on the links that should carry them, and tells
 * neighbours when an address has come here. It decides nothing about ownership: what is added is answered.
 *
 * An address is answered on the links that its pool names, or else on those whose subnet holds it. Links are followed as they
 * change; a link that comes back, with the same or another interface index, is captured anew, its multicast groups joined
 * anew, and its addresses announced anew. A capture is open only on links that have something to answer for.
 *
 * Announcements follow one schedule per address, paced over all, each sent only while the address is still ours. Claims of
 * other hosts are reported, and defended or yielded by policy; another speaker's claim is only reported, since the speakers
 * settle ownership among themselves. `probe` asks the links whether an address is free, before it is announced for the first
 * time; an address that had an owner is taken over without, because failover must not wait.
 *
 *     rtnetlink → Links ──→ NeighbourResponder ──→ LinkPort per link ──→ ArpResponder, NdpResponder
 *     add, remove ──────→        │    ↑                 ↑ ↓
 *     AnnouncementQueue ←────────┘    └── claims ── pcap capture
 *
 * RFC 826, 4861, 4862, 5227.
 */
import type { Registry } from 'prom-client';
import { formatIp, type IpAddress } from '../../address/index.ts';
import { type Clock, systemClock, type Timer } from '../../clock.ts';
import { type OpenCapture, openCapture } from '../../link/capture.ts';
import { carries, type Link } from '../../link/link-table.ts';
import { type Links, watchLinks } from '../../link/link-watcher.ts';
import type { Logger } from '../../log.ts';
import { openGroupSocket } from '../../ndp/group-socket.ts';
import type { GroupSocket } from '../../ndp/solicited-node-groups.ts';
import { type AddressCounts, type AddressState, newAddressState } from './address-state.ts';
import { type AnnouncementPolicy, AnnouncementQueue } from './announcement-queue.ts';
import { type ClaimAction, type DefencePolicy, decideClaim } from './defence.ts';
import { findKernelAnswers, type KernelAnswer, readArpIgnore } from './kernel-answers.ts';
import { LinkPort } from './link-port.ts';
import { NeighbourCounters, registerNeighbourMetrics } from './metrics.ts';
import { type ProbeOutcome, probe } from './probe.ts';

const defaultAnnouncements: AnnouncementPolicy = {
  offsetsMs: [0, 50, 200, 500, 1000, 2000, 4000],
  refreshMs: 0,
  // Four thousand frames of 60 octets are 2 Mbit/s: a takeover of 2,000 addresses is told in a second.
  perSecond: 2000,
  burst: 250,
};

/** Another host uses an address that is answered here. */
export interface Conflict {
  readonly address: IpAddress;
  /** Lower-case, colon separated. */
  readonly mac: string;
  readonly interface: string;
  readonly action: ClaimAction;
  /** The claimant is another speaker: two nodes think that they own the address, or a handover is under way. */
  readonly isSpeaker: boolean;
}

export interface NeighbourResponderOptions {
  readonly log: Logger;
  readonly registry?: Registry;
  readonly announcements?: Partial<AnnouncementPolicy>;
  /** What to do about claims of hosts that are no speakers; `defend` by default. */
  readonly defence?: DefencePolicy;
  /** Told on change, and every ten seconds while a claim goes on. */
  readonly onConflict?: (conflict: Conflict) => void;
  /** Told after links or their subnets have changed: ask `carriers` again. */
  readonly onLinksChanged?: () => void;
  /** Asked before each announcement: a last look at ownership. */
  readonly isOwner?: (address: IpAddress) => boolean;
  readonly clock?: Clock;
  readonly links?: Links;
  readonly openCapture?: OpenCapture;
  readonly groupSocket?: GroupSocket;
}

export interface NeighbourResponder {
  /**
   * Answers for the address from now on and announces it. `interfaces` are the links named by the pool; empty or absent:
   * those whose subnet holds the address. For an address that is answered already, only changes of links take effect.
   */
  add(address: IpAddress, interfaces?: readonly string[]): void;
  /** Falls silent about the address at once. */
  remove(address: IpAddress): void;
  /** Starts the schedule of announcements again, of an address that is answered. */
  announce(address: IpAddress): void;
  /** Whether anybody on the links uses the address: known within 300 ms. */
  probe(address: IpAddress, interfaces?: readonly string[]): Promise<ProbeOutcome>;
  /** Links on which the address would be answered, by name; none: this node is not eligible. */
  carriers(address: IpAddress, interfaces?: readonly string[]): readonly string[];
  /** Links that can answer neighbours now. */
  links(): readonly Link[];
  /** MACs of the other speakers (lower-case, colon separated): their claims are reported as such and never defended. */
  setSpeakers(macs: ReadonlySet<string>): void;
  /** Which of the addresses this host's own kernel answers for, whatever the speakers decide. */
  kernelAnswers(
    addresses: Iterable<{ address: IpAddress; interfaces: readonly string[] }>,
  ): readonly KernelAnswer[];
  /** Of every address that is answered; the objects live as long as it is, and count on. */
  counts(): Iterable<AddressCounts>;
  /** Answers what has arrived meanwhile. Call it within long work, as often as you like. */
  breathe(): void;
  /** Falls silent about everything and lets go of every socket. */
  close(): void;
}

/** Opens the watch of links; throws when the system refuses it. */
export function createNeighbourResponder(options: NeighbourResponderOptions): NeighbourResponder {
  return new Responder(options);
}

/** A capture that failed is tried again after this. */
const reopenDelayMs = 500;
/** A tenth of what an answer may take; looking costs some 5 µs. */
const breathMs = 1;

class Responder implements NeighbourResponder {
  readonly #options: NeighbourResponderOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #links: Links;
  readonly #groupSocket: GroupSocket;
  readonly #states = new Map<string, AddressState>();
  /** By interface index. */
  readonly #ports = new Map<number, LinkPort>();
  readonly #seen = new Map<number, string>();
  readonly #failing = new Map<number, string>();
  readonly #queue: AnnouncementQueue<AddressState>;
  readonly #counters = new NeighbourCounters();
  #speakers: ReadonlySet<string> = new Set();
  #sendTimer: Timer | undefined;
  #reopenTimer: Timer | undefined;
  #isClosed = false;
  #breathedAt = 0;

  constructor(options: NeighbourResponderOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#queue = new AnnouncementQueue({ ...defaultAnnouncements, ...options.announcements });
    this.#groupSocket =
      options.groupSocket ??
      openGroupSocket((reason) => this.#log.warn({ reason }, 'a solicited-node group cannot be joined'));
    this.#links = options.links ?? watchLinks();
    this.#links.onChange(() => this.#followLinks());
    if (options.registry) registerNeighbourMetrics(options.registry, this.#counters, () => this.#ports.size);
    for (const link of this.#links.links()) this.#seen.set(link.index, signature(link));
  }

  add(address: IpAddress, interfaces: readonly string[] = []): void {
    const state = this.#state(address, interfaces);
    state.interfaces = interfaces;
    const isNew = !state.answering;
    state.answering = true;
    const joined = this.#place(state);
    if (isNew || joined) this.#schedule(state);
  }

  remove(address: IpAddress): void {
    const state = this.#states.get(formatIp(address));
    if (!state) return;
    state.answering = false;
    state.claims = undefined;
    this.#queue.cancel(state);
    this.#release(state);
  }

  announce(address: IpAddress): void {
    const state = this.#states.get(formatIp(address));
    if (state?.answering) this.#schedule(state);
  }

  async probe(address: IpAddress, interfaces: readonly string[] = []): Promise<ProbeOutcome> {
    const state = this.#state(address, interfaces);
    if (state.answering) return { kind: 'free' };
    this.#place(state);
    try {
      return await probe(this.#clock, state, () => {
        // Hundreds of probes are due at one time.
        this.breathe();
        return this.#portsOf(state);
      });
    } finally {
      this.#release(state);
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

  setSpeakers(macs: ReadonlySet<string>): void {
    this.#speakers = macs;
  }

  kernelAnswers(
    addresses: Iterable<{ address: IpAddress; interfaces: readonly string[] }>,
  ): readonly KernelAnswer[] {
    return findKernelAnswers(addresses, this.links(), this.#links.localAddresses(), readArpIgnore);
  }

  *counts(): Iterable<AddressCounts> {
    for (const state of this.#states.values()) if (state.answering) yield state;
  }

  breathe(): void {
    const now = this.#clock.now();
    if (now - this.#breathedAt < breathMs) return;
    for (const port of [...this.#ports.values()]) port.drain();
    this.#breathedAt = this.#clock.now();
  }

  close(): void {
    this.#isClosed = true;
    this.#sendTimer?.cancel();
    this.#reopenTimer?.cancel();
    this.#links.close();
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
    this.#groupSocket.close();
  }

  #state(address: IpAddress, interfaces: readonly string[]): AddressState {
    const text = formatIp(address);
    const state = this.#states.get(text) ?? newAddressState(address, text, interfaces);
    this.#states.set(text, state);
    return state;
  }

  /** Forgets an address that nobody needs any more. */
  #release(state: AddressState): void {
    if (state.answering || state.probes.size > 0) return;
    this.#states.delete(state.text);
    for (const port of this.#portsOf(state)) this.#removeFrom(port, state);
  }

  #portsOf(state: AddressState): LinkPort[] {
    return [...this.#ports.values()].filter((port) => port.states.has(state));
  }

  /** Puts the address on exactly the links that carry it; true when one was added. */
  #place(state: AddressState): boolean {
    let isAdded = false;
    for (const link of this.links()) {
      const port = this.#ports.get(link.index);
      if (!carries(link, state.address, state.interfaces)) {
        if (port?.states.has(state)) this.#removeFrom(port, state);
      } else if (!port?.states.has(state)) {
        const opened = port ?? this.#open(link);
        opened?.add(state);
        isAdded ||= opened !== undefined;
      }
    }
    return isAdded;
  }

  #removeFrom(port: LinkPort, state: AddressState): void {
    port.remove(state);
    if (port.states.size === 0) this.#close(port);
  }

  #open(link: Link): LinkPort | undefined {
    try {
      const port = new LinkPort(link, {
        openCapture: this.#options.openCapture ?? openCapture,
        groupSocket: this.#groupSocket,
        clock: this.#clock,
        onDrop: (protocol, reason) => this.#counters.drop(protocol, reason),
        onClaim: (state, mac, claimedOn) => this.#claimed(state, mac, claimedOn),
        onLost: (lost, reason) => this.#lost(lost, reason),
      });
      this.#ports.set(link.index, port);
      this.#failing.delete(link.index);
      this.#log.info({ interface: link.name }, 'answering neighbours on the link');
      return port;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#failing.get(link.index) !== reason)
        this.#log.warn({ interface: link.name, reason }, 'the link cannot be captured; trying again');
      this.#failing.set(link.index, reason);
      this.#reopenSoon();
      return undefined;
    }
  }

  #close(port: LinkPort): void {
    port.close();
    if (this.#ports.get(port.link.index) === port) this.#ports.delete(port.link.index);
  }

  #lost(port: LinkPort, reason: string): void {
    this.#counters.capturesLost++;
    this.#log.warn({ interface: port.link.name, reason }, 'the capture ended; opening it anew');
    this.#close(port);
    this.#reopenSoon();
  }

  #reopenSoon(): void {
    this.#reopenTimer ??= this.#clock.after(reopenDelayMs, () => {
      this.#reopenTimer = undefined;
      for (const state of this.#states.values()) {
        this.breathe();
        if (this.#place(state)) this.#schedule(state);
      }
    });
  }

  /** Only links that have changed are looked at: pods come and go with theirs all the time. */
  #followLinks(): void {
    if (this.#isClosed) return;
    const links = this.links();
    const present = new Set(links.map(({ index }) => index));
    let isChanged = false;
    for (const index of this.#seen.keys()) {
      if (present.has(index)) continue;
      isChanged = true;
      this.#seen.delete(index);
      this.#failing.delete(index);
      const port = this.#ports.get(index);
      if (!port) continue;
      this.#log.info({ interface: port.link.name }, 'the link has gone');
      this.#close(port);
    }
    for (const link of links) {
      const now = signature(link);
      if (this.#seen.get(link.index) === now) continue;
      isChanged = true;
      this.#seen.set(link.index, now);
      this.#refreshLink(link);
    }
    if (isChanged) this.#options.onLinksChanged?.();
  }

  #refreshLink(link: Link): void {
    const old = this.#ports.get(link.index);
    const mustReopen = old !== undefined && (old.link.epoch !== link.epoch || old.link.name !== link.name);
    if (mustReopen) this.#close(old);
    for (const state of this.#states.values()) {
      this.breathe();
      const port = this.#ports.get(link.index);
      if (!carries(link, state.address, state.interfaces)) {
        if (port?.states.has(state)) this.#removeFrom(port, state);
      } else if (!port?.states.has(state)) {
        const opened = port ?? this.#open(link);
        if (!opened) return;
        opened.add(state);
        if (state.answering) this.#schedule(state);
      }
    }
  }

  #schedule(state: AddressState): void {
    if (!state.answering) return;
    this.#queue.start(state, this.#clock.now());
    this.#sendDue();
  }

  #sendDue(): void {
    this.#sendTimer?.cancel();
    this.#sendTimer = undefined;
    if (this.#isClosed) return;
    for (
      let state = this.#queue.next(this.#clock.now());
      state;
      state = this.#queue.next(this.#clock.now())
    ) {
      this.breathe();
      if (!state.answering || this.#options.isOwner?.(state.address) === false) this.#queue.cancel(state);
      else for (const port of this.#portsOf(state)) port.announce(state);
    }
    const delayMs = this.#queue.delayMs(this.#clock.now());
    if (delayMs !== undefined) this.#sendTimer = this.#clock.after(delayMs, () => this.#sendDue());
  }

  #claimed(state: AddressState, mac: string, port: LinkPort): void {
    const interfaceName = port.link.name;
    const isSpeaker = this.#speakers.has(mac);
    // Who of the speakers owns it the claims decide; a probe looks for everybody else.
    if (!isSpeaker) for (const onClaim of [...state.probes]) onClaim(mac, interfaceName);
    if (!state.answering) return;
    state.conflicts++;
    const policy = this.#options.defence ?? 'defend';
    const decision = decideClaim(state.claims, { mac, isSpeaker, policy }, this.#clock.now());
    state.claims = decision.history;
    if (decision.action === 'defended') port.announce(state);
    if (decision.action === 'yielded') this.remove(state.address);
    if (!decision.report) return;
    this.#log.warn(
      { ip: state.text, mac, interface: interfaceName, action: decision.action, speaker: isSpeaker },
      'another host claims an address that is answered here',
    );
    this.#options.onConflict?.({
      address: state.address,
      mac,
      interface: interfaceName,
      action: decision.action,
      isSpeaker,
    });
  }
}

/** Changes with everything that decides about captures and addresses. */
function signature({ name, epoch, mac, subnets }: Link): string {
  return `${name} ${epoch} ${mac.join(':')} ${subnets.map(({ value, length }) => `${value}/${length}`).join(' ')}`;
}
