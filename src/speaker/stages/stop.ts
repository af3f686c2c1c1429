import type { EventRecorder } from '../../kubernetes/event-recorder.ts';
import type { HttpEndpoint } from '../../telemetry/http-server.ts';
import { stopModeOf } from '../leaving/stop-mode.ts';
import type { Watching } from './cluster.ts';
import type { SpeakerParts } from './parts.ts';

/** Deadline for sending the last events when the process stops. */
const eventsAtStopMs = 1000;

/** The parts of the speaker to stop, each with the methods that are called on it. */
export interface StoppedParts {
  readonly speaker: Pick<SpeakerParts['speaker'], 'node' | 'leavingState'>;
  readonly routing: Pick<SpeakerParts['routing'], 'closeLinkHints' | 'stop'>;
  readonly layer2: {
    readonly process: Pick<SpeakerParts['layer2']['process'], 'stop'>;
    readonly reconciler: Pick<SpeakerParts['layer2']['reconciler'], 'stop'>;
    readonly firstOwners: Pick<SpeakerParts['layer2']['firstOwners'], 'stop'>;
  };
  readonly adoption: Pick<SpeakerParts['adoption'], 'stop'>;
  readonly deathReporter: Pick<SpeakerParts['deathReporter'], 'stop'>;
}

export interface StopOptions {
  readonly nodeName: string;
  readonly events: Pick<EventRecorder, 'flush'>;
  readonly watching: Watching;
  /** Resolves to `undefined` when this process never served the endpoint, because another speaker had its port. */
  readonly endpoint: Promise<Pick<HttpEndpoint, 'close'> | undefined>;
}

/**
 * Stops first the parts that announce: BGP ends its sessions while the layer-2 process hands over its addresses. The announcing record is
 * written until both have ended, because the layer-2 process reports what it hands over. The watches and the HTTP endpoint end last: the
 * next speaker on this node starts to serve when the port is free.
 */
export async function stopSpeaker(parts: StoppedParts, options: StopOptions): Promise<void> {
  const { nodeName, events, watching, endpoint } = options;
  const { speaker, routing, layer2, adoption, deathReporter } = parts;
  routing.closeLinkHints();
  adoption.stop();
  layer2.firstOwners.stop();
  const stopMode = () => stopModeOf(nodeName, speaker.leavingState, speaker.node(nodeName));
  await Promise.all([deathReporter.stop(), layer2.process.stop(), routing.stop(stopMode)]);
  layer2.reconciler.stop();
  await events.flush(eventsAtStopMs);
  await Promise.all([watching.stop(), endpoint.then((served) => served?.close())]);
}
