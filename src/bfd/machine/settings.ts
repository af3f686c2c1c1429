import type { DigestKey, DigestType } from '../codec/authentication.ts';

/** The settings of a session as the machine needs them. Intervals are in microseconds, as on the wire. */
export interface MachineSettings {
  readonly desiredMinTxInterval: number;
  readonly requiredMinRxInterval: number;
  readonly detectMultiplier: number;
  readonly passive: boolean;
  readonly authentication?: MachineAuthentication;
  /** The interval at which we want to send Echo packets, and the shortest at which we return those of the peer. When absent, neither happens. */
  readonly echoInterval?: number;
  /** Whether this node forwards the Echo packets of the peer back to it. */
  readonly returnsEcho?: boolean;
}

export interface MachineAuthentication {
  readonly type: DigestType;
  readonly sendKey: DigestKey;
  /** The keys that the peer may use, by id. */
  readonly keys: ReadonlyMap<number, DigestKey>;
}

/**
 * One packet a second (RFC 5880 section 6.8.3). A session that is not Up sends no more than that, and a session whose echo function works asks
 * the peer for no more.
 */
export const slowInterval = 1_000_000;
