import type { Layer2Advertisement, PoolConfig } from '../../config/config.ts';
import { anySelectorMatches, type Labels } from '../../config/selector.ts';
import type { Node } from '../../kubernetes/model.ts';
import { type CandidateNodes, type CandidateSetChange, candidateNodes } from '../../layer2/address-entry.ts';
import { isMaintenancePlanned, leavingOf } from './leaving.ts';
import { type NodeRules, nodeRefusal } from './node-refusal.ts';

/** How a node of a set may answer. */
interface Candidate {
  /** An empty list means every interface whose subnet holds the address. */
  readonly interfaces: readonly string[];
  /** Negative while the node leaves. */
  readonly preference: number;
  readonly isLeaving: boolean;
  /** Whether the node gets no new addresses while other nodes can have them. */
  readonly isAvoided: boolean;
}

/**
 * Subtracted from the preference of a node that leaves, so that the node answers only while no staying node could. It is more than the sum of all
 * weights that a node can get by `preferred-node-selectors`.
 */
const leavingPenalty = 1_000_000_000;

/**
 * Subtracted from the preference of a node that comes after others because of its endpoints. It is more than `leavingPenalty`, because a
 * leaving node with lasting endpoints can serve for longer than a node whose endpoints terminate.
 */
export const behindPenalty = 10_000_000_000;

/** The nodes that may answer for the addresses of some Services. */
export interface CandidateSet {
  /** Names the set in messages to the layer-2 process. */
  readonly number: number;
  readonly nodes: ReadonlyMap<string, Candidate>;
  /** Number of the nodes that leave. */
  readonly leaving: number;
}

interface TrackedSet extends CandidateSet {
  /** The advertisements that select the Services. */
  readonly advertisements: readonly Layer2Advertisement[];
  /** Whether the pool has no advertisements. Every node may then answer. */
  readonly isOpen: boolean;
  readonly nodes: Map<string, Candidate>;
  /** Nodes that have changed since the last `takeChanges`. */
  readonly changed: Set<string>;
  /** resourceVersion that the speaker had observed at the last change. */
  observedVersion: number;
  isUsed: boolean;
  leaving: number;
}

/**
 * The nodes that may answer for addresses in layer 2. They are chosen by their Node objects and by the advertisements that select a Service.
 * All Services with equal advertisements share one set, even across pools and configurations. A change of one node therefore costs one step
 * for each set, whatever the number of Services and nodes.
 *
 * A node that leaves stays in the set, with a preference below those of all staying nodes. The leaving node still answers if every staying node
 * is dead or has no link for the address.
 *
 * A node that several advertisements select may use all their interfaces. An advertisement without interfaces allows every interface. Each match
 * in `preferred-node-selectors` of these advertisements adds its weight to the preference of the node.
 */
export class CandidateSetTable {
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #sets = new Map<string, TrackedSet>();
  /** Sets by pool, then by a text with one digit for each advertisement of the pool: 1 if the advertisement selects the Service. */
  #byPool = new WeakMap<PoolConfig, Map<string, TrackedSet>>();
  readonly #dropped: number[] = [];
  #rules: NodeRules;
  #lastNumber = 0;

  /** `nodes` are all nodes. Call `nodeChanged` after each change of them. */
  constructor(nodes: ReadonlyMap<string, Node>, rules: NodeRules) {
    this.#nodes = nodes;
    this.#rules = rules;
  }

