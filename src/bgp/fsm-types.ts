import type { BgpState } from './speaker-api.ts';

/** What the administrator or a damped retry is for RFC 4271; durations in milliseconds. */
export interface FsmConfig {
  /** PassiveTcpEstablishment: wait for the peer, never connect. */
  readonly passive: boolean;
  /** ConnectRetryTime; jittered. */
  readonly connectRetryMs: number;
  /** DelayOpenTime; 0 sends the OPEN at once. */
  readonly delayOpenMs: number;
  /** First and longest IdleHoldTime; it doubles with each failure. */
  readonly idleHoldMs: number;
  readonly idleHoldMaximumMs: number;
  /** How long a session must last before its failures are forgotten. */
  readonly lastingMs: number;
  /** RFC 9687; never less than twice the hold time. */
  readonly sendHoldMs: number;
}

/** The optional attributes and timers of RFC 4271 section 8 that apply, RFC 9687's, and `lasting`, which ends the damping. */
export type FsmTimer =
  | 'connect-retry'
  | 'hold'
  | 'keepalive'
  | 'delay-open'
  | 'idle-hold'
  | 'send-hold'
  | 'lasting';

/** Code, subcode and data of a NOTIFICATION (RFC 4271 section 4.5). */
export interface NotificationError {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  /** For people here; not on the wire. */
  readonly text?: string;
}

/** RFC 4271 section 8.1; the numbers are its event numbers. */
export type FsmEvent =
  /** 1, 3-5: an administrator's or an automatic start. */
  | { readonly kind: 'start' }
  /** 2 and 8: `error` is the Cease to send (RFC 4486); without it the connection is closed without a word (RFC 4724). */
  | { readonly kind: 'stop'; readonly error?: NotificationError }
  /** 8 where the peer stays configured and is tried again: reset, BFD down. */
  | { readonly kind: 'reset'; readonly error?: NotificationError; readonly cause: string }
  /** 9-13, RFC 9687, and the end of damping. */
  | { readonly kind: 'timer'; readonly timer: FsmTimer }
  /** 16 (we connected) and 17 (the peer did). */
  | { readonly kind: 'tcp-connected' }
  /** 18. */
  | { readonly kind: 'tcp-failed'; readonly cause: string }
  /** 19, or 20 while DelayOpen runs. The hold time is the negotiated one, 0 for none. */
  | { readonly kind: 'open'; readonly holdTimeMs: number; readonly keepaliveMs: number }
  /** 21, 22 and 28: what to tell the peer. */
  | { readonly kind: 'message-error'; readonly error: NotificationError }
  /** 23. */
  | { readonly kind: 'collision-dump' }
  /** 24 and 25. */
  | { readonly kind: 'notification'; readonly error: NotificationError }
  /** 26. */
  | { readonly kind: 'keepalive' }
  /** None of the RFC's: the administrator changed the interval while the session is up. */
  | { readonly kind: 'keepalive-interval'; readonly keepaliveMs: number }
  /** 27; a ROUTE-REFRESH is judged alike. */
  | { readonly kind: 'update' };

/** Why a connection or an attempt ended; the shell puts it in words. */
export type DownCause =
  | { readonly kind: 'sent' | 'received'; readonly error: NotificationError }
  | { readonly kind: 'tcp'; readonly cause: string }
  | { readonly kind: 'hold-timer' }
  | { readonly kind: 'send-hold-timer' }
  /** `error` is the Cease that was sent. */
  | { readonly kind: 'stopped'; readonly error?: NotificationError }
  | { readonly kind: 'reset'; readonly cause: string; readonly error?: NotificationError };

/** What the shell does, in this order. */
export type FsmAction =
  | { readonly kind: 'connect' }
  | { readonly kind: 'send-open' | 'send-keepalive' }
  | { readonly kind: 'send-notification'; readonly error: NotificationError }
  /** Ends the TCP connection or the attempt; what was written before still leaves. */
  | { readonly kind: 'drop' }
  | { readonly kind: 'start-timer'; readonly timer: FsmTimer; readonly delayMs: number }
  | { readonly kind: 'stop-timer'; readonly timer: FsmTimer }
  | { readonly kind: 'up' }
  /** The attempt or the session has ended. */
  | { readonly kind: 'down'; readonly cause: DownCause };

export interface FsmState {
  readonly name: BgpState;
  /** RFC 4271's counter. */
  readonly connectRetryCounter: number;
  /** Connections and sessions that broke since the last lasting session: the exponent of the idle hold time. */
  readonly oscillations: number;
  readonly tcp: 'none' | 'connecting' | 'connected';
  readonly delayOpenRunning: boolean;
  /** Negotiated; 0 before and when the peers agreed on none. */
  readonly holdTimeMs: number;
  readonly keepaliveMs: number;
}

export interface FsmStep {
  readonly state: FsmState;
  readonly actions: readonly FsmAction[];
}
