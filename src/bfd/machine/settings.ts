import type { DigestKey, DigestType } from '../codec/authentication.ts';

/** The settings of a session as the machine needs them. Intervals are in microseconds, as on the wire. */
export interface MachineSettings {
  readonly desiredMinTxInterval: number;
  readonly requiredMinRxInterval: number;
  readonly detectMultiplier: number;
  readonly passive: boolean;
  readonly authentication?: MachineAuthentication;
  /**
   * The interval at which we want to send Echo packets. If `returnsEcho` is true, it is also the shortest interval at which we offer to return
   * the peer's Echo packets. When this field is absent, we send no Echo packets and tell the peer that we return none.
   */
  readonly echoInterval?: number;
  /** Whether this node forwards the Echo packets of the peer back to the peer. */
  readonly returnsEcho?: boolean;
}

export interface MachineAuthentication {
  readonly type: DigestType;
  readonly sendKey: DigestKey;
  /** The keys that the peer may use, by id. */
  readonly keys: ReadonlyMap<number, DigestKey>;
}

/**
 * One second (RFC 5880 section 6.8.3). The packets of a session that is not Up have at least this interval. A session whose echo function works
 * asks the peer for at least this interval.
 */
export const slowInterval = 1_000_000;
