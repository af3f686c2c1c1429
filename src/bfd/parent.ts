/** The speaker's handle on the BFD process. */
import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { BfdChange, BfdProcessStatus, BfdSessionStatus } from './messages.ts';
import type { BfdSessionSettings } from './session-settings.ts';

export interface BfdOptions {
  /**
   * Receives every change of a session. When the process ends unexpectedly, each session that was not AdminDown changes to AdminDown without
   * a diagnostic, because nothing is known about the path. The restarted process begins with Down.
   */
  readonly onChange: (change: BfdChange) => void;
}

/** The process runs only while a session is configured. */
export interface Bfd {
  /** Replaces the settings of all sessions. Sessions whose settings did not change go on. */
  setSessions(sessions: readonly BfdSessionSettings[]): void;
  /** The sessions as of the last second. A change of state shows at once. */
  status(): readonly BfdSessionStatus[];
  /** The process; `undefined` while it does not run. */
  processStatus(): BfdProcessStatus | undefined;
  /** Returns the events of the process's flight recorders; none while it does not run. Rejects when it does not answer. */
  events(): Promise<readonly RecordedEvent[]>;
  /** Reasons why the process is unhealthy; empty while it runs or is not needed. */
  unhealthy(): readonly string[];
  /** Sends AdminDown in all sessions and ends the process. Resolves when it is gone. */
  stop(): Promise<void>;
}
