/**
 * The speaker's process: connects the Kubernetes API, the BGP sessions and the layer-2 process to the {@link Speaker}, which
 * decides. Started bottom up and stopped top down: on a signal the layer-2 process hands its addresses over while BGP says
 * goodbye, then watches and the HTTP endpoint end.
 */

import { hostname } from 'node:os';
import { AggregatorRegistry, Registry } from 'prom-client';
import { formatIp } from '../address/index.ts';
import { createBgpSpeaker, warmUp } from '../bgp/index.ts';
import { systemClock } from '../clock.ts';
import { readMembershipKeys } from '../cluster/membership-keys.ts';
import {
  acceptedConfigMapName,
  configMapName,
  membershipSecretName,
  speakerPodSelector,
} from '../cluster/names.ts';
import { loadBalancerClassMatches } from '../cluster/service-class.ts';
import type { RawObject } from '../kubernetes/api.ts';
import { connect } from '../kubernetes/client.ts';
import {
  decodeConfigMap,
  decodeEndpointSlice,
  decodeNode,
  decodeSecret,
  decodeService,
  decodeSpeakerPod,
} from '../kubernetes/decode.ts';
import { EventRecorder } from '../kubernetes/event-recorder.ts';
import { registerKubernetesMetrics } from '../kubernetes/metrics.ts';
import type { Service } from '../kubernetes/model.ts';
import { type WatchOptions, watch } from '../kubernetes/watch.ts';
import { paths } from '../kubernetes/write.ts';
import type { FromLayer2, MemberStatus } from '../layer2/messages.ts';
import { type Layer2, startLayer2 } from '../layer2/parent.ts';
import type { DefencePolicy } from '../layer2/responder/defence.ts';
import { createLogger, type Logger, type LogLevel } from '../log.ts';
import { serveMetrics } from '../telemetry/http-server.ts';
import { AcceptedConfig } from './accepted-config.ts';
import { isDeputyFor } from './deputy.ts';
import { JoinList } from './join-list.ts';
import { OwnershipRecord } from './ownership-record.ts';
import { markRestart } from './restart-mark.ts';
import { Speaker } from './speaker.ts';

