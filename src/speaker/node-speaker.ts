/**
 * `NodeSpeaker` decides what this node announces. It keeps the cluster's objects, plans each Service for this node, and sends only
 * differences to BGP and to the layer-2 process. `NodeSpeaker` uses neither sockets nor the Kubernetes API. `watches.ts` passes the
 * cluster's objects to it. The options of the constructor hold the receivers of the results, such as `bgp` and `layer2`.
 *
 *   setService, setEndpointSlice ──→ plan of one Service ──┬─→ RouteTable ───→ BgpSpeaker
 *   setConfig, setNode ────────────→ plans of Services ────┼─→ Layer2Output ─→ Layer2Sink
 *                                                          └─→ PlanResults ──→ status, metrics
 *   setSecret, setConfig, setNode ─→ PeerSet ────────────────→ BgpSpeaker, BfdSink
 *
 * An event costs only the plans that it may change:
 *
 *   a Service, its endpoints        the plan of the Service, at once
 *   this node, configuration        the plans of all Services
 *   another node                    the sets of candidates for layer 2, and the plans of the Services with policy Local that have an endpoint there
 *   another node or its speaker, while this one leaves
 *                                   the plans of all Services, because the floor counts all nodes
 *   end of a drain                  the plan of the Service
 *   end of announce-delay           the plan of the Service
 *
 * Plans of several Services are made in slices (`turns.ts`). Each plan follows from the newest state, so events in between need no special
 * care. `layer2-output.ts` says which results the layer-2 process gets together.
 *
 * Nothing is announced before `start()`, which is called when all objects have been read. An earlier announcement would be incomplete, and
 * peers would drop routes that are still needed.
 */
import type { IpAddress } from '../address/index.ts';
import type { BgpSpeaker } from '../bgp/index.ts';
import type { Clock } from '../clock.ts';
import { type Config, emptyConfig, type PeerConfig } from '../config/config.ts';
import { type Node, objectKey, type Secret } from '../kubernetes/model.ts';
import { observedVersionOf } from '../layer2/address-entry.ts';
import type { EntriesChange } from '../layer2/messages.ts';
import type { Logger } from '../log.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { TurnHandle, Turns } from '../turns.ts';
import { AdoptionState } from './adoption/adoption-state.ts';
import { AnnounceDelays } from './announce-delays.ts';
import type { WatchedPeer } from './bfd/bfd-reports.ts';
import { EndpointSliceIndex } from './endpoint-slice-index.ts';
import { Layer2Output, type Layer2Sink } from './layer2-output.ts';
import { LeavingNodes, type LeavingState } from './leaving/leaving-nodes.ts';
import { NodeRefusalLog } from './node-refusal-log.ts';
import { type BfdSink, PeerOutput } from './peers/peer-output.ts';
import { PeerSet, type PeerTrouble } from './peers/peer-set.ts';
import { PendingPlans } from './pending-plans.ts';
import type { AdmittedPools } from './plan/adoption.ts';
import { CandidateSetTable } from './plan/candidate-set-table.ts';
import type { KeptService, KeptSlice } from './plan/kept-objects.ts';
import { type NodeRules, nodeRefusal, planningKey } from './plan/node-refusal.ts';
import { peersOfNode } from './plan/peer-routes.ts';
import { planService } from './plan/plan.ts';
import { emptyPlan, type PlanContext, type ServicePlan } from './plan/service-plan.ts';
import { unansweredReason } from './plan/unanswered-reason.ts';
import { PlanResults } from './plan-results.ts';
import { RouteTable } from './route-table.ts';
import { ServiceRecord } from './service-record.ts';

export interface NodeSpeakerOptions {
  readonly nodeName: string;
  /** Namespace of the Secrets with passwords and BFD keys. */
  readonly namespace: string;
  readonly isOurs: (service: KeptService) => boolean;
  /** Whether an interface of this node has a subnet with the address. */
  readonly isOnLink: (address: IpAddress) => boolean;
  readonly leavesWhenCordoned: boolean;
  /** True overrides `ignore-excluded-nodes: false` in the configuration. */
  readonly ignoresExcludeLabel: boolean;
  readonly bgp: BgpSpeaker;
  readonly bfd: BfdSink;
  readonly layer2: Layer2Sink;
  readonly onPeerTrouble: (trouble: PeerTrouble) => void;
  /** Called when plans have been made. `state` says whether this node leaves, and which addresses it still announces. */
  readonly onLeaving: (state: LeavingState) => void;
  /** Present with `--adopt-only`. Called when plans have been made, and after each `setOtherSessions`. */
  readonly onAdoption?: (state: AdoptionState) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: Guard;
  readonly turns: Turns;
}

/** `reading` lasts until `start()`, and `planning` until the first plans are made. */
type Phase = 'reading' | 'planning' | 'running';

