/** The state and the configuration of the state machine of one connection. */

/** The states of RFC 4271 section 8.2.2. */
export type BgpState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** The attributes of RFC 4271 section 8 that an operator or the speaker sets. Durations are in milliseconds. */
export interface FsmConfig {
  /** PassiveTcpEstablishment: wait for the peer, never connect. */
  readonly passive: boolean;
  /** ConnectRetryTime, before jitter. */
  readonly connectRetryMs: number;
  /** DelayOpenTime; 0 sends the OPEN at once. */
  readonly delayOpenMs: number;
  /** Whether BFD lets the machine leave Idle. When absent, the machine does not wait for BFD before it connects. */
  readonly startReadiness?: BfdReadiness;
  /** First IdleHoldTime. It doubles with each failure. */
  readonly idleHoldMs: number;
  readonly idleHoldMaximumMs: number;
  /** A session that has lasted this long clears the count of failures. */
  readonly lastingMs: number;
  /** SendHoldTime (RFC 9687). The machine uses twice the hold time if that is longer. */
  readonly sendHoldMs: number;
}

/** Whether BFD lets a session come up: now, when the hold-down ends, or not before BFD is Up. */
export type BfdReadiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ready-in'; readonly delayMs: number }
  | { readonly kind: 'not-ready' };

/**
 * The timers of RFC 4271 section 8, SendHoldTimer of RFC 9687, and two others: `lasting` ends the damping of a peer that has proven stable, and
 * `bfd` ends a wait for BFD.
 */
export type FsmTimer =
  | 'connect-retry'
  | 'hold'
  | 'keepalive'
  | 'delay-open'
  | 'idle-hold'
  | 'send-hold'
  | 'lasting'
  | 'bfd';

/**
 * A wait for BFD. `before-tcp`: in Idle, with `bfd-strict: local`. The others are the sub-states of OpenSent in
 * draft-ietf-idr-bgp-bfd-strict-mode: the peer has sent its OPEN, and with `confirmed` its KEEPALIVE as well.
 */
export type BfdWait = 'before-tcp' | 'unconfirmed' | 'confirmed';

export interface FsmState {
  readonly name: BgpState;
  /** ConnectRetryCounter. */
  readonly connectRetryCounter: number;
  /** How many connections and sessions have broken since a session last proved stable. The idle hold time doubles with each of them. */
  readonly oscillations: number;
  readonly tcp: 'none' | 'connecting' | 'connected';
  readonly delayOpenRunning: boolean;
  /** As negotiated; 0 before the negotiation. A negotiated time of 0 means that there is no hold timer. */
  readonly holdTimeMs: number;
  readonly keepaliveMs: number;
  readonly bfdWait: BfdWait | undefined;
}

export const initialFsmState: FsmState = {
  name: 'Idle',
  connectRetryCounter: 0,
  oscillations: 0,
  tcp: 'none',
  delayOpenRunning: false,
  holdTimeMs: 0,
  keepaliveMs: 0,
  bfdWait: undefined,
};

const subStateNames: Readonly<Record<BfdWait, string>> = {
  'before-tcp': 'IdleBfdUpPending',
  unconfirmed: 'OpenSentBfdUpPending',
  confirmed: 'OpenSentConfirmedBfdUpPending',
};

/** The name of the state or of its sub-state. The two sub-states of OpenSent have the draft's names. */
export function detailedState({ name, bfdWait }: FsmState): string {
  return bfdWait === undefined ? name : subStateNames[bfdWait];
}