  setRules(rules: NodeRules, observedVersion: number): void {
    const before = JSON.stringify(this.#rules);
    this.#rules = rules;
    if (JSON.stringify(rules) === before) return;
    for (const set of this.#sets.values())
      for (const name of new Set([...this.#nodes.keys(), ...set.nodes.keys()]))
        this.#update(set, name, observedVersion);
  }

  nodeChanged(name: string, observedVersion: number): void {
    for (const set of this.#sets.values()) this.#update(set, name, observedVersion);
  }

  /** The set for a Service with these labels and for its addresses in the pool. */
  setFor(pool: PoolConfig, labels: Labels): CandidateSet {
    const selecting = pool.l2Advertisements.map(({ serviceSelectors }) =>
      anySelectorMatches(serviceSelectors, labels),
    );
    const bits = selecting.map((selects) => (selects ? '1' : '0')).join('');
    const ofPool = this.#byPool.get(pool) ?? new Map<string, TrackedSet>();
    this.#byPool.set(pool, ofPool);
    const set = ofPool.get(bits) ?? this.#find(pool, selecting);
    ofPool.set(bits, set);
    set.isUsed = true;
    return set;
  }

  /** The given nodes that are in the set. The preference of each node is reduced by its penalty. */
  candidatesOf(
    set: CandidateSet,
    nodes: Iterable<string>,
    penaltyOf: (node: string) => number = () => 0,
  ): CandidateNodes {
    const interfaces = new Map<string, readonly string[]>();
    const preferences = new Map<string, number>();
    const avoided: string[] = [];
    for (const node of nodes) {
      const candidate = set.nodes.get(node);
      if (!candidate) continue;
      interfaces.set(node, candidate.interfaces);
      preferences.set(node, candidate.preference - penaltyOf(node));
      if (candidate.isAvoided) avoided.push(node);
    }
    return candidateNodes(interfaces, preferences, avoided);
  }

  /** Changes for the layer-2 process since the last call. */
  takeChanges(): CandidateSetChange[] {
    const changes: CandidateSetChange[] = this.#dropped.splice(0).map((set) => ({ set, isDropped: true }));
    for (const set of this.#sets.values()) {
      if (set.changed.size === 0) continue;
      const remove = [...set.changed].filter((name) => !set.nodes.has(name));
      const { number, observedVersion } = set;
      changes.push({ set: number, observedVersion, remove, put: this.candidatesOf(set, set.changed) });
      set.changed.clear();
    }
    return changes;
  }

  /** All sets, for a layer-2 process that has just started. */
  all(): CandidateSetChange[] {
    return [...this.#sets.values()].map((set) => ({
      set: set.number,
      observedVersion: set.observedVersion,
      remove: [],
      put: this.candidatesOf(set, set.nodes.keys()),
    }));
  }

  /** Forgets which sets were used. `dropUnused` later counts only the uses from now on. */
  beginUse(): void {
    for (const set of this.#sets.values()) set.isUsed = false;
  }

  /** Drops each set that no Service has asked for since `beginUse`, and that no entry names. */
  dropUnused(isNamed: (set: number) => boolean): void {
    for (const [key, { number, isUsed }] of this.#sets) {
      if (isUsed || isNamed(number)) continue;
      this.#sets.delete(key);
      this.#dropped.push(number);
      this.#byPool = new WeakMap();
    }
  }

  #find({ l2Advertisements }: PoolConfig, selecting: readonly boolean[]): TrackedSet {
    const advertisements = l2Advertisements.filter((_, i) => selecting[i]);
    const isOpen = l2Advertisements.length === 0;
    const key = JSON.stringify([
      isOpen,
      advertisements.map(({ interfaces, nodeSelectors, preferredNodes }) => [
        interfaces,
        nodeSelectors,
        preferredNodes,
      ]),
    ]);
    const known = this.#sets.get(key);
    if (known) return known;
    const set: TrackedSet = {
      number: ++this.#lastNumber,
      advertisements,
      isOpen,
      nodes: new Map(),
      changed: new Set(),
      observedVersion: 0,
      isUsed: true,
      leaving: 0,
    };
    this.#sets.set(key, set);
    for (const name of this.#nodes.keys()) this.#update(set, name, 0);
    return set;
  }

  #update(set: TrackedSet, name: string, observedVersion: number): void {
    const before = set.nodes.get(name);
    const now = this.#candidate(set, name);
    if (before === now || (before && now && isSame(before, now))) return;
    if (now) set.nodes.set(name, now);
    else set.nodes.delete(name);
    set.leaving += Number(now?.isLeaving ?? false) - Number(before?.isLeaving ?? false);
    set.changed.add(name);
    set.observedVersion = observedVersion;
  }

  #candidate({ advertisements, isOpen }: TrackedSet, name: string): Candidate | undefined {
    const node = this.#nodes.get(name);
    if (!node || nodeRefusal(name, node, this.#rules) !== undefined) return undefined;
    const matching = advertisements.filter(({ nodeSelectors }) =>
      anySelectorMatches(nodeSelectors, node.labels),
    );
    if (matching.length === 0 && !isOpen) return undefined;
    const allowsAll = matching.length === 0 || matching.some((each) => each.interfaces.length === 0);
    const interfaces = allowsAll ? [] : [...new Set(matching.flatMap((each) => each.interfaces))].sort();
    const isLeaving = leavingOf(node, this.#rules) !== undefined;
    const preference = preferenceOf(node, matching) - (isLeaving ? leavingPenalty : 0);
    return { interfaces, preference, isLeaving, isAvoided: isMaintenancePlanned(node) };
  }
}

function isSame(a: Candidate, b: Candidate): boolean {
  return (
    a.preference === b.preference &&
    a.isAvoided === b.isAvoided &&
    a.interfaces.join('/') === b.interfaces.join('/')
  );
}

/** Sum of the weights of all preferences that the node meets, in the advertisements that select it. */
function preferenceOf({ labels }: Node, advertisements: readonly Layer2Advertisement[]): number {
  let sum = 0;
  for (const { preferredNodes } of advertisements)
    for (const { weight, selector } of preferredNodes)
      if (anySelectorMatches([selector], labels)) sum += weight;
  return sum;
}
