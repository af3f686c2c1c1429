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
  /** First IdleHoldTime. It doubles with each failure. */
  readonly idleHoldMs: number;
  readonly idleHoldMaximumMs: number;
  /** A session that has lasted this long clears the count of failures. */
  readonly lastingMs: number;
  /** SendHoldTime (RFC 9687). The machine uses twice the hold time if that is longer. */
  readonly sendHoldMs: number;
}

/**
 * The timers of RFC 4271 section 8, SendHoldTimer of RFC 9687, and `lasting`, which ends the damping of a peer that has proven
 * stable.
 */
export type FsmTimer =
  | 'connect-retry'
  | 'hold'
  | 'keepalive'
  | 'delay-open'
  | 'idle-hold'
  | 'send-hold'
  | 'lasting';

export interface FsmState {
  readonly name: BgpState;
  /** ConnectRetryCounter. */
  readonly connectRetryCounter: number;
  /** How many connections and sessions have broken since a session last proved stable. The idle hold time doubles with each of them. */
  readonly oscillations: number;
  readonly tcp: 'none' | 'connecting' | 'connected';
  readonly delayOpenRunning: boolean;
  /** As negotiated; 0 before the negotiation, and when the peers agreed on no hold timer. */
  readonly holdTimeMs: number;
  readonly keepaliveMs: number;
}

export const initialFsmState: FsmState = {
  name: 'Idle',
  connectRetryCounter: 0,
  oscillations: 0,
  tcp: 'none',
  delayOpenRunning: false,
  holdTimeMs: 0,
  keepaliveMs: 0,
};
