import { AggregatorRegistry, type Registry } from 'prom-client';
import type { Layer2 } from '../layer2/parent.ts';
import { type MetricsServer, serveMetrics } from '../telemetry/http-server.ts';
import { unreadyReasons } from './readiness.ts';
import { type StatusSources, speakerStatus } from './status.ts';

export interface SpeakerHttpOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly registry: Registry;
  readonly layer2: Pick<Layer2, 'metrics' | 'unhealthy'>;
  readonly status: StatusSources;
}

/** Serves the speaker's HTTP endpoint. Rejects when the address cannot be bound. */
export function serveSpeaker({
  address,
  registry,
  layer2,
  status,
}: SpeakerHttpOptions): Promise<MetricsServer> {
  const { nodeName, sync, speaker } = status;
  return serveMetrics(address.host, address.port, {
    registry: {
      contentType: registry.contentType,
      metrics: () => mergedMetrics(registry, layer2.metrics()),
    },
    unhealthy: () => layer2.unhealthy(),
    notReady: () =>
      unreadyReasons({
        nodeName,
        missing: sync.missing,
        hasNode: speaker.node(nodeName) !== undefined,
        troubles: status.troubles(),
      }),
    status: () => speakerStatus(status),
  });
}

/** Metrics of this process together with those that the layer-2 process has reported. */
async function mergedMetrics(registry: Registry, layer2: readonly object[]): Promise<string> {
  const own = (await registry.getMetricsAsJSON()) as object[];
  return AggregatorRegistry.aggregate([own, [...layer2]]).metrics();
}
