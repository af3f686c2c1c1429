import type { Clock } from '../../clock.ts';
import { acceptedConfigMapName, configMapName, controllerLeaseName } from '../../cluster/names.ts';
import { loadBalancerClassMatches } from '../../cluster/service-class.ts';
import { type ControllerStatus, decodeControllerStatus, decodeSpeakerStatus } from '../../cluster/status.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeConfigMap, decodeNode, decodeService } from '../../kubernetes/decode.ts';
import type { ConfigMap, Node } from '../../kubernetes/model.ts';
import { paths } from '../../kubernetes/write.ts';
import { printable } from '../../printable.ts';
import { readObject, readOptional } from '../api-read.ts';
import { queryDaemon } from '../daemon-query.ts';
import { requestViewerToken } from '../viewer-token.ts';
import type { ClusterView, LeaderLease, SpeakerView } from './view.ts';

export interface StatusSource {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
  readonly clock: Clock;
}

interface RawLease {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
}

interface RawPod {
  readonly status?: { readonly podIPs?: readonly { readonly ip: string }[]; readonly podIP?: string };
}

interface RawEvents {
  readonly items: readonly {
    readonly involvedObject?: { readonly namespace?: string; readonly name?: string };
    readonly reason?: string;
    readonly message?: string;
    readonly lastTimestamp?: string;
  }[];
}

const maxMessageCharacters = 1024;
const failedAllocations = '/api/v1/events?fieldSelector=reason%3DAllocationFailed&limit=500';

/** Reads what the API server and the reachable daemons report. Rejects when the API server cannot be reached. */
export async function collectStatus(source: StatusSource): Promise<ClusterView> {
  const { namespace, clock } = source;
  const client = await connect(source.kubeconfig, 'bellman-status');
  try {
    const [configMap, acceptedCopy, rawLease, services, failures, nodes, viewer] = await Promise.all([
      readConfigMap(client, namespace, configMapName),
      readConfigMap(client, namespace, acceptedConfigMapName),
      readOptional<RawLease>(client, `${paths.leases(namespace)}/${controllerLeaseName}`),
      list(client, paths.services),
      readOptional<RawEvents>(client, failedAllocations),
      list(client, paths.nodes),
      requestViewerToken(client, namespace),
    ]);
    const lease = rawLease && decodeLease(rawLease, clock.epochMs());
    return {
      namespace,
      configMap,
      acceptedCopy,
      lease,
      controller: lease && (await controllerOf(client, lease, source, viewer.token)),
      services: services
        .map(decodeService)
        .filter(
          (service) =>
            service.type === 'LoadBalancer' && loadBalancerClassMatches(service, source.loadBalancerClass),
        ),
      failures: newestFailures(failures),
      speakers: await collectSpeakers(nodes.map(decodeNode), source.speakerPort, viewer.token),
      viewerProblem: viewer.problem,
    };
  } finally {
    client.close();
  }
}

async function readConfigMap(client: Api, namespace: string, name: string): Promise<ConfigMap | undefined> {
  const raw = await readObject<RawObject>(client, `${paths.configMaps(namespace)}/${name}`);
  return raw && decodeConfigMap(raw);
}

async function list(client: Api, path: string): Promise<readonly RawObject[]> {
  return (await readObject<{ readonly items: readonly RawObject[] }>(client, path))?.items ?? [];
}

function collectSpeakers(
  nodes: readonly Node[],
  port: number,
  token: string | undefined,
): Promise<SpeakerView[]> {
  return Promise.all(
    nodes.map(async ({ name, internalIPs }) => ({
      node: name,
      status: await queryDaemon(internalIPs, { port, path: '/status', token }, decodeSpeakerStatus),
    })),
  );
}

/** Reads the leader's status from its Pod. The holder of the Lease is `HOSTNAME_UUID`, and the host name of a Pod is the Pod's name. */
async function controllerOf(
  client: Api,
  { holder }: LeaderLease,
  { namespace, controllerPort: port }: StatusSource,
  token: string | undefined,
): Promise<ControllerStatus | undefined> {
  const [, podName] = /^(.+)_[^_]+$/.exec(holder) ?? [];
  if (podName === undefined) return undefined;
  const pod = await readOptional<RawPod>(client, `${paths.pods(namespace)}/${podName}`);
  const addresses = pod?.status?.podIPs?.map(({ ip }) => ip) ?? [];
  const status = await queryDaemon(addresses, { port, path: '/status', token }, decodeControllerStatus);
  return status.ok ? status.value : undefined;
}

function decodeLease({ spec }: RawLease, nowMs: number): LeaderLease {
  const renewedMs = Date.parse(spec?.renewTime ?? '') || 0;
  return {
    holder: printable(spec?.holderIdentity ?? '', maxMessageCharacters),
    ageMs: nowMs - renewedMs,
    durationMs: (spec?.leaseDurationSeconds ?? 0) * 1000,
  };
}

function newestFailures(events: RawEvents | undefined): Map<string, string> {
  const byTime = (events?.items ?? [])
    // A server that does not support the field selector sends all events.
    .filter(({ reason }) => reason === 'AllocationFailed')
    .sort((a, b) => ((a.lastTimestamp ?? '') < (b.lastTimestamp ?? '') ? -1 : 1));
  return new Map(
    byTime.map(({ involvedObject, message }) => [
      `${involvedObject?.namespace}/${involvedObject?.name}`,
      printable(message ?? '', maxMessageCharacters),
    ]),
  );
}
