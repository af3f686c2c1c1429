import { type Family, type IpAddress, type Prefix, sameIp } from '../../address/index.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { BgpMetrics } from '../metrics.ts';
import { AdjRibOut } from '../rib/adj-rib-out.ts';
import type { AttributeTable } from '../rib/attribute-table.ts';
import type { PrefixTable } from '../rib/prefix-table.ts';
import { UpdateWriter, type WireSession } from '../rib/update-writer.ts';
import type { RouteAttributes } from '../speaker-api.ts';

/**
 * Messages are built only while fewer octets than this wait for the kernel to take them. A slow peer therefore costs little memory and does
 * not delay other peers.
 */
const writeWindowBytes = 256 * 1024;

/** Shortest time between two refreshes of a family, however often the peer asks. */
const refreshPauseMs = 1000;

/**
 * How long a family may lack a next hop before the peer gets the family's End-of-RIB without routes. A link that comes up has its IPv6 address
 * within this time: after at most three Router Solicitations, one every 4 s (RFC 4861 section 10), and Duplicate Address Detection. Without the
 * End-of-RIB, the peer would keep the routes of our earlier session until its timer ends, and a restarted peer would delay its route selection.
 */
export const nextHopWaitMs = 15_000;

/** This many changes fill at least two messages of 4096 octets, so they are sent without waiting for the end of the turn. */
const burstRoutes = 2048;

const both: readonly Family[] = [4, 6];

/** Prefixes and attribute sets, shared by all peers. */
export interface RouteTables {
  readonly prefixes: PrefixTable;
  readonly attributes: AttributeTable;
}

/** Takes the messages while a session is up. */
export interface RouteSink {
  readonly queuedBytes: number;
  write(bytes: Uint8Array): void;
}

export interface OutputSession {
  readonly sink: RouteSink;
  readonly wire: WireSession;
  readonly families: readonly Family[];
  /** The families that both ends have agreed on. Those that are missing in `families` wait for a next hop. */
  readonly negotiated: readonly Family[];
  readonly enhancedRefresh: boolean;
  /** Called when attributes leave no room for a prefix in a message. */
  readonly unsendable: () => void;
}

/**
 * Sends one peer the changes of its Adj-RIB-Out. The changes of one turn of the event loop go out together at its end, or as soon as there
 * are `burstRoutes` of them. The socket sets the pace.
 */
export class RouteOutput {
  readonly #clock: Clock;
  readonly #tables: RouteTables;
  readonly #metrics: BgpMetrics;
  readonly #rib: AdjRibOut;
  #session: OutputSession | undefined;
  #writer: UpdateWriter | undefined;
  #scheduled = false;
  /** Timers of the refreshes that the peer has asked for and that have not started yet. */
  readonly #refreshing = new Map<Family, Timer>();
  readonly #refreshedAt = new Map<Family, number>();
  /** Timers of the families that wait for a next hop. */
  readonly #waiting = new Map<Family, Timer>();
  /** The peer's name; `undefined` while the peer is not configured. */
  #peer: string | undefined;
  #isSynced = false;
  #isHeld = false;
  /** Prefixes that an earlier process has sent to the peer. Once the desired routes are complete, those that are not desired are withdrawn. */
  #inherited: readonly Prefix[] = [];

  constructor(clock: Clock, tables: RouteTables, metrics: BgpMetrics) {
    this.#clock = clock;
    this.#tables = tables;
    this.#metrics = metrics;
    this.#rib = new AdjRibOut(tables.prefixes, tables.attributes);
  }

  get desiredCount(): number {
    return this.#rib.desiredCount;
  }

  get sentCount(): number {
    return this.#rib.sentCount;
  }

  /** Desired routes that are not sent because their attributes leave no room for a prefix in a message of the session. */
  get refusedCount(): number {
    return this.#rib.refusedCount;
  }

  /** Sets the peer's name for the metrics. `undefined` means that the peer is not configured, and hides its routes from the metrics. */
  showAs(name: string | undefined): void {
    this.#peer = name;
    this.#count();
  }

  /** True when every change has been handed to the kernel. */
  get isIdle(): boolean {
    return this.#rib.queuedCount === 0 && (this.#session?.sink.queuedBytes ?? 0) === 0;
  }

  announce(prefix: Prefix, attributes: RouteAttributes): void {
    this.#rib.announce(prefix, attributes);
    this.#schedule();
  }

  withdraw(prefix: Prefix): void {
    this.#rib.withdraw(prefix);
    this.#schedule();
  }

  withdrawAll(): void {
    this.#rib.withdrawAll();
    this.#schedule();
  }

  synced(): void {
    this.#isSynced = true;
    this.#rib.synced();
    this.#takeInherited();
    this.#schedule();
  }

