import { type Daemon, openDaemon } from '../../kubernetes/daemon.ts';
import { registerConfigMetrics } from '../../telemetry/config-metrics.ts';
import { version } from '../../version.ts';
import { AcceptedConfigTracker } from '../accepted-config-tracker.ts';
import { InitialSync } from '../initial-sync.ts';
import { KnownSpeakerList } from '../known-speakers.ts';
import type { RunSpeakerOptions } from '../options.ts';
import type { KeptService } from '../plan/kept-objects.ts';

/** The parts of the daemon and the state that all stages of the speaker process use. */
export interface Foundation extends Daemon {
  readonly options: RunSpeakerOptions;
  readonly cluster: ClusterState;
}

/** The objects of the cluster that several parts of the speaker use. The watches fill the fields. */
export interface ClusterState {
  /** By `namespace/name`. */
  readonly services: Map<string, KeptService>;
  readonly knownSpeakers: KnownSpeakerList;
  readonly accepted: AcceptedConfigTracker;
  /** The kinds of objects that have not been read yet. */
  readonly sync: InitialSync;
}

/** Rejects when `openDaemon` does. */
export async function openFoundation(options: RunSpeakerOptions): Promise<Foundation> {
  const { nodeName: host, kubeconfig, logger } = options;
  const daemon = await openDaemon({ component: 'speaker', version, host, kubeconfig, logger });
  const cluster = {
    services: new Map<string, KeptService>(),
    knownSpeakers: new KnownSpeakerList(),
    accepted: new AcceptedConfigTracker(logger),
    sync: new InitialSync(),
  };
  registerConfigMetrics(daemon.registry, () => cluster.accepted.current);
  return { ...daemon, options, cluster };
}
