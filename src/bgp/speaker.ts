/**
 * The BGP of a node: one session per configured peer, and the routes each peer should hold.
 *
 *   setPeers ──────────→ sessions ─→ connections (fsm.ts) ─→ transport (TCP)
 *   announce, withdraw → adj-RIB-out per peer ─→ UPDATE messages ─┘
 *
 * The speaker originates and never learns: routes received are judged (RFC 7606), counted and dropped, and nothing is installed or
 * passed on. Capabilities are offered to every peer alike: multiprotocol IPv4 and IPv6 unicast (RFC 4760), route refresh (2918,
 * 7313), 4-octet AS numbers (6793), extended messages (8654), graceful restart (4724, 8538) where configured, and over IPv6
 * the extended next hop (8950).
 *
 * Layers, outermost first. This file: the set of peers and the listener. session/: one peer, its two connections at most, its
 * output, what people see of it. rib/: what a peer should hold and how it is packed. fsm.ts, negotiation.ts, collision.ts,
 * next-hop.ts, codec/: pure. transport/: sockets with the options Node lacks.
 *
 * Bounds. A peer that reads slowly holds 256 KiB of messages and two numbers per route; one that floods us holds a message. The
 * listener is open only while a passive peer is configured, and hears configured peers only.
 */
import { networkInterfaces } from 'node:os';
import type { Registry } from 'prom-client';
import { formatIp, type Prefix, parseIp, sameIp } from '../address/index.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { Guard } from '../telemetry/guard.ts';
import { Cease, cease } from './cease.ts';
import { BgpMetrics } from './metrics.ts';
import type { InterfaceAddresses } from './next-hop.ts';
import type { ResolvedPeer } from './peer.ts';
import { AttributeTable } from './rib/attribute-table.ts';
import { PrefixTable } from './rib/prefix-table.ts';
import { acceptedPeerOf } from './session/connection-settings.ts';
import { RouteOutput } from './session/route-output.ts';
import { Session, type SessionContext } from './session/session.ts';
import type { BgpSpeaker, PeerStatus, RouteAttributes, StopMode } from './speaker-api.ts';
import { createTcpTransport } from './transport/tcp.ts';
import type { Incoming, Listener, ListenFailure, Transport } from './transport/transport.ts';

export interface BgpSpeakerOptions {
  readonly logger: Logger;
  readonly registry: Registry;
  /** Shown to peers (FQDN capability). */
  readonly hostName: string;
  /** The node has forwarded on since another process of ours spoke for it: peers that kept its routes keep them (RFC 4724). */
  readonly restarting?: boolean;
  /** Where passive peers connect to. */
  readonly listenPort?: number;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly transport?: Transport;
  /** Keeps the last events of each peer's machine, under `peer NAME`. */
  readonly recorder?: FlightRecorder;
  /** Stands where octets of peers enter; counts and logs exceptions. */
  readonly guard?: Guard;
  readonly interfaces?: () => readonly InterfaceAddresses[];
}

/** IANA's port of BGP. */
const bgpPort = 179;
const listenRetryMs = 10_000;

/** BGP for one node. It does nothing until peers are set. */
export function createBgpSpeaker(options: BgpSpeakerOptions): BgpSpeaker {
  return new Speaker(options);
}

class Speaker implements BgpSpeaker {
  readonly #logger: Logger;
  readonly #context: SessionContext;
  readonly #listenPort: number;
  readonly #tables = { prefixes: new PrefixTable(), attributes: new AttributeTable() };
  readonly #sessions = new Map<string, Session>();
  /** Also of peers that are not configured: a password that comes later must not cost routes. */
  readonly #outputs = new Map<string, RouteOutput>();
  #synced = false;
  #stopped = false;
  #listener: { readonly listener: Listener; readonly key: string } | undefined;
  readonly #listenFailures = new Set<string>();
  #listensAgain = false;

