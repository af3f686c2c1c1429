/**
 * `NodeSpeaker` decides what this node announces. It keeps the cluster's objects, plans each Service for this node, and sends only
 * differences to BGP and to the layer-2 process. `NodeSpeaker` uses neither sockets nor the Kubernetes API. `watches.ts` sets its inputs,
 * and its constructor receives its outputs.
 *
 *   setService, setEndpointSlice ──→ plan of one Service ──┬─→ RouteTable ───→ BgpSpeaker
 *   setConfig, setNode ────────────→ plans of the others ──┴─→ AddressTable ─→ Layer2Sink
 *   setSecret, setConfig, setNode ─→ PeerSet ────────────────→ BgpSpeaker, BfdSink
 *
 * An event costs what it changes:
 *
 *   a Service, its endpoints        the plan of the Service, at once
 *   this node, configuration        the plans of all Services
 *   another node                    the sets of candidates for layer 2, and the plans of the Services with policy Local that have an endpoint there
 *   another, while this one leaves  the plans of all Services, because the floor counts all nodes
 *   end of a drain                  the plan of the Service
 *   end of announce-delay           the plan of the Service
 *
 * Plans of several Services are made in slices (`turns.ts`). Each plan follows from the newest state, so events in between need no special
 * care. The layer-2 process gets the results of all slices in one message, because all nodes must elect owners from the same entries. The result
 * of an event about one Service or about another node goes ahead of them.
 *
 * Nothing is announced before `start()`, which is called when all objects have been read. An earlier announcement would be incomplete, and
 * peers would drop routes that are still needed.
 */
import type { IpAddress } from '../address/index.ts';
import type { BgpSpeaker } from '../bgp/index.ts';
import type { Clock } from '../clock.ts';
import { SharedValues } from '../cluster/shared-values.ts';
import { type Config, emptyConfig, type PeerConfig } from '../config/config.ts';
import { type Node, objectKey, type Secret } from '../kubernetes/model.ts';
import type { AddressRemoval, SourcedEntry } from '../layer2/address-entry.ts';
import type { EntriesChange } from '../layer2/messages.ts';
import type { Logger } from '../log.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { TurnHandle, Turns } from '../turns.ts';
import { type AddressChange, AddressTable } from './address-table.ts';
import { AdoptionState } from './adoption/adoption-state.ts';
import { AnnounceDelays } from './announce-delays.ts';
import type { WatchedPeer } from './bfd/bfd-reports.ts';
import { EndpointSliceIndex } from './endpoint-slice-index.ts';
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
import { emptyPlan, type PlanContext, type Refusal, type ServicePlan } from './plan/service-plan.ts';
import { unansweredReason } from './plan/unanswered-reason.ts';
import { RouteTable } from './route-table.ts';
import { ServiceIndex } from './service-index.ts';

/** Receives layer-2 entries. */
export interface Layer2Sink {
  /** Says whether any pool is announced in layer 2. */
  use(isUsed: boolean): void;
  /** Replaces everything. */
  table(all: EntriesChange): void;
  change(change: EntriesChange): void;
}

export interface NodeSpeakerOptions {
  readonly nodeName: string;
  /** Namespace of password Secrets. */
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
  /** Called when plans have been made, with the state of this node that follows from them. */
  readonly onLeaving: (state: LeavingState) => void;
  /** Present with `--adopt-only`. Called when plans have been made. */
  readonly onAdoption?: (state: AdoptionState) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: Guard;
  readonly turns: Turns;
}

/** Before `start()`, then until the first plans are made, then for ever. */
type Phase = 'reading' | 'planning' | 'running';

