import { Registry } from 'prom-client';
import { type Clock, systemClock } from '../../clock.ts';
import { connect, type KubernetesClient } from '../../kubernetes/client.ts';
import { EventRecorder } from '../../kubernetes/event-recorder.ts';
import { registerKubernetesMetrics } from '../../kubernetes/metrics.ts';
import { registerConfigMetrics } from '../../telemetry/config-metrics.ts';
import { endOnCrash } from '../../telemetry/crash.ts';
import { createDiagnostics, type Diagnostics } from '../../telemetry/diagnostics.ts';
import { logLongWork } from '../../telemetry/long-work-log.ts';
import { registerProcessMetrics } from '../../telemetry/process-metrics.ts';
import { Turns } from '../../turns.ts';
import { version } from '../../version.ts';
import { AcceptedConfigTracker } from '../accepted-config-tracker.ts';
import { InitialSync } from '../initial-sync.ts';
import { KnownSpeakerList } from '../known-speakers.ts';
import type { RunSpeakerOptions } from '../options.ts';
import type { KeptService } from '../plan/kept-objects.ts';

/** The things that all stages of the speaker process use. */
export interface Foundation {
  readonly options: RunSpeakerOptions;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly diagnostics: Diagnostics;
  readonly turns: Turns;
  readonly client: KubernetesClient;
  readonly events: EventRecorder;
  readonly cluster: ClusterState;
}

/** The objects of the cluster that several parts of the speaker use. The watches fill it. */
export interface ClusterState {
  /** By `namespace/name`. */
  readonly services: Map<string, KeptService>;
  readonly knownSpeakers: KnownSpeakerList;
  readonly accepted: AcceptedConfigTracker;
  /** The kinds of objects that have not been read yet. */
  readonly sync: InitialSync;
}

/** Rejects when there is no way to the API server, or when the file that describes the way is missing or broken. */
export async function openFoundation(options: RunSpeakerOptions): Promise<Foundation> {
  const { nodeName, logger } = options;
  const clock = systemClock;
  const registry = new Registry();
  const diagnostics = createDiagnostics({ clock, logger, registry });
  const { recorder } = diagnostics;
  const turns = new Turns(clock, logLongWork(logger));
  const client = await connect(options.kubeconfig, 'bellman-speaker', { logger, recorder });
  registerKubernetesMetrics(registry, client.reachability);
  registerProcessMetrics(registry, clock, { component: 'speaker', version });
  endOnCrash({ logger, recorder, clock });
  const cluster = {
    services: new Map<string, KeptService>(),
    knownSpeakers: new KnownSpeakerList(),
    accepted: new AcceptedConfigTracker(),
    sync: new InitialSync(),
  };
  registerConfigMetrics(registry, () => cluster.accepted.current);
  const events = new EventRecorder({ client, component: 'bellman-speaker', host: nodeName, logger, clock });
  return { options, clock, registry, diagnostics, turns, client, events, cluster };
}
