/**
 * The machine of one peer, as a pure function `(state, event, now) → { state, actions }`. A peer may have two connections, for instance when both
 * ends connect at the same time, and this machine decides which one stays.
 *
 *   events of connection 1 ──→ FSM of the primary ───┐
 *   events of connection 2 ──→ FSM of the contender ─┼──→ actions on each connection, and on the session
 *   edits, stops, BFD, incoming connections ─────────┘
 *
 * This file handles the events. `peer-connections.ts` runs the FSMs, and decides what becomes of the peer when a connection comes up or ends.
 *
 * The primary is the connection that status shows. When the peer connects while the primary waits for a connection (Active), the primary
 * takes the new connection. Otherwise the new connection becomes the contender, or is rejected. Decisions:
 * - Collision (RFC 4271 section 6.8): when the peer's OPEN has arrived on both connections, the connection made by the end with the higher BGP
 *   Identifier survives.
 * - Succession: the session of an earlier process goes on if this process would send the same OPEN. Otherwise it ends, and a new session starts.
 * - Restart of the peer (RFC 4724 section 4.2): when an OPEN arrives on a new connection while a session with graceful restart is Established, the
 *   old connection is closed without a NOTIFICATION, and the new one stays. Without graceful restart the Established session stays.
 * - When the peer connects while there is a contender, a connection that has carried no OPEN for `silentConnectionMs` yields to the new one.
 *   Silent connections from the peer's address therefore cannot keep the peer out.
 * - BFD (RFC 5882): bfd-watch.ts says whether a report means that the peer is lost, and whether a waiting connection may go on.
 */
import { Cease, cease, hardReset } from '../cease.ts';
import type { NotificationError, OpenMessage } from '../message.ts';
import {
  judgeOpen,
  keepaliveSeconds,
  type LocalEnd,
  localEndThatSent,
  type Negotiated,
} from '../negotiation.ts';
import {
  type BfdReport,
  dampingQuietMs,
  endDamping,
  initialBfdWatch,
  noteSessionEnded,
  observeBfd,
} from './bfd-watch.ts';
import { survivingConnection } from './collision.ts';
import type { FsmEvent } from './connection-events.ts';
import { initialFsmState } from './connection-state.ts';
import { refusalOf, silentConnection, silentConnectionMs } from './contender-policy.ts';
import { PeerConnections } from './peer-connections.ts';
import { inheritFailures, PeerDraft } from './peer-draft.ts';
import type { ConnectionEvent, InheritedSession, PeerEvent, PeerStep } from './peer-events.ts';
import { type ConnectionState, localEndOf, type PeerMachineSettings, type PeerState } from './peer-state.ts';

/** One step; `nowMs` is a monotonic time. */
export function stepPeer(state: PeerState, event: PeerEvent, nowMs: number): PeerStep {
  return new PeerTransition(state, nowMs).run(event);
}

/** The decisions of one step. Each step has its own PeerTransition. */
class PeerTransition {
  readonly #draft: PeerDraft;
  readonly #connections: PeerConnections;
  readonly #nowMs: number;

  constructor(state: PeerState, nowMs: number) {
    this.#draft = new PeerDraft(state);
    this.#connections = new PeerConnections(this.#draft, nowMs);
    this.#nowMs = nowMs;
  }

