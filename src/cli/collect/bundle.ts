/**
 * The files of a bundle for a bug report: the state of the cluster as Bellman sees it, without secrets. Each file goes through the scrubber.
 * `README.txt` comes last, and names the parts that could not be read.
 */
import { createHash } from 'node:crypto';
import { recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { annotations, configMapKey, requestPrefixes } from '../../cluster/names.ts';
import { isServed } from '../../cluster/service-class.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeNode, decodeService } from '../../kubernetes/decode.ts';
import { type Node, objectKey } from '../../kubernetes/model.ts';
import { paths } from '../../kubernetes/write.ts';
import { explain } from '../../report/explain/explain.ts';
import { readList, readOptional, readOptionalList } from '../../report/read/api-read.ts';
import { collectView, type StatusSource } from '../../report/read/cluster-view.ts';
import { queryDaemon } from '../../report/read/daemon-query.ts';
import { readSlices } from '../../report/read/explain-facts.ts';
import { requestViewerToken } from '../../report/read/viewer-token.ts';
import { problemsOf } from '../../report/status/problems.ts';
import { statusValue } from '../../report/status/value.ts';
import type { ClusterView } from '../../report/status/view.ts';
import type { TracedEvent } from '../../report/traced-event.ts';
import { ok } from '../../result.ts';
import { decodeEvents } from '../../telemetry/event-codec.ts';
import { formatExplanation } from '../explain/text.ts';
import { formatProblems, formatStatus } from '../status/report.ts';
import { redactConfig, scrubber, secretsOf } from './redact.ts';

export interface BundleFile {
  readonly name: string;
  readonly text: string;
}

/** Largest number of Services with a problem that are explained. Each explanation costs a request for the endpoints of the Service. */
const maxExplained = 50;
/** The daemons, as Kubernetes Events name them. */
const components = ['bellman-controller', 'bellman-speaker'] as const;
/** Largest number of Kubernetes Events of a component that are read. */
const maxListedEvents = 5000;

interface Collected {
  readonly client: Api;
  readonly source: StatusSource;
  readonly version: string;
  readonly services: readonly RawObject[];
  readonly nodes: readonly RawObject[];
  readonly view: ClusterView;
  readonly token: string | undefined;
  /** The parts that could not be read, in sentences. */
  readonly faults: string[];
}

/** Yields the files one by one. Rejects when the API server cannot be reached. */
export async function* bundleFiles(source: StatusSource, version: string): AsyncGenerator<BundleFile> {
  const client = await connect(source.kubeconfig, 'bellman-collect');
  try {
    const [allServices, nodes, viewer] = await Promise.all([
      readList(client, paths.services),
      readList(client, paths.nodes),
      requestViewerToken(client, source.namespace),
    ]);
    const services = allServices.filter((raw) => isServed(decodeService(raw), source.loadBalancerClass));
    const view = await collectView(client, source, {
      services: services.map(decodeService),
      nodes: nodes.map(decodeNode),
      viewer,
    });
    const faults = viewer.problem === undefined ? [] : [viewer.problem];
    const collected = { client, source, version, services, nodes, view, token: viewer.token, faults };
    const scrub = scrubber([...secretsInView(view), ...(viewer.token === undefined ? [] : [viewer.token])]);
    for await (const { name, text } of files(collected)) yield { name, text: scrub(text) };
  } finally {
    client.close();
  }
}

function secretsInView({ configMap, acceptedCopy }: ClusterView): string[] {
  const accepted = recallAcceptedConfig(configMap, acceptedCopy);
  return [configMap?.data[configMapKey], accepted?.text, acceptedCopy?.data[configMapKey]].flatMap((text) =>
    text === undefined ? [] : secretsOf(text),
  );
}

async function* files(collected: Collected): AsyncGenerator<BundleFile> {
  const { source, version, view, faults } = collected;
  const value = statusValue(view);
  const problems = problemsOf(view);
  yield { name: 'status.txt', text: formatStatus(value, 'wide') };
  yield json('status.json', value);
  yield { name: 'problems.txt', text: formatProblems(problems, value.warnings) };
  yield json('problems.json', problems);
  yield* configFiles(view);
  yield* objectFiles(collected);
  const events: TracedEvent[] = [];
  yield* daemonFiles(collected, events);
  yield* explanationFiles(collected, events);
  const lines = [
    `Collected by bellman ${version} at ${new Date(source.clock.epochMs()).toISOString()}.`,
    'Passwords of the configuration are replaced by <redacted>. The bundle holds names and addresses of the cluster.',
    'status and problems: bellman status. explain: bellman explain for Services with a problem.',
    'speakers: /status, /debug/events and /metrics of each speaker. controller: /status of the leader.',
    'The logs are not included: run kubectl -n NAMESPACE logs deployment/controller, and daemonset/speaker.',
    ...(faults.length === 0 ? [] : ['', 'Not collected:', ...faults.map((fault) => `- ${fault}`)]),
  ];
  yield { name: 'README.txt', text: `${lines.join('\n')}\n` };
}

function json(name: string, value: unknown): BundleFile {
  return { name, text: `${JSON.stringify(value, null, 1)}\n` };
}

function* configFiles({ configMap, acceptedCopy }: ClusterView): Generator<BundleFile> {
  const text = configMap?.data[configMapKey];
  if (text !== undefined) yield { name: 'config/config.yaml', text: redactConfig(text) };
  const accepted = recallAcceptedConfig(configMap, acceptedCopy);
  if (accepted) yield { name: 'config/accepted.yaml', text: redactConfig(accepted.text) };
  const { [annotations.acceptedConfig]: _, ...others } = configMap?.annotations ?? {};
  yield json('config/annotations.json', ownAnnotations(others));
}

/** Annotations of other programs may hold secrets. For example, `kubectl apply` keeps the whole text of the ConfigMap in an annotation. */
function ownAnnotations(all: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).filter(([key]) => requestPrefixes.some((prefix) => key.startsWith(prefix))),
  );
}

