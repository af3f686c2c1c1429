import { formatIp, isLinkLocal, sameIp } from '../../address/index.ts';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { Guard } from '../../telemetry/guard.ts';
import { Cease, cease, hardReset } from '../cease.ts';
import { survivingConnection } from '../collision.ts';
import type { DownCause, NotificationError } from '../fsm-types.ts';
import type { Message, OpenMessage } from '../message.ts';
import type { BgpMetrics, MessageKind } from '../metrics.ts';
import { familyOf, judgeOpen, type LocalEnd, type Negotiated, refusedAfter } from '../negotiation.ts';
import type { InterfaceAddresses } from '../next-hop.ts';
import type { ResolvedPeer } from '../peer.ts';
import type { PeerStatus } from '../speaker-api.ts';
import type { Incoming, Stream, StreamHandler, Transport } from '../transport/transport.ts';
import { type CarriedFamilies, carriedFamilies } from './carried-families.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import {
  connectTargetOf,
  fsmConfigOf,
  isInternal,
  localEndOf,
  settingsChange,
  socketRulesOf,
} from './peer-settings.ts';
import type { Received } from './receiver.ts';
import type { RouteOutput } from './route-output.ts';
import { SessionReport } from './session-report.ts';

/** What all sessions of a speaker share. */
export interface SessionContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: BgpMetrics;
  readonly guard: Guard;
  readonly transport: Transport;
  readonly hostName: string;
  readonly interfaces: () => readonly InterfaceAddresses[];
  /** This process took over from one before it while the node forwarded on (RFC 4724). */
  readonly restarting: boolean;
}

/** How long a stopping session may take to send its withdrawals. */
const flushDeadlineMs = 2000;
const flushPollMs = 10;
/** After a second connection of the peer has failed, none is taken for this long. */
const secondConnectionPauseMs = 5000;

/**
 * The session with one peer: the machine of its connection, that of a second one while a collision is open, and the routes it is
 * sent. The first connection is the one that configuration and status speak of.
 */
export class Session implements ConnectionOwner {
  readonly clock: Clock;
  readonly random: () => number;
  readonly #context: SessionContext;
  readonly #report: SessionReport;
  readonly #output: RouteOutput;
  #peer: ResolvedPeer;
  #first: Connection;
  #second: Connection | undefined;
  #secondAllowedAt = 0;
  #refused: ReadonlySet<number> | 'all' = new Set();
  #carried: CarriedFamilies | undefined;
  #restarting: boolean;
  #hasBeenUp = false;

  constructor(peer: ResolvedPeer, output: RouteOutput, context: SessionContext) {
    this.#peer = peer;
    this.#context = context;
    this.clock = context.clock;
    this.random = context.random;
    this.#restarting = context.restarting;
    this.#report = new SessionReport(peer, context.logger, context.metrics);
    this.#output = output;
    output.showAs(peer.settings.name);
    this.#first = new Connection(this, fsmConfigOf(peer.settings));
  }

  get peer(): ResolvedPeer {
    return this.#peer;
  }

  start(): void {
    if (this.#peer.waitingFor === undefined) this.#first.handle({ kind: 'start' });
    else this.#report.waiting(this.#peer.waitingFor);
  }

  /** Takes over an edit of the peer; only what went into the connection or the OPEN starts the session over. */
  update(peer: ResolvedPeer): void {
    const change = settingsChange(this.#peer, peer);
    const before = this.#peer.settings;
    this.#peer = peer;
    this.#report.update(peer);
    this.#output.showAs(peer.settings.name);
    if (change === 'none') return;
    if (change === 'reset') {
      this.#refused = new Set();
      this.#report.resetBecause('its configuration changed');
      this.#restart(cease(Cease.otherConfigurationChange));
      return;
    }
    this.#first.configure(fsmConfigOf(peer.settings));
    const { name } = this.#first.state;
    if (
      before.passive !== peer.settings.passive &&
      (name === 'Active' || name === 'Connect' || name === 'Idle')
    )
      this.#restart(undefined);
    const holdTimeSeconds = this.#first.negotiated?.holdTimeSeconds;
    this.#first.stream?.apply(socketRulesOf(peer.settings, holdTimeSeconds));
    if (holdTimeSeconds)
      this.#first.handle({
        kind: 'keepalive-interval',
        keepaliveMs: Math.max(1, Math.min(peer.settings.keepaliveTimeSeconds, holdTimeSeconds / 3)) * 1000,
      });
  }

