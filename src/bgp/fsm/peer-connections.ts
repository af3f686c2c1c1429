/**
 * The connections of one peer within one step of its machine. `PeerConnections` runs their state machines by these rules:
 *
 * - A connection that comes up becomes the primary, and the other one ends.
 * - When the primary ends, the contender takes its place.
 * - After a contender has failed or lost a collision, the next contender is accepted only after a pause.
 * - Capabilities that the peer refuses are left out of our OPENs (RFC 5492 section 5) until a session has come up and ended.
 */
import { type LocalEnd, localOpen, refusedAfter } from '../negotiation.ts';
import { bfdReadiness } from './bfd-watch.ts';
import type { DownCause, FsmAction, FsmEvent } from './connection-events.ts';
import { stepConnection } from './connection-fsm.ts';
import type { BfdReadiness, FsmConfig } from './connection-state.ts';
import { contenderPauseMs } from './contender-policy.ts';
import { inheritFailures, type PeerDraft } from './peer-draft.ts';
import { type ConnectionState, localEndOf } from './peer-state.ts';

export class PeerConnections {
  readonly #draft: PeerDraft;
  readonly #nowMs: number;

  constructor(draft: PeerDraft, nowMs: number) {
    this.#draft = draft;
    this.#nowMs = nowMs;
  }

  /** Id of the Established connection. */
  get established(): number | undefined {
    const { primary } = this.#draft.state;
    return primary.fsm.name === 'Established' ? primary.id : undefined;
  }

  /** Whether BFD lets a connection go on now. Without strict mode, nothing waits. */
  get readiness(): BfdReadiness {
    const { settings, bfd } = this.#draft.state;
    if (!settings.bfd || settings.bfd.strict === 'off') return { kind: 'ready' };
    return bfdReadiness(bfd, settings.bfd.holdDownMs, this.#nowMs);
  }

  /** Whether BFD lets a connection begin now. A connection waits for this only with `bfd-strict: local`. */
  get startReadiness(): BfdReadiness {
    return this.#draft.state.settings.bfd?.strict === 'local' ? this.readiness : { kind: 'ready' };
  }

  /** Runs one step of a connection's state machine. */
  feed(id: number, event: FsmEvent): void {
    const connection = this.#draft.find(id);
    if (!connection) return;
    const before = connection.fsm;
    const { state: fsm, actions } = stepConnection(before, event, this.#configOf(id));
    const connectedAtMs = fsm.tcp !== 'connected' ? undefined : (connection.connectedAtMs ?? this.#nowMs);
    // Most messages of a session only restart a timer. The state then stays the same object, and `Session` does not record the event.
    if (fsm !== before || connectedAtMs !== connection.connectedAtMs)
      this.#draft.change(id, { fsm, connectedAtMs });
    const wasUp = before.name === 'Established';
    for (const action of actions) this.#runFsmAction(id, action, wasUp);
  }

  /** Takes a connection that the peer has made. */
  accept(id: number): void {
    this.#draft.act({ kind: 'accept', connection: id });
    this.feed(id, { kind: 'tcp-connected' });
  }

  /** Our side of the connection, as our OPEN states it. The first call fixes the value: later edits of the configuration do not change it. */
  localOf(connection: ConnectionState): LocalEnd {
    const local = connection.local ?? localEndOf(this.#draft.state);
    this.#draft.change(connection.id, { local });
    return local;
  }

  /**
   * Runs `run`, and starts no pause for contenders even if `run` ends a contender. The peer has not failed: the contender only makes room for
   * another connection.
   */
  withoutPause(run: () => void): void {
    const { contenderAllowedAtMs } = this.#draft.state;
    run();
    this.#draft.set({ contenderAllowedAtMs });
  }

  #runFsmAction(id: number, action: FsmAction, wasUp: boolean): void {
    switch (action.kind) {
      case 'connect':
        this.#draft.change(id, {
          initiator: 'local',
          local: undefined,
          remote: undefined,
          negotiated: undefined,
        });
        this.#draft.act({ kind: 'connect', connection: id });
        return;
      case 'send-open': {
        const connection = this.#draft.find(id);
        if (connection)
          this.#draft.act({ kind: 'send-open', connection: id, open: localOpen(this.localOf(connection)) });
        return;
      }
      case 'no-answer':
      case 'no-bfd':
        this.#draft.act(action);
        return;
      case 'up':
        this.#up(id);
        return;
      case 'down':
        this.#down(id, action.cause, wasUp);
        return;
      default:
        this.#draft.act({ ...action, connection: id });
    }
  }

  /** A connection is Established: it becomes the primary, and the other connection ends. */
  #up(id: number): void {
    const connection = this.#draft.find(id);
    const other = this.#draft.otherThan(id);
    if (!connection) return;
    if (other) {
      const primary = { ...connection, fsm: inheritFailures(connection.fsm, other.fsm) };
      this.#draft.set({ primary, contender: other });
      this.withoutPause(() => this.feed(other.id, { kind: 'collision-dump' }));
    }
    this.#draft.set({ restarting: false, hasBeenUp: true });
    this.#draft.act({ kind: 'session-up', connection: id });
  }

  #down(id: number, cause: DownCause, wasUp: boolean): void {
    this.#learnRefusal(id, cause, wasUp);
    const { contender } = this.#draft.state;
    if (contender?.id === id) {
      this.#draft.act({ kind: 'connection-lost', cause });
      this.#draft.discardContender();
      this.#draft.set({ contenderAllowedAtMs: this.#nowMs + contenderPauseMs });
      return;
    }
    if (wasUp) this.#draft.act({ kind: 'session-down', cause });
    else if (contender) this.#draft.act({ kind: 'connection-lost', cause });
    else this.#draft.act({ kind: 'attempt-failed', cause });
    this.#draft.promoteContender();
  }

  /** A peer that refuses capabilities gets OPENs without them until a session has come up and ended. Then all are offered again. */
  #learnRefusal(id: number, cause: DownCause, wasUp: boolean): void {
    if (wasUp) this.#draft.set({ refusedCapabilities: new Set() });
    if (cause.kind !== 'received') return;
    const { refusedCapabilities: known } = this.#draft.state;
    // A NOTIFICATION answers the OPEN of its own connection, so it is compared with the capabilities that this OPEN left out. `known` may hold
    // more: those that the peer has refused on its other connection since this OPEN was sent.
    const local = this.#draft.find(id)?.local;
    const omitted = local?.refusedCapabilities ?? known;
    const offered = local && localOpen(local).capabilities;
    const refused = widened(known, refusedAfter(cause.error, omitted, offered));
    if (!refused) return;
    this.#draft.set({ refusedCapabilities: refused });
    this.#draft.act({
      kind: 'capabilities-refused',
      capabilities: refused === 'all' ? refused : [...refused],
    });
  }

  /** Every contender is a connection that the peer made, so its machine never connects. It also sends our OPEN at once, without DelayOpen. */
  #configOf(id: number): FsmConfig {
    const { fsm } = this.#draft.state.settings;
    if (id !== this.#draft.state.primary.id) return { ...fsm, passive: true, delayOpenMs: 0 };
    return { ...fsm, startReadiness: this.startReadiness };
  }
}

/** Both sets of refused capabilities together; `undefined` when `refused` adds nothing to `known`. */
function widened(
  known: ReadonlySet<number> | 'all',
  refused: ReadonlySet<number> | 'all' | undefined,
): ReadonlySet<number> | 'all' | undefined {
  if (known === 'all' || refused === undefined) return undefined;
  if (refused === 'all') return refused;
  const both = new Set([...known, ...refused]);
  return both.size > known.size ? both : undefined;
}