export class NodeSpeaker {
  readonly #options: NodeSpeakerOptions;
  readonly #services = new Map<string, KeptService>();
  readonly #slices = new EndpointSliceIndex();
  readonly #nodes = new Map<string, Node>();
  readonly #peers: PeerSet;
  readonly #routes = new RouteTable();
  readonly #addresses = new AddressTable();
  readonly #refusalLog: NodeRefusalLog;
  /** Refusals by Service. */
  readonly #refusals = new Map<string, readonly Refusal[]>();
  /** Advertised addresses by Service. */
  readonly #advertised = new Map<string, ServicePlan['advertised']>();
  readonly #leaving: LeavingNodes;
  readonly #delays: AnnounceDelays;
  /** Present with `--adopt-only`. */
  readonly adoption: AdoptionState | undefined;
  readonly #peerOutput: PeerOutput;
  /** Thousands of Services have the same few lists of peers. */
  readonly #peerLists = new SharedValues<readonly string[]>();
  /** The Services whose plans depend on a node, by node. A Service with `externalTrafficPolicy: Local` depends on the nodes with its endpoints. */
  readonly #dependents = new ServiceIndex();
  readonly #candidateSets: CandidateSetTable;
  readonly #pendingPlans = new PendingPlans(() => [this.#services.keys(), this.#routes.services()]);
  readonly #planning: TurnHandle;
  /** Changes for the layer-2 process from plans that are being made, by address. */
  readonly #unsent = new Map<string, SourcedEntry | AddressRemoval>();
  /** Of these, the addresses whose changes do not wait for the plans of all Services. */
  readonly #ahead = new Set<string>();
  /** Whether a change of a node does not wait either. */
  #isNodeAhead = false;
  #config: Config = emptyConfig;
  #observedVersion = 0;
  #phase: Phase = 'reading';

