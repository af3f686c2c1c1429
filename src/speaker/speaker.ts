/**
 * The node's loop: keeps what the cluster says, and on each change compares what should be with what was told to BGP and to
 * the layer-2 process. One Service's change costs O(that Service); a change of configuration, of a node or of a Secret replans
 * everything, and still only differences leave. It knows neither sockets nor the Kubernetes API: inputs are set by the shell
 * (`run.ts`), outputs are handed in.
 *
 *   setService, setEndpointSlice ──→ plan of one Service ──┐
 *   setConfig, setNode, setSecret ─→ plan of all ──────────┴→ RouteTable → BgpSpeaker
 *                                                             AddressTable → Layer2Sink
 *
 * Nothing is announced before the first `start()`: half a picture would withdraw what the other half still wants.
 */
import { isUtf8 } from 'node:buffer';
import { formatIp } from '../address/index.ts';
import type { BgpSpeaker, ResolvedPeer } from '../bgp/index.ts';
import type { Config } from '../config/config.ts';
import { type EndpointSlice, type Node, objectKey, type Secret, type Service } from '../kubernetes/model.ts';
import type { AddressEntry, AddressRemoval } from '../layer2/address-entry.ts';
import { maxPasswordOctets } from '../linux/limits.ts';
import type { Logger } from '../log.ts';
import { type AddressChange, AddressTable } from './address-table.ts';
import { type IdentifiedPeer, identifyPeers } from './peer-ids.ts';
import { peerSettingsOf } from './peer-settings.ts';
import {
  nodeRefusal,
  type PlanContext,
  peersOfNode,
  planService,
  type ServicePlan,
  whyNobodyAnswers,
} from './plan.ts';
import { RouteTable } from './route-table.ts';
import { routerIdOf } from './router-id.ts';

/** Where layer-2 entries go. */
export interface Layer2Sink {
  table(entries: readonly AddressEntry[]): void;
  change(upsert: readonly AddressEntry[], remove: readonly AddressRemoval[]): void;
}

export interface SpeakerOptions {
  readonly nodeName: string;
  /** Where password Secrets lie. */
  readonly namespace: string;
  readonly isOurs: (service: Service) => boolean;
  readonly leavesWhenCordoned: boolean;
  readonly bgp: BgpSpeaker;
  readonly layer2: Layer2Sink;
  /** The configuration asks of this peer what the cluster does not have. */
  readonly onPeerTrouble: (peer: string, trouble: string) => void;
  readonly logger: Logger;
}

