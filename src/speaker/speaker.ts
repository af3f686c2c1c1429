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
import type { BgpSpeaker, ResolvedPeer } from '../bgp/speaker-api.ts';
import type { Config, PeerConfig } from '../config/config.ts';
import { type EndpointSlice, type Node, objectKey, type Secret, type Service } from '../kubernetes/model.ts';
import type { Layer2Entry } from '../layer2/table.ts';
import type { Logger } from '../log.ts';
import { type AddressChange, AddressTable } from './address-table.ts';
import { nodeRefusal, peersOfNode, planService, type ServicePlan } from './plan.ts';
import { RouteTable } from './route-table.ts';
import { routerIdOf } from './router-id.ts';

/** Where layer-2 entries go. */
export interface Layer2Sink {
  table(entries: readonly Layer2Entry[]): void;
  change(upsert: readonly Layer2Entry[], remove: readonly string[]): void;
}

export interface SpeakerOptions {
  readonly nodeName: string;
  readonly isOurs: (service: Service) => boolean;
  readonly leavesWhenCordoned: boolean;
  readonly bgp: BgpSpeaker;
  readonly layer2: Layer2Sink;
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
  #config: Config = { peers: [], pools: [] };
  #started = false;
  #peersTold = '';

  constructor(options: SpeakerOptions) {
    this.#options = options;
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

  /** Layer-2 entries as they stand, for a layer-2 process that starts anew; `undefined` before the picture is whole. */
  layer2Entries(): Layer2Entry[] | undefined {
    return this.#started ? this.#addresses.entries() : undefined;
  }

  /** Why this node does not announce an address, by Service. */
  refusals(): { service: string; address: string; reason: string }[] {
    return [...this.#refusals].flatMap(([service, refusals]) =>
      refusals.map((refusal) => ({ service, ...refusal })),
    );
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
    for (const { peer, prefix, attributes } of this.#routes.update(key, plan.routes)) {
      if (attributes) this.#options.bgp.announce(peer, prefix, attributes);
      else this.#options.bgp.withdraw(peer, prefix);
    }
    if (plan.refusals.length > 0) this.#refusals.set(key, plan.refusals);
    else this.#refusals.delete(key);
    return this.#addresses.update(key, plan.layer2);
  }

  #plan(key: string): ServicePlan {
    const service = this.#services.get(key);
    if (!service) return { routes: [], layer2: [], refusals: [] };
    const { nodeName, isOurs, leavesWhenCordoned } = this.#options;
    return planService(service, this.#slicesOf(objectKey(service)), {
      config: this.#config,
      nodeName,
      nodes: this.#nodes,
      isOurs,
      leavesWhenCordoned,
    });
  }

  *#slicesOf(service: string): Iterable<EndpointSlice> {
    for (const key of this.#slicesOfService.get(service) ?? []) {
      const slice = this.#slices.get(key);
      if (slice) yield slice;
    }
  }

  #applyPeers(): void {
    const { nodeName, bgp, logger } = this.#options;
    const node = this.#nodes.get(nodeName);
    const resolved: ResolvedPeer[] = [];
    const missing: string[] = [];
    for (const peer of peersOfNode(this.#config, node)) {
      const routerId = peer.routerId ?? routerIdOf(nodeName, node);
      const password = this.#password(peer);
      if (password !== undefined) resolved.push({ config: peer, routerId, ...password });
      else missing.push(peer.name);
    }
    const text = JSON.stringify([resolved, missing], (_, value) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    if (text === this.#peersTold) return;
    this.#peersTold = text;
    for (const peer of missing)
      logger.warn({ peer, reason: 'its password-secret is missing or lacks the key' }, 'peer not started');
    bgp.setPeers(resolved);
  }

  /** The password as a field, no field when the peer has none, `undefined` when its Secret lacks it: then no session. */
  #password(peer: PeerConfig): { password?: string } | undefined {
    if (!peer.passwordSecret) return peer.password === undefined ? {} : { password: peer.password };
    const value = this.#secrets.get(peer.passwordSecret.name)?.data[peer.passwordSecret.key];
    return value && value.length > 0 ? { password: new TextDecoder().decode(value) } : undefined;
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
