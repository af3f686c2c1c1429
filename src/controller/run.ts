/**
 * The controller's process: one place that judges the ConfigMap and hands out addresses.
 *
 *   ConfigMap ──→ gate (config-keeper) ──→ accepted configuration ─┐
 *   namespaces ────────────────────────────────────────────────────┼─→ allocator (pure) ──→ Service status, annotation, event
 *   Services ──────────────────────────────────────────────────────┘
 *
 * Any number of replicas may run. The holder of the Lease serves a term (`term.ts`), the others wait; the connection given to a term
 * refuses to write as soon as the right to may be another's. It refuses to give an address two owners, to renumber, and to act on
 * a configuration that it has not written down as accepted. Started bottom up (HTTP endpoint, Lease, watches) and stopped top down:
 * writes under way end, events are sent, the Lease is given back, so that the next replica begins at once.
 */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Registry } from 'prom-client';
import { systemClock } from '../clock.ts';
import { controllerLeaseName } from '../cluster/names.ts';
import { type ControllerStatusBody, statusVersion } from '../cluster/status.ts';
import { viewerAudience } from '../cluster/viewer.ts';
import type { Api } from '../kubernetes/api.ts';
import { connect } from '../kubernetes/client.ts';
import { EventRecorder } from '../kubernetes/event-recorder.ts';
import { LeaderElection } from '../kubernetes/leader-election.ts';
import { registerKubernetesMetrics } from '../kubernetes/metrics.ts';
import { accessByToken } from '../kubernetes/token-review.ts';
import type { Logger } from '../log.ts';
import { endOnCrash } from '../telemetry/crash.ts';
import { createDiagnostics } from '../telemetry/diagnostics.ts';
import { serveHttp } from '../telemetry/http-server.ts';
import { ControllerMetrics } from './metrics.ts';
import { Term } from './term.ts';

export interface RunControllerOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: { readonly host: string; readonly port: number };
  readonly loadBalancerClass?: string;
  /** False only when no other replica can run. */
  readonly leaderElection: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const eventsAtStopMs = 2000;

/** Runs until the signal aborts and everything has been written. Rejects only when it cannot start. */
export async function runController(options: RunControllerOptions): Promise<void> {
  const { namespace, loadBalancerClass, logger, signal } = options;
  const client = connect(options.kubeconfig, 'bellman-controller', { logger });
  const registry = new Registry();
  registerKubernetesMetrics(registry, client.reachability);
  const metrics = new ControllerMetrics(registry);
  const { recorder, guard } = createDiagnostics({ clock: systemClock, logger, registry });
  endOnCrash({ logger, recorder, clock: systemClock });
  const identity = `${hostname()}_${randomUUID()}`;
  const clock = systemClock;
  // Not held back by the Lease: what it tells of has happened.
  const events = new EventRecorder({
    client,
    component: 'bellman-controller',
    host: hostname(),
    logger,
    clock,
  });
  let term: Term | undefined;

  const serve = async (api: Api, until: AbortSignal) => {
    term = new Term({
      client: api,
      namespace,
      loadBalancerClass,
      events,
      metrics,
      logger,
      clock,
      signal: until,
    });
    await term.serve();
    term = undefined;
  };
  const election = options.leaderElection
    ? new LeaderElection({ client, namespace, name: controllerLeaseName, identity, clock, logger })
    : undefined;

  const server = await serveHttp(options.metricsAddress.host, options.metricsAddress.port, {
    registry,
    unhealthy: () => [],
    events: () => Promise.resolve(recorder.events()),
    guard,
    access: accessByToken(client, clock, viewerAudience),
    status: (): ControllerStatusBody => ({
      version: statusVersion,
      identity,
      leading: term !== undefined,
      leader: election ? election.leader : identity,
      apiServer: client.reachability.isAnswering ? 'reached' : 'not reached',
      ...term?.status(),
    }),
  });
  logger.info({ server: client.server, metricsPort: server.port, identity }, 'controller started');

  await (election ? election.run(serve, signal) : serve(client, signal));

  logger.info({ reason: String(signal.reason) }, 'stopping');
  await events.flush(eventsAtStopMs);
  await server.close();
  client.close();
  logger.info('stopped');
}
