import type { Clock } from '../clock.ts';
import type { AcceptedConfig } from '../cluster/accepted-config.ts';
import { readMembershipKeys } from '../cluster/membership-keys.ts';
import {
  acceptedConfigMapName,
  configMapName,
  membershipSecretName,
  peerPasswordLabel,
  speakerPodSelector,
  takeoverKey,
} from '../cluster/names.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import {
  decodeConfigMap,
  decodeEndpointSlice,
  decodeNode,
  decodeSecret,
  decodeService,
  decodeSpeakerPod,
} from '../kubernetes/decode.ts';
import { type WatchOptions, watch } from '../kubernetes/watch.ts';
import { paths } from '../kubernetes/write.ts';
import type { Layer2 } from '../layer2/parent.ts';
import type { Logger } from '../log.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { Turns } from '../turns.ts';
import type { AcceptedConfigTracker } from './accepted-config-tracker.ts';
import type { ConfigMemory } from './config-memory.ts';
import type { DeathReporter } from './dead-nodes/death-reporter.ts';
import type { AwaitedKind } from './initial-sync.ts';
import type { KnownSpeakerList } from './known-speakers.ts';
import type { NodeSpeaker } from './node-speaker.ts';
import { parseAdmittedPools } from './plan/adoption.ts';
import { type KeptService, keptService, SliceKeeper } from './plan/kept-objects.ts';
import type { AnnouncingReconciler } from './record/announcing-reconciler.ts';

export interface SpeakerWatchesOptions {
  readonly namespace: string;
  readonly client: Api;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly logger: Logger;
  readonly guard: Guard;
  /** Ends all watches. */
  readonly signal: AbortSignal;
  /** By `namespace/name`. The watch of Services fills it. */
  readonly services: Map<string, KeptService>;
  readonly accepted: AcceptedConfigTracker;
  /** The watches of Nodes and Pods fill it. */
  readonly knownSpeakers: KnownSpeakerList;
  readonly memory: Pick<ConfigMemory, 'save' | 'recall'>;
  readonly speaker: Pick<
    NodeSpeaker,
    | 'setAdmittedPools'
    | 'setConfig'
    | 'setService'
    | 'setEndpointSlice'
    | 'setNode'
    | 'setSpeakers'
    | 'setSecret'
    | 'reached'
  >;
  readonly layer2: Pick<Layer2, 'setSpeakers' | 'setKeys'>;
  readonly deathReporter: Pick<DeathReporter, 'setConfig' | 'setSpeakers'>;
  readonly reconciler: Pick<AnnouncingReconciler, 'serviceChanged' | 'serviceGone'>;
  /** Called when all objects of a kind have been read. */
  readonly arrived: (kind: AwaitedKind) => void;
}

/** A Node has 8 KB and more, most of it about images. */
const nodePageSize = 100;
/** A slice has up to 100 endpoints of 0.3 KB each. */
const slicePageSize = 250;

/** The watches of a speaker: each feeds the objects of one kind to the parts that need them. */
export class SpeakerWatches {
  readonly #options: SpeakerWatchesOptions;
  /** Whether the list of speakers is to be sent in the next turn. */
  #isSendPending = false;
  /** Before all Pods have been read, nodes whose Pods are still missing would seem to have no speaker. */
  #arePodsListed = false;
  #unlistedConfigMaps = 2;
  #unlistedSecrets = 2;
  #hasMembershipSecret = false;

  constructor(options: SpeakerWatchesOptions) {
    this.#options = options;
  }

  /** Resolves when the signal has aborted and all watches have ended. */
  async run(): Promise<void> {
    await Promise.all([
      this.#watchConfigMap(configMapName),
      this.#watchConfigMap(acceptedConfigMapName),
      this.#watchServices(),
      this.#watchEndpointSlices(),
      this.#watchNodes(),
      this.#watchPods(),
      this.#watchMembershipSecret(),
      this.#watchPeerPasswords(),
    ]);
  }

