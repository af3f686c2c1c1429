import type { DefencePolicy } from '../layer2/responder/defence.ts';
import type { Logger, LogLevel } from '../log.ts';
import type { ListenAddress } from '../telemetry/http-server.ts';

export interface RunSpeakerOptions {
  readonly nodeName: string;
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: readonly ListenAddress[];
  readonly loadBalancerClass?: string;
  readonly membershipPort: number;
  readonly leaveWhenCordoned: boolean;
  readonly ignoreExcludeLabel: boolean;
  /** Whether to announce only what an object admits, because another program announces the addresses. */
  readonly adoptOnly: boolean;
  readonly conflictPolicy: DefencePolicy;
  /** Seconds between two announcements of an owned address. 0 means announcements only after a takeover. */
  readonly announceEvery: number;
  /** Seconds between two questions of this speaker as a witness. 0 means that it asks none. */
  readonly witnessEvery: number;
  /** Directory with the files that the next speaker on this node uses: restart mark, accepted configuration, and sockets of the succession. */
  readonly stateDirectory: string;
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}