async function* objectFiles({
  client,
  source,
  services,
  nodes,
  faults,
}: Collected): AsyncGenerator<BundleFile> {
  yield json('kubernetes/services.json', services.map(shown));
  yield json('kubernetes/nodes.json', nodes.map(shown));
  const pods = await readOptionalList(client, `${paths.pods(source.namespace)}`);
  if (pods) yield json('kubernetes/pods.json', pods.map(shownPod));
  else faults.push(`the Pods of ${source.namespace}: you may not list them`);
  const events: RawEvent[] = [];
  for (const component of components) {
    const query = `fieldSelector=reportingComponent%3D${component}&limit=${maxListedEvents}`;
    const list = await readOptional<RawEvents>(client, `/api/v1/events?${query}`);
    // A server that does not support the field selector sends all events.
    events.push(...(list?.items ?? []).filter((event) => event.reportingComponent === component));
    if (!list) faults.push(`the events of ${component}: you may not list them`);
    else if (list.metadata?.continue)
      faults.push(`the events of ${component} beyond the first ${maxListedEvents}`);
  }
  yield json('kubernetes/events.json', events.map(shown));
}

interface RawEvent extends RawObject {
  readonly reportingComponent?: string;
}

interface RawEvents {
  readonly metadata?: { readonly continue?: string };
  readonly items: readonly RawEvent[];
}

/** An object without its managed fields and without the annotations of other programs. */
function shown(raw: RawObject): object {
  const { metadata, ...rest } = raw as RawObject & {
    readonly metadata: {
      readonly annotations?: Readonly<Record<string, string>>;
      readonly managedFields?: unknown;
    };
  };
  const { managedFields: _, ...kept } = metadata;
  return { metadata: { ...kept, annotations: ownAnnotations(metadata.annotations ?? {}) }, ...rest };
}

