import { viewerAudience } from '../../cluster/viewer.ts';
import { accessByToken } from '../../kubernetes/token-review.ts';
import type { Layer2 } from '../../layer2/parent.ts';
import { HttpLimits } from '../../telemetry/http-limits.ts';
import type { HttpEndpoint } from '../../telemetry/http-server.ts';
import { FrameCapture } from '../capture/frame-capture.ts';
import { serveSpeaker } from '../http.ts';
import type { Foundation } from './foundation.ts';
import type { SpeakerParts } from './parts.ts';

/**
 * Returns a function that serves the HTTP endpoint. The function rejects while another process has the port, and can then be called again.
 */
export function endpointOf(foundation: Foundation, parts: SpeakerParts): () => Promise<HttpEndpoint> {
  const { options, clock, registry, diagnostics, turns, client, cluster } = foundation;
  const { nodeName, loadBalancerClass, membershipPort } = options;
  const { speaker, routing, leaving, deathReporter } = parts;
  const { bgp, bfd } = routing;
  const { process: layer2, reports } = parts.layer2;
  const { accepted, sync } = cluster;
  const capture = new FrameCapture({
    nodeName,
    clock,
    config: () => accepted.current?.config,
    opener: async () => (await import('../../link/capture.ts')).openCapture,
  });
  const status = {
    ...{ nodeName, loadBalancerClass, membershipPort, sync, accepted, bgp, bfd, speaker, leaving, turns },
    reachability: client.reachability,
    layer2: reports,
    adoption: parts.adoption.report,
    troubles: () => [...layer2Troubles(layer2), ...deathReporter.troubles()],
  };
  const limits = new HttpLimits({ clock, registry });
  return () =>
    serveSpeaker({
      ...{ registry, layer2, bfd, diagnostics, limits, capture, turns, status },
      addresses: options.metricsAddress,
      access: accessByToken(client, clock, viewerAudience),
    });
}

function layer2Troubles(layer2: Layer2): string[] {
  const fault = layer2.keyFault();
  return fault === undefined ? [] : [`layer 2: ${fault}`];
}
