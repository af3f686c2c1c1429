/**
 * The controller's process: it judges the ConfigMap and assigns addresses to Services.
 *
 *   ConfigMap ──→ config/ (gate) ──→ accepted configuration ─┐
 *   namespaces ──────────────────────────────────────────────┼─→ allocator/ (pure) ──→ services/ ──→ status, annotation, event
 *   Services ────────────────────────────────────────────────┘
 *
 * The folder config/ beside this file applies the gate. The gate itself is src/config/gate.ts.
 *
 * Any number of replicas may run. The replica that holds the Lease serves a term (`leader-term.ts`). All others wait. The API client of a
 * term refuses to write as soon as another replica may hold the Lease. The controller never gives one address to two Services that may
 * not share it, and never renumbers a Service on its own. It stores a configuration as accepted before it acts on the configuration.
 *
 * The process starts bottom up: HTTP endpoint, Lease, watches. It stops top down: it finishes the writes under way and gives the Lease back, so
 * that the next replica begins at once. Then it sends the last events and closes the HTTP endpoint.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { controllerLeaseName } from '../cluster/names.ts';
import { type ControllerStatusBody, statusVersion } from '../cluster/status.ts';
import { viewerAudience } from '../cluster/viewer.ts';
import type { Api } from '../kubernetes/api.ts';
import { openDaemon } from '../kubernetes/daemon.ts';
import { LeaderElection } from '../kubernetes/leader-election.ts';
import { accessByToken } from '../kubernetes/token-review.ts';
import type { Logger, LogLevel } from '../log.ts';
import { keepMemorySmall } from '../memory/keeper.ts';
import { PageService } from '../page/page-service.ts';
import { registerConfigMetrics } from '../telemetry/config-metrics.ts';
import { HttpLimits } from '../telemetry/http-limits.ts';
import { type ListenAddress, serveHttp } from '../telemetry/http-server.ts';
import { metricPieces } from '../telemetry/metrics-text.ts';
import { version } from '../version.ts';
import { boundHeapGrowth } from './heap-growth.ts';
import { LeaderTerm } from './leader-term.ts';
import { ControllerMetrics } from './metrics.ts';

export interface RunControllerOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: readonly ListenAddress[];
  readonly loadBalancerClass?: string;
  /** Whether Services show conditions. */
  readonly serviceConditions: boolean;
  /** False is safe only when no other replica can run. */
  readonly leaderElection: boolean;
  /** Whether another program assigns addresses. The controller then assigns none and changes no Service. */
  readonly adoptOnly: boolean;
  /** TCP port on which the speakers serve their state on their nodes. */
  readonly speakerPort: number;
  readonly logger: Logger;
  readonly logLevel: LogLevel;
  readonly signal: AbortSignal;
}

/** Deadline for sending the last events when the process stops. */
const flushDeadlineMs = 2000;
/**
 * `keepMemorySmall` does not collect garbage while a collection would pause the process for longer than this, because `/healthz` should answer
 * within this time. V8 itself collects the garbage of a larger heap, in steps, some seconds after the process has become idle.
 */
const longestPauseMs = 100;

/** Runs until the signal aborts and the work under way is done. Rejects only when it cannot start. */
export async function runController(options: RunControllerOptions): Promise<void> {
  const { namespace, loadBalancerClass, adoptOnly, logger, signal } = options;
  const { kubeconfig } = options;
  const host = hostname();
  // Events use the unrestricted client, so that they report what has happened even after the Lease is lost.
  const { clock, registry, diagnostics, turns, client, events } = await openDaemon({
    component: 'controller',
    version,
    host,
    kubeconfig,
    logger,
  });
  const { recorder, guard } = diagnostics;
  const metrics = new ControllerMetrics(registry);
  boundHeapGrowth();
  keepMemorySmall({ clock, logger, longestPauseMs, returnsWhileBusy: true, signal });
  const identity = `${host}_${randomUUID()}`;
  let term: LeaderTerm | undefined;
  registerConfigMetrics(registry, () => term?.configInForce);

  const serve = async (api: Api, until: AbortSignal) => {
    term = new LeaderTerm({
      client: api,
      namespace,
      loadBalancerClass,
      showsConditions: options.serviceConditions,
      adoptOnly,
      events,
      metrics,
      logger,
      clock,
      turns,
      guard,
      recorder,
      signal: until,
    });
    await term.serve();
    term = undefined;
  };
  const election = options.leaderElection
    ? new LeaderElection({ client, namespace, name: controllerLeaseName, identity, clock, logger, recorder })
    : undefined;

  const page = new PageService({
    logger,
    clock,
    processOptions: () => ({
      ...{ namespace, speakerPort: options.speakerPort, logLevel: options.logLevel },
      ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
      ...{ controllerPort: server.port, controllerAddress: ownAddress(options.metricsAddress) },
    }),
    unavailable: () => (term ? undefined : 'this replica of the controller does not lead'),
  });
  const server = await serveHttp(options.metricsAddress, {
    registry: { contentType: registry.contentType, metrics: () => metricPieces(registry, turns) },
    unhealthy: () => [],
    events: () => Promise.resolve(recorder.events()),
    guard,
    turns,
    access: accessByToken(client, clock, viewerAudience),
    limits: new HttpLimits({ clock, registry }),
    page: (request) => page.reply(request),
    status: (): ControllerStatusBody => ({
      version: statusVersion,
      identity,
      leading: term !== undefined,
      leader: election ? election.leader : identity,
      apiServer: client.reachability.isAnswering ? 'reached' : 'not reached',
      adoptOnly,
      ...term?.status(),
    }),
  });
  logger.info({ server: client.server, metricsPort: server.port, identity }, 'controller started');

  await (election ? election.run(serve, signal) : serve(client, signal));

  logger.info({ reason: String(signal.reason) }, 'stopping');
  await events.flush(flushDeadlineMs);
  await server.close();
  await page.stop();
  client.close();
  logger.info('stopped');
}

/** The address at which this process reaches its own HTTP endpoint. */
function ownAddress([first]: readonly ListenAddress[]): string {
  return first === undefined || first.host === '::' || first.host === '0.0.0.0' ? '127.0.0.1' : first.host;
}