export class NodeSpeaker {
  readonly #options: NodeSpeakerOptions;
  readonly #services = new Map<string, ServiceRecord>();
  readonly #slices = new EndpointSliceIndex();
  readonly #nodes = new Map<string, Node>();
  readonly #peers: PeerSet;
  readonly #routes = new RouteTable();
  readonly #refusalLog: NodeRefusalLog;
  readonly #leaving: LeavingNodes;
  readonly #delays: AnnounceDelays;
  /** The results of the latest plan of each Service. */
  readonly results = new PlanResults(this.#services);
  /** Present with `--adopt-only`. */
  readonly adoption: AdoptionState | undefined;
  readonly #peerOutput: PeerOutput;
  readonly #candidateSets: CandidateSetTable;
  readonly #layer2Output: Layer2Output;
  readonly #pendingPlans = new PendingPlans(() => this.#services.values());
  readonly #planning: TurnHandle;
  /** Addresses that this node answers for in layer 2. */
  readonly #answering = new Set<string>();
  #config: Config = emptyConfig;
  #speakers: ReadonlySet<string> | undefined;
  #observedVersion = 0;
  #phase: Phase = 'reading';

  constructor(options: NodeSpeakerOptions) {
    this.#options = options;
    this.adoption = options.onAdoption && new AdoptionState();
    this.#peerOutput = new PeerOutput(options.bgp, options.bfd, { isOpen: this.adoption === undefined });
    this.#peers = new PeerSet(options.nodeName, options.namespace, options.isOnLink);
    this.#refusalLog = new NodeRefusalLog(options.nodeName, options.logger);
    const { nodeName, clock } = options;
    const planAgain = (services: Iterable<string>) => this.#planSoon(services);
    this.#leaving = new LeavingNodes({
      nodeName,
      clock,
      delayMs: () => this.#config.drain.delaySeconds * 1000,
      onDrainsOver: planAgain,
    });
    this.#delays = new AnnounceDelays({
      clock,
      delayMs: () => this.#config.announceDelaySeconds * 1000,
      onOver: planAgain,
    });
    this.#candidateSets = new CandidateSetTable(this.#nodes, this.nodeRules);
    this.#layer2Output = new Layer2Output(options.layer2, this.#candidateSets);
    this.#planning = options.turns.task({
      name: 'plans of Services',
      step: () => this.#step(),
      remaining: () => this.#pendingPlans.remaining(this.#services.size),
    });
  }

  /** Notes the resourceVersion of the objects that the next calls set. All kinds of objects share one sequence of versions. */
  reached(resourceVersion: string): void {
    this.#observedVersion = observedVersionOf(resourceVersion);
  }

  setService(key: string, service: KeptService | undefined): void {
    const record = this.#services.get(key) ?? (service && new ServiceRecord(key, service));
    if (!record) return;
    record.service = service;
    this.#services.set(key, record);
    this.#planNow(record);
    if (service) return;
    // If the last plan of a Service raises an exception, its record stays, so that a later call finds it and ends what the plan has begun.
    this.#services.delete(key);
    this.#pendingPlans.delete(record);
  }

  setEndpointSlice(key: string, slice: KeptSlice | undefined): void {
    for (const [service, before] of this.#slices.set(key, slice)) {
      const record = this.#services.get(service);
      if (!record) continue;
      this.#noteFreshEndpoints(record, before);
      this.#planNow(record);
    }
  }

  setNode(name: string, node: Node | undefined): void {
    const rules = this.nodeRules;
    const before = planningKey(name, this.#nodes.get(name), rules);
    if (node) this.#nodes.set(name, node);
    else this.#nodes.delete(name);
    if (before === planningKey(name, node, rules)) return;
    if (name === this.#options.nodeName) this.adoption?.judgeBgp(node);
    this.#leaving.setNode(name, node, rules);
    this.#candidateSets.nodeChanged(name, this.#observedVersion);
    this.#layer2Output.nodeChanged();
    const { nodeName } = this.#options;
    if (name === nodeName || this.#leaving.nodes.has(nodeName)) {
      this.#logRefusal();
      this.#planAll();
    } else if (this.#phase !== 'reading') this.#planSoon(this.results.dependentsOf(name));
  }

  setSecret(name: string, secret: Secret | undefined): void {
    this.#peers.setSecret(name, secret);
    if (this.#phase !== 'reading') this.#applyPeers();
  }

  setConfig(config: Config): void {
    this.#config = config;
    this.#options.layer2.use(this.usesLayer2 || config.deadNodes !== undefined);
    this.#candidateSets.setRules(this.nodeRules, this.#observedVersion);
    for (const [name, node] of this.#nodes) this.#leaving.setNode(name, node, this.nodeRules);
    this.#logRefusal();
    this.#planAll();
  }

  /** Sets the pools whose layer-2 addresses are admitted. They count only with `--adopt-only`. */
  setAdmittedPools(pools: AdmittedPools): void {
    if (this.adoption?.setPools(pools)) this.#planAll();
  }

  /** Sets the names of the peers with which another program on this node has a session. They count only with `--adopt-only`. */
  setOtherSessions(peers: ReadonlySet<string>): void {
    const { nodeName, onAdoption } = this.#options;
    if (!this.adoption) return;
    if (this.adoption.judgeBgp(this.#nodes.get(nodeName), peers)) this.#planAll();
    else onAdoption?.(this.adoption);
  }

  /** Sets the nodes that have a speaker; `undefined` while they are not known. Only these nodes count for the floor. */
  setSpeakers(nodes: ReadonlySet<string> | undefined): void {
    const before = this.#speakers;
    this.#speakers = nodes;
    if (nodes && before ? nodes.symmetricDifference(before).size === 0 : nodes === before) return;
    if (this.#leaving.nodes.has(this.#options.nodeName)) this.#planAll();
  }

  /**
   * Notes whether this node answers for an address in layer 2. If it does, and all candidates for the address leave, the plan says that the floor
   * keeps the address.
   */
  setAnswering(address: string, isAnswering: boolean): void {
    if (isAnswering) this.#answering.add(address);
    else this.#answering.delete(address);
    if (this.#phase === 'reading' || !this.#leaving.nodes.has(this.#options.nodeName)) return;
    this.#planSoon(this.serviceKeysOf(address));
  }

  /** The peers in the configuration whose node selectors select this node. */
  get configuredPeers(): readonly PeerConfig[] {
    return peersOfNode(this.#config, this.#nodes.get(this.#options.nodeName));
  }

  /** Links or addresses of the node have changed. A peer may be on a link of the node now. */
  interfacesChanged(): void {
    if (this.#phase !== 'reading' && this.#config.bfdProfiles.length > 0) this.#applyPeers();
  }

  /** Makes the first plans, from the objects that were read, and announces their results. From then on, changes are announced at once. */
  start(): void {
    if (this.#phase !== 'reading') return;
    this.#phase = 'planning';
    this.#logRefusal();
    this.#planAll();
  }

  /** Services that use a layer-2 address. */
  servicesOf(address: string): KeptService[] {
    return this.serviceKeysOf(address).flatMap((key) => this.#services.get(key)?.service ?? []);
  }

  /** Whether any pool is announced in layer 2. */
  get usesLayer2(): boolean {
    return this.#config.pools.some(({ protocols }) => protocols.includes('layer2'));
  }

  /** All layer-2 entries, for a layer-2 process that has just started; `undefined` before the first plans are made. */
  layer2Entries(): EntriesChange | undefined {
    return this.#layer2Output.entries();
  }

  /** Services that use a layer-2 address, as `namespace/name`. */
  serviceKeysOf(address: string): readonly string[] {
    return this.#layer2Output.servicesOf(address);
  }

  /** The peers that a BFD session watches. */
  peersOfBfdSession(sessionId: string): readonly WatchedPeer[] {
    return this.#peers.peersOfBfdSession(sessionId);
  }

  /** The peers of each BFD session. The session has the name of its first peer. */
  watchedPeers(): Iterable<readonly WatchedPeer[]> {
    return this.#peers.watchedPeers();
  }

  /** The rules by which this speaker judges nodes. */
  get nodeRules(): NodeRules {
    const { leavesWhenCordoned, ignoresExcludeLabel } = this.#options;
    return {
      leavesWhenCordoned,
      ignoresExcludeLabel: ignoresExcludeLabel || this.#config.ignoreExcludedNodes,
      leaveOnTaints: this.#config.leaveOnTaints,
    };
  }

  /** Why no node answers for an address in layer 2. */
  unansweredReason(service: KeptService, address: string): string {
    return unansweredReason(service, address, this.#slices.slicesOf(objectKey(service)), this.#planContext());
  }

  /** Whether Kubernetes rules the node out as an announcer. */
  isOut(name: string): boolean {
    return nodeRefusal(name, this.#nodes.get(name), this.nodeRules) !== undefined;
  }

  /** Whether this node leaves, and which addresses it still announces. */
  get leavingState(): LeavingState {
    return this.#leaving.state;
  }

  node(name: string): Node | undefined {
    return this.#nodes.get(name);
  }

  #planAll(): void {
    if (this.#phase === 'reading') return;
    if (this.adoption && this.adoption.bgp !== 'live') this.#peerOutput.close();
    this.#applyPeers();
    this.#candidateSets.beginUse();
    this.#pendingPlans.addAll();
    this.#planning.request();
  }

  #planSoon(services: Iterable<string>): void {
    for (const key of services) {
      const record = this.#services.get(key);
      if (record) this.#pendingPlans.add(record);
    }
    this.#planning.request();
  }

  #planNow(record: ServiceRecord): void {
    if (this.#phase === 'reading') return;
    this.#plan(record, true);
    this.#planning.request();
  }

  /** Makes one plan that is due. Returns false when all are made and their results are sent. */
  #step(): boolean {
    const { isSweeping, hasSingle } = this.#pendingPlans;
    if (isSweeping && !hasSingle && this.#layer2Output.sendAhead()) return true;
    const record = this.#pendingPlans.next();
    if (record) {
      this.#options.guard.run({ entrance: 'watch', source: `Service ${record.key}` }, () =>
        this.#plan(record, hasSingle),
      );
      return true;
    }
    if (isSweeping) this.#candidateSets.dropUnused((set) => this.#layer2Output.names(set));
    if (this.#phase === 'running') this.#layer2Output.sendAll();
    else this.#finishStart();
    this.#leaving.awaitDrains();
    this.#delays.awaitFirst();
    this.#options.onLeaving(this.leavingState);
    if (!this.adoption) return false;
    // The routes come before the sessions, because a router with graceful restart drops what is missing at End-of-RIB.
    if (this.adoption.bgp === 'live') this.#peerOutput.open();
    this.#options.onAdoption?.(this.adoption);
    return false;
  }

  #finishStart(): void {
    this.#phase = 'running';
    this.#layer2Output.start();
    this.#options.bgp.synced();
  }

  /** `isSingle` says that an event concerns this Service, and not all. */
  #plan(record: ServiceRecord, isSingle: boolean): void {
    const { bgp } = this.#options;
    const { key } = record;
    const plan = this.#guardedPlan(record);
    if (!plan) return;
    const wanted = plan.routes.map((route) => ({ ...route, peer: this.#peers.idOf(route.peer) }));
    const { routes, changes } = this.#routes.update(record.routes, wanted);
    record.routes = routes;
    for (const { peer, prefix, attributes } of changes) {
      if (attributes) bgp.announce(peer, prefix, attributes);
      else bgp.withdraw(peer, prefix);
    }
    this.results.planned(record, plan);
    this.#leaving.planned(key, plan);
    this.adoption?.planned(key, plan);
    const observedVersion = this.#observedVersion;
    this.#layer2Output.planned(key, { entries: plan.layer2, observedVersion, isSingle });
  }

  /** `undefined` when planning raised an exception. The earlier plan of the Service then stays, and the other Services are planned. */
  #guardedPlan(record: ServiceRecord): ServicePlan | undefined {
    let plan: ServicePlan | undefined;
    this.#options.guard.run({ entrance: 'watch', source: `Service ${record.key}` }, () => {
      plan = this.#planOf(record);
    });
    return plan;
  }

  #planOf({ key, service }: ServiceRecord): ServicePlan {
    if (!service) return emptyPlan;
    return planService(service, this.#slices.slicesOf(key), this.#planContext());
  }

  #planContext(): PlanContext {
    const { nodeName, isOurs } = this.#options;
    return {
      config: this.#config,
      nodeName,
      nodes: this.#nodes,
      candidateSets: this.#candidateSets,
      isOurs,
      leaving: this.#leaving.nodes,
      ...(this.#speakers ? { speakers: this.#speakers } : {}),
      fresh: (service) => this.#delays.of(objectKey(service)),
      isAnnounced: (service, address) => {
        const key = objectKey(service);
        return this.results.isAdvertised(key, address) && !this.#leaving.isDraining(key, address);
      },
      isAnswering: (address) => this.#answering.has(address),
      isDrainOver: (service, address) => {
        const key = objectKey(service);
        return this.#leaving.isDrainOver(key, address, this.results.isAdvertised(key, address));
      },
      ...(this.adoption ? { adoption: this.adoption.rules } : {}),
      ...this.nodeRules,
    };
  }

  /** Endpoints that the speaker reads at its start are not fresh: they were ready before. */
  #noteFreshEndpoints({ key, service }: ServiceRecord, before: readonly KeptSlice[]): void {
    if (this.#phase === 'reading' || service?.externalTrafficPolicy !== 'Local') return;
    this.#delays.slicesChanged(key, before, this.#slices.slicesOf(key));
  }

  #applyPeers(): void {
    const { nodeName, onPeerTrouble } = this.#options;
    const change = this.#peers.update(this.#config, this.#nodes.get(nodeName));
    if (!change) return;
    this.#peerOutput.set(change);
    for (const trouble of change.troubles) onPeerTrouble(trouble);
  }

  #logRefusal(): void {
    const { nodeName } = this.#options;
    if (this.#phase !== 'reading')
      this.#refusalLog.update(nodeRefusal(nodeName, this.#nodes.get(nodeName), this.nodeRules)?.reason);
  }
}