  #watchConfigMap(name: string): Promise<void> {
    const { namespace } = this.#options;
    return this.#watch(
      paths.configMaps(namespace),
      (raw) => raw,
      (_, raw) => this.#configMapChanged(name, raw),
      () => this.#configMapListed(),
      { fieldSelector: `metadata.name=${name}` },
    );
  }

  #configMapChanged(name: string, raw: RawObject | undefined): void {
    const { accepted, memory, logger, speaker } = this.#options;
    const configMap = raw && decodeConfigMap(raw);
    // A ConfigMap that is deleted by mistake must not end the announcements of the pools that it admitted.
    if (name === configMapName && configMap)
      speaker.setAdmittedPools(parseAdmittedPools(configMap.annotations[takeoverKey]));
    if (!accepted.update(name, configMap) || !accepted.current) return;
    this.#apply(accepted.current);
    const reason = memory.save(accepted.current);
    if (reason !== undefined)
      logger.warn({ reason }, 'accepted configuration not saved in the state directory');
    if (this.#unlistedConfigMaps === 0) this.#options.arrived('config');
  }

  /** The ConfigMap that is listed first may carry an older accepted configuration, so both lists are awaited. */
  #configMapListed(): void {
    this.#unlistedConfigMaps--;
    if (this.#unlistedConfigMaps > 0) return;
    const { accepted, memory, arrived, logger, namespace } = this.#options;
    const remembered = accepted.current ? undefined : memory.recall();
    if (remembered && accepted.recall(remembered)) {
      const reason = 'no ConfigMap carries an accepted configuration';
      logger.warn({ hash: remembered.hash, reason }, 'using the configuration saved in the state directory');
      this.#apply(remembered);
    }
    if (accepted.current) return arrived('config');
    const reason = `ConfigMap ${namespace}/${configMapName} carries no accepted configuration`;
    logger.warn({ reason }, 'no configuration yet');
  }

  #apply({ config, hash }: AcceptedConfig): void {
    const { speaker, deathReporter, logger } = this.#options;
    speaker.setConfig(config);
    deathReporter.setConfig(config);
    logger.info({ hash, peers: config.peers.length, pools: config.pools.length }, 'configuration in force');
  }

  #watchServices(): Promise<void> {
    const { services, speaker, reconciler, arrived } = this.#options;
    return this.#watch(
      paths.services,
      (raw) => keptService(decodeService(raw)),
      (key, service) => {
        if (service) services.set(key, service);
        else services.delete(key);
        speaker.setService(key, service);
        if (service) reconciler.serviceChanged(service);
        else reconciler.serviceGone(key);
      },
      () => arrived('services'),
    );
  }

  /** Kubernetes labels the slices of headless Services. The selector leaves them out, because such a Service has no address to announce. */
  #watchEndpointSlices(): Promise<void> {
    const slices = new SliceKeeper();
    const { speaker, arrived } = this.#options;
    return this.#watch(
      paths.endpointSlices,
      (raw) => {
        const slice = decodeEndpointSlice(raw);
        return slice && slices.kept(slice);
      },
      (key, slice) => speaker.setEndpointSlice(key, slice),
      () => arrived('endpoints'),
      { labelSelector: '!service.kubernetes.io/headless', pageSize: slicePageSize },
    );
  }

  #watchNodes(): Promise<void> {
    const { speaker, knownSpeakers, arrived } = this.#options;
    return this.#watch(
      paths.nodes,
      decodeNode,
      (name, node) => {
        speaker.setNode(name, node);
        if (knownSpeakers.setNode(name, node)) this.#sendSpeakers();
      },
      () => arrived('nodes'),
      { pageSize: nodePageSize },
    );
  }

  /** The speaker announces without waiting for Pods, because RBAC may not let it list them. The nodes alone then say where speakers run. */
  #watchPods(): Promise<void> {
    const { namespace, knownSpeakers } = this.#options;
    return this.#watch(
      paths.pods(namespace),
      decodeSpeakerPod,
      (key, pod) => {
        if (knownSpeakers.setPod(key, pod)) this.#sendSpeakers();
      },
      () => {
        this.#arePodsListed = true;
        this.#sendSpeakers();
      },
      { labelSelector: speakerPodSelector },
    );
  }

  #watchMembershipSecret(): Promise<void> {
    const { namespace, layer2 } = this.#options;
    return this.#watch(
      paths.secrets(namespace),
      decodeSecret,
      (_, secret) => {
        this.#hasMembershipSecret = secret !== undefined;
        layer2.setKeys(readMembershipKeys(secret));
      },
      () => {
        if (!this.#hasMembershipSecret) layer2.setKeys(readMembershipKeys(undefined));
        this.#secretsListed();
      },
      { fieldSelector: `metadata.name=${membershipSecretName}` },
    );
  }

  /** RBAC lets the speaker list every Secret of the namespace. The label selector keeps other Secrets out of the speaker's memory. */
  #watchPeerPasswords(): Promise<void> {
    const { namespace, speaker } = this.#options;
    return this.#watch(
      paths.secrets(namespace),
      decodeSecret,
      (key, secret) => speaker.setSecret(key.slice(namespace.length + 1), secret),
      () => this.#secretsListed(),
      { labelSelector: peerPasswordLabel },
    );
  }

  #secretsListed(): void {
    this.#unlistedSecrets--;
    if (this.#unlistedSecrets === 0) this.#options.arrived('secrets');
  }

  /** Nodes and Pods change in bursts, so at most one list is sent per turn of the event loop. */
  #sendSpeakers(): void {
    if (this.#isSendPending) return;
    const { clock, layer2, deathReporter, knownSpeakers, speaker } = this.#options;
    this.#isSendPending = true;
    clock.after(0, () => {
      this.#isSendPending = false;
      const speakers = knownSpeakers.speakers();
      layer2.setSpeakers(speakers);
      deathReporter.setSpeakers(speakers);
      const areKnown = this.#arePodsListed && speakers.areCertain;
      speaker.setSpeakers(areKnown ? new Set(speakers.known.map(({ node }) => node)) : undefined);
    });
  }

  #watch<T>(
    path: string,
    decode: (raw: RawObject) => T | undefined,
    changed: (key: string, object: T | undefined) => void,
    synced: () => void,
    more: Pick<WatchOptions<T>, 'fieldSelector' | 'labelSelector' | 'pageSize'> = {},
  ): Promise<void> {
    const { client, clock, turns, logger, guard, signal, speaker } = this.#options;
    return watch({
      client,
      path,
      decode,
      handler: { changed, synced, reached: (version) => speaker.reached(version) },
      guard,
      clock,
      turns,
      logger,
      signal,
      ...more,
    });
  }
}
