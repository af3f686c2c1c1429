import { keepMemorySmall } from '../../memory/keeper.ts';
import { ConfigMemory } from '../config-memory.ts';
import type { AwaitedKind } from '../initial-sync.ts';
import type { StandBy } from '../stand-by.ts';
import { SpeakerWatches } from '../watches.ts';
import type { Foundation } from './foundation.ts';
import type { SpeakerParts } from './parts.ts';

/** The watches of the speaker while they run. */
export interface Watching {
  /** Ends all watches. Resolves when they have ended. */
  stop(): Promise<void>;
}

/** Starts the watches. When they have read all objects, and this process may serve, the speaker begins to announce. */
export function watchCluster(foundation: Foundation, parts: SpeakerParts, standBy: StandBy): Watching {
  const { options, clock, diagnostics, turns, client, cluster } = foundation;
  const { nodeName, namespace, logger, stateDirectory } = options;
  const { services, knownSpeakers, accepted, sync } = cluster;
  const { speaker, deathReporter } = parts;
  const { process: layer2, reconciler } = parts.layer2;
  const arrived = (kind: AwaitedKind) => {
    if (!sync.arrived(kind)) return;
    logger.info({ node: nodeName, services: services.size }, 'in sync');
    standBy.inSync(() => beginToAnnounce(foundation, parts));
  };
  const ending = new AbortController();
  const watches = new SpeakerWatches({
    ...{ namespace, client, clock, turns, logger, services, accepted, knownSpeakers },
    ...{ speaker, layer2, deathReporter, reconciler, arrived },
    guard: diagnostics.guard,
    signal: ending.signal,
    memory: new ConfigMemory(stateDirectory, nodeName),
  }).run();
  return {
    stop: () => {
      ending.abort();
      return watches;
    },
  };
}

/**
 * The longest pause for a garbage collection that the process asks for, because `/healthz` should answer within this time. V8 itself collects the
 * garbage of a larger heap, in steps.
 */
const longestPauseMs = 100;

function beginToAnnounce({ options, clock }: Foundation, parts: SpeakerParts): void {
  const { logger, signal } = options;
  parts.speaker.start();
  parts.layer2.reconciler.start();
  parts.adoption.start();
  parts.routing.listenForSuccessor();
  keepMemorySmall({ clock, logger, longestPauseMs, signal });
}
