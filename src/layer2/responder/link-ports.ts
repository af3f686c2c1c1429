import type { Clock, Timer } from '../../clock.ts';
import { type OpenCapture, openCapture } from '../../link/capture.ts';
import { carries, type Link } from '../../link/link-table.ts';
import type { Links } from '../../link/link-watcher.ts';
import type { Logger } from '../../log.ts';
import type { GroupSocket } from '../../ndp/solicited-node-groups.ts';
import { reasonOf } from '../../result.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { AddressState } from './address-state.ts';
import { LinkPort } from './link-port.ts';
import type { NeighbourCounters } from './metrics.ts';

export interface LinkPortsOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly links: Links;
  readonly groupSocket: GroupSocket;
  readonly openCapture?: OpenCapture;
  readonly counters: NeighbourCounters;
  /** Every address that is answered, probed or on trial. */
  readonly states: () => Iterable<AddressState>;
  /** Called when a link begins to carry an address because the link has changed or its capture was reopened. */
  readonly onPlaced: (state: AddressState) => void;
  readonly onConflict: (state: AddressState, mac: string, port: LinkPort) => void;
  readonly isSpeaker: (mac: string) => boolean;
  /** Called after links or their subnets have changed. */
  readonly onLinksChanged: () => void;
  /** Called after each change of any interface or address of the host, even when no link has changed. */
  readonly onHostChanged: () => void;
}

const reopenDelayMs = 500;
const rejoinDelayMs = 500;
/** Minimum time between two checks for frames, short enough that neighbours do not notice it. A check costs about 5 µs. */
const drainIntervalMs = 1;

/**
 * The open links. An address is placed on exactly the links that carry it, and a link is captured only while an address is placed on it. A link
 * that disappears and returns gets a new capture and joins its multicast groups again, even if its interface index has changed. A capture that
 * fails is retried, and so is a multicast group that the system refuses.
 */
export class LinkPorts {
  readonly #options: LinkPortsOptions;
  /** Open ports by interface index. The maps below have the same key. */
  readonly #ports = new Map<number, LinkPort>();
  readonly #signatures = new Map<number, string>();
  /** Reason of the last failure to capture on each link, so that a reason is logged once rather than at each attempt. */
  readonly #failures = new Map<number, string>();
  /** Links whose capture could not be opened. They wait for the reopen timer, so that thousands of addresses cause only one attempt. */
  readonly #waiting = new Set<number>();
  #reopenTimer: Timer | undefined;
  #rejoinTimer: Timer | undefined;
  #drainedAtMs = 0;
  #isClosed = false;

