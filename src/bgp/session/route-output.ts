import type { Family, Prefix } from '../../address/index.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { BgpMetrics } from '../metrics.ts';
import { AdjRibOut } from '../rib/adj-rib-out.ts';
import type { AttributeTable } from '../rib/attribute-table.ts';
import type { PrefixTable } from '../rib/prefix-table.ts';
import { UpdateWriter, type WireSession } from '../rib/update-writer.ts';
import type { RouteAttributes } from '../speaker-api.ts';

/** Messages are built while the socket holds less than this: a slow peer costs no more, and delays nobody. */
const writeWindowBytes = 256 * 1024;

/** A family is sent again so often at most, however often the peer asks. */
const refreshPauseMs = 1000;

/** Changes that are worth messages of their own: two or three full ones. */
const burstRoutes = 2048;

/** Prefixes and attribute sets that all peers share. */
export interface RouteTables {
  readonly prefixes: PrefixTable;
  readonly attributes: AttributeTable;
}

/** Where messages go while a session is up. */
export interface RouteSink {
  readonly queuedBytes: number;
  write(bytes: Uint8Array): void;
}

export interface OutputSession {
  readonly sink: RouteSink;
  readonly wire: WireSession;
  readonly families: readonly Family[];
  readonly enhancedRefresh: boolean;
  readonly unsendable: () => void;
}

/** Sends one peer the differences of its adj-RIB-out: those of one turn of the loop together, and as the socket takes them. */
export class RouteOutput {
  readonly #clock: Clock;
  readonly #tables: RouteTables;
  readonly #metrics: BgpMetrics;
  readonly #rib: AdjRibOut;
  #unsendable: () => void = () => undefined;
  #writer: UpdateWriter | undefined;
  #sink: RouteSink | undefined;
  #scheduled = false;
  /** Families that the peer has asked for, and when they are sent again. */
  readonly #refreshing = new Map<Family, Timer>();
  readonly #refreshedAt = new Map<Family, number>();
  /** The peer's name while it is configured. */
  #peer: string | undefined;

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

  /** Desired routes whose attributes leave no room in a message of the session. */
  get refusedCount(): number {
    return this.#rib.refusedCount;
  }

  /** The name that metrics show; `undefined` while the peer is not configured: its routes are remembered, and shown nowhere. */
  showAs(name: string | undefined): void {
    this.#peer = name;
    this.#count();
  }

  /** Everything has been handed to the kernel. */
  get isIdle(): boolean {
    return this.#rib.queuedCount === 0 && (this.#sink?.queuedBytes ?? 0) === 0;
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
    this.#rib.synced();
    this.#schedule();
  }

  /** The peer asks for a family again: it gets it soon, and what it asks for meanwhile with it. */
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

  /** A session is up: everything desired leaves. `unsendable` is told when attributes leave no room for a prefix in a message. */
  up(session: OutputSession): void {
    const { sink, wire, families, enhancedRefresh } = session;
    this.#sink = sink;
    this.#unsendable = session.unsendable;
    this.#writer = new UpdateWriter(this.#rib, this.#tables.prefixes, this.#tables.attributes, wire);
    this.#rib.up(families, enhancedRefresh);
    this.#schedule();
  }

  down(): void {
    for (const timer of this.#refreshing.values()) timer.cancel();
    this.#refreshing.clear();
    this.#refreshedAt.clear();
    this.#sink = undefined;
    this.#writer = undefined;
    this.#rib.down();
    this.#count();
  }

  /** The socket has taken everything: more may follow. */
  drained(): void {
    this.#pump();
  }

  /** What changes in one turn of the loop leaves in one go, unless it is so much that the peer could work on it meanwhile. */
  #schedule(): void {
    if (this.#rib.queuedCount >= burstRoutes && this.#sink && this.#sink.queuedBytes < writeWindowBytes) {
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
    while (this.#sink && this.#writer && this.#sink.queuedBytes < writeWindowBytes) {
      const written = this.#writer.next();
      if (!written) break;
      const { bytes, updates, routeRefreshes } = written;
      if (this.#rib.refusedCount > 0) this.#unsendable();
      if (bytes.length > 0) this.#sink.write(bytes);
      if (this.#peer !== undefined)
        this.#metrics.sentUpdates(this.#peer, updates, routeRefreshes, bytes.length);
    }
    this.#count();
  }

  #count(): void {
    if (this.#peer === undefined) return;
    this.#metrics.announcedPrefixes.set({ peer: this.#peer }, this.#rib.sentCount);
    this.#metrics.pendingPrefixes.set({ peer: this.#peer }, this.#rib.desiredCount);
    this.#metrics.queuedBytes.set({ peer: this.#peer }, this.#sink?.queuedBytes ?? 0);
  }
}
