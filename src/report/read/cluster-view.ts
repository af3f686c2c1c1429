import type { Clock } from '../../clock.ts';
import { acceptedConfigMapName, configMapName, controllerLeaseName } from '../../cluster/names.ts';
import {
  type ControllerStatus,
  decodeControllerStatus,
  decodeSpeakerStatus,
  type SpeakerStatus,
} from '../../cluster/status.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { decodeConfigMap } from '../../kubernetes/decode.ts';
import type { ConfigMap, Node, Service } from '../../kubernetes/model.ts';
import { paths } from '../../kubernetes/write.ts';
import { printable } from '../../printable.ts';
import { ok } from '../../result.ts';
import type { ClusterView, LeaderLease, SpeakerView } from '../status/view.ts';
import { readObject, readOptional } from './api-read.ts';
import { queryDaemon } from './daemon-query.ts';
import type { ViewerToken } from './viewer-token.ts';

export interface StatusSource {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  /** Address of the leader, if it is known. Otherwise it is read from the Lease and the leader's Pod. */
  readonly controllerAddress?: string;
  readonly loadBalancerClass?: string;
  /** Longest silence of a daemon, in milliseconds. The default is short, because a person waits for the output of the command. */
  readonly silenceMs?: number;
  readonly clock: Clock;
}

interface CollectedBefore {
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  readonly viewer: ViewerToken;
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
    readonly eventTime?: string | null;
    readonly series?: { readonly lastObservedTime?: string };
  }[];
}

const maxMessageCharacters = 1024;
const failedAllocations = '/api/v1/events?fieldSelector=reason%3DAllocationFailed&limit=500';

/** Reads the view. The caller adds the warnings about the configuration. The caller has already read the Services and the nodes. */
export async function collectView(
  client: Api,
  source: StatusSource,
  { services, nodes, viewer }: CollectedBefore,
): Promise<ClusterView> {
  const { namespace, clock } = source;
  const [configMap, acceptedCopy, lease] = await Promise.all([
    readConfigMap(client, namespace, configMapName),
    readConfigMap(client, namespace, acceptedConfigMapName),
    readLease(client, namespace, clock),
  ]);
  const [controller, speakers] = await Promise.all([
    lease && controllerOf(client, lease, source, viewer.token),
    collectSpeakers(nodes, { ...source, token: viewer.token }),
  ]);
  // The status of the leader says why a Service waits. Without this status, events say why. They are the second choice, because a list of events
  // costs the API server much, and the accounts of the daemons have no right to read events.
  const failures = controller ? undefined : await readOptional<RawEvents>(client, failedAllocations);
  return {
    namespace,
    configMap,
    acceptedCopy,
    lease,
    controller,
    services,
    failures: newestFailures(failures),
    speakers,
    viewerProblem: viewer.problem,
  };
}

async function readConfigMap(client: Api, namespace: string, name: string): Promise<ConfigMap | undefined> {
  const raw = await readObject<RawObject>(client, `${paths.configMaps(namespace)}/${name}`);
  return raw && decodeConfigMap(raw);
}

type Refusal = SpeakerStatus['notAnnounced'][number];

/**
 * Returns a function that replaces refusals by equal ones of an earlier status. With `externalTrafficPolicy: Local`, nearly all nodes refuse nearly
 * all addresses for the same reason. Without sharing, the refusals of 40 nodes would take 200 MiB for 10,000 Services.
 */
function refusalSharer(): (status: SpeakerStatus) => SpeakerStatus {
  const known = new Map<string, Refusal>();
  const shared = (refusal: Refusal): Refusal => {
    const { service, address, reason, cause, field } = refusal;
    const key = [service, address, cause, field, reason].join('\n');
    const first = known.get(key);
    if (!first) known.set(key, refusal);
    return first ?? refusal;
  };
  return (status) => ({ ...status, notAnnounced: status.notAnnounced.map(shared) });
}

/**
 * Number of speakers that are asked at the same time. With 10,000 Services, an answer has up to 4 MB, and decoding it takes 50 ms of CPU. If all
 * speakers were asked at once, this process would reach the last answers so late that they would count as missing.
 */
const speakersAtOnce = 8;

async function collectSpeakers(
  nodes: readonly Node[],
  { speakerPort: port, silenceMs, token }: StatusSource & { readonly token: string | undefined },
): Promise<SpeakerView[]> {
  const found: SpeakerView[] = [];
  const waiting = nodes.entries();
  const share = refusalSharer();
  const query = { port, path: '/status', token, silenceMs };
  const askOneAfterAnother = async () => {
    for (const [i, { name, internalIPs }] of waiting) {
      const status = await queryDaemon(internalIPs, query, decodeSpeakerStatus);
      found[i] = { node: name, status: status.ok ? ok(share(status.value)) : status };
    }
  };
  await Promise.all(Array.from({ length: speakersAtOnce }, askOneAfterAnother));
  return found;
}

async function controllerOf(
  client: Api,
  lease: LeaderLease,
  { namespace, controllerPort: port, controllerAddress, silenceMs }: StatusSource,
  token: string | undefined,
): Promise<ControllerStatus | undefined> {
  const addresses =
    controllerAddress === undefined ? await addressesOfLeader(client, lease, namespace) : [controllerAddress];
  const status = await queryDaemon(
    addresses,
    { port, path: '/status', token, silenceMs },
    decodeControllerStatus,
  );
  return status.ok ? status.value : undefined;
}

/** Reads the Lease of the controller. Returns `undefined` when there is none, or the user may not read it. */
export async function readLease(
  client: Api,
  namespace: string,
  clock: Clock,
): Promise<LeaderLease | undefined> {
  const raw = await readOptional<RawLease>(client, `${paths.leases(namespace)}/${controllerLeaseName}`);
  return raw && decodeLease(raw, clock.epochMs());
}

/** Addresses of the leader's Pod. The holder of the Lease is `HOSTNAME_UUID`, and the host name of a Pod is the Pod's name. */
export async function addressesOfLeader(
  client: Api,
  { holder }: LeaderLease,
  namespace: string,
): Promise<readonly string[]> {
  const [, podName] = /^(.+)_[^_]+$/.exec(holder) ?? [];
  if (podName === undefined) return [];
  const pod = await readOptional<RawPod>(client, `${paths.pods(namespace)}/${podName}`);
  return pod?.status?.podIPs?.map(({ ip }) => ip) ?? [];
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
    .sort((a, b) => (lastTimeOf(a) < lastTimeOf(b) ? -1 : 1));
  return new Map(
    byTime.map(({ involvedObject, message }) => [
      `${involvedObject?.namespace}/${involvedObject?.name}`,
      printable(message ?? '', maxMessageCharacters),
    ]),
  );
}

/** The time of the last event of a series, RFC 3339 with microseconds. */
function lastTimeOf({ eventTime, series }: RawEvents['items'][number]): string {
  return series?.lastObservedTime ?? eventTime ?? '';
}
