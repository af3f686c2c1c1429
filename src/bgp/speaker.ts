/**
 * The BGP speaker of a node: one session for each configured peer, and the routes that each peer should hold.
 *
 *   setPeers ──────────→ session/ ─→ fsm/ ─────────→ transport/ (TCP)
 *   announce, withdraw → rib/ (Adj-RIB-Out per peer) ─→ UPDATE messages ─┘
 *
 * The speaker originates routes and learns none: received routes are checked (RFC 7606), counted and dropped. negotiation.ts lists the
 * capabilities that the speaker offers.
 *
 * This file manages the set of peers. passive-listener.ts accepts the connections that peers make. interface-watch.ts notices when the
 * node's addresses or links change. session/ is the session with one peer: it runs sockets and timers, and fsm/peer-machine.ts makes the
 * decisions. rib/ holds the routes that a peer should have and packs them into messages. codec/, negotiation.ts and next-hop.ts are pure.
 * transport/ makes sockets with the options that Node lacks.
 *
 * Limits. A peer that reads slowly costs about 256 KiB of queued messages in addition to its Adj-RIB-Out. A peer that floods us costs one
 * buffered message.
 */
import type { Registry } from 'prom-client';
import type { Prefix } from '../address/index.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { systemRandom } from '../random.ts';
import { fail, type Result } from '../result.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { Guard } from '../telemetry/guard.ts';
import { Cease, cease } from './cease.ts';
import type { BfdReport } from './fsm/bfd-watch.ts';
import { describeWrongTarget, isFromPeer, sessionOf } from './incoming-peer.ts';
import { Inheritances, offeredItems } from './inheritances.ts';
import { InterfaceWatch } from './interface-watch.ts';
import { BgpMetrics } from './metrics.ts';
import { PassiveListener } from './passive-listener.ts';
import type { ResolvedPeer } from './peer.ts';
import { AttributeTable } from './rib/attribute-table.ts';
import { PrefixTable } from './rib/prefix-table.ts';
import type { NodeInterface } from './session/direct-link.ts';
import { RouteOutput } from './session/route-output.ts';
import { type FrozenSession, Session, type SessionContext } from './session/session.ts';
import type { SessionObserver } from './session/session-report.ts';
import type {
  BgpSpeaker,
  Offer,
  OfferedItem,
  PeerStatus,
  RouteAttributes,
  SessionSuccession,
  StopMode,
} from './speaker-api.ts';
import { systemInterfaces } from './system-interfaces.ts';
import { createTcpTransport } from './transport/tcp.ts';
import type { Incoming, Transport } from './transport/transport.ts';

export interface BgpSpeakerOptions {
  readonly logger: Logger;
  readonly registry: Registry;
  /** Shown to peers in the FQDN capability. */
  readonly hostName: string;
  /**
   * This process replaces an earlier one, and the node kept forwarding in between. Peers may therefore keep the routes of the earlier
   * process (RFC 4724).
   */
  readonly restarting?: boolean;
  /** TCP port that passive peers connect to; 179 by default. */
  readonly listenPort?: number;
  readonly clock?: Clock;
  /** Returns numbers in [0, 1). */
  readonly random?: () => number;
  readonly transport?: Transport;
  /** Called once, when the first peers are set. */
  readonly afterFirstPeers?: () => void;
  /** Keeps the last events of each peer's machine, under `peer NAME`. */
  readonly recorder?: FlightRecorder;
  /** Counts and logs exceptions that a peer's input raises. */
  readonly guard?: Guard;
  /** The node's interfaces that are up and have a carrier. */
  readonly interfaces?: () => readonly NodeInterface[];
  /** Called after the sessions have taken a change of the node's interfaces or addresses into account. */
  readonly onInterfacesChanged?: () => void;
  /** Called when a session becomes Established, and when an Established one goes down unintentionally. */
  readonly onSessionChange?: SessionObserver;
}

/**
 * Longest wait for the kernel to take all queued routes before the sessions are offered to a successor. The successor must accept within two
 * seconds after the offer began (`acceptDeadlineMs`). Otherwise all sessions stay with this process. Without this limit, one peer that does
 * not read could use up the two seconds.
 */