export interface RunSpeakerOptions {
  readonly nodeName: string;
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: { readonly host: string; readonly port: number };
  readonly loadBalancerClass?: string;
  readonly membershipPort: number;
  readonly leaveWhenCordoned: boolean;
  readonly conflictPolicy: DefencePolicy;
  /** Seconds; 0: never again. */
  readonly announceEvery: number;
  /** Where a mark tells the next speaker on this node that it is a restart. */
  readonly stateDirectory: string;
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Runs until the signal aborts and everything has been told. Rejects only when it cannot start. */
export async function runSpeaker(options: RunSpeakerOptions): Promise<void> {
  const { nodeName, namespace, logger, signal } = options;
  const client = connect(options.kubeconfig, 'bellman-speaker', { logger });
  const registry = new Registry();
  registerKubernetesMetrics(registry, client.reachability);
  const watching = new AbortController();
  const services = new Map<string, Service>();
  const owned = new Map<string, string>();
  /** Which other host keeps this node from answering, by address. */
  const inUse = new Map<string, string>();
  let members: readonly MemberStatus[] = [];

  const accepted = new AcceptedConfig();
  const events = new EventRecorder({
    client,
    component: 'bellman-speaker',
    host: nodeName,
    logger,
    clock: systemClock,
  });
  const isOurs = (service: Service) => loadBalancerClassMatches(service, options.loadBalancerClass);
  const record = new OwnershipRecord({
    nodeName,
    clock: systemClock,
    client,
    events,
    logger,
    services,
    isOurs,
    speaksFor: (node) => isDeputyFor(node, { self: nodeName, members, isOut: (name) => speaker.isOut(name) }),
    whyNobody: (service, address) => speaker.whyNobodyAnswers(service, address),
  });
  warmUp();
  const bgp = createBgpSpeaker({
    logger: createLogger('bgp', options.logLevel),
    registry,
    hostName: hostname(),
    restarting: markRestart(options.stateDirectory, nodeName),
  });
  const layer2: Layer2 = startLayer2({
    settings: {
      nodeName,
      port: options.membershipPort,
      conflictPolicy: options.conflictPolicy,
      announceEverySeconds: options.announceEvery,
    },
    logLevel: options.logLevel,
    logger: createLogger('layer2', options.logLevel),
    registry,
    onMessage: heard,
    entries: () => speaker.layer2Entries(),
  });
  const speaker = new Speaker({
    nodeName,
    isOurs,
    leavesWhenCordoned: options.leaveWhenCordoned,
    namespace,
    bgp,
    layer2,
    onPeerTrouble: (peer, reason) => {
      logger.warn({ peer, reason }, 'password-secret not usable');
      // Without the node's name: what all nodes say is one event.
      events.record({
        regarding: { kind: 'ConfigMap', namespace, name: configMapName, uid: accepted.uid },
        type: 'Warning',
        reason: 'PasswordMissing',
        message: `peer ${peer}: ${reason}`,
      });
    },
    logger,
  });

  function heard(message: FromLayer2): void {
    switch (message.kind) {
      case 'announcing':
        for (const announcing of message.started) {
          owned.set(announcing.address, announcing.since);
          inUse.delete(announcing.address);
          record.started(announcing, speaker.servicesOf(announcing.address));
        }
        for (const address of message.stopped) {
          owned.delete(address);
          inUse.delete(address);
          record.stopped(address);
        }
        return;
      case 'conflict':
        if (!owned.has(message.address)) inUse.set(message.address, `${message.mac} on ${message.interface}`);
        for (const service of speaker.servicesOf(message.address))
          events.record({
            regarding: {
              kind: 'Service',
              namespace: service.namespace,
              name: service.name,
              uid: service.uid,
            },
            type: 'Warning',
            reason: 'AddressConflict',
            message: `${message.mac} on ${message.interface} of node ${nodeName} claims ${message.address} too: ${message.action}`,
          });
        return;
      case 'members':
        members = message.members;
        return;
      case 'stopped':
        for (const address of owned.keys()) record.stopped(address);
        owned.clear();
        inUse.clear();
        members = [];
        return;
      case 'counts':
      case 'metrics':
        return;
    }
  }

  let hasMembershipSecret = false;
  /** What keeps this node from what the configuration asks for. */
  const troubles = (): string[] => {
    const fault = layer2.keyFault();
    return fault === undefined || !speaker.usesLayer2 ? [] : [`layer 2: ${fault}`];
  };

  const joinList = new JoinList();
  let isTelling = false;
  // Many nodes and Pods change together: one list for all.
  const tellSpeakers = () => {
    if (isTelling) return;
    isTelling = true;
    setImmediate(() => {
      isTelling = false;
      layer2.setSpeakers(joinList.speakers());
    });
  };

  const awaited = new Set(['config', 'services', 'endpoints', 'nodes', 'secrets']);
  const arrived = (what: string) => {
    if (!awaited.delete(what) || awaited.size > 0) return;
    speaker.start();
    record.start();
    logger.info({ node: nodeName, services: services.size }, 'announcing');
  };

  const server = await serveMetrics(options.metricsAddress.host, options.metricsAddress.port, {
    registry: {
      contentType: registry.contentType,
      metrics: async () => {
        const own = (await registry.getMetricsAsJSON()) as object[];
        return AggregatorRegistry.aggregate([own, [...layer2.metrics()]]).metrics();
      },
    },
    unhealthy: () => layer2.unhealthy(),
    notReady: troubles,
    status: () => ({
      node: nodeName,
      apiServer: client.reachability.isAnswering ? 'reached' : 'not reached',
      waitingFor: [...awaited],
      peers: bgp.status().map((peer) => ({ ...peer, address: formatIp(peer.address) })),
      announcing: Object.fromEntries(owned),
      inUse: Object.fromEntries(inUse),
      advertised: Object.fromEntries(speaker.advertised()),
      members,
      notAnnounced: speaker.refusals(),
      troubles: troubles(),
    }),
  });
  logger.info({ node: nodeName, server: client.server, metricsPort: server.port }, 'speaker started');

  const follow = <T>(
    path: string,
    decode: (raw: RawObject) => T | undefined,
    changed: (key: string, object: T | undefined) => void,
    synced: () => void,
    selector: Pick<WatchOptions<T>, 'fieldSelector' | 'labelSelector'> = {},
  ) =>
    watch({
      client,
      path,
      decode,
      handler: { changed, synced, reached: (version) => speaker.reached(version) },
      clock: systemClock,
      logger,
      signal: watching.signal,
      ...selector,
    });

  let configLists = 2;
  let configured = false;
  const configChanged = (name: string, raw: RawObject | undefined) => {
    const config = accepted.update(name, raw && decodeConfigMap(raw));
    if (!config) return;
    speaker.setConfig(config);
    configured = true;
    logger.info({ peers: config.peers.length, pools: config.pools.length }, 'configuration in force');
    if (configLists === 0) arrived('config');
  };
  const configListed = () => {
    configLists--;
    if (configLists > 0) return;
    if (configured) arrived('config');
    else
      logger.warn(
        { reason: `no accepted configuration on ConfigMap ${namespace}/${configMapName} yet` },
        'waiting',
      );
  };
  const watches = [configMapName, acceptedConfigMapName].map((name) =>
    follow(
      paths.configMaps(namespace),
      (raw) => raw,
      (_, raw) => configChanged(name, raw),
      configListed,
      { fieldSelector: `metadata.name=${name}` },
    ),
  );
  watches.push(
    follow(
      paths.services,
      decodeService,
      (key, service) => {
        if (service) services.set(key, service);
        else services.delete(key);
        speaker.setService(key, service);
        if (service) record.serviceChanged(service);
      },
      () => arrived('services'),
    ),
    follow(
      paths.endpointSlices,
      decodeEndpointSlice,
      (key, slice) => speaker.setEndpointSlice(key, slice),
      () => arrived('endpoints'),
    ),
    follow(
      paths.nodes,
      decodeNode,
      (name, node) => {
        speaker.setNode(name, node);
        joinList.setNode(name, node);
        tellSpeakers();
      },
      () => arrived('nodes'),
    ),
    follow(
      paths.pods(namespace),
      decodeSpeakerPod,
      (key, pod) => {
        joinList.setPod(key, pod);
        tellSpeakers();
      },
      // Where Pods may not be seen, nodes are enough.
      () => undefined,
      { labelSelector: speakerPodSelector },
    ),
    follow(
      paths.secrets(namespace),
      decodeSecret,
      (key, secret) => {
        const name = key.slice(namespace.length + 1);
        if (name === membershipSecretName) {
          hasMembershipSecret = secret !== undefined;
          layer2.setKeys(readMembershipKeys(secret));
        } else speaker.setSecret(name, secret);
      },
      () => {
        if (!hasMembershipSecret) layer2.setKeys(readMembershipKeys(undefined));
        arrived('secrets');
      },
    ),
  );

  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const draining = speaker.node(nodeName)?.unschedulable ?? false;
  logger.info({ node: nodeName, reason: String(signal.reason) }, 'stopping');
  await Promise.all([
    layer2.stop(),
    bgp.stop(draining ? { kind: 'shutdown', reason: `node drain: ${nodeName}` } : { kind: 'restart' }),
  ]);
  record.stop();
  await events.flush(1000);
  watching.abort();
  await Promise.all([...watches, server.close()]);
  logger.info({ node: nodeName }, 'stopped');
}
