/** The input of a plan and its result. `plan.ts` makes the plan. */
import type { IpAddress } from '../../address/index.ts';
import type { RefusalCause } from '../../cluster/status.ts';
import type { Config, PoolConfig } from '../../config/config.ts';
import type { Node } from '../../kubernetes/model.ts';
import type { UnversionedEntry } from '../../layer2/address-entry.ts';
import type { AdoptionRules, HeldAddress } from './adoption.ts';
import type { CandidateSetTable } from './candidate-set-table.ts';
import type { KeptService } from './kept-objects.ts';
import type { Leaving } from './leaving.ts';
import type { NodeRules } from './node-refusal.ts';
import type { PeerRoute } from './peer-routes.ts';
import type { FreshNodes, ServingNodes } from './serving-nodes.ts';

export interface PlanContext extends NodeRules {
  readonly config: Config;
  /** The node of this speaker. */
  readonly nodeName: string;
  readonly nodes: ReadonlyMap<string, Node>;
  /** The nodes that may answer in layer 2, made from `nodes`. */
  readonly candidateSets: CandidateSetTable;
  /** Whether the Service's load balancer class is Bellman's. */
  readonly isOurs: (service: KeptService) => boolean;
  /** The nodes that leave. */
  readonly leaving: ReadonlyMap<string, Leaving>;
  /** The nodes with a speaker. While they are not known, every node counts for the floor. */
  readonly speakers?: ReadonlySet<string>;
  /** The nodes of the Service that wait for `announce-delay`; `undefined` when none does. */
  readonly fresh: (service: KeptService) => FreshNodes | undefined;
  /** Whether this node already announces the address by BGP, and does not drain it. */
  readonly isAnnounced: (service: KeptService, address: string) => boolean;
  /** Whether this node answers for the address in layer 2. */
  readonly isAnswering: (address: string) => boolean;
  /** Absent without `--adopt-only`. */
  readonly adoption?: AdoptionRules;
  /**
   * Whether the drain of an address that this node leaves to others is over. The first call for an announced address begins its drain. An address
   * that is not announced needs no drain.
   */
  readonly isDrainOver: (service: KeptService, address: string) => boolean;
}

/** One address of a Service, with the facts that its plan needs in BGP and in layer 2. */
export interface PlannedAddress {
  readonly service: KeptService;
  readonly ip: IpAddress;
  /** The canonical text of `ip`. */
  readonly address: string;
  readonly pool: PoolConfig;
  /** The endpoints of the family of the address. */
  readonly endpoints: ServingNodes;
}

/** An address that this node does not announce. */
export interface Refusal {
  readonly address: string;
  readonly cause: RefusalCause;
  /** The cause in words. */
  readonly reason: string;
  /** The kind of the object and its field that decide, such as `Service spec.externalTrafficPolicy`. */
  readonly field: string;
}

export interface ServicePlan {
  readonly routes: readonly PeerRoute[];
  readonly layer2: readonly UnversionedEntry[];
  /** Addresses that this node announces by BGP, with the names of the peers. */
  readonly advertised: readonly { readonly address: string; readonly peers: readonly string[] }[];
  /** Addresses that this node neither announces by BGP nor may answer for in layer 2. */
  readonly refusals: readonly Refusal[];
  /** Addresses whose routes are marked, because this node leaves them to others. They are withdrawn when the drain is over. */
  readonly draining: readonly string[];
  /** Addresses that this node keeps although it leaves, because too few other nodes could announce them. */
  readonly heldByFloor: readonly string[];
  /** Addresses that are not announced because of `--adopt-only`. */
  readonly held: readonly HeldAddress[];
  /** Addresses that this node is not to announce: their pool has no protocol, or `--adopt-only` leaves them to another program. */
  readonly notToAnnounce: readonly string[];
  /**
   * The nodes whose changes may change the plan: with `externalTrafficPolicy: Local` the nodes with endpoints, and with `--adopt-only` the recorded
   * owners. A change of this node may change every plan, whatever this list holds. While this node leaves, a change of any other node may change
   * every plan too.
   */
  readonly dependsOn: readonly string[];
}

export const emptyPlan: ServicePlan = {
  routes: [],
  layer2: [],
  advertised: [],
  refusals: [],
  draining: [],
  heldByFloor: [],
  held: [],
  notToAnnounce: [],
  dependsOn: [],
};