  constructor(options: LinkPortsOptions) {
    this.#options = options;
    const { links } = options;
    links.onChange(() => this.#followLinks());
    for (const link of links.links()) this.#signatures.set(link.index, signature(link));
  }

  get count(): number {
    return this.#ports.size;
  }

  portsOf(state: AddressState): LinkPort[] {
    return [...this.#ports.values()].filter((port) => port.states.has(state));
  }

  /** Places the address on the links that carry it and takes it off all other links. Returns true when a link was added. */
  place(state: AddressState): boolean {
    let isAdded = false;
    for (const link of this.#options.links.links())
      if (this.#placeOn(link, state) === 'added') isAdded = true;
    return isAdded;
  }

  remove(state: AddressState): void {
    for (const port of this.portsOf(state)) this.#removeFrom(port, state);
  }

  /** Handles the frames that have arrived. A long task can call this for each of its items, because a call is cheap. */
  drain(): void {
    const { clock } = this.#options;
    if (clock.now() - this.#drainedAtMs < drainIntervalMs) return;
    for (const port of [...this.#ports.values()]) port.drain();
    this.#drainedAtMs = clock.now();
  }

  close(): void {
    this.#isClosed = true;
    this.#reopenTimer?.cancel();
    this.#rejoinTimer?.cancel();
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
  }

  #placeOn(link: Link, state: AddressState): 'added' | 'unchanged' | 'failed' {
    const port = this.#ports.get(link.index);
    if (!carries(link, state.address, state.interfaces)) {
      if (port?.states.has(state)) this.#removeFrom(port, state);
      return 'unchanged';
    }
    if (port?.states.has(state)) return 'unchanged';
    const opened = port ?? this.#open(link);
    opened?.add(state);
    if (opened?.hasRefused) this.#rejoinSoon();
    return opened ? 'added' : 'failed';
  }

  #removeFrom(port: LinkPort, state: AddressState): void {
    port.remove(state);
    if (port.states.size === 0) this.#close(port);
  }

  #open(link: Link): LinkPort | undefined {
    if (this.#waiting.has(link.index)) return undefined;
    const { log, clock, guard, groupSocket, counters, onConflict } = this.#options;
    try {
      const port = new LinkPort(link, {
        openCapture: this.#options.openCapture ?? openCapture,
        groupSocket,
        clock,
        guard,
        onDrop: (protocol, reason) => counters.drop(protocol, reason),
        lateness: counters,
        onConflict,
        isSpeaker: this.#options.isSpeaker,
        onLost: (lost, reason) => this.#lost(lost, reason),
      });
      this.#ports.set(link.index, port);
      this.#failures.delete(link.index);
      log.info({ interface: link.name }, 'answering neighbours on the link');
      return port;
    } catch (error) {
      const reason = reasonOf(error);
      if (this.#failures.get(link.index) !== reason)
        log.warn({ interface: link.name, reason }, 'cannot capture frames on the link; retrying');
      this.#failures.set(link.index, reason);
      this.#waiting.add(link.index);
      this.#reopenSoon();
      return undefined;
    }
  }

  #close(port: LinkPort): void {
    port.close();
    if (this.#ports.get(port.link.index) === port) this.#ports.delete(port.link.index);
  }

  #lost(port: LinkPort, reason: string): void {
    this.#options.counters.capturesLost++;
    this.#options.log.warn({ interface: port.link.name, reason }, 'capture lost; reopening it');
    this.#close(port);
    this.#reopenSoon();
  }

  #reopenSoon(): void {
    this.#reopenTimer ??= this.#options.clock.after(reopenDelayMs, () => {
      this.#reopenTimer = undefined;
      this.#waiting.clear();
      for (const state of this.#options.states()) {
        this.drain();
        if (this.place(state)) this.#options.onPlaced(state);
      }
    });
  }

  #rejoinSoon(): void {
    this.#rejoinTimer ??= this.#options.clock.after(rejoinDelayMs, () => {
      this.#rejoinTimer = undefined;
      const ports = [...this.#ports.values()];
      for (const port of ports) port.joinRefused();
      if (ports.some(({ hasRefused }) => hasRefused)) this.#rejoinSoon();
    });
  }

  /** Handles only links that have changed, because each Pod that starts or ends adds or removes a link. */
  #followLinks(): void {
    if (this.#isClosed) return;
    const links = this.#options.links.links();
    const isChanged = this.#dropGoneLinks(links);
    const changed = links.filter((link) => this.#signatures.get(link.index) !== signature(link));
    for (const link of changed) {
      this.#signatures.set(link.index, signature(link));
      this.#refresh(link);
    }
    if (isChanged || changed.length > 0) this.#options.onLinksChanged();
    this.#options.onHostChanged();
  }

  #dropGoneLinks(links: readonly Link[]): boolean {
    const present = new Set(links.map(({ index }) => index));
    const gone = [...this.#signatures.keys()].filter((index) => !present.has(index));
    for (const index of gone) {
      this.#signatures.delete(index);
      this.#failures.delete(index);
      this.#waiting.delete(index);
      const port = this.#ports.get(index);
      if (!port) continue;
      this.#options.log.info({ interface: port.link.name }, 'link gone');
      this.#close(port);
    }
    return gone.length > 0;
  }

  #refresh(link: Link): void {
    const old = this.#ports.get(link.index);
    const mustReopen = old !== undefined && (old.link.epoch !== link.epoch || old.link.name !== link.name);
    if (mustReopen) this.#close(old);
    this.#waiting.delete(link.index);
    for (const state of this.#options.states()) {
      this.drain();
      const placed = this.#placeOn(link, state);
      if (placed === 'failed') return;
      if (placed === 'added') this.#options.onPlaced(state);
    }
  }
}

/** A text that differs whenever a change of the link affects its capture or its addresses. */
function signature({ name, epoch, mac, subnets }: Link): string {
  return `${name} ${epoch} ${mac.join(':')} ${subnets.map(({ value, length }) => `${value}/${length}`).join(' ')}`;
}
