import { parseIp } from '../../address/index.ts';
import { recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { poolIndexOf } from '../../config/index.ts';
import type { Api } from '../../kubernetes/api.ts';
import { decodeEndpointSlice, decodeService } from '../../kubernetes/decode.ts';
import { type EndpointSlice, type Node, type Service, serviceNameLabel } from '../../kubernetes/model.ts';
import { paths } from '../../kubernetes/write.ts';
import { decodeEvents } from '../../telemetry/event-codec.ts';
import type { ExplainFacts } from '../explain/facts.ts';
import type { ClusterView } from '../status/view.ts';
import type { Subject } from '../subject.ts';
import type { TracedEvent } from '../traced-event.ts';
import { readList, readOptionalList } from './api-read.ts';
import type { StatusSource } from './cluster-view.ts';
import { queryDaemon } from './daemon-query.ts';
import type { ViewerToken } from './viewer-token.ts';

interface KnownFacts extends Pick<ExplainFacts, 'service' | 'nodes' | 'cluster'> {
  readonly subject: Subject;
  readonly source: StatusSource;
  readonly viewer: ViewerToken;
}

/** Completes a view of the cluster with the facts that the explanation of one Service also needs. Rejects when the API server cannot be reached. */
export async function factsOf(
  client: Api,
  { subject, source, viewer, service, nodes, cluster }: KnownFacts,
): Promise<ExplainFacts> {
  const [slices, events] = service
    ? await Promise.all([
        readSlices(client, service),
        readEvents(service, nodes, cluster, { source, viewer }),
      ])
    : [[], []];
  return {
    subject: subject.kind === 'address' ? subject.address : `${subject.namespace}/${subject.name}`,
    address: subject.kind === 'address' ? subject.address : undefined,
    service,
    slices,
    nodes,
    loadBalancerClass: source.loadBalancerClass,
    cluster,
    events,
  };
}

/**
 * Reads the Service with this name, or a Service that has this address, even if Bellman does not serve this Service. If several Services have
 * the address, chooses one that has the type LoadBalancer and is not being deleted, because Bellman announces no address for any other Service.
 */
export async function readService(client: Api, subject: Subject): Promise<Service | undefined> {
  // The daemons' accounts have the right to list Services, but not to get one.
  const path =
    subject.kind === 'address'
      ? paths.services
      : `/api/v1/namespaces/${subject.namespace}/services?fieldSelector=metadata.name%3D${subject.name}`;
  const found = (await readList(client, path))
    .map(decodeService)
    .filter((service) =>
      subject.kind === 'address'
        ? service.ingress.some(({ ip }) => ip === subject.address)
        : service.name === subject.name,
    );
  return found.find(({ deleting, type }) => !deleting && type === 'LoadBalancer') ?? found[0];
}

/** Reads the EndpointSlices of a Service. Returns `undefined` when the user may not read them. */
export async function readSlices(
  client: Api,
  { namespace, name }: Service,
): Promise<EndpointSlice[] | undefined> {
  const selector = `labelSelector=${encodeURIComponent(`${serviceNameLabel}=${name}`)}`;
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${selector}`;
  const slices = await readOptionalList(client, path);
  return slices?.flatMap((raw) => decodeEndpointSlice(raw) ?? []);
}

/**
 * Asks each speaker for its events about the addresses and, if BGP announces one of them, about all peers. A speaker that does not answer is
 * left out.
 */
async function readEvents(
  { ingress }: Service,
  nodes: readonly Node[],
  { configMap, acceptedCopy, speakers }: ClusterView,
  { source, viewer }: { readonly source: StatusSource; readonly viewer: ViewerToken },
): Promise<TracedEvent[]> {
  const accepted = recallAcceptedConfig(configMap, acceptedCopy);
  const usesBgp = ingress.some(({ ip }) => {
    const address = parseIp(ip);
    return address && accepted && poolIndexOf(accepted.config).poolOf(address)?.protocols.includes('bgp');
  });
  const machines = new URLSearchParams();
  for (const { ip } of ingress) machines.append('machine', `address ${ip}`);
  for (const { name } of usesBgp ? (accepted?.config.peers ?? []) : [])
    machines.append('machine', `peer ${name}`);
  const reached = new Set(speakers.flatMap(({ node, status }) => (status.ok ? [node] : [])));
  const { speakerPort: port, silenceMs } = source;
  const query = { port, path: `/debug/events?${machines}`, token: viewer.token, silenceMs };
  const answers = await Promise.all(
    nodes.map(async ({ name, internalIPs }) => {
      if (!reached.has(name)) return [];
      const answer = await queryDaemon(internalIPs, query, decodeEvents);
      return answer.ok ? answer.value.map((event) => ({ node: name, ...event })) : [];
    }),
  );
  return answers.flat().sort((a, b) => a.at - b.at);
}
