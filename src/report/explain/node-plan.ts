/** Computes how a node may announce an address, with the plan that the speaker itself uses. Pure. */
import { type IpAddress, parseIp, parsePrefix } from '../../address/index.ts';
import type { SpeakerStatus } from '../../cluster/status.ts';
import { type Config, type PoolConfig, type Protocol, poolIndexOf } from '../../config/index.ts';
import type { EndpointSlice, Node, Service } from '../../kubernetes/model.ts';
import { carries } from '../../link/link-table.ts';
import { CandidateSetTable } from '../../speaker/plan/candidate-set-table.ts';
import { type Leaving, leavingNodes } from '../../speaker/plan/leaving.ts';
import type { NodeRules } from '../../speaker/plan/node-refusal.ts';
import type { PeerRoute } from '../../speaker/plan/peer-routes.ts';
import { planService } from '../../speaker/plan/plan.ts';
import type { Refusal } from '../../speaker/plan/service-plan.ts';

export interface ProtocolPlan {
  readonly refusal: Refusal | undefined;
  /** Empty for layer 2. */
  readonly routes: readonly PeerRoute[];
  /** Interfaces that the layer-2 advertisements of the pool name. An empty list means every interface whose subnet holds the address. */
  readonly interfaces: readonly string[];
}

/** Rules of a speaker that does not report its own. */
const defaultRules = { leavesWhenCordoned: false, ignoresExcludeLabel: false } as const;

/** The report of a speaker about itself and about the address. */
export interface ReportedNode {
  readonly rules?: SpeakerStatus['nodeRules'];
  /** Whether the speaker announces the address by BGP. */
  readonly isAdvertised: boolean;
}

export interface PlannedState {
  readonly config: Config;
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
}

/** The results of one set of rules for all nodes. */
interface RuleResults {
  readonly candidateSets: CandidateSetTable;
  readonly leaving: ReadonlyMap<string, Leaving>;
}

/** Plans one address by one protocol, for one node after another. */
export class AddressPlanner {
  readonly #state: PlannedState;
  readonly #config: Config;
  readonly #pool: PoolConfig | undefined;
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #service: Service;
  /** Results, keyed by the rules. The speakers of a cluster usually have the same rules and so share one entry. */
  readonly #byRules = new Map<string, RuleResults>();

  constructor(state: PlannedState, address: string, protocol: Protocol) {
    const ip = parseIp(address);
    const pool = ip && poolIndexOf(state.config).poolOf(ip);
    this.#state = state;
    // For a pool with two protocols, a plan refuses the address only if both protocols refuse it. The pool therefore gets only the protocol in
    // question, so that the plan gives the reason of this protocol.
    const pools = state.config.pools.map((each) =>
      each === pool ? { ...each, protocols: [protocol] } : each,
    );
    this.#config = { ...state.config, pools };
    this.#pool = ip && poolIndexOf(this.#config).poolOf(ip);
    this.#nodes = new Map(state.nodes.map((node) => [node.name, node]));
    this.#service = { ...state.service, ingress: [{ ip: address }] };
  }

  plan(node: string, { rules: reportedRules, isAdvertised }: ReportedNode): ProtocolPlan {
    const rules = this.#rules(reportedRules);
    const { candidateSets, leaving } = this.#resultsOf(rules);
    const { slices } = this.#state;
    const { refusals, routes } = planService(this.#service, slices, {
      config: this.#config,
      nodeName: node,
      nodes: this.#nodes,
      candidateSets,
      isOurs: () => true,
      leaving,
      // Only the speaker knows when it first saw an endpoint. Its report says whether the node still waits.
      fresh: () => undefined,
      isAnnounced: () => isAdvertised,
      // This decides only what the floor keeps, and `heldByFloor` is not used here.
      isAnswering: () => false,
      isDrainOver: () => !isAdvertised,
      ...rules,
    });
    const set = this.#pool && candidateSets.setFor(this.#pool, this.#service.labels);
    return { refusal: refusals[0], routes, interfaces: set?.nodes.get(node)?.interfaces ?? [] };
  }

  #rules(reported: ReportedNode['rules']): NodeRules {
    const { ignoreExcludedNodes, leaveOnTaints } = this.#config;
    const own = reported ?? { ...defaultRules, ignoresExcludeLabel: ignoreExcludedNodes };
    return { ...own, leaveOnTaints };
  }

  #resultsOf(rules: NodeRules): RuleResults {
    const key = JSON.stringify(rules);
    const known = this.#byRules.get(key);
    if (known) return known;
    const results = {
      candidateSets: new CandidateSetTable(this.#nodes, rules),
      leaving: leavingNodes(this.#nodes, rules),
    };
    this.#byRules.set(key, results);
    return results;
  }
}

/** The links of a node that carry an address; `undefined` when the speaker does not report its links. */
export function carryingLinks(
  links: SpeakerStatus['links'],
  address: IpAddress,
  interfaces: readonly string[],
): readonly string[] | undefined {
  return links
    ?.map(({ name, subnets }) => ({ name, subnets: subnets.flatMap((text) => parsePrefix(text) ?? []) }))
    .filter((link) => carries(link, address, interfaces))
    .map(({ name }) => name);
}
