/** The work of `bellman capture`: finds the nodes, asks their speakers, and joins their files. */
import { recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { capturerServiceAccount } from '../../cluster/viewer.ts';
import type { Api } from '../../kubernetes/api.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeNode, decodeService } from '../../kubernetes/decode.ts';
import { type Node, objectKey } from '../../kubernetes/model.ts';
import { paths } from '../../kubernetes/write.ts';
import { readList } from '../../report/read/api-read.ts';
import { collectView, type StatusSource } from '../../report/read/cluster-view.ts';
import { daemonUrl, httpGetOctets } from '../../report/read/http-get.ts';
import { requestDaemonToken, requestViewerToken } from '../../report/read/viewer-token.ts';
import { parseSubject } from '../../report/subject.ts';
import { fail, type Result } from '../../result.ts';
import {
  type CapturePlan,
  leftOutTexts,
  type NodeCapture,
  peersNamed,
  planAddresses,
  planPeers,
} from './plan.ts';

export interface CaptureSource extends StatusSource {
  readonly serviceNamespace: string;
  /** Captures only on this node. */
  readonly node?: string;
  readonly seconds: number;
  readonly frames: number;
}

export interface CaptureAnswer {
  /** The pcapng files of all speakers, one after another, which pcapng allows. `undefined` when no node captured. */
  readonly file: Buffer | undefined;
  /** Sentences for people. They say what each node captured, and what was not captured. */
  readonly notes: readonly string[];
  readonly isComplete: boolean;
}

/** The time that a speaker gets to answer, in addition to the capture itself. */
const extraMs = 5000;

/**
 * Rejects when the API server cannot be reached, when the subject does not exist or has no address, or when there is no node to ask. A node that
 * does not capture causes no rejection: a note says so, and the answer is not complete. Without `source.node`, the answer is also not complete when
 * no speaker that was reached announces the address, and at least one speaker was not reached.
 */
export async function runCapture(subject: string, source: CaptureSource): Promise<CaptureAnswer> {
  const client = await connect(source.kubeconfig, 'bellman-capture');
  try {
    const [rawServices, rawNodes, viewer, capturer] = await Promise.all([
      readList(client, paths.services),
      readList(client, paths.nodes),
      requestViewerToken(client, source.namespace),
      requestDaemonToken(client, source.namespace, capturerServiceAccount),
    ]);
    const nodes = rawNodes.map(decodeNode);
    const services = rawServices.map(decodeService);
    const plan = await planOf(client, subject, source, { services, nodes, viewer });
    if (!plan.ok) throw new Error([plan.error, ...(viewer.problem ? [viewer.problem] : [])].join('; '));
    const results = await Promise.all(
      plan.value.captures.map(async (capture) => ({
        capture,
        answer: await captureOn(capture, nodes, source, capturer.token),
      })),
    );
    const { unreached, mayLackAnnouncer } = plan.value;
    return {
      file: results.some(({ answer }) => answer.ok)
        ? Buffer.concat(results.flatMap(({ answer }) => (answer.ok ? [answer.value] : [])))
        : undefined,
      notes: [
        ...results.map(({ capture, answer }) =>
          answer.ok
            ? `node ${capture.node}: captured ${[...capture.addresses, ...capture.peers.map((peer) => `peer ${peer}`)].join(', ')}`
            : `node ${capture.node}: not captured: ${answer.error}`,
        ),
        ...leftOutTexts(plan.value),
        ...(viewer.problem !== undefined && unreached.length > 0 ? [viewer.problem] : []),
        ...(capturer.problem !== undefined && results.some(({ answer }) => !answer.ok)
          ? [capturer.problem]
          : []),
      ],
      isComplete: !mayLackAnnouncer && results.every(({ answer }) => answer.ok),
    };
  } finally {
    client.close();
  }
}

async function planOf(
  client: Api,
  text: string,
  source: CaptureSource,
  before: Parameters<typeof collectView>[2],
): Promise<Result<CapturePlan, string>> {
  const view = await collectView(client, source, { ...before, services: [] });
  const config = recallAcceptedConfig(view.configMap, view.acceptedCopy)?.config;
  const peers = peersNamed(text, config);
  if (peers.length > 0) return planPeers(peers, view.speakers, source.node);
  const subject = parseSubject(text, source.serviceNamespace);
  if (subject.kind === 'address') return planAddresses([subject.address], view.speakers, source.node);
  const key = objectKey(subject);
  const service = before.services.find((each) => objectKey(each) === key);
  if (!service) return fail(`there is no peer ${text} and no Service ${key}`);
  const addresses = service.ingress.map(({ ip }) => ip);
  if (addresses.length === 0) return fail(`Service ${key} has no address; bellman explain says why`);
  return planAddresses(addresses, view.speakers, source.node);
}

async function captureOn(
  { node, addresses, peers }: NodeCapture,
  nodes: readonly Node[],
  { speakerPort, seconds, frames }: CaptureSource,
  token: string | undefined,
): Promise<Result<Buffer, string>> {
  const query = new URLSearchParams({ seconds: `${seconds}`, frames: `${frames}` });
  for (const address of addresses) query.append('address', address);
  for (const peer of peers) query.append('peer', peer);
  let fault = 'it has no address';
  for (const ip of nodes.find(({ name }) => name === node)?.internalIPs ?? []) {
    const url = daemonUrl(ip, speakerPort, `/capture?${query}`);
    const answer = await httpGetOctets(url, token, seconds * 1000 + extraMs);
    if (answer.ok) return answer;
    fault = answer.error.reason;
    if (answer.error.hasAnswered) break;
  }
  return fail(fault);
}