  constructor(options: NodeSpeakerOptions) {
    this.#options = options;
    this.adoption = options.onAdoption && new AdoptionState();
    this.#peerOutput = new PeerOutput(options.bgp, options.bfd, { isOpen: this.adoption === undefined });
    this.#peers = new PeerSet(options.nodeName, options.namespace, options.isOnLink);
    this.#refusalLog = new NodeRefusalLog(options.nodeName, options.logger);
    const { nodeName, clock } = options;
    const planAgain = (services: Iterable<string>) => {
      this.#pendingPlans.add(services);
      this.#planning.request();
    };
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
    this.#planning = options.turns.task({
      name: 'plans of Services',
      step: () => this.#step(),
      remaining: () => this.#pendingPlans.remaining(this.#services.size),
    });
  }

  /** Notes the resourceVersion of the objects that the next calls set. All kinds of objects share one sequence of versions. */
  reached(resourceVersion: string): void {
    const version = Number(resourceVersion);
    this.#observedVersion = Number.isSafeInteger(version) ? version : 0;
  }

  setService(key: string, service: KeptService | undefined): void {
    if (service) this.#services.set(key, service);
    else this.#services.delete(key);
    this.#planNow(key);
  }

  setEndpointSlice(key: string, slice: KeptSlice | undefined): void {
    for (const [service, before] of this.#slices.set(key, slice)) {
      this.#noteFreshEndpoints(service, before);
      this.#planNow(service);
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
    this.#isNodeAhead = true;
    const { nodeName } = this.#options;
    if (name === nodeName || this.#leaving.nodes.has(nodeName)) {
      this.#logRefusal();
      this.#planAll();
    } else if (this.#phase !== 'reading') {
      this.#pendingPlans.add(this.#dependents.of(name));
      this.#planning.request();
    }
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

  /** The BGP peers of this node, as its configuration names them. */
  get configuredPeers(): readonly PeerConfig[] {
    return peersOfNode(this.#config, this.#nodes.get(this.#options.nodeName));
  }

  /** Links or addresses of the node have changed. A peer may be on a link of the node now. */
  interfacesChanged(): void {
    if (this.#phase !== 'reading' && this.#config.bfdProfiles.length > 0) this.#applyPeers();
  }

  /** Announces what all objects read so far ask for. Every later change is announced at once. */
  start(): void {
    if (this.#phase !== 'reading') return;
    this.#phase = 'planning';
    this.#logRefusal();
    this.#planAll();
  }

  /** Services that use a layer-2 address. */
  servicesOf(address: string): KeptService[] {
    return this.#addresses.servicesOf(address).flatMap((key) => this.#services.get(key) ?? []);
  }

  /** Whether any pool is announced in layer 2. */
  get usesLayer2(): boolean {
    return this.#config.pools.some(({ protocols }) => protocols.includes('layer2'));
  }

  /** All layer-2 entries, for a layer-2 process that has just started; `undefined` before the first plans are made. */
  layer2Entries(): EntriesChange | undefined {
    return this.#phase === 'running' ? this.#allEntries() : undefined;
  }

  /** For each address that this node announces by BGP, the names of the peers that should receive it. */
  advertised(): Map<string, readonly string[]> {
    const peersOf = new Map<string, readonly string[]>();
    for (const all of this.#advertised.values())
      for (const { address, peers } of all)
        peersOf.set(address, [...new Set([...(peersOf.get(address) ?? []), ...peers])]);
    return peersOf;
  }

  /** For each Service, the addresses that this node announces by BGP, with the names of the peers that should receive them. */
  advertisedByService(): Iterable<readonly [string, ServicePlan['advertised']]> {
    return this.#advertised;
  }

  /** Services that use a layer-2 address, as `namespace/name`. */
  serviceKeysOf(address: string): readonly string[] {
    return this.#addresses.servicesOf(address);
  }

  /** For each Service, the addresses that this node does not announce. */
  refusalsByService(): Iterable<readonly [string, readonly Refusal[]]> {
    return this.#refusals;
  }

  /** Addresses that this node does not announce, with their Services. */
  refusals(): (Refusal & { readonly service: string })[] {
    return [...this.#refusals].flatMap(([service, refusals]) =>
      refusals.map((refusal) => ({ service, ...refusal })),
    );
  }

  /** The peers that a BFD session watches. */
  peersOfBfdSession(sessionId: string): readonly WatchedPeer[] {
    return this.#peers.peersOfBfdSession(sessionId);
  }

  /** The peers of each BFD session. The session has the name of the first one. */
  watchedPeers(): Iterable<readonly WatchedPeer[]> {
    return this.#peers.watchedPeers();
  }

  /** The rules by which this speaker rules nodes out as announcers. */
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

  #planNow(key: string): void {
    if (this.#phase === 'reading') return;
    this.#plan(key, true);
    this.#planning.request();
  }

  /** Makes one plan that is due. Returns false when all are made and their results are sent. */
  #step(): boolean {
    const { isSweeping, hasSingle } = this.#pendingPlans;
    if (isSweeping && !hasSingle && this.#sendAhead()) return true;
    const key = this.#pendingPlans.next();
    if (key !== undefined) {
      this.#options.guard.run({ entrance: 'watch', source: `Service ${key}` }, () =>
        this.#plan(key, hasSingle),
      );
      return true;
    }
    if (isSweeping) this.#candidateSets.dropUnused((set) => this.#addresses.names(set));
    if (this.#phase === 'running') this.#sendChanges();
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
    this.#forgetUnsent();
    this.#options.layer2.table(this.#allEntries());
    this.#options.bgp.synced();
  }

  #allEntries(): EntriesChange {
    this.#candidateSets.takeChanges();
    return { sets: this.#candidateSets.all(), upsert: this.#addresses.entries(), remove: [] };
  }

  #sendChanges(): void {
    this.#send([...this.#unsent.values()]);
    this.#forgetUnsent();
  }

  /** Sends the changes that do not wait for the plans of all Services. Returns false when there are none. */
  #sendAhead(): boolean {
    if (this.#phase !== 'running' || (this.#ahead.size === 0 && !this.#isNodeAhead)) return false;
    const changes = [...this.#ahead].flatMap((address) => this.#unsent.get(address) ?? []);
    for (const address of this.#ahead) this.#unsent.delete(address);
    this.#ahead.clear();
    this.#isNodeAhead = false;
    this.#send(changes);
    return true;
  }

  #send(changes: readonly (SourcedEntry | AddressRemoval)[]): void {
    const sets = this.#candidateSets.takeChanges();
    if (changes.length + sets.length === 0) return;
    const upsert: SourcedEntry[] = [];
    const remove: AddressRemoval[] = [];
    for (const change of changes) {
      if ('sources' in change) upsert.push(change);
      else remove.push(change);
    }
    this.#options.layer2.change({ sets, upsert, remove });
  }

  #forgetUnsent(): void {
    this.#unsent.clear();
    this.#ahead.clear();
    this.#isNodeAhead = false;
  }

  /** `isSingle` says that an event concerns this Service, and not all. */
  #plan(key: string, isSingle: boolean): void {
    const { bgp } = this.#options;
    const plan = this.#guardedPlan(key);
    if (!plan) return;
    const routes = plan.routes.map((route) => ({ ...route, peer: this.#peers.idOf(route.peer) }));
    for (const { peer, prefix, attributes } of this.#routes.update(key, routes)) {
      if (attributes) bgp.announce(peer, prefix, attributes);
      else bgp.withdraw(peer, prefix);
    }
    if (plan.refusals.length > 0) this.#refusals.set(key, plan.refusals);
    else this.#refusals.delete(key);
    this.#leaving.planned(key, plan);
    this.adoption?.planned(key, plan);
    if (plan.advertised.length > 0) this.#advertised.set(key, this.#withSharedPeers(plan.advertised));
    else this.#advertised.delete(key);
    this.#dependents.set(key, plan.dependsOn);
    this.#note(this.#addresses.update(key, plan.layer2, this.#observedVersion), isSingle);
  }

  /** Keeps changes of addresses until they are sent. Only the last change of each address counts. */
  #note({ upsert, remove }: AddressChange, isSingle: boolean): void {
    for (const change of [...upsert, ...remove]) {
      const { address } = change;
      this.#unsent.set(address, change);
      // Another Service that shares the address may not have its new plan yet. The entry would then mix old and new candidates.
      if (this.#addresses.servicesOf(address).length > 1) this.#ahead.delete(address);
      else if (isSingle) this.#ahead.add(address);
    }
  }

  /** `undefined` when planning raised an exception. The earlier plan of the Service then stays, and the other Services are planned. */
  #guardedPlan(key: string): ServicePlan | undefined {
    let plan: ServicePlan | undefined;
    this.#options.guard.run({ entrance: 'watch', source: `Service ${key}` }, () => {
      plan = this.#planOf(key);
    });
    return plan;
  }

  #withSharedPeers(advertised: ServicePlan['advertised']): ServicePlan['advertised'] {
    return advertised.map(({ address, peers }) => ({
      address,
      peers: this.#peerLists.shared(peers.join('\n'), () => peers),
    }));
  }

  #planOf(key: string): ServicePlan {
    const service = this.#services.get(key);
    if (!service) return emptyPlan;
    return planService(service, this.#slices.slicesOf(objectKey(service)), this.#planContext());
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
      fresh: (service) => this.#delays.of(objectKey(service)),
      isAnnounced: (service, address) => {
        const key = objectKey(service);
        return this.#isAdvertised(key, address) && !this.#leaving.isDraining(key, address);
      },
      isDrainOver: (service, address) => {
        const key = objectKey(service);
        return this.#leaving.isDrainOver(key, address, this.#isAdvertised(key, address));
      },
      ...(this.adoption ? { adoption: this.adoption.rules } : {}),
      ...this.nodeRules,
    };
  }

  #isAdvertised(service: string, address: string): boolean {
    return this.#advertised.get(service)?.some((each) => each.address === address) ?? false;
  }

  /** Endpoints that the speaker reads at its start are not fresh: they were ready before. */
  #noteFreshEndpoints(service: string, before: readonly KeptSlice[]): void {
    if (this.#phase === 'reading' || this.#services.get(service)?.externalTrafficPolicy !== 'Local') return;
    this.#delays.slicesChanged(service, before, this.#slices.slicesOf(service));
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
