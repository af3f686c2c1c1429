import type { SpeakerStatus } from '../../cluster/status.ts';
import type { Result } from '../../result.ts';
import type { DaemonSetFacts } from './node-affinity.ts';

/** The state that a takeover depends on, as read from the API server and the daemons. */
export interface TakeoverFacts {
  readonly namespace: string;
  readonly metalLb: MetalLbFacts;
  readonly controller: ControllerFacts | undefined;
  /** Why the configuration is not in force; `undefined` when it is. */
  readonly configProblem: string | undefined;
  readonly nodes: readonly NodeFacts[];
  readonly pools: readonly PoolFacts[];
  /** Pools that the annotation of the ConfigMap admits; `*` for all. */
  readonly admittedPools: readonly string[];
}

export interface MetalLbFacts {
  readonly namespace: string;
  /** Number of Pods of MetalLB's controller that have not ended. */
  readonly controllers: number;
  /** Name of the Deployment. It is not the same in MetalLB's manifests and in its Helm chart. */
  readonly deployment: string;
  /** The DaemonSet of the speakers; `undefined` when there is none. */
  readonly daemonSet: DaemonSetFacts | undefined;
}

export interface ControllerFacts {
  readonly adoptOnly: boolean;
  /** Number of addresses in the books. */
  readonly addresses: number;
  /** A sentence for each refused Service. With `adoptOnly`, an address of this Service cannot be adopted. */
  readonly conflicts: readonly string[];
}

export interface NodeFacts {
  readonly name: string;
  /** Whether a Pod of MetalLB's speaker is on the node. */
  readonly hasMetalLb: boolean;
  /** Whether the Node has the label that admits it. */
  readonly isAdmitted: boolean;
  /** Whether a speaker of Bellman should run on the node. It is false only if other nodes have speaker Pods and this one has none. */
  readonly hasSpeaker: boolean;
  readonly speaker: Result<SpeakerStatus, string>;
}

export interface PoolFacts {
  readonly name: string;
  readonly protocols: readonly ('bgp' | 'layer2')[];
  /** Addresses of the pool that Services have. */
  readonly addresses: readonly AddressFacts[];
}

export interface AddressFacts {
  readonly address: string;
  readonly namespace: string;
  readonly service: string;
  /** Whether the annotation of the Service admits it. */
  readonly isAdmitted: boolean;
  /** The node that the announcing record of the Service names for the address. */
  readonly recordedNode: string | undefined;
}