export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #slicesOfService = new Map<string, Set<string>>();
  readonly #nodes = new Map<string, Node>();
  readonly #secrets = new Map<string, Secret>();
  readonly #routes = new RouteTable();
  readonly #addresses = new AddressTable();
  readonly #refusals = new Map<string, ServicePlan['refusals']>();
  readonly #advertised = new Map<string, ServicePlan['advertised']>();
  #config: Config = { peers: [], pools: [] };
  #version = 0;
  #started = false;
  #peers: readonly IdentifiedPeer[] = [];
  #idOfPeer: ReadonlyMap<string, string> = new Map();
  #peersTold = '';
  /** By peer, what was last reported. */
  readonly #troubles = new Map<string, string>();
  /** By id of the peer, with where it came from and for which address. */
  readonly #lastPasswords = new Map<string, { readonly source: string; readonly password: string }>();

  constructor(options: SpeakerOptions) {
    this.#options = options;
  }

  /** What is set next is of this resourceVersion; those of all kinds of objects are taken as one sequence. */
  reached(resourceVersion: string): void {
    const version = Number(resourceVersion);
    this.#version = Number.isSafeInteger(version) ? version : 0;
  }

  setService(key: string, service: Service | undefined): void {
    if (service) this.#services.set(key, service);
    else this.#services.delete(key);
    this.#replan(key);
  }

  setEndpointSlice(key: string, slice: EndpointSlice | undefined): void {
    const services = new Set<string>();
    const before = this.#slices.get(key);
    if (before) {
      const service = `${before.namespace}/${before.serviceName}`;
      const keys = this.#slicesOfService.get(service);
      keys?.delete(key);
      if (keys?.size === 0) this.#slicesOfService.delete(service);
      services.add(service);
    }
    if (slice) {
      const service = `${slice.namespace}/${slice.serviceName}`;
      const keys = this.#slicesOfService.get(service) ?? new Set();
      this.#slicesOfService.set(service, keys.add(key));
      this.#slices.set(key, slice);
      services.add(service);
    } else {
      this.#slices.delete(key);
    }
    for (const service of services) this.#replan(service);
  }

  setNode(name: string, node: Node | undefined): void {
    const before = this.#nodes.get(name);
    if (node) this.#nodes.set(name, node);
    else this.#nodes.delete(name);
    if (this.#eligibilityKey(name, before) === this.#eligibilityKey(name, node)) return;
    this.#logEligibility(name, node, before);
    this.#replanAll();
  }

  setSecret(name: string, secret: Secret | undefined): void {
    if (secret) this.#secrets.set(name, secret);
    else this.#secrets.delete(name);
    if (this.#started) this.#applyPeers();
  }

  setConfig(config: Config): void {
    this.#config = config;
    this.#replanAll();
  }

  /** The picture is whole: from here on every change is announced at once. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#applyPeers();
    for (const key of this.#services.keys()) this.#replanRoutesAndAddresses(key);
    this.#options.layer2.table(this.#addresses.entries());
    this.#options.bgp.synced();
  }

  /** The Services that use a layer-2 address. */
  servicesOf(address: string): Service[] {
    return this.#addresses.servicesOf(address).flatMap((key) => this.#services.get(key) ?? []);
  }

  /** Some pool is announced in layer 2. */
  get usesLayer2(): boolean {
    return this.#config.pools.some(({ protocol }) => protocol === 'layer2');
  }

  /** Layer-2 entries as they stand, for a layer-2 process that starts anew; `undefined` before the picture is whole. */
  layer2Entries(): AddressEntry[] | undefined {
    return this.#started ? this.#addresses.entries() : undefined;
  }

  /** Peers of this node that should hear of an address, by address; those that do are the ones with a session. */
  advertised(): Map<string, readonly string[]> {
    const peersOf = new Map<string, readonly string[]>();
    for (const all of this.#advertised.values())
      for (const { address, peers } of all)
        peersOf.set(address, [...new Set([...(peersOf.get(address) ?? []), ...peers])]);
    return peersOf;
  }

  /** Why this node does not announce an address, by Service. */
  refusals(): { service: string; address: string; reason: string }[] {
    return [...this.#refusals].flatMap(([service, refusals]) =>
      refusals.map((refusal) => ({ service, ...refusal })),
    );
  }

  /** Why no node answers for an address in layer 2. */
  whyNobodyAnswers(service: Service, address: string): string {
    return whyNobodyAnswers(service, address, this.#slicesOf(objectKey(service)), this.#planContext());
  }

  /** Whether Kubernetes says that the node cannot announce anything now. */
  isOut(name: string): boolean {
    return nodeRefusal(name, this.#nodes.get(name), this.#options) !== undefined;
  }

  node(name: string): Node | undefined {
    return this.#nodes.get(name);
  }

  #replanAll(): void {
    if (!this.#started) return;
    this.#applyPeers();
    this.#replan(...new Set([...this.#services.keys(), ...this.#routes.services()]));
  }

  #replan(...keys: readonly string[]): void {
    if (!this.#started) return;
    const changes = keys.map((key) => this.#replanRoutesAndAddresses(key));
    const upsert = changes.flatMap((change) => change.upsert);
    const remove = changes.flatMap((change) => change.remove);
    if (upsert.length + remove.length > 0) this.#options.layer2.change(upsert, remove);
  }

  #replanRoutesAndAddresses(key: string): AddressChange {
    const plan = this.#plan(key);
    const routes = plan.routes.map((route) => ({
      ...route,
      peer: this.#idOfPeer.get(route.peer) ?? route.peer,
    }));
    for (const { peer, prefix, attributes } of this.#routes.update(key, routes)) {
      if (attributes) this.#options.bgp.announce(peer, prefix, attributes);
      else this.#options.bgp.withdraw(peer, prefix);
    }
    if (plan.refusals.length > 0) this.#refusals.set(key, plan.refusals);
    else this.#refusals.delete(key);
    if (plan.advertised.length > 0) this.#advertised.set(key, plan.advertised);
    else this.#advertised.delete(key);
    return this.#addresses.update(key, plan.layer2, this.#version);
  }

  #plan(key: string): ServicePlan {
    const service = this.#services.get(key);
    if (!service) return { routes: [], layer2: [], advertised: [], refusals: [] };
    return planService(service, this.#slicesOf(objectKey(service)), this.#planContext());
  }

  #planContext(): PlanContext {
    const { nodeName, isOurs, leavesWhenCordoned } = this.#options;
    return { config: this.#config, nodeName, nodes: this.#nodes, isOurs, leavesWhenCordoned };
  }

  *#slicesOf(service: string): Iterable<EndpointSlice> {
    for (const key of this.#slicesOfService.get(service) ?? []) {
      const slice = this.#slices.get(key);
      if (slice) yield slice;
    }
  }

  #applyPeers(): void {
    const { nodeName, bgp, onPeerTrouble } = this.#options;
    const node = this.#nodes.get(nodeName);
    this.#peers = identifyPeers(this.#peers, peersOfNode(this.#config, node));
    const configured = new Set(this.#peers.map(({ id }) => id));
    for (const id of this.#lastPasswords.keys()) if (!configured.has(id)) this.#lastPasswords.delete(id);
    this.#idOfPeer = new Map(this.#peers.map(({ id, config }) => [config.name, id]));
    const peers = this.#peers.map((peer) => ({
      id: peer.id,
      settings: peerSettingsOf(peer.config),
      routerId: peer.config.routerId ?? routerIdOf(nodeName, node),
      ...this.#passwordOf(peer),
    }));
    const text = JSON.stringify(peers, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
    if (text === this.#peersTold) return;
    this.#peersTold = text;
    bgp.setPeers(peers);
    for (const { settings, waitingFor, warning } of peers) {
      const trouble = waitingFor ?? warning;
      if (trouble !== this.#troubles.get(settings.name) && trouble !== undefined)
        onPeerTrouble(settings.name, trouble);
      if (trouble === undefined) this.#troubles.delete(settings.name);
      else this.#troubles.set(settings.name, trouble);
    }
  }

  /**
   * The password that the peer should have. Without its Secret a peer waits, for a session without the password would be
   * another session; one whose password was known keeps it, for a Secret that was deleted by mistake must not cost routes.
   */
  #passwordOf({ id, config }: IdentifiedPeer): Pick<ResolvedPeer, 'password' | 'waitingFor' | 'warning'> {
    if (!config.passwordSecret) return config.password === undefined ? {} : { password: config.password };
    const { name, key } = config.passwordSecret;
    const source = JSON.stringify([formatIp(config.address), name, key]);
    const secret = this.#secrets.get(name);
    const value = secret?.data[key];
    const text = value && isUtf8(value) ? new TextDecoder().decode(value) : undefined;
    if (value && text && value.length <= maxPasswordOctets) {
      this.#lastPasswords.set(id, { source, password: text });
      return { password: text };
    }
    const where = `Secret ${this.#options.namespace}/${name}`;
    const lack =
      value === undefined || value.length === 0
        ? `${where} ${secret ? `has no key ${key}` : 'does not exist'}`
        : value.length > maxPasswordOctets
          ? `${where} has more than ${maxPasswordOctets} octets at key ${key}`
          : `${where} has something else than UTF-8 text at key ${key}`;
    const last = this.#lastPasswords.get(id);
    return last?.source === source
      ? { password: last.password, warning: `${lack}: the session keeps the password it had` }
      : { waitingFor: `${lack}: the session waits for its password` };
  }

  #logEligibility(name: string, node: Node | undefined, before: Node | undefined): void {
    if (name !== this.#options.nodeName || !this.#started) return;
    const reason = nodeRefusal(name, node, this.#options);
    if (reason === nodeRefusal(name, before, this.#options)) return;
    if (reason) this.#options.logger.warn({ node: name, reason }, 'this node stops announcing');
    else this.#options.logger.info({ node: name }, 'this node announces again');
  }

  /** What of a node matters to plans: Kubernetes updates its other fields all the time. */
  #eligibilityKey(name: string, node: Node | undefined): string {
    if (!node) return '';
    const refusal = nodeRefusal(name, node, this.#options);
    return JSON.stringify([refusal, Object.entries(node.labels).sort(), node.internalIPs]);
  }
}
