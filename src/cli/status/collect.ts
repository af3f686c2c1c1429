import { acceptedConfigMapName, configMapName } from '../../cluster/names.ts';
import { loadBalancerClassMatches } from '../../cluster/service-class.ts';
import type { RawObject } from '../../kubernetes/api.ts';
import { isNotFound } from '../../kubernetes/api-error.ts';
import { connect, type KubernetesClient } from '../../kubernetes/client.ts';
import { decodeConfigMap, decodeNode, decodeService } from '../../kubernetes/decode.ts';
import type { ConfigMap } from '../../kubernetes/model.ts';
import { paths } from '../../kubernetes/write.ts';
import { fetchText, requestViewerToken } from '../node-http.ts';
import type { ClusterView, SpeakerStatus } from './report.ts';

export interface StatusSource {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
  readonly loadBalancerClass?: string;
}

/** Reads what the API server and the reachable speakers report. Rejects when the API server cannot be reached. */
export async function collectStatus(source: StatusSource): Promise<ClusterView> {
  const { kubeconfig, namespace, speakerPort, loadBalancerClass } = source;
  const client = connect(kubeconfig, 'bellman-status');
  try {
    const [configMap, acceptedCopy, services, nodes, viewer] = await Promise.all([
      configMapOf(client, namespace, configMapName),
      configMapOf(client, namespace, acceptedConfigMapName),
      list(client, paths.services),
      list(client, paths.nodes),
      requestViewerToken(client, namespace),
    ]);
    const speakers = await Promise.all(
      nodes.map(decodeNode).map(async ({ name, internalIPs }) => ({
        node: name,
        status: await statusOf(internalIPs, speakerPort, viewer.token),
      })),
    );
    return {
      namespace,
      configMap,
      acceptedCopy,
      services: services
        .map(decodeService)
        .filter(
          (service) =>
            service.type === 'LoadBalancer' && loadBalancerClassMatches(service, loadBalancerClass),
        ),
      speakers,
      viewerProblem: viewer.problem,
    };
  } finally {
    client.close();
  }
}

async function configMapOf(
  client: KubernetesClient,
  namespace: string,
  name: string,
): Promise<ConfigMap | undefined> {
  try {
    const path = `${paths.configMaps(namespace)}/${name}`;
    return decodeConfigMap(await client.request<RawObject>({ method: 'GET', path }));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function list(client: KubernetesClient, path: string): Promise<RawObject[]> {
  return (await client.request<{ items: RawObject[] }>({ method: 'GET', path, timeoutMs: 60_000 })).items;
}

/** The first of the addresses that answers as a speaker does. */
async function statusOf(
  addresses: readonly string[],
  port: number,
  token: string | undefined,
): Promise<SpeakerStatus | undefined> {
  for (const address of addresses) {
    const body = await fetchText(address, port, '/status', token);
    const status = body === undefined ? undefined : parseJson(body);
    if (isSpeakerStatus(status)) return status;
  }
  return undefined;
}

/** Somebody else may listen on the port, or a speaker of another version. */
function isSpeakerStatus(status: unknown): status is SpeakerStatus {
  const has = (key: string) => typeof Reflect.get(Object(status), key) === 'object';
  return ['peers', 'announcing', 'inUse', 'advertised', 'members', 'notAnnounced'].every(has);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