/** A Pod without its environment, in which a user may have put anything. */
function shownPod(raw: RawObject): object {
  const { metadata, spec, status } = raw as RawObject & {
    readonly spec?: {
      readonly nodeName?: string;
      readonly containers?: readonly { readonly name: string; readonly image?: string }[];
    };
    readonly status?: unknown;
  };
  const containers = spec?.containers?.map(({ name, image }) => ({ name, image }));
  return { metadata: { name: metadata.name }, spec: { nodeName: spec?.nodeName, containers }, status };
}

/** The state of the leading controller, and the state, events and metrics of each speaker. Also adds the events of the speakers to `events`. */
async function* daemonFiles(collected: Collected, events: TracedEvent[]): AsyncGenerator<BundleFile> {
  const { source, nodes, view, token, faults } = collected;
  if (view.controller) yield json('controller/status.json', view.controller);
  else faults.push('the leading controller was not reached');
  const addresses = new Map(nodes.map(decodeNode).map(({ name, internalIPs }) => [name, internalIPs]));
  for (const { node, status } of view.speakers) {
    const folder = `speakers/${fileName(node)}`;
    const query = (path: string) => ({ port: source.speakerPort, path, token });
    if (!status.ok) {
      faults.push(`the speaker of node ${node}: ${status.error}`);
      continue;
    }
    yield json(`${folder}/status.json`, status.value);
    const metrics = await queryDaemon(addresses.get(node) ?? [], query('/metrics'), ok);
    if (metrics.ok) yield { name: `${folder}/metrics.txt`, text: metrics.value };
    else faults.push(`the metrics of the speaker of node ${node}: ${metrics.error}`);
    const recorded = await queryDaemon(addresses.get(node) ?? [], query('/debug/events'), decodeEvents);
    if (recorded.ok) {
      events.push(...recorded.value.map((event) => ({ node, ...event })));
      const lines = recorded.value.map((event) => `${JSON.stringify(event)}\n`);
      yield { name: `${folder}/events.jsonl`, text: lines.join('') };
    } else faults.push(`the events of the speaker of node ${node}: ${recorded.error}`);
  }
  events.sort((a, b) => a.at - b.at);
}

/** Explains the Services with a problem, from the facts that were collected before and the endpoints of each Service. */
async function* explanationFiles(
  collected: Collected,
  events: readonly TracedEvent[],
): AsyncGenerator<BundleFile> {
  const { client, view, nodes, source, faults } = collected;
  const decoded = nodes.map(decodeNode);
  const keys = [...new Set(problemServices(view))];
  const services = new Map(view.services.map((service) => [objectKey(service), service]));
  for (const key of keys.slice(0, maxExplained)) {
    const service = services.get(key);
    if (!service) continue;
    const facts = { subject: key, address: undefined, service, nodes: decoded, events, cluster: view };
    const slices = await readSlices(client, service);
    const { loadBalancerClass } = source;
    const explanation = explain({ ...facts, slices, loadBalancerClass });
    yield { name: `explain/${fileName(key.replace('/', '_'))}.txt`, text: formatExplanation(explanation) };
    yield json(`explain/${fileName(key.replace('/', '_'))}.json`, explanation);
  }
  if (keys.length > maxExplained)
    faults.push(`the explanations of ${keys.length - maxExplained} more Services with a problem`);
}

function problemServices(view: ClusterView): string[] {
  const byAddress = new Map(
    view.services.flatMap((service) => service.ingress.map(({ ip }) => [ip, objectKey(service)] as const)),
  );
  return problemsOf(view).flatMap(({ kind, object }) =>
    kind === 'service' ? [object] : kind === 'address' ? (byAddress.get(object) ?? []) : [],
  );
}

/** A name that fits into the archive. Names of Kubernetes may have 253 characters. */
function fileName(name: Node['name']): string {
  const limit = 60;
  if (name.length <= limit) return name;
  return `${name.slice(0, limit - 9)}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}