  /** BFD says that the peer is gone (RFC 5882 section 4.2, RFC 9384). */
  bfdDown(): void {
    if (this.#first.state.name !== 'Established') return;
    this.#first.handle({
      kind: 'reset',
      error: cease(Cease.bfdDown),
      cause: 'BFD says that the peer is down',
    });
  }

  /** True when a connection with these ends is this peer's. */
  expects({ remoteAddress, localAddress, interface: arrivedOn }: Incoming): boolean {
    const { address, interface: configured, sourceAddress } = this.#peer.settings;
    if (!sameIp(address, remoteAddress)) return false;
    if (sourceAddress && !sameIp(sourceAddress, localAddress)) return false;
    return !isLinkLocal(address) || arrivedOn === undefined || arrivedOn === configured;
  }

  /** A connection that no peer expected: said where it is this one's but for the address it was made to. */
  rejected({ remoteAddress, localAddress }: Incoming): void {
    const { address, sourceAddress } = this.#peer.settings;
    if (!sourceAddress || !sameIp(address, remoteAddress) || sameIp(sourceAddress, localAddress)) return;
    const [to, expected] = [formatIp(localAddress), formatIp(sourceAddress)];
    this.unreachable(`the peer has connected to ${to}, and not to source-address ${expected}`);
  }

  /** The passive peer cannot reach us, and why. */
  unreachable(reason: string): void {
    if (this.#first.state.name !== 'Established') this.#report.failed(reason);
  }

  /** A connection that the peer has made: taken as the first one while nothing else goes on, else as the second. */
  incoming(incoming: Incoming): void {
    const rules = socketRulesOf(this.#peer.settings);
    const accept = (handler: StreamHandler) => incoming.accept(rules, handler);
    const { name, tcp } = this.#first.state;
    if (name === 'Active' && tcp === 'none') {
      this.#first.adopt(accept);
      return;
    }
    // In Idle a peer is damped or stopped; a peer that held its session without graceful restart keeps it (RFC 4271 section 6.8).
    const mayReplace = name !== 'Established' || this.#first.negotiated?.gracefulRestart !== undefined;
    if (name === 'Idle' || this.#second || !mayReplace || this.clock.now() < this.#secondAllowedAt) {
      incoming.reject();
      return;
    }
    const second = new Connection(this, {
      ...fsmConfigOf(this.#peer.settings),
      passive: true,
      delayOpenMs: 0,
    });
    this.#second = second;
    second.handle({ kind: 'start' });
    second.inherit(this.#first.state);
    second.adopt(accept);
  }

  /** Ends the session for good. */
  async close(error: NotificationError | undefined): Promise<void> {
    this.#second?.discard();
    this.#second = undefined;
    const wrapped = error && this.#first.negotiated?.gracefulRestart?.notification ? hardReset(error) : error;
    this.#first.handle({ kind: 'stop', ...(wrapped ? { error: wrapped } : {}) });
    this.#output.down();
    this.#output.showAs(undefined);
    await this.#first.closing;
  }

  /** Waits until what should be told has left, no longer than the deadline. */
  async flush(): Promise<void> {
    const deadline = this.clock.now() + flushDeadlineMs;
    while (this.#first.state.name === 'Established' && !this.#output.isIdle && this.clock.now() < deadline)
      await new Promise<void>((resolve) => void this.clock.after(flushPollMs, resolve));
  }

  /** The peer keeps our routes while we are away. */
  get keepsRoutes(): boolean {
    return this.#first.state.name === 'Established' && this.#first.negotiated?.gracefulRestart !== undefined;
  }

  status(): PeerStatus {
    const { negotiated, state } = this.#first;
    return this.#report.status({
      state: state.name,
      negotiated,
      carried: state.name === 'Established' ? this.#carried : undefined,
      routesDesired: this.#output.desiredCount,
      routesSent: this.#output.sentCount,
      routesRefused: this.#output.refusedCount,
    });
  }

  forget(): void {
    this.#context.metrics.remove(this.#peer.settings.name);
  }

  connect(handler: StreamHandler): Stream {
    return this.#context.transport.connect(connectTargetOf(this.#peer), handler);
  }

  judge(connection: Connection, open: OpenMessage): Negotiated | { error: NotificationError } | undefined {
    const { local } = connection;
    const judged = judgeOpen(open, local);
    if (!judged.ok) return { error: judged.error };
    const other = connection === this.#first ? this.#second : this.#first;
    if (!other) return judged.value;
    if (other.state.name === 'Established') {
      // RFC 4724 section 4.2: a peer that keeps our routes and comes back has restarted; the old connection ends without a word.
      if (other.negotiated?.gracefulRestart) {
        this.#report.resetBecause('the peer has connected anew');
        other.handle({ kind: 'stop' });
      } else return this.#dump(connection);
    } else if (other.state.name === 'OpenConfirm') {
      const surviving = survivingConnection(local, { routerId: open.routerId, asn: judged.value.peerAsn });
      const mine = connection.initiator === 'us' ? 'outgoing' : 'incoming';
      if (other.initiator === connection.initiator || mine !== surviving) return this.#dump(connection);
      this.#dump(other);
    }
    return judged.value;
  }

  changed(connection: Connection): void {
    if (connection === this.#first) this.#report.state(connection.state.name);
  }

  up(connection: Connection): void {
    const { negotiated, stream } = connection;
    if (!negotiated || !stream?.localAddress) return;
    stream.apply(socketRulesOf(this.#peer.settings, negotiated.holdTimeSeconds));
    const other = connection === this.#first ? this.#second : this.#first;
    this.#first = connection;
    this.#second = undefined;
    connection.configure(fsmConfigOf(this.#peer.settings));
    if (other) connection.inherit(other.state);
    other?.handle({ kind: 'collision-dump' });
    other?.discard();
    this.#report.state('Established');
    this.#restarting = false;
    this.#hasBeenUp = true;
    const carried = carriedFamilies(
      stream.localAddress,
      negotiated,
      this.#peer.settings,
      this.#context.interfaces(),
    );
    this.#carried = carried;
    this.#report.up(negotiated, carried);
    const { internal, fourOctetAs, sendLimit, enhancedRouteRefresh } = negotiated;
    const localAsn = this.#peer.settings.localAsn;
    this.#output.up({
      sink: stream,
      wire: { internal, fourOctetAs, sendLimit, localAsn, nextHops: carried.nextHops },
      families: carried.families,
      enhancedRefresh: enhancedRouteRefresh,
      unsendable: () => this.#report.unsendable(),
    });
  }

  down(connection: Connection, cause: DownCause): void {
    this.#learnRefusal(connection, cause);
    if (connection !== this.#first) {
      this.#report.otherDown(cause);
      if (connection !== this.#second) return;
      this.#second = undefined;
      this.#secondAllowedAt = this.clock.now() + secondConnectionPauseMs;
      return;
    }
    const wasUp = this.#carried !== undefined;
    this.#output.down();
    this.#carried = undefined;
    if (this.#second && !wasUp) this.#report.otherDown(cause);
    else this.#report.down(cause);
    if (this.#second) this.#promoteSecond();
  }

  /** A peer that refuses capabilities gets none of them until a session has shown that it can be talked to: then it is asked anew. */
  #learnRefusal(connection: Connection, cause: DownCause): void {
    if (this.#carried && connection === this.#first) this.#refused = new Set();
    if (cause.kind !== 'received') return;
    const refused = refusedAfter(cause.error, this.#refused);
    if (!refused) return;
    this.#refused = refused;
    this.#report.capabilitiesRefused(refused);
  }

  unanswered(): void {
    const { settings, password } = this.#peer;
    const isOneHop = !isInternal(settings) && settings.ebgpHops === 1 && !settings.ttlSecurity;
    const hints = [
      `no answer from ${formatIp(settings.address)} port ${settings.port}`,
      ...(password === undefined ? [] : ['a peer with another password does not answer']),
      ...(isOneHop ? ['one that is more than one hop away needs ebgp-multihop'] : []),
    ];
    this.#report.failed(hints.join('; '));
  }

  received(connection: Connection, received: Received): void {
    if (received.kind === 'error') return;
    const { message } = received;
    this.#context.metrics.received(this.#peer.settings.name, metricKind(message));
    if (message.kind === 'update') {
      this.#report.routesReceived(message, received.faults);
      return;
    }
    if (message.kind !== 'route-refresh' || message.subtype !== 0 || connection.state.name !== 'Established')
      return;
    const family = familyOf(message);
    if (family) this.#output.refresh(family);
  }

  sent(message: Message, octets: number): void {
    this.#report.sent(message, metricKind(message), octets);
  }

  receivedBytes(octets: number): void {
    this.#context.metrics.receivedBytes.inc({ peer: this.#peer.settings.name }, octets);
  }

  drained(connection: Connection): void {
    if (connection === this.#first) this.#output.drained();
  }

  broken(octets: Uint8Array | undefined, error: unknown): void {
    const source = this.#peer.settings.name;
    this.#context.guard.failed({ entrance: 'bgp', source, ...(octets ? { octets } : {}) }, error);
  }

  localEnd(): LocalEnd {
    return localEndOf(this.#peer, {
      hostName: this.#context.hostName,
      refusedCapabilities: this.#refused,
      restarting: this.#restarting,
      forwarding: this.#restarting || this.#hasBeenUp,
    });
  }

  /** Ends what is, without damping, and begins anew with the configuration as it is now. */
  #restart(error: NotificationError | undefined): void {
    this.#second?.discard();
    this.#second = undefined;
    this.#first.handle({ kind: 'stop', ...(error ? { error } : {}) });
    this.#first.configure(fsmConfigOf(this.#peer.settings));
    this.start();
  }

  /** The loser of a collision. Returns nothing, for it has nothing to go on with. */
  #dump(connection: Connection): undefined {
    connection.handle({ kind: 'collision-dump' });
    return undefined;
  }

  #promoteSecond(): void {
    const second = this.#second;
    if (!second) return;
    second.inherit(this.#first.state);
    this.#first.discard();
    this.#first = second;
    this.#second = undefined;
    second.configure(fsmConfigOf(this.#peer.settings));
    this.#report.state(second.state.name);
  }
}

function metricKind(message: Message): MessageKind {
  switch (message.kind) {
    case 'open':
      return 'opens';
    case 'keepalive':
      return 'keepalives';
    case 'notification':
      return 'notifications';
    case 'update':
      return 'updates';
    case 'route-refresh':
      return 'route_refreshes';
  }
}