  /** The peer asks for the routes of a family again (RFC 2918). Requests that come before the refresh starts are answered together. */
  refresh(family: Family): void {
    if (this.#refreshing.has(family)) return;
    const now = this.#clock.now();
    const delayMs = Math.max(0, (this.#refreshedAt.get(family) ?? -refreshPauseMs) + refreshPauseMs - now);
    const timer = this.#clock.after(delayMs, () => {
      this.#refreshing.delete(family);
      this.#refreshedAt.set(family, this.#clock.now());
      this.#rib.refresh(family);
      this.#schedule();
    });
    this.#refreshing.set(family, timer);
  }

  /** A session is up: sends all desired routes. */
  up(session: OutputSession): void {
    this.#session = session;
    this.#writer = this.#writerFor(session.wire);
    this.#rib.up(session.families, session.enhancedRefresh);
    for (const family of session.negotiated)
      if (!session.families.includes(family)) this.#awaitNextHop(family);
    this.#schedule();
  }

  #awaitNextHop(family: Family): void {
    this.#waiting.get(family)?.cancel();
    const timer = this.#clock.after(nextHopWaitMs, () => {
      this.#rib.endWithout(family);
      this.#schedule();
    });
    this.#waiting.set(family, timer);
  }

  /**
   * An earlier process has sent the peer routes for these prefixes. Once the desired routes are complete, they replace the earlier routes, and
   * the prefixes without a desired route are withdrawn. Call it after `up`.
   */
  inherit(prefixes: readonly Prefix[]): void {
    this.#inherited = prefixes;
    if (this.#isSynced) this.#takeInherited();
  }

  #takeInherited(): void {
    for (const prefix of this.#inherited) this.#rib.inherit(prefix);
    this.#inherited = [];
    this.#schedule();
  }

  /** Stops sending, or resumes it. While sending is stopped, changes are only queued. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#schedule();
  }

  /** The prefixes that the peer holds; `undefined` while changes or inherited routes wait. */
  sentPrefixes(): Iterable<Prefix> | undefined {
    return this.isIdle && this.#inherited.length === 0 ? this.#rib.sentPrefixes() : undefined;
  }

  /** Changes the families or next hops of the running session. Sends, resends or withdraws the affected routes. */
  recarry(families: readonly Family[], nextHops: WireSession['nextHops']): void {
    const before = this.#session;
    if (!before) return;
    // A family that is no longer carried keeps its next hops, so that its routes are withdrawn in the form in which they were sent.
    const wire = { ...before.wire, nextHops: { ...before.wire.nextHops, ...nextHops } };
    this.#session = { ...before, families, wire };
    this.#writer = this.#writerFor(wire);
    for (const family of both) {
      const isCarried = families.includes(family);
      const wasCarried = before.families.includes(family);
      if (isCarried !== wasCarried) this.#rib.carry(family, isCarried);
      if (wasCarried && !isCarried) this.#awaitNextHop(family);
      // `resend` queues the routes that the peer holds, because they have the earlier next hop. The peer may hold such routes even of a
      // family that is carried again, if their withdrawals have not been sent yet.
      if (isCarried && !isSameList(before.wire.nextHops[family], nextHops[family])) this.#rib.resend(family);
    }
    this.#schedule();
  }

  down(): void {
    for (const timer of [...this.#refreshing.values(), ...this.#waiting.values()]) timer.cancel();
    this.#refreshing.clear();
    this.#waiting.clear();
    this.#refreshedAt.clear();
    this.#session = undefined;
    this.#writer = undefined;
    this.#inherited = [];
    this.#rib.down();
    this.#count();
  }

  /** The socket has taken everything: sends more. */
  drained(): void {
    this.#pump();
  }

  /** Sends at the end of the turn, or at once when there are enough changes to fill a few messages. */
  #schedule(): void {
    if (this.#rib.queuedCount >= burstRoutes && this.#hasRoom) {
      this.#pump();
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.after(0, () => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#session && this.#hasRoom) {
      const { sink, unsendable } = this.#session;
      const written = this.#writer?.next();
      if (!written) break;
      const { bytes, updates, routeRefreshes } = written;
      if (this.#rib.refusedCount > 0) unsendable();
      if (bytes.length > 0) sink.write(bytes);
      if (this.#peer !== undefined)
        this.#metrics.sentUpdates(this.#peer, updates, routeRefreshes, bytes.length);
    }
    this.#count();
  }

  /** True when a session is up, not held, and its socket takes more. */
  get #hasRoom(): boolean {
    return !this.#isHeld && this.#session !== undefined && this.#session.sink.queuedBytes < writeWindowBytes;
  }

  #writerFor(wire: WireSession): UpdateWriter {
    return new UpdateWriter(this.#rib, this.#tables.prefixes, this.#tables.attributes, wire);
  }

  #count(): void {
    if (this.#peer === undefined) return;
    this.#metrics.announcedPrefixes.set({ peer: this.#peer }, this.#rib.sentCount);
    this.#metrics.pendingPrefixes.set({ peer: this.#peer }, this.#rib.desiredCount);
    this.#metrics.queuedBytes.set({ peer: this.#peer }, this.#session?.sink.queuedBytes ?? 0);
  }
}

function isSameList(a: readonly IpAddress[] | undefined, b: readonly IpAddress[] | undefined): boolean {
  if (!a || !b) return a === b;
  return a.length === b.length && a.every((address, i) => isSame(address, b[i]));
}

function isSame(a: IpAddress, b: IpAddress | undefined): boolean {
  return b !== undefined && sameIp(a, b);
}