  run(event: PeerEvent): PeerStep {
    switch (event.kind) {
      case 'start':
        this.#draft.set({ settings: event.settings, restarting: event.restarting });
        if (event.inherited && this.#inherit(event.inherited)) break;
        this.#start();
        break;
      case 'configure':
        this.#configure(event);
        break;
      case 'shutdown':
        this.#shutdown(event);
        break;
      case 'bfd':
        this.#bfd(event.report);
        break;
      case 'bfd-damping-expired':
        this.#endDamping();
        break;
      case 'link-down':
        // No NOTIFICATION: the link cannot carry one now. If one reached the peer after the link returned, the peer would drop the routes
        // that it had kept (RFC 4724).
        this.#endEstablished({
          kind: 'reset',
          because: `link ${event.interface} is down or has no address left`,
        });
        break;
      case 'address-lost':
        // No NOTIFICATION, because TCP cannot send from an address that the node does not have.
        this.#endEstablished({ kind: 'reset', because: `the node has lost the address ${event.address}` });
        break;
      case 'incoming':
        this.#incoming();
        break;
      default:
        this.#connectionEvent(event);
    }
    return this.#draft.finish();
  }

  #connectionEvent(event: ConnectionEvent): void {
    const connection = this.#draft.find(event.connection);
    if (!connection) return;
    switch (event.kind) {
      case 'open':
        this.#open(connection, event.open);
        return;
      case 'route-refresh':
        this.#connections.feed(connection.id, { kind: 'update', isRefresh: true });
        if (
          this.#connections.established === connection.id &&
          event.subtype === 0 &&
          event.family !== undefined
        )
          this.#draft.act({ kind: 'refresh', family: event.family });
        return;
      case 'internal-error':
        this.#connections.feed(connection.id, {
          kind: 'reset',
          error: cease(Cease.unspecific),
          because: `internal error: ${event.reason}`,
        });
        return;
      default: {
        const { connection: id, ...fsmEvent } = event;
        this.#connections.feed(id, fsmEvent);
      }
    }
  }

  #start(): void {
    if (this.#draft.state.settings.mayStart)
      this.#connections.feed(this.#draft.state.primary.id, { kind: 'start' });
  }

  /**
   * Goes on with the session of an earlier process. The connection starts in OpenSent and gets the peer's OPEN and a KEEPALIVE as events. It goes
   * to Established as a new connection does: it sends the peer a KEEPALIVE and starts its timers. Returns false when the session may not start
   * here, or when this process would not send the same OPEN.
   */
  #inherit({ initiator, sentOpen, receivedOpen }: InheritedSession): boolean {
    const { state } = this.#draft;
    const { primary } = state;
    const { mayStart } = state.settings;
    const local = mayStart ? localEndThatSent(sentOpen, receivedOpen, localEndOf(state)) : undefined;
    if (!local) {
      this.#draft.act({ kind: 'reject', reason: mayStart ? 'other-open' : 'incomplete' });
      return false;
    }
    const fsm = { ...initialFsmState, name: 'OpenSent', tcp: 'connected' } as const;
    const connection = { ...primary, fsm, initiator, local, connectedAtMs: this.#nowMs };
    this.#draft.set({ primary: connection });
    this.#draft.act({ kind: 'accept', connection: primary.id });
    this.#open(connection, receivedOpen);
    this.#connections.feed(primary.id, { kind: 'keepalive' });
    return true;
  }

  /** Applies an edit. An Established session starts over only when `restart` is set. */
  #configure({ settings, restart, isOtherSession }: Extract<PeerEvent, { kind: 'configure' }>): void {
    const { settings: before, primary: current } = this.#draft.state;
    const wasPassive = before.fsm.passive;
    const isUnderway = current.fsm.name !== 'Idle' && current.fsm.name !== 'Established';
    // A connection that waits for BFD before TCP has sent nothing yet, so it can take every edit. It must not start over, because its wait would
    // then begin again.
    const waitsForBfd = current.fsm.bfdWait === 'before-tcp' && settings.mayStart;
    this.#draft.set({ settings });
    if (!settings.bfd) this.#forgetBfd();
    // draft-ietf-idr-bgp-bfd-strict-mode, BfdStrictConfigChanged: an attempt starts over, and an Established session stays.
    if (
      !waitsForBfd &&
      (restart || (isUnderway && settings.bfd && strictOf(settings) !== strictOf(before)))
    ) {
      this.#draft.set({ refusedCapabilities: new Set() });
      // With `isOtherSession`, the session moves to another router or to another address of this node. The router at the other end of the present
      // connection must not keep our routes, because the session that it knows does not return.
      const error = isOtherSession
        ? this.#forGood(cease(Cease.peerDeconfigured))
        : cease(Cease.otherConfigurationChange);
      this.#restart({ kind: 'stop', error, because: 'our configuration of this peer changed' });
      return;
    }
    if (restart) this.#draft.set({ refusedCapabilities: new Set() });
    const { primary, contender } = this.#draft.state;
    const { name } = primary.fsm;
    const isConnecting = name === 'Idle' || name === 'Connect' || name === 'Active';
    // `#readinessChanged` can make a connection wait longer for BFD, so it runs only when an edit changes `strict` or `holdDownMs`.
    if (strictOf(settings) !== strictOf(before) || settings.bfd?.holdDownMs !== before.bfd?.holdDownMs)
      this.#readinessChanged();
    if (wasPassive !== settings.fsm.passive && isConnecting && !waitsForBfd) this.#restart({ kind: 'stop' });
    this.#draft.act({ kind: 'apply-socket-rules', connection: primary.id });
    for (const connection of [primary, contender]) {
      const holdTimeSeconds = connection?.negotiated?.holdTimeSeconds;
      if (connection && holdTimeSeconds)
        this.#connections.feed(connection.id, {
          kind: 'keepalive-interval',
          keepaliveMs: keepaliveSeconds(settings.localEnd.keepaliveTimeSeconds, holdTimeSeconds) * 1000,
        });
    }
  }

  /** Ends all connections without damping, and starts again with the current settings. */
  #restart(stop: Extract<FsmEvent, { kind: 'stop' }>): void {
    this.#draft.discardContender();
    this.#connections.feed(this.#draft.state.primary.id, stop);
    this.#start();
  }

  #shutdown({ error }: Extract<PeerEvent, { kind: 'shutdown' }>): void {
    this.#draft.discardContender();
    const stop = { kind: 'stop', ...(error ? { error: this.#forGood(error) } : {}) } as const;
    this.#connections.feed(this.#draft.state.primary.id, stop);
  }

  /** RFC 8538 section 3.1: where a NOTIFICATION would start graceful restart, a Hard Reset ends the session for good. */
  #forGood(error: NotificationError): NotificationError {
    return this.#draft.state.primary.negotiated?.gracefulRestart?.notification ? hardReset(error) : error;
  }

  #endEstablished(reset: Extract<FsmEvent, { kind: 'reset' }>): void {
    if (this.#connections.established !== undefined)
      this.#connections.feed(this.#connections.established, reset);
  }

  /**
   * Unless losses are damped, a loss ends the Established connection and every connection that has exchanged both OPENs. A connection that is
   * only being set up goes on, because its own timers end it if the peer does not answer.
   */
  #bfd(report: BfdReport): void {
    const { settings, bfd: before } = this.#draft.state;
    if (!settings.bfd) return;
    const { watch, isLost } = observeBfd(before, report, this.#nowMs);
    this.#draft.set({ bfd: watch });
    if (isLost && watch.isDamped) this.#draft.act({ kind: 'bfd-loss-ignored', quietMs: dampingQuietMs });
    else if (isLost) this.#bfdLost();
    // A report that changes nothing must not make a connection wait longer. While BFD has reported nothing, it counts as down.
    const isStillDown = before.view === 'unknown' && watch.view === 'down';
    if (watch.view !== before.view && !isStillDown) this.#readinessChanged();
  }

  #bfdLost(): void {
    const { primary, contender, bfd } = this.#draft.state;
    if (this.#connections.established !== undefined) {
      const watch = noteSessionEnded(bfd, this.#nowMs);
      this.#draft.set({ bfd: watch });
      if (watch.isDamped) this.#draft.act({ kind: 'bfd-damping', quietMs: dampingQuietMs });
    }
    for (const connection of [contender, primary]) {
      if (!connection || !hasBothOpens(connection)) continue;
      const error = this.#bfdDownError(connection);
      this.#connections.feed(connection.id, { kind: 'reset', error, because: 'BFD has lost the peer' });
    }
  }

  /**
   * Cease/BFD Down (RFC 9384). The peer may keep our routes after a NOTIFICATION (RFC 8538). It must not keep them when its BFD is
   * independent of its control plane: then the path has failed, and not only BGP (RFC 5882 section 4.3.1).
   */
  #bfdDownError({ negotiated }: ConnectionState): NotificationError {
    const error = cease(Cease.bfdDown);
    const keepsRoutes = negotiated?.gracefulRestart?.notification ?? false;
    return keepsRoutes && this.#draft.state.bfd.remoteControlPlaneIndependent ? hardReset(error) : error;
  }

  #endDamping(): void {
    const { bfd } = this.#draft.state;
    if (!bfd.isDamped) return;
    this.#draft.set({ bfd: endDamping(bfd) });
    this.#draft.act({ kind: 'bfd-damping-over' });
  }

  /** Resets the state of BFD, because BFD does not watch the peer. */
  #forgetBfd(): void {
    this.#endDamping();
    this.#draft.set({ bfd: initialBfdWatch });
  }

  /** Tells the connections that wait for BFD whether they may go on. */
  #readinessChanged(): void {
    const { primary, contender } = this.#draft.state;
    for (const connection of [primary, contender])
      if (connection?.fsm.bfdWait) {
        const { readiness, startReadiness } = this.#connections;
        this.#connections.feed(connection.id, {
          kind: 'bfd-readiness',
          readiness: connection.fsm.bfdWait === 'before-tcp' ? startReadiness : readiness,
        });
      }
  }

  /** The peer has connected. A primary that waits for a connection takes it. Otherwise the connection becomes the contender. */
  #incoming(): void {
    const { primary } = this.#draft.state;
    if (primary.fsm.name === 'Active' && primary.fsm.tcp === 'none') {
      this.#draft.change(primary.id, {
        initiator: 'remote',
        local: undefined,
        remote: undefined,
        negotiated: undefined,
      });
      this.#connections.accept(primary.id);
      return;
    }
    const reason = refusalOf(this.#draft.state, this.#nowMs);
    if (reason && !(reason === 'occupied' && this.#yieldSilent())) {
      this.#draft.act({ kind: 'reject', reason });
      return;
    }
    const id = this.#draft.state.nextConnectionId;
    const contender: ConnectionState = {
      id,
      fsm: inheritFailures({ ...initialFsmState, name: 'Active' }, this.#draft.state.primary.fsm),
      initiator: 'remote',
      connectedAtMs: undefined,
      local: undefined,
      remote: undefined,
      negotiated: undefined,
    };
    this.#draft.set({ contender, nextConnectionId: id + 1 });
    this.#connections.accept(id);
  }

  /** Ends one silent connection; false when there is none. */
  #yieldSilent(): boolean {
    const silent = silentConnection(this.#draft.state, this.#nowMs);
    if (!silent) return false;
    const because = `it carried no OPEN for ${silentConnectionMs / 1000} s and yields to a newer connection of the peer`;
    this.#connections.withoutPause(() =>
      this.#connections.feed(silent.id, { kind: 'collision-dump', because }),
    );
    return true;
  }

  /** Judges the peer's first OPEN on a connection, and feeds the outcome to the connection's state machine. The machine rejects any further OPEN. */
  #open(connection: ConnectionState, open: OpenMessage): void {
    const { id, fsm } = connection;
    const isFirst = fsm.delayOpenRunning || (fsm.name === 'OpenSent' && !fsm.bfdWait);
    if (!isFirst) {
      this.#connections.feed(id, { kind: 'open', holdTimeMs: 0, keepaliveMs: 0 });
      return;
    }
    const local = this.#connections.localOf(connection);
    // An OPEN does not carry the keepalive time, so the configured one applies, even if it has changed since we sent our OPEN.
    const { keepaliveTimeSeconds } = this.#draft.state.settings.localEnd;
    const judged = judgeOpen(open, { ...local, keepaliveTimeSeconds });
    if (!judged.ok) {
      this.#connections.feed(id, { kind: 'open-error', error: judged.error });
      return;
    }
    const negotiated = judged.value;
    if (!this.#survives(connection, local, negotiated)) {
      this.#connections.feed(id, { kind: 'collision-dump' });
      return;
    }
    this.#draft.change(id, { remote: open, negotiated });
    this.#draft.act({ kind: 'agree', connection: id, negotiated });
    this.#connections.feed(id, {
      kind: 'open',
      holdTimeMs: negotiated.holdTimeSeconds * 1000,
      keepaliveMs: negotiated.keepaliveTimeSeconds * 1000,
      ...(negotiated.bfdStrict ? { readiness: this.#connections.readiness } : {}),
    });
  }

  /** Settles a collision of this connection with the peer's other connection. Returns false when `connection` must end. */
  #survives(connection: ConnectionState, local: LocalEnd, negotiated: Negotiated): boolean {
    const other = this.#draft.otherThan(connection.id);
    if (!other || !hasBothOpens(other)) return true;
    // RFC 4724 section 4.2: a peer with graceful restart that connects again has restarted. The old connection is closed without a
    // NOTIFICATION, and the new connection stays. Without graceful restart the new connection is closed (RFC 4271 section 6.8).
    if (other.fsm.name === 'Established') {
      if (!other.negotiated?.gracefulRestart) return false;
      this.#connections.feed(other.id, { kind: 'reset', because: 'the peer has connected again' });
      return true;
    }
    // RFC 4271 section 6.8: "the local system MUST examine all of its connections that are in the OpenConfirm state". A connection that
    // waits for BFD counts too, because both of its OPENs have been exchanged. If the peer made both connections, `other`
    // survives.
    const surviving = survivingConnection(local, {
      routerId: negotiated.peerRouterId,
      asn: negotiated.peerAsn,
    });
    const direction = connection.initiator === 'local' ? 'outgoing' : 'incoming';
    if (other.initiator === connection.initiator || direction !== surviving) return false;
    this.#connections.feed(other.id, { kind: 'collision-dump' });
    return true;
  }
}

/** True when the connection has come at least as far as OpenConfirm, or waits for BFD just before OpenConfirm. */
function hasBothOpens({ fsm: { name, bfdWait } }: ConnectionState): boolean {
  return name === 'Established' || name === 'OpenConfirm' || (name === 'OpenSent' && bfdWait !== undefined);
}

function strictOf({ bfd }: PeerMachineSettings): 'off' | 'negotiate' | 'local' {
  return bfd?.strict ?? 'off';
}
