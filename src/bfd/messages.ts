/**
 * Messages between the speaker process and its BFD process, and the status of sessions. They are plain JSON over the IPC channel of the
 * child process. BFD has a process of its own so that the speaker's work delays no packet.
 */

import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { BfdState } from './codec/state.ts';
import type { BfdSessionSettings } from './session-settings.ts';

export type { BfdState } from './codec/state.ts';

/** A message to the BFD process. */
export type ToBfd =
  /**
   * Replaces the settings of all sessions. A session that is missing from the list sends AdminDown during its farewell, and is then
   * forgotten.
   */
  | { readonly kind: 'sessions'; readonly sessions: readonly BfdSessionSettings[] }
  /** Asks for the flight recorder's events; answered by `events`. */
  | { readonly kind: 'events'; readonly id: number }
  /** Passes the sessions on to the BFD process that the next speaker is about to start. Answered by `passed-on`. */
  | { readonly kind: 'pass-on' }
  /** Sends AdminDown in all sessions, and exits. */
  | { readonly kind: 'stop' };

/** A message from the BFD process. */
export type FromBfd =
  | { readonly kind: 'change'; readonly change: BfdChange }
  /** Sent every second, and after changes. */
  | {
      readonly kind: 'status';
      readonly sessions: readonly BfdSessionStatus[];
      readonly process: BfdProcessStatus;
    }
  /** Answers the message `pass-on`: either the next speaker has the sessions, or it did not take them and this process still has them. */
  | { readonly kind: 'passed-on' }
  /** Answers the message `events`. */
  | { readonly kind: 'events'; readonly id: number; readonly events: readonly RecordedEvent[] };

/** Sent at once when a session has changed its state or was inherited, or when the state, diagnostic or C bit of the peer has changed. */
export interface BfdChange {
  readonly id: string;
  readonly state: BfdState;
  readonly remoteState: BfdState;
  /** The diagnostic codes of RFC 5880 section 4.1. `diagnosticText` in `codec/diagnostic.ts` names them. */
  readonly diagnostic: number;
  readonly remoteDiagnostic: number;
  /** When the session entered `state`, or when this process inherited it, by the wall clock. */
  readonly sinceEpochMs: number;
  /** The C bit of the peer. When it is set, the peer's BFD does not share fate with its control plane (RFC 5882 section 4.3.1). */
  readonly remoteControlPlaneIndependent: boolean;
}

/** Reasons for which a received packet is dropped. They are values of a metric label. */
export type BfdDropReason =
  /**
   * The kernel dropped the packet at the socket. The TTL was too small (RFC 5881 section 5), or the queue of the socket was full. During a flood
   * the kernel also drops packets whose discriminator no session has. It counts all of them together.
   */
  | 'ttl'
  /** The packet breaks a rule of RFC 5880 section 6.8.6 that does not depend on a session. */
  | 'malformed'
  /** No session has Your Discriminator; or it is 0, and there is no session with the sender. */
  | 'no-session'
  /** Your Discriminator belongs to a session with another peer, or to a session on another interface or local address. */
  | 'wrong-source'
  /** Your Discriminator is 0, but the session is Up. */
  | 'no-discriminator'
  /** Authentication is missing, unexpected or of another type, the key is unknown, or the digest is wrong. */
  | 'authentication'
  /** The sequence number lies outside the window: a replay, or a peer that has just restarted. */
  | 'sequence'
  /** This end of the session is administratively down. */
  | 'admin-down';

/** One session. Intervals are in milliseconds. */
export interface BfdSessionStatus extends BfdChange {
  readonly name: string;
  readonly peerAddress: string;
  readonly localDiscriminator: number;
  /** 0 while the peer's discriminator is unknown. */
  readonly remoteDiscriminator: number;
  /** The values that our packets carry. */
  readonly desiredTransmitIntervalMs: number;
  readonly requiredReceiveIntervalMs: number;
  readonly detectMultiplier: number;
  /** The values that the peer's packets carry. */
  readonly remoteDesiredTransmitIntervalMs: number;
  readonly remoteRequiredReceiveIntervalMs: number;
  readonly remoteDetectMultiplier: number;
  readonly remoteDemandMode: boolean;
  /** The negotiated interval between our packets, before jitter. */
  readonly transmitIntervalMs: number;
  /** The session goes down after this time without a packet; 0 while nothing has arrived. */
  readonly detectionTimeMs: number;
  /** Whether this end sends nothing before the peer does. */
  readonly passive: boolean;
  /** Whether a Poll Sequence is running (RFC 5880 section 6.5). */
  readonly isPolling: boolean;
  /** The fields from `sent` to `dropped` count from the time at which this process began the session. */
  readonly sent: number;
  readonly received: number;
  readonly ups: number;
  readonly downs: number;
  readonly dropped: Readonly<Partial<Record<BfdDropReason, number>>>;
  /** The newest of the packets that `dropped` counts. */
  readonly lastDropped?: { readonly reason: BfdDropReason; readonly agoMs: number };
  /**
   * Time since the last accepted packet. Before its first packet, an inherited session has the time since this process inherited it, and any other
   * session does not have this field.
   */
  readonly lastReceivedAgoMs?: number;
  readonly echo?: BfdEchoStatus;
  /** A sentence that says why the session cannot run. */
  readonly fault?: string;
  /** A sentence that says how the running session differs from its settings. */
  readonly warning?: string;
}

export interface BfdEchoStatus {
  readonly isActive: boolean;
  readonly intervalMs: number;
  readonly sent: number;
  readonly received: number;
}

/** The process as a whole. */
export interface BfdProcessStatus {
  /** How the kernel schedules the process. `fifo`: before every normal process. `nice`: with the highest normal priority. `normal`: as any other. */
  readonly scheduling: 'fifo' | 'nice' | 'normal';
  /** A sentence that says why the scheduling is not `fifo`. */
  readonly schedulingFault?: string;
  /** The shortest interval and the smallest multiplier that are allowed with this scheduling. */
  readonly minimumIntervalMs: number;
  readonly minimumDetectMultiplier: number;
  /** How late periodic packets were sent. `counts` has one more element than `boundsMs`, for delays above the last bound. */
  readonly lateness: {
    readonly boundsMs: readonly number[];
    readonly counts: readonly number[];
    readonly sumMs: number;
    readonly maxMs: number;
  };
  /** Packets that were dropped before a session was found. */
  readonly dropped: Readonly<Partial<Record<BfdDropReason, number>>>;
  /** Inputs that raised an exception, by kind of error. */
  readonly inputFailures: Readonly<Record<string, number>>;
  readonly lostLogLines: number;
}

/** The name of a session's machine in the flight recorder. */
export function bfdMachine(peer: string): string {
  return `bfd ${peer}`;
}
