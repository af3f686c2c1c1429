import { Registry } from 'prom-client';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { endOnCrash } from '../telemetry/crash.ts';
import { createDiagnostics, type Diagnostics } from '../telemetry/diagnostics.ts';
import { logLongWork } from '../telemetry/long-work-log.ts';
import { registerProcessMetrics } from '../telemetry/process-metrics.ts';
import { Turns } from '../turns.ts';
import { connect, type KubernetesClient } from './client.ts';
import { EventRecorder } from './event-recorder.ts';
import { registerKubernetesMetrics } from './metrics.ts';

export interface DaemonOptions {
  readonly component: 'controller' | 'speaker';
  readonly version: string;
  /** The node of a speaker, or the Pod of a controller. Events name it as their source. */
  readonly host: string;
  /** `undefined` stands for the ServiceAccount of the Pod. */
  readonly kubeconfig: string | undefined;
  readonly logger: Logger;
}

/** The parts that both daemons open first. */
export interface Daemon {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly diagnostics: Diagnostics;
  readonly turns: Turns;
  readonly client: KubernetesClient;
  readonly events: EventRecorder;
}

/**
 * Does not contact the API server. Rejects when this process has no kubeconfig and no ServiceAccount of a Pod, or when the kubeconfig or a file
 * of the ServiceAccount is missing or broken.
 */
export async function openDaemon(options: DaemonOptions): Promise<Daemon> {
  const { component, version, host, kubeconfig, logger } = options;
  const name = `bellman-${component}`;
  const clock = systemClock;
  const registry = new Registry();
  const diagnostics = createDiagnostics({ clock, logger, registry });
  const { recorder } = diagnostics;
  const turns = new Turns(clock, logLongWork(logger));
  const client = await connect(kubeconfig, name, { logger, recorder });
  registerKubernetesMetrics(registry, client.reachability);
  registerProcessMetrics(registry, clock, { component, version });
  endOnCrash({ logger, recorder, clock });
  const events = new EventRecorder({ client, component: name, host, logger, clock });
  return { clock, registry, diagnostics, turns, client, events };
}