const offerFlushMs = 1000;

/** IANA's port for BGP. */
const bgpPort = 179;

/** Creates the BGP speaker of a node. It does nothing until peers are set. */
export function createBgpSpeaker(options: BgpSpeakerOptions): BgpSpeaker & SessionSuccession {
  return new Speaker(options);
}

class Speaker implements BgpSpeaker, SessionSuccession {
  readonly #context: SessionContext;
  readonly #listener: PassiveListener;
  readonly #interfaceWatch: InterfaceWatch;
  readonly #tables = { prefixes: new PrefixTable(), attributes: new AttributeTable() };
  readonly #sessions = new Map<string, Session>();
  /** By peer id. Routes may arrive before their peer is configured, and stay while the peer is missing from the configuration. */
  readonly #outputs = new Map<string, RouteOutput>();
  #afterFirstPeers: (() => void) | undefined;
  /** Sessions of the earlier process whose peers are not configured yet. */
  readonly #inherited: Inheritances;
  #isSynced = false;
  #isStopped = false;

  constructor(options: BgpSpeakerOptions) {
    const { logger, clock = systemClock, transport = createTcpTransport(clock) } = options;
    const { interfaces = systemInterfaces } = options;
    this.#afterFirstPeers = options.afterFirstPeers;
    this.#context = {
      clock,
      random: options.random ?? systemRandom,
      logger,
      metrics: new BgpMetrics(options.registry),
      recorder: options.recorder,
      guard: options.guard ?? new Guard({ logger }),
      transport,
      hostName: options.hostName,
      interfaces: () => this.#interfaceWatch.current(),
      restarting: options.restarting ?? false,
      onSessionChange: options.onSessionChange,
    };
    this.#inherited = new Inheritances(transport);
    this.#interfaceWatch = new InterfaceWatch({
      clock,
      logger,
      read: interfaces,
      changed: (now) => {
        for (const session of this.#sessions.values()) session.interfacesChanged(now);
        options.onInterfacesChanged?.();
      },
    });
    this.#listener = new PassiveListener({
      clock,
      logger,
      transport,
      port: options.listenPort ?? bgpPort,
      incoming: (incoming) => this.#incoming(incoming),
      unreachable: (peerId, reason) => this.#sessions.get(peerId)?.unreachable(reason),
    });
  }

  setPeers(peers: readonly ResolvedPeer[]): void {
    if (this.#isStopped) return;
    const wanted = new Set(peers.map(({ id }) => id));
    for (const [id, session] of this.#sessions) if (!wanted.has(id)) this.#remove(id, session);
    // Peers may swap names, so the metrics of all old names are removed before any new name appears.
    for (const { id, settings } of peers) {
      const session = this.#sessions.get(id);
      if (session && session.peer.settings.name !== settings.name) session.forget();
    }
    // The watch starts before the sessions. An inherited session comes up at once, reads the interfaces, and must learn of every later change.
    if (peers.length > 0) this.#interfaceWatch.start();
    // The listener is updated before the sessions, so that no connection without the peer's password reaches a session.
    this.#listener.update(peers);
    for (const peer of peers) {
      const session = this.#sessions.get(peer.id);
      if (session) session.update(peer);
      else this.#add(peer);
    }
    const sessions = this.#inherited.reject();
    if (sessions > 0) this.#context.logger.warn({ sessions }, 'sessions of the earlier speaker fit no peer');
    if (this.#sessions.size === 0) return this.#interfaceWatch.stop();
    this.#afterFirstPeers?.();
    this.#afterFirstPeers = undefined;
  }

  announce(peerId: string, prefix: Prefix, attributes: RouteAttributes): void {
    this.#output(peerId).announce(prefix, attributes);
  }

  withdraw(peerId: string, prefix: Prefix): void {
    const output = this.#outputs.get(peerId);
    if (!output) return;
    output.withdraw(prefix);
    this.#forgetIdleOutput(peerId, output);
  }

  bfdChanged(peerId: string, report: BfdReport): void {
    this.#sessions.get(peerId)?.bfdChanged(report);
  }

  interfacesChanged(): void {
    this.#interfaceWatch.hint();
  }

  synced(): void {
    this.#isSynced = true;
    for (const output of this.#outputs.values()) output.synced();
  }

  status(): readonly PeerStatus[] {
    return [...this.#sessions.values()].map((session) => session.status());
  }

  async offer(): Promise<Offer | undefined> {
    if (!this.#isSynced || this.#isStopped) return undefined;
    await Promise.all([...this.#sessions.values()].map((session) => session.flush(offerFlushMs)));
    const frozen = new Map<Session, FrozenSession>();
    for (const session of this.#sessions.values()) {
      const state = session.freeze();
      if (state) frozen.set(session, state);
    }
    return {
      items: offeredItems([...frozen.values()]),
      sessions: frozen.size,
      letGo: async () => {
        const rest = this.#end().filter((session) => !frozen.has(session));
        for (const session of frozen.keys()) session.letGo();
        await Promise.all(rest.map((session) => this.#stopSession(session, { kind: 'restart' })));
      },
      keep: () => {
        for (const session of frozen.keys()) session.thaw();
      },
    };
  }

  inherit(items: readonly OfferedItem[]): Result<number, string> {
    // This process may stop at the same time as its predecessor. Sessions inherited now would end without a NOTIFICATION when this process exits.
    if (this.#isStopped) return fail('this process stops');
    return this.#inherited.add(items);
  }

  disinherit(): void {
    this.#inherited.reject();
  }

  async stop(mode: StopMode): Promise<void> {
    const sessions = this.#end();
    await Promise.all(sessions.map((session) => this.#stopSession(session, mode)));
  }

  /** Stops everything but the sessions, which are returned. */
  #end(): Session[] {
    this.#isStopped = true;
    this.#listener.close();
    this.#interfaceWatch.stop();
    this.#inherited.reject();
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    return sessions;
  }

  async #stopSession(session: Session, mode: StopMode): Promise<void> {
    if (mode.kind === 'restart' && session.keepsRoutes) {
      await session.flush();
      await session.close(undefined);
      return;
    }
    this.#outputs.get(session.peer.id)?.withdrawAll();
    await session.flush();
    const reason = mode.kind === 'shutdown' ? mode.reason : 'restarting';
    await session.close(cease(Cease.administrativeShutdown, reason));
  }

  #add(peer: ResolvedPeer): void {
    const session = new Session(peer, this.#output(peer.id), this.#context);
    this.#sessions.set(peer.id, session);
    session.start(this.#inherited.take(peer));
  }

  #remove(peerId: string, session: Session): void {
    this.#sessions.delete(peerId);
    void session.close(cease(Cease.peerDeconfigured));
    session.forget();
    const output = this.#outputs.get(peerId);
    if (output) this.#forgetIdleOutput(peerId, output);
  }

  #output(peerId: string): RouteOutput {
    let output = this.#outputs.get(peerId);
    if (!output) {
      output = new RouteOutput(this.#context.clock, this.#tables, this.#context.metrics);
      if (this.#isSynced) output.synced();
      this.#outputs.set(peerId, output);
    }
    return output;
  }

  #forgetIdleOutput(peerId: string, output: RouteOutput): void {
    if (output.desiredCount === 0 && !this.#sessions.has(peerId)) this.#outputs.delete(peerId);
  }

  /** Hands the connection to the session of the peer that made it. */
  #incoming(incoming: Incoming): void {
    const sessions = [...this.#sessions.values()];
    const session = sessionOf(sessions, incoming);
    if (session) {
      session.incoming(incoming);
      return;
    }
    incoming.reject();
    // The addresses may fit a configured peer whose session cannot take the connection, for example because the session waits for its password.
    // Then the addresses are right, and no peer gets a report about a wrong address.
    if (sessions.some(({ peer }) => isFromPeer(peer, incoming))) return;
    for (const one of sessions) {
      const reason = describeWrongTarget(one.peer, incoming);
      if (reason !== undefined) one.unreachable(reason);
    }
  }
}