  constructor(options: BgpSpeakerOptions) {
    this.#logger = options.logger;
    this.#listenPort = options.listenPort ?? bgpPort;
    this.#context = {
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      logger: options.logger,
      metrics: new BgpMetrics(options.registry),
      recorder: options.recorder,
      guard: options.guard ?? new Guard({ logger: options.logger }),
      transport: options.transport ?? createTcpTransport(options.clock ?? systemClock),
      hostName: options.hostName,
      interfaces: options.interfaces ?? systemInterfaces,
      restarting: options.restarting ?? false,
    };
  }

  setPeers(peers: readonly ResolvedPeer[]): void {
    if (this.#stopped) return;
    const wanted = new Set(peers.map(({ id }) => id));
    for (const [id, session] of this.#sessions) if (!wanted.has(id)) this.#remove(id, session);
    // Names may be exchanged: what is shown under the old ones goes before anything is shown under the new ones.
    for (const { id, settings } of peers) {
      const known = this.#sessions.get(id);
      if (known && known.peer.settings.name !== settings.name) known.forget();
    }
    // Keys must be on the listener before a peer can reach it.
    this.#listen(peers);
    for (const peer of peers) {
      const known = this.#sessions.get(peer.id);
      if (known) known.update(peer);
      else this.#add(peer);
    }
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

  bfdDown(peerId: string): void {
    this.#sessions.get(peerId)?.bfdDown();
  }

  synced(): void {
    this.#synced = true;
    for (const output of this.#outputs.values()) output.synced();
  }

  status(): readonly PeerStatus[] {
    return [...this.#sessions.values()].map((session) => session.status());
  }

  async stop(mode: StopMode): Promise<void> {
    this.#stopped = true;
    this.#listener?.listener.close();
    this.#listener = undefined;
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map((session) => this.#stopSession(session, mode)));
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
    session.start();
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
      if (this.#synced) output.synced();
      this.#outputs.set(peerId, output);
    }
    return output;
  }

  #forgetIdleOutput(peerId: string, output: RouteOutput): void {
    if (output.desiredCount === 0 && !this.#sessions.has(peerId)) this.#outputs.delete(peerId);
  }

  /** Opens, renews or closes the listener as the peers ask for it. */
  #listen(peers: readonly ResolvedPeer[]): void {
    const ready = peers.filter(({ waitingFor }) => waitingFor === undefined);
    // Of several passwords at one address the first is in force: those of peers that only this way come to a session.
    const passiveFirst = ready.toSorted((a, b) => Number(b.settings.passive) - Number(a.settings.passive));
    const accepted = ready.some(({ settings }) => settings.passive) ? passiveFirst.map(acceptedPeerOf) : [];
    const key = JSON.stringify(accepted, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    if (this.#listener?.key === key) return;
    this.#listener?.listener.close();
    this.#listener = undefined;
    if (accepted.length === 0) return;
    const listener = this.#context.transport.listen(
      this.#listenPort,
      accepted,
      (incoming) => this.#incoming(incoming),
      // In a turn of its own: the sessions that it concerns may not be there yet.
      (failure) => void this.#context.clock.after(0, () => this.#listenFailed(failure)),
    );
    this.#listener = { listener, key };
  }

  /** Says so once, and to each passive peer that it concerns; tries again. */
  #listenFailed({ family, peer, reason }: ListenFailure): void {
    if (this.#stopped) return;
    const whom = peer ? formatIp(peer.address) : `IPv${family}`;
    const isConcerned = ({ settings, password }: ResolvedPeer) =>
      peer
        ? sameIp(settings.address, peer.address) &&
          settings.interface === peer.interface &&
          password === peer.password
        : settings.address.family === family;
    const concerned = [...this.#sessions.values()].filter(
      (session) => session.peer.settings.passive && isConcerned(session.peer),
    );
    if (concerned.length === 0) return;
    if (!this.#listenFailures.has(`${whom} ${reason}`))
      this.#logger.error({ reason, whom, port: this.#listenPort }, 'cannot listen for passive peers');
    this.#listenFailures.add(`${whom} ${reason}`);
    for (const session of concerned)
      session.unreachable(`cannot listen on port ${this.#listenPort}: ${reason}`);
    // A key that the kernel does not take waits for another edit: the listener is open for everybody else.
    if (peer || this.#listensAgain) return;
    this.#listensAgain = true;
    this.#context.clock.after(listenRetryMs, () => {
      this.#listensAgain = false;
      if (this.#stopped) return;
      this.#listener?.listener.close();
      this.#listener = undefined;
      this.#listen([...this.#sessions.values()].map(({ peer }) => peer));
    });
  }

  /** Hands the connection to the peer it comes from; of several at one address to the one that waits for it. */
  #incoming(incoming: Incoming): void {
    const expecting = [...this.#sessions.values()].filter((session) => session.expects(incoming));
    const session = expecting.find(({ peer }) => peer.settings.passive) ?? expecting[0];
    if (session) {
      session.incoming(incoming);
      return;
    }
    incoming.reject();
    for (const one of this.#sessions.values()) one.rejected(incoming);
  }
}

function systemInterfaces(): readonly InterfaceAddresses[] {
  return Object.entries(networkInterfaces()).map(([name, infos]) => ({
    name,
    addresses: (infos ?? []).flatMap(({ address }) => parseIp(address.replace(/%.*$/, '')) ?? []),
  }));
}
