/**
 * The speaker process. It starts and stops in stages (`stages/`), and decides nothing:
 *
 *   watches ──→ NodeSpeaker ──→ BgpSpeaker (sessions and routes)
 *                    └────────→ layer-2 process (ownership of addresses, ARP and NDP)
 *                                    └─ reports ─→ AnnouncingReconciler (record on the Services), events
 *   HTTP endpoint: /metrics, /healthz, /readyz, /status, /capture, /debug/events
 *
 *  1. foundation.ts opens what all stages use: metrics, diagnostics, the client of the API server.
 *  2. parts.ts creates BGP, BFD, the handle on the layer-2 process and the NodeSpeaker, and connects them. Nothing is announced yet.
 *  3. endpoint.ts serves the HTTP endpoint. A speaker that replaces another one waits for the port (stand-by.ts), and meanwhile takes over the
 *     sessions of its predecessor. Once this process serves the endpoint, the layer-2 process may start. The layer-2 process runs only while a
 *     pool is announced in layer 2, or while the configuration has `dead-nodes`.
 *  4. cluster.ts starts the watches. When they have read all objects, and this process may serve, the speaker begins to announce.
 *  5. On a signal, stop.ts first stops the parts that announce. It stops the watches and the HTTP endpoint last.
 */
import type { RunSpeakerOptions } from './options.ts';
import { watchCluster } from './stages/cluster.ts';
import { endpointOf } from './stages/endpoint.ts';
import { type Foundation, openFoundation } from './stages/foundation.ts';
import { createParts, type SpeakerParts } from './stages/parts.ts';
import { stopSpeaker } from './stages/stop.ts';
import { StandBy } from './stand-by.ts';

/** Runs until the signal aborts and the sessions have ended or belong to another speaker. Rejects only when it cannot start. */
export async function runSpeaker(options: RunSpeakerOptions): Promise<void> {
  const { nodeName, logger, signal } = options;
  const foundation = await openFoundation(options);
  const parts = createParts(foundation);

  const standBy = beginStandBy(foundation, parts);
  await standBy.started;
  const served = letLayer2Start(foundation, parts, standBy);
  const watching = watchCluster(foundation, parts, standBy);

  await Promise.race([aborted(signal), served.then(() => aborted(signal))]);
  logger.info({ node: nodeName, reason: String(signal.reason) }, 'stopping');
  const { events } = foundation;
  await stopSpeaker(parts, { nodeName, events, watching, endpoint: standBy.endpoint });
  logger.info({ node: nodeName }, 'stopped');
}

function beginStandBy(foundation: Foundation, parts: SpeakerParts): StandBy {
  const { options, clock } = foundation;
  const { nodeName, logger, signal } = options;
  const successor = parts.routing.connectToPredecessor();
  const standBy = new StandBy({ successor, serve: endpointOf(foundation, parts), clock, logger, signal });
  if (successor)
    logger.info({ node: nodeName }, 'another speaker serves this node; this one waits beside it');
  return standBy;
}

/**
 * Lets the layer-2 process start once this process serves the endpoint. The layer-2 process of the earlier speaker has ended by then. Rejects
 * when the endpoint cannot be served.
 */
async function letLayer2Start(
  { options, client }: Foundation,
  { layer2 }: SpeakerParts,
  standBy: StandBy,
): Promise<void> {
  const endpoint = await standBy.endpoint;
  if (!endpoint) return;
  layer2.process.letStart();
  const { nodeName, logger } = options;
  logger.info({ node: nodeName, server: client.server, metricsPort: endpoint.port }, 'speaker started');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
