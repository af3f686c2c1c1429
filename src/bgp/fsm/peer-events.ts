/** Events and actions of the machine of one peer. Both are plain data, so that they can be recorded and replayed. */
import type { Family } from '../../address/index.ts';
import type { NotificationError, OpenMessage } from '../message.ts';
import type { Negotiated } from '../negotiation.ts';
import type { BfdReport } from './bfd-watch.ts';
import type { DownCause, FsmAction, FsmEvent } from './connection-events.ts';
import type { BgpState } from './connection-state.ts';
import type { PeerMachineSettings, PeerState } from './peer-state.ts';

/** Events of a connection that go to its state machine unchanged. */
type ConnectionFsmEvent = Extract<
  FsmEvent,
  {
    kind:
      | 'timer'
      | 'tcp-connected'
      | 'tcp-failed'
      | 'header-error'
      | 'open-error'
      | 'update-error'
      | 'notification'
      | 'keepalive'
      | 'update';
  }
>;

/** An event on the connection with this id. */
export type ConnectionEvent = (
  | ConnectionFsmEvent
  | { readonly kind: 'open'; readonly open: OpenMessage }
  /** `family` is absent when this speaker does not support the family. RFC 7313 defines `subtype`. */
  | { readonly kind: 'route-refresh'; readonly family?: Family; readonly subtype: number }
  /** An exception was caught while the connection's input was handled. */
  | { readonly kind: 'internal-error'; readonly reason: string }
) & { readonly connection: number };

export type PeerEvent =
  /** The first event of a peer. `inherited` is present when an earlier process has passed on its session with the peer. */
  | {
      readonly kind: 'start';
      readonly settings: PeerMachineSettings;
      readonly restarting: boolean;
      readonly inherited?: InheritedSession;
    }
  /**
   * An edit. `restart` is true when the session must start over: the edit changes the TCP connection, the OPEN, or whether the session may start.
   * `isOtherSession` is true when the edit moves the session to another router or to another `source-address`.
   */
  | {
      readonly kind: 'configure';
      readonly settings: PeerMachineSettings;
      readonly restart: boolean;
      readonly isOtherSession?: boolean;
    }
  /** The last event of a peer. Without `error`, the connection closes without a NOTIFICATION (RFC 4724). */
  | { readonly kind: 'shutdown'; readonly error?: NotificationError }
  /** BFD reports a change of its session with the peer (RFC 5882 section 4). */
  | { readonly kind: 'bfd'; readonly report: BfdReport }
  /** The `quietMs` of the last action `bfd-damping` or `bfd-loss-ignored` are over, and BFD has reported no loss in this time. */
  | { readonly kind: 'bfd-damping-expired' }
  /** The link of a directly connected session has lost its carrier or its last address, or is gone. */
  | { readonly kind: 'link-down'; readonly interface: string }
  /** The node has lost the session's local address. `address` is the address as text. */
  | { readonly kind: 'address-lost'; readonly address: string }
  /** The peer has connected; the machine accepts or rejects the connection. */
  | { readonly kind: 'incoming' }
  | ConnectionEvent;

/** An Established session of an earlier process. */
export interface InheritedSession {
  /** The end that made the TCP connection. */
  readonly initiator: 'local' | 'remote';
  readonly sentOpen: OpenMessage;
  readonly receivedOpen: OpenMessage;
}

/** Why a connection that the peer made, or that an earlier process passed on, is not accepted. */
export type RejectReason =
  /** The earlier process sent an OPEN that this process would not send. */
  | 'other-open'
  /** An earlier process passed the session on, but something that the session needs is missing here, such as its password. */
  | 'incomplete'
  /** The primary is Idle: the session may not start, waits after a failure, or waits for BFD. */
  | 'idle'
  /** A session without graceful restart is up, and it stays. */
  | 'established'
  /** The previous contender failed a moment ago. */
  | 'paused'
  /** Both connections are in use. */
  | 'occupied';

/** Actions of a connection's state machine that go to the connection's shell unchanged. */
type ConnectionFsmAction = Extract<
  FsmAction,
  { kind: 'connect' | 'send-keepalive' | 'send-notification' | 'drop' | 'start-timer' | 'stop-timer' }
>;

/** An action on the connection with this id. */
export type ConnectionAction = (
  | ConnectionFsmAction
  | { readonly kind: 'send-open'; readonly open: OpenMessage }
  /** Take the connection that the peer has just made, or that the earlier process has passed on. */
  | { readonly kind: 'accept' }
  /** From now on messages are read and written as negotiated. */
  | { readonly kind: 'agree'; readonly negotiated: Negotiated }
  /** The session's socket settings may have changed: apply them to the connection. */
  | { readonly kind: 'apply-socket-rules' }
  /** The machine has given up the connection: close it, stop its timers, forget it. */
  | { readonly kind: 'discard' }
) & { readonly connection: number };

/** An action on the session as a whole: the shell starts or stops its routes, rejects a connection, or reports to the operator. */
export type SessionAction =
  | { readonly kind: 'reject'; readonly reason: RejectReason }
  /** The state that status shows for the peer has changed. */
  | { readonly kind: 'state-changed'; readonly from: BgpState; readonly to: BgpState }
  | { readonly kind: 'session-up'; readonly connection: number }
  /** A session that was up has ended. */
  | { readonly kind: 'session-down'; readonly cause: DownCause }
  /** An attempt has ended before a session came up. */
  | { readonly kind: 'attempt-failed'; readonly cause: DownCause }
  /** One of the peer's two connections has ended. The other connection stays open. */
  | { readonly kind: 'connection-lost'; readonly cause: DownCause }
  /** The peer did not answer the attempt to connect. The machine tries again. */
  | { readonly kind: 'no-answer' }
  /** BFD did not come up in time, so the session connects without it. */
  | { readonly kind: 'no-bfd' }
  /** BFD has ended the session too often: its losses are ignored until `quietMs` have passed without a loss. */
  | { readonly kind: 'bfd-damping'; readonly quietMs: number }
  /** BFD has lost the peer again. The session goes on, and the quiet time starts over. */
  | { readonly kind: 'bfd-loss-ignored'; readonly quietMs: number }
  /** From now on a loss ends the session again. */
  | { readonly kind: 'bfd-damping-over' }
  /** The next OPEN leaves these capabilities out. */
  | { readonly kind: 'capabilities-refused'; readonly capabilities: readonly number[] | 'all' }
  /** The peer asks for the routes of a family again (RFC 2918). */
  | { readonly kind: 'refresh'; readonly family: Family };

export type PeerAction = ConnectionAction | SessionAction;

export interface PeerStep {
  readonly state: PeerState;
  readonly actions: readonly PeerAction[];
}
