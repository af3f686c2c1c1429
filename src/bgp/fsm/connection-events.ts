/** Events and actions of the state machine of one connection. Plain data. */
import type { NotificationError } from '../message.ts';
import type { BfdReadiness, FsmState, FsmTimer } from './connection-state.ts';

/** The events of RFC 4271 section 8.1, by number. */
export type FsmEvent =
  /** 1 and 3 to 7: a start by the administrator or by the speaker. */
  | { readonly kind: 'start' }
  /**
   * 2 (ManualStop): the connection ends and is not retried. `error` is the Cease to send (RFC 4486); without it the connection closes
   * silently (RFC 4724). `because` tells operators why.
   */
  | { readonly kind: 'stop'; readonly error?: NotificationError; readonly because?: string }
  /** 8 (AutomaticStop): the connection ends and is retried, for instance when BFD has lost the peer. */
  | { readonly kind: 'reset'; readonly error?: NotificationError; readonly because: string }
  /** 9 to 13, and the timers of RFC 9687, of damping and of BFD: a timer expires. */
  | { readonly kind: 'timer'; readonly timer: FsmTimer }
  /** 16 (our attempt succeeded) and 17 (the peer connected). */
  | { readonly kind: 'tcp-connected' }
  /** 18 (TcpConnectionFails). */
  | { readonly kind: 'tcp-failed'; readonly reason: string }
  /**
   * 19 (BGPOpen), or 20 while the DelayOpenTimer runs. `holdTimeMs` and `keepaliveMs` are the negotiated times. A hold time of 0 means that
   * there is no hold timer. `readiness` is present when both ends offer BFD strict mode.
   */
  | {
      readonly kind: 'open';
      readonly holdTimeMs: number;
      readonly keepaliveMs: number;
      readonly readiness?: BfdReadiness;
    }
  /** 21 (BGPHeaderErr). */
  | { readonly kind: 'header-error'; readonly error: NotificationError }
  /** 22 (BGPOpenMsgErr). */
  | { readonly kind: 'open-error'; readonly error: NotificationError }
  /** 23 (OpenCollisionDump). `because` tells operators why. */
  | { readonly kind: 'collision-dump'; readonly because?: string }
  /** 24 and 25 (NotifMsgVerErr, NotifMsg). */
  | { readonly kind: 'notification'; readonly error: NotificationError }
  /** 26 (KeepAliveMsg). */
  | { readonly kind: 'keepalive' }
  /**
   * 27 (UpdateMsg). A ROUTE-REFRESH counts as an UPDATE. `isRefresh` marks it: if it is unexpected, our NOTIFICATION names the type ROUTE-REFRESH
   * instead of UPDATE.
   */
  | { readonly kind: 'update'; readonly isRefresh?: true }
  /** 28 (UpdateMsgErr). A malformed ROUTE-REFRESH counts as a malformed UPDATE. */
  | { readonly kind: 'update-error'; readonly error: NotificationError }
  /** BfdUp of draft-ietf-idr-bgp-bfd-strict-mode, and every other change of the readiness. */
  | { readonly kind: 'bfd-readiness'; readonly readiness: BfdReadiness }
  /** Not in the RFC: the administrator has changed the keepalive interval. */
  | { readonly kind: 'keepalive-interval'; readonly keepaliveMs: number };

/** Why a connection or an attempt ended. */
export type DownCause =
  | { readonly kind: 'sent' | 'received'; readonly error: NotificationError }
  /** TCP did not come up, or the TCP connection broke. */
  | { readonly kind: 'tcp'; readonly reason: string }
  | { readonly kind: 'hold-timer' }
  | { readonly kind: 'send-hold-timer' }
  /** `error` is the Cease that was sent, if any. */
  | { readonly kind: 'stopped'; readonly error?: NotificationError; readonly because?: string }
  | { readonly kind: 'reset'; readonly error?: NotificationError; readonly because: string };

/** An action for the shell. The shell runs the actions of a step in order. */
export type FsmAction =
  | { readonly kind: 'connect' }
  | { readonly kind: 'send-open' }
  | { readonly kind: 'send-keepalive' }
  | { readonly kind: 'send-notification'; readonly error: NotificationError }
  /** Ends the TCP connection or the attempt. Octets that have been written are still sent. */
  | { readonly kind: 'drop' }
  /** `isJittered`: the shell shortens the delay at random (RFC 4271 section 10). */
  | {
      readonly kind: 'start-timer';
      readonly timer: FsmTimer;
      readonly delayMs: number;
      readonly isJittered?: true;
    }
  | { readonly kind: 'stop-timer'; readonly timer: FsmTimer }
  /** The peer did not answer the attempt to connect. The machine tries again. */
  | { readonly kind: 'no-answer' }
  /** BFD did not come up in time. The machine connects without it. */
  | { readonly kind: 'no-bfd' }
  | { readonly kind: 'up' }
  /** The attempt or the session has ended. */
  | { readonly kind: 'down'; readonly cause: DownCause };

export interface FsmStep {
  readonly state: FsmState;
  readonly actions: readonly FsmAction[];
}
