import type { ControllerStatus, SpeakerStatus } from '../../cluster/status.ts';
import type { ConfigMap, Service } from '../../kubernetes/model.ts';
import type { Result } from '../../result.ts';

/** The Lease of the controller. */
export interface LeaderLease {
  /** Identity of the replica that holds the Lease; empty after the Lease was given back. */
  readonly holder: string;
  /** Milliseconds since the last renewal, by the clock of this machine. */
  readonly ageMs: number;
  readonly durationMs: number;
}

export interface SpeakerView {
  readonly node: string;
  /** The status, or why it could not be read. */
  readonly status: Result<SpeakerStatus, string>;
}

/** The state of the cluster, as reported by the API server and by the daemons that were reached. */
export interface ClusterView {
  readonly namespace: string;
  readonly configMap: ConfigMap | undefined;
  readonly acceptedCopy: ConfigMap | undefined;
  /** `undefined` when there is no Lease, or the user may not read it. */
  readonly lease: LeaderLease | undefined;
  /** Status of the leader; `undefined` when the leader is not known or was not reached. */
  readonly controller: ControllerStatus | undefined;
  /** Services of type LoadBalancer with the class that Bellman serves. For an explanation, only the explained Service, of any type and class. */
  readonly services: readonly Service[];
  /** Messages of the last `AllocationFailed` events, by `namespace/name` of the Service. */
  readonly failures: ReadonlyMap<string, string>;
  /** One speaker for each node, in the order of the API server. */
  readonly speakers: readonly SpeakerView[];
  /** Warnings about the accepted configuration in this cluster, in sentences. */
  readonly warnings?: readonly string[];
  /** Why daemons may refuse to show their state, in a sentence. */
  readonly viewerProblem?: string | undefined;
}
