import { AggregatorRegistry, type Gauge, Registry } from 'prom-client';
import { formatIp, type IpAddress } from '../address/index.ts';
import { bfdMachine } from '../bfd/messages.ts';
import type { Bfd } from '../bfd/parent.ts';
import { peerMachine } from '../bgp/index.ts';
import type { Layer2 } from '../layer2/parent.ts';
import type { AccessControl } from '../telemetry/access.ts';
import type { Diagnostics } from '../telemetry/diagnostics.ts';
import type { FlightRecorder, RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { HttpLimits } from '../telemetry/http-limits.ts';
import { type HttpEndpoint, type ListenAddress, serveHttp } from '../telemetry/http-server.ts';
import { metricPieces } from '../telemetry/metrics-text.ts';
import type { Turns } from '../turns.ts';
import { bfdProcessMetrics } from './bfd/bfd-metrics.ts';
import type { FrameCapture } from './capture/frame-capture.ts';
import { unreadyReasons } from './readiness.ts';
import { type StatusSources, speakerStatus } from './status.ts';

export interface SpeakerHttpOptions {
  readonly addresses: readonly ListenAddress[];
  readonly registry: Registry;
  readonly layer2: Pick<Layer2, 'metrics' | 'unhealthy' | 'events'>;
  readonly bfd: Pick<Bfd, 'processStatus' | 'unhealthy' | 'events'>;
  readonly diagnostics: Diagnostics;
  readonly access: AccessControl;
  readonly limits: HttpLimits;
  readonly turns?: Turns;
  readonly status: StatusSources;
  readonly capture: Pick<FrameCapture, 'serve'>;
}

/** prom-client's types do not say that the metrics of a registry can be read and registered again. */
type RegisteredMetric = Gauge & { readonly name: string };

interface NamedPeer {
  readonly name: string;
  readonly address: IpAddress;
}

/** Serves the speaker's HTTP endpoint. Rejects when an address cannot be bound. */
export function serveSpeaker({
  addresses,
  registry,
  layer2,
  bfd,
  diagnostics: { recorder, guard },
  access,
  limits,
  turns,
  status,
  capture,
}: SpeakerHttpOptions): Promise<HttpEndpoint> {
  const { nodeName, sync, speaker, bgp } = status;
  return serveHttp(addresses, {
    registry: {
      contentType: registry.contentType,
      metrics: () =>
        mergedMetrics(registry, [...layer2.metrics(), ...bfdProcessMetrics(bfd.processStatus())], turns),
    },
    unhealthy: () => [...layer2.unhealthy(), ...bfd.unhealthy()],
    notReady: () =>
      unreadyReasons({
        nodeName,
        missing: sync.missing,
        hasNode: speaker.node(nodeName) !== undefined,
        troubles: status.troubles(),
      }),
    status: () => speakerStatus(status),
    capture: (query, signal) => capture.serve(query, signal),
    events: () => mergedEvents(recorder, [layer2, bfd]),
    machinesOf: (address) => peerMachines(bgp.status(), address),
    recordedAs: (machine) => sharedBfdMachine(speaker.watchedPeers(), machine),
    guard,
    turns,
    access,
    limits,
  });
}

/**
 * Metrics of this process together with those that its child processes have reported. Adding metrics up takes several times as long as
 * writing them, so the metrics that only this process has are not added up.
 */
export async function* mergedMetrics(
  registry: Registry,
  reported: readonly object[],
  turns?: Turns,
): AsyncGenerator<string> {
  const names = new Set(reported.map((metric) => ('name' in metric ? metric.name : undefined)));
  const rest = new Registry();
  const both: object[] = [];
  for (const metric of registry.getMetricsAsArray() as unknown as readonly RegisteredMetric[])
    if (names.has(metric.name)) both.push(await metric.get());
    else rest.registerMetric(metric);
  const merged = AggregatorRegistry.aggregate([both, [...reported]]);
  yield* metricPieces(rest, turns);
  yield `\n${await merged.metrics()}`;
}

/** Machines of the peers with this address. The events of a peer hold its name, but not always its address. */
export function peerMachines(peers: readonly NamedPeer[], address: string): readonly string[] {
  return peers.flatMap((peer) =>
    formatIp(peer.address) === address ? [peerMachine(peer.name), bfdMachine(peer.name)] : [],
  );
}

/**
 * Peers may share a BFD session. The machine of the session then has the name of the first peer. If `machine` is named after another peer of
 * the session, returns the machine that is named after the first one.
 */
export function sharedBfdMachine(
  sessions: Iterable<readonly { readonly name: string }[]>,
  machine: string,
): string | undefined {
  for (const [first, ...others] of sessions)
    if (first && others.some(({ name }) => bfdMachine(name) === machine)) return bfdMachine(first.name);
  return undefined;
}

/** Events of this process, and those of the child processes that answer. */
async function mergedEvents(
  recorder: FlightRecorder,
  children: readonly { events(): Promise<readonly RecordedEvent[]> }[],
): Promise<RecordedEvent[]> {
  const others = await Promise.all(children.map((child) => child.events().catch(() => [])));
  return [...recorder.events(), ...others.flat()].sort((a, b) => a.at - b.at);
}
