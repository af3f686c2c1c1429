import { parseIp } from '../../address/index.ts';
import { recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { parseAnnouncing } from '../../cluster/announcing.ts';
import { speakerPodSelector, takeoverKey } from '../../cluster/names.ts';
import { poolIndexOf } from '../../config/pool-index.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeNode, decodeSpeakerPod } from '../../kubernetes/decode.ts';
import { paths } from '../../kubernetes/write.ts';
import { readList, readOptionalList } from '../../report/read/api-read.ts';
import type { StatusSource } from '../../report/read/cluster-view.ts';
import type { ClusterView } from '../../report/status/view.ts';
import { collectStatus } from '../status/collect.ts';
import type { ControllerFacts, MetalLbFacts, PoolFacts, TakeoverFacts } from './facts.ts';
import { nextStep } from './next-step.ts';
import type { DaemonSetFacts } from './node-affinity.ts';
import { formatTakeover } from './report.ts';

/** Version of the JSON of `bellman takeover status -o json`. The format only grows. */
const takeoverVersion = 1;

export interface TakeoverRequest {
  readonly source: StatusSource;
  readonly metalLbNamespace: string;
  readonly output: 'text' | 'json';
}

export interface TakeoverAnswer {
  readonly text: string;
  /** Whether the next command may be run, or nothing is left. */
  readonly mayGoOn: boolean;
}

/** Rejects when the API server cannot be reached, or when the user may not read the Pods, Deployments or DaemonSets of MetalLB. */
export async function takeoverStatus(request: TakeoverRequest): Promise<TakeoverAnswer> {
  const facts = await collectFacts(request);
  const step = nextStep(facts);
  const text =
    request.output === 'json'
      ? `${JSON.stringify({ version: takeoverVersion, step }, null, 2)}\n`
      : formatTakeover(facts, step);
  return { text, mayGoOn: step.kind === 'run' || step.kind === 'done' };
}

async function collectFacts({ source, metalLbNamespace }: TakeoverRequest): Promise<TakeoverFacts> {
  const client = await connect(source.kubeconfig, 'bellman-takeover');
  try {
    const [view, rawNodes, metalLb, speakerNodes] = await Promise.all([
      collectStatus(source),
      readList(client, paths.nodes),
      readMetalLb(client, metalLbNamespace),
      readSpeakerNodes(client, source.namespace),
    ]);
    const labels = new Map(rawNodes.map(decodeNode).map((node) => [node.name, node.labels]));
    return {
      namespace: source.namespace,
      metalLb: metalLb.facts,
      controller: controllerFacts(view),
      configProblem: configProblem(view),
      admittedPools: (view.configMap?.annotations[takeoverKey] ?? '')
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
      nodes: view.speakers.map(({ node, status }) => ({
        name: node,
        hasMetalLb: metalLb.nodes.has(node),
        isAdmitted: labels.get(node)?.[takeoverKey] === 'true',
        hasSpeaker: status.ok || speakerNodes.size === 0 || speakerNodes.has(node),
        speaker: status,
      })),
      pools: poolFacts(view),
    };
  } finally {
    client.close();
  }
}

/** The nodes with a speaker Pod. Empty when speakers do not run in Pods, or when the user may not list the Pods of Bellman. */
async function readSpeakerNodes(client: Api, namespace: string): Promise<ReadonlySet<string>> {
  const path = `${paths.pods(namespace)}?labelSelector=${encodeURIComponent(speakerPodSelector)}`;
  const pods = (await readOptionalList(client, path)) ?? [];
  return new Set(pods.flatMap((pod) => decodeSpeakerPod(pod).nodeName ?? []));
}

interface RawWorkload extends RawObject {
  readonly metadata: RawObject['metadata'] & { readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly nodeName?: string;
    readonly updateStrategy?: DaemonSetFacts['updateStrategy'];
    readonly template?: { readonly spec?: { readonly affinity?: DaemonSetFacts['affinity'] } };
  };
  readonly status?: { readonly phase?: string };
}

/** The component of MetalLB to which an object belongs. The labels of MetalLB's manifests differ from those of its Helm chart. */
function componentOf({ metadata: { labels = {} } }: RawWorkload): string | undefined {
  if (labels.app === 'metallb') return labels.component;
  if (labels['app.kubernetes.io/name'] === 'metallb') return labels['app.kubernetes.io/component'];
  return undefined;
}

/** Rejects when the user may not read one of the lists, because an empty list would mean that MetalLB is gone. */
async function readMetalLb(
  client: Api,
  namespace: string,
): Promise<{ readonly facts: MetalLbFacts; readonly nodes: ReadonlySet<string> }> {
  const apps = `/apis/apps/v1/namespaces/${namespace}`;
  const workloads = async (path: string) => (await readList(client, path)) as readonly RawWorkload[];
  const [allPods, deployments, daemonSets] = await Promise.all([
    workloads(paths.pods(namespace)),
    workloads(`${apps}/deployments`),
    workloads(`${apps}/daemonsets`),
  ]);
  // A Pod that its node has evicted stays as a Failed one.
  const pods = allPods.filter(({ status }) => status?.phase !== 'Failed' && status?.phase !== 'Succeeded');
  const speakers = pods.filter((pod) => componentOf(pod) === 'speaker');
  const daemonSet = daemonSets.find((each) => componentOf(each) === 'speaker');
  const deployment = deployments.find((each) => componentOf(each) === 'controller');
  return {
    nodes: new Set(speakers.flatMap(({ spec }) => spec?.nodeName ?? [])),
    facts: {
      namespace,
      controllers: pods.filter((pod) => componentOf(pod) === 'controller').length,
      deployment: deployment?.metadata.name ?? 'controller',
      daemonSet: daemonSet && {
        name: daemonSet.metadata.name,
        updateStrategy: daemonSet.spec?.updateStrategy,
        affinity: daemonSet.spec?.template?.spec?.affinity,
      },
    },
  };
}

function controllerFacts({ controller }: ClusterView): ControllerFacts | undefined {
  if (!controller?.leading || controller.waitingFor.length > 0) return undefined;
  return {
    adoptOnly: controller.adoptOnly,
    addresses: controller.services.reduce((sum, { addresses }) => sum + addresses.length, 0),
    conflicts: controller.services.flatMap(({ service, refusal }) =>
      refusal ? [`Service ${service}: ${refusal.message}`] : [],
    ),
  };
}

function configProblem({ namespace, configMap, acceptedCopy, controller }: ClusterView): string | undefined {
  if (!recallAcceptedConfig(configMap, acceptedCopy))
    return `ConfigMap ${namespace}/config has no accepted configuration: write the output of bellman convert into it`;
  const error = controller?.config?.error;
  return error === undefined ? undefined : `ConfigMap ${namespace}/config is rejected: ${error}`;
}

function poolFacts({ configMap, acceptedCopy, services }: ClusterView): PoolFacts[] {
  const config = recallAcceptedConfig(configMap, acceptedCopy)?.config;
  if (!config) return [];
  const index = poolIndexOf(config);
  const addresses = services.flatMap(({ namespace, name, annotations, ingress }) => {
    const isAdmitted = annotations[takeoverKey] === 'true';
    const record = parseAnnouncing({ annotations });
    return ingress.flatMap(({ ip }) => {
      const address = parseIp(ip);
      const pool = address && index.poolOf(address)?.name;
      const recordedNode = record.get(ip)?.node;
      return pool === undefined
        ? []
        : [{ pool, address: ip, namespace, service: name, isAdmitted, recordedNode }];
    });
  });
  return config.pools.map(({ name, protocols }) => ({
    name,
    protocols,
    addresses: addresses.filter(({ pool }) => pool === name),
  }));
}
