/**
 * `bellman status`: what the cluster says of Bellman (configuration, addresses, announcers) and what the daemons say of themselves
 * where their HTTP endpoints can be reached (pools, sessions, members).
 */
import { get } from 'node:http';
import { isIPv6 } from 'node:net';
import { connect, type KubernetesClient } from '../kubernetes/client.ts';
import { decodeConfigMap, decodeNode, decodeService } from '../kubernetes/decode.ts';
import { objectKey, type Service } from '../kubernetes/model.ts';
import { annotations, configMapName } from '../kubernetes/names.ts';
import type { RawObject } from '../kubernetes/watch.ts';
import { isNotFound, paths } from '../kubernetes/write.ts';
import { parseAnnouncing } from '../speaker/announcing.ts';
import { formatTable } from './table.ts';

export interface StatusFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
}

interface SpeakerStatus {
  readonly peers: readonly {
    readonly name: string;
    readonly state: string;
    readonly since: string;
    readonly routesSent: number;
    readonly lastError?: string;
  }[];
  readonly members: readonly { readonly node: string; readonly state: string }[];
}

const reachMs = 1500;

/** Prints the state and returns the exit code: 1 when the configuration is stale or an address is missing. */
export async function printStatus(flags: StatusFlags): Promise<0 | 1> {
  const client = connect(flags.kubeconfig, 'bellman-status');
  try {
    const [configuration, services, nodes] = await Promise.all([
      configurationOf(client, flags.namespace),
      list(client, paths.services).then((items) =>
        items.map(decodeService).filter(({ type }) => type === 'LoadBalancer'),
      ),
      list(client, paths.nodes).then((items) => items.map(decodeNode)),
    ]);
    const print = (text: string) => process.stdout.write(`${text}\n`);
    print(`configuration: ${configuration}\n`);
    print(formatTable(['service', 'address', 'pool', 'answered by'], services.flatMap(addressRows)));
    const speakers = await Promise.all(
      nodes.map(async (node) => ({ node, status: await statusOf(node.internalIPs, flags.speakerPort) })),
    );
    print('');
    print(
      formatTable(
        ['node', 'peer', 'state', 'since', 'routes', 'last error'],
        speakers.flatMap(({ node, status }) => sessionRows(node.name, status)),
      ),
    );
    print('');
    print(
      formatTable(
        ['node', 'sees as members'],
        speakers.flatMap(({ node, status }) =>
          status
            ? [[node.name, status.members.map((member) => `${member.node} ${member.state}`).join(', ')]]
            : [],
        ),
      ),
    );
    const missing = services.some(({ ingress }) => ingress.length === 0);
    return missing || !configuration.startsWith('active') ? 1 : 0;
  } finally {
    client.close();
  }
}

async function configurationOf(client: KubernetesClient, namespace: string): Promise<string> {
  try {
    const raw = await client.request<RawObject>({
      method: 'GET',
      path: `${paths.configMaps(namespace)}/${configMapName}`,
    });
    const { annotations: of } = decodeConfigMap(raw);
    const state = of[annotations.configStatus] ?? 'not judged yet';
    const accepted =
      of[annotations.acceptedHash] === undefined
        ? ''
        : ` (accepted ${of[annotations.acceptedHash]} at ${of[annotations.acceptedAt]})`;
    const error = of[annotations.configError];
    return `${state}${accepted}${error === undefined ? '' : `\n  ${error}`}`;
  } catch (error) {
    if (isNotFound(error)) return `ConfigMap ${namespace}/${configMapName} does not exist`;
    throw error;
  }
}

async function list(client: KubernetesClient, path: string): Promise<RawObject[]> {
  return (await client.request<{ items: RawObject[] }>({ method: 'GET', path, timeoutMs: 60_000 })).items;
}

function addressRows(service: Service): string[][] {
  const announcers = parseAnnouncing(service);
  if (service.ingress.length === 0) return [[objectKey(service), '<pending>', '', '']];
  return service.ingress.map(({ ip }) => {
    const announcer = announcers.get(ip);
    return [
      objectKey(service),
      ip,
      service.annotations[annotations.pool] ?? '',
      announcer ? `${announcer.node} on ${announcer.interfaces.join(', ')}` : '',
    ];
  });
}

function sessionRows(node: string, status: SpeakerStatus | undefined): string[][] {
  if (!status) return [[node, '', 'speaker not reached', '', '', '']];
  return status.peers.map(({ name, state, since, routesSent, lastError }) => [
    node,
    name,
    state,
    since,
    String(routesSent),
    lastError ?? '',
  ]);
}

/** The first of the addresses that answers. */
async function statusOf(addresses: readonly string[], port: number): Promise<SpeakerStatus | undefined> {
  for (const address of addresses) {
    const status = await fetchJson(`http://${isIPv6(address) ? `[${address}]` : address}:${port}/status`);
    if (status !== undefined) return status as SpeakerStatus;
  }
  return undefined;
}

function fetchJson(url: string): Promise<unknown> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: reachMs }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => {
        try {
          resolve(JSON.parse(body));
        } catch {
          resolve(undefined);
        }
      });
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
