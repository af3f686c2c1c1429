/**
 * The controller's process. Watches run from the start, also on a standby, so that a take-over begins with a warm picture; only the holder
 * of the Lease decides and writes. Order at take-over: the accepted configuration is loaded, Services' addresses are learned, then edits
 * are judged and Services reconciled: nothing new is handed out before what exists is known.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Registry } from 'prom-client';
import { formatIp } from '../address/index.ts';
import { systemClock } from '../clock.ts';
import type { Labels } from '../config/index.ts';
import { connect } from '../kubernetes/client.ts';
import { decodeConfigMap, decodeNamespace, decodeService } from '../kubernetes/decode.ts';
import { EventRecorder } from '../kubernetes/event-recorder.ts';
import { LeaderLease } from '../kubernetes/lease.ts';
import { acceptedConfigMapName, configMapName } from '../kubernetes/names.ts';
import { pause, type RawObject, watch } from '../kubernetes/watch.ts';
import { paths } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import { serveMetrics } from '../metrics/server.ts';
import { Allocator } from './allocator/allocator.ts';
import { ConfigKeeper } from './config-keeper.ts';
import { ensureMembershipSecret } from './membership-secret.ts';
import { ControllerMetrics } from './metrics.ts';
import { ServiceReconciler } from './service-reconciler.ts';

export interface RunControllerOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: { readonly host: string; readonly port: number };
  readonly loadBalancerClass?: string;
  readonly leaderElection: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Runs until the signal aborts. Rejects only when it cannot start, or when the Lease is lost: then it must not go on. */
export async function runController(options: RunControllerOptions): Promise<void> {
  const { namespace, logger, signal } = options;
  const client = connect(options.kubeconfig, 'bellman-controller');
  const registry = new Registry();
  const allocator = new Allocator();
  const metrics = new ControllerMetrics(registry, allocator);
  const identity = `${hostname()}_${randomUUID()}`;
  const watching = new AbortController();
  const lease = options.leaderElection
    ? new LeaderLease({
        client,
        namespace,
        name: 'bellman-controller',
        identity,
        clock: systemClock,
        logger,
        signal,
      })
    : undefined;
  let leading = false;
  const mayWrite = () => leading && (lease?.isHeld ?? true);

  const events = new EventRecorder({ client, component: 'bellman-controller', host: hostname(), logger });
  const reconciler = new ServiceReconciler({
    client,
    allocator,
    events,
    metrics,
    logger,
    loadBalancerClass: options.loadBalancerClass,
    mayWrite,
  });
  const keeper = new ConfigKeeper({
    client,
    namespace,
    events,
    metrics,
    logger,
    assigned: () => allocator.assigned(),
    onAccepted: (config) => {
      allocator.setConfig(config);
      reconciler.reconcileAll();
    },
    mayWrite,
  });

  const server = await serveMetrics(options.metricsAddress.host, options.metricsAddress.port, {
    registry,
    unhealthy: () => [],
    status: () => ({
      leader: mayWrite(),
      config: keeper.state(),
      pools: allocator
        .usage()
        .map((usage) => ({ ...usage, size: Number(usage.size), free: Number(usage.free) })),
      addresses: [...allocator.assigned()].map(({ service, address, pool }) => ({
        service,
        ip: formatIp(address),
        pool,
      })),
      waiting: allocator.waiting(),
    }),
  });
  logger.info({ server: client.server, metricsPort: server.port, identity }, 'controller started');

  const namespaces = new Map<string, Labels>();
  const lists: Promise<void>[] = [];
  const follow = <T>(
    path: string,
    decode: (raw: RawObject) => T | undefined,
    changed: (key: string, object: T | undefined) => void,
    fieldSelector?: string,
  ) => {
    let listed: () => void = () => {};
    lists.push(
      new Promise((resolve) => {
        listed = resolve;
      }),
    );
    return watch({
      client,
      path,
      decode,
      handler: { changed, synced: () => listed() },
      clock: systemClock,
      logger,
      signal: watching.signal,
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    });
  };
  const watches = [
    follow(
      paths.configMaps(namespace),
      decodeConfigMap,
      (_, configMap) => keeper.setConfigMap(configMap),
      `metadata.name=${configMapName}`,
    ),
    follow(
      paths.configMaps(namespace),
      decodeConfigMap,
      (_, copy) => keeper.setCopy(copy),
      `metadata.name=${acceptedConfigMapName}`,
    ),
    follow(paths.namespaces, decodeNamespace, (name, object) => {
      const before = JSON.stringify(namespaces.get(name));
      if (object) namespaces.set(name, object.labels);
      else namespaces.delete(name);
      if (JSON.stringify(namespaces.get(name)) !== before) reconciler.reconcileAll();
    }),
    follow(paths.services, decodeService, (key, service) => reconciler.setService(key, service)),
  ];

  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([stopped, Promise.all([lease?.acquire(), ...lists])]);
  let lost = false;
  if (!signal.aborted) {
    leading = true;
    metrics.leading.set(1);
    logger.info({ identity }, 'leading');
    allocator.setNamespaces(namespaces);
    keeper.load();
    void makeMembershipSecret();
    reconciler.start();
    keeper.start();
    lost = (await (lease ? lease.keep() : stopped.then(() => false))) === true;
  }

  leading = false;
  metrics.leading.set(0);
  reconciler.stop();
  if (!lost) logger.info({ reason: String(signal.reason) }, 'stopping');
  await events.flush(1000);
  watching.abort();
  await Promise.all([...watches, server.close()]);
  if (lost) throw new Error('the lease was lost: another replica leads now');

  async function makeMembershipSecret(): Promise<void> {
    for (let waitMs = 500; mayWrite(); waitMs = Math.min(30_000, waitMs * 2)) {
      try {
        if ((await ensureMembershipSecret(client, namespace)) === 'created')
          logger.info('membership Secret created');
        return;
      } catch (error) {
        logger.debug({ reason: String(error) }, 'membership Secret not looked after yet');
        await pause(systemClock, waitMs, signal);
      }
    }
  }
}
