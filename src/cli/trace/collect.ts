import { formatIp, parseIp } from '../../address/index.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeNode } from '../../kubernetes/decode.ts';
import type { Node } from '../../kubernetes/model.ts';
import { paths } from '../../kubernetes/write.ts';
import { readObject } from '../../report/read/api-read.ts';
import { queryDaemon } from '../../report/read/daemon-query.ts';
import { requestViewerToken, type ViewerToken } from '../../report/read/viewer-token.ts';
import type { TracedEvent } from '../../report/traced-event.ts';
import type { Result } from '../../result.ts';
import { decodeEvents } from '../../telemetry/event-codec.ts';

export interface TraceSource {
  readonly kubeconfig?: string;
  readonly namespace: string;
  /** Asks only the speaker of this node. When absent, asks the speakers of all nodes. */
  readonly node?: string;
  readonly speakerPort: number;
}

export interface Trace {
  /** Oldest first. */
  readonly events: readonly TracedEvent[];
  /**
   * One sentence for each speaker that was not reached. If there is such a speaker and no token was granted, the last sentence says why no
   * token was granted.
   */
  readonly faults: readonly string[];
}

/** Reads the recorded events about a subject from the speakers. Rejects when the API server cannot be reached, or has no Node `source.node`. */
export async function collectTrace(subject: string, source: TraceSource): Promise<Trace> {
  const { nodes, viewer } = await askCluster(source);
  const query = {
    port: source.speakerPort,
    path: `/debug/events?${queryOf(subject)}`,
    token: viewer.token,
  };
  const answers = await Promise.all(
    nodes.map(async ({ name, internalIPs }) => ({
      node: name,
      answer: await queryDaemon(internalIPs, query, decodeEvents),
    })),
  );
  return {
    events: answers
      .flatMap(({ node, answer }) => (answer.ok ? answer.value.map((event) => ({ node, ...event })) : []))
      .sort((a, b) => a.at - b.at),
    faults: faultsOf(answers, viewer),
  };
}

function faultsOf(
  answers: readonly { readonly node: string; readonly answer: Result<unknown, string> }[],
  { problem }: ViewerToken,
): string[] {
  const faults = answers.flatMap(({ node, answer }) =>
    answer.ok ? [] : [`the speaker of node ${node} was not reached: ${answer.error}`],
  );
  return faults.length > 0 && problem !== undefined ? [...faults, problem] : faults;
}

async function askCluster({ kubeconfig, namespace, node }: TraceSource) {
  const client = await connect(kubeconfig, 'bellman-trace');
  try {
    const [nodes, viewer] = await Promise.all([
      node === undefined ? allNodes(client) : oneNode(client, node),
      requestViewerToken(client, namespace),
    ]);
    return { nodes, viewer };
  } finally {
    client.close();
  }
}

async function allNodes(client: Api): Promise<Node[]> {
  const list = await readObject<{ readonly items: readonly RawObject[] }>(client, paths.nodes);
  return (list?.items ?? []).map(decodeNode);
}

async function oneNode(client: Api, name: string): Promise<Node[]> {
  const raw = await readObject<RawObject>(client, `${paths.nodes}/${encodeURIComponent(name)}`);
  if (!raw) throw new Error(`node ${name} does not exist`);
  return [decodeNode(raw)];
}

/** The query of `/debug/events` that selects the subject. */
export function queryOf(subject: string): string {
  const address = parseIp(subject);
  if (address) return new URLSearchParams({ address: formatIp(address) }).toString();
  if (subject === 'membership') return new URLSearchParams({ machine: subject }).toString();
  return new URLSearchParams([
    ['machine', `peer ${subject}`],
    ['machine', `bfd ${subject}`],
  ]).toString();
}
