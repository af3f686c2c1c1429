import { MessageChannel } from 'node:worker_threads';
import type { Clock } from '../../clock.ts';
import { maintenanceAnnotation } from '../../cluster/names.ts';
import { decodeSpeakerStatus } from '../../cluster/status.ts';
import type { Api } from '../../kubernetes/api.ts';
import { ApiError } from '../../kubernetes/api-error.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeNode } from '../../kubernetes/decode.ts';
import type { Node } from '../../kubernetes/model.ts';
import { patchAnnotations, paths } from '../../kubernetes/write.ts';
import { queryDaemon } from '../../report/read/daemon-query.ts';
import { ViewerTokenSource } from '../../report/read/viewer-token.ts';
import { drainProgress } from './progress.ts';

export interface DrainOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly reason: string;
  /** Whether to wait until the node announces nothing. */
  readonly wait: boolean;
  /** Longest time to wait. */
  readonly timeoutSeconds: number;
  readonly speakerPort: number;
  readonly clock: Clock;
  readonly print: (line: string) => void;
}

/** Time between two queries of the speaker. */
const pollMs = 500;

/**
 * Makes the node leave. Resolves to false when the timeout passes before its speaker reports that the node announces nothing. Rejects when the Node
 * cannot be changed.
 */
export async function drainNode(name: string, options: DrainOptions): Promise<boolean> {
  const client = await connect(options.kubeconfig, 'bellman-drain');
  try {
    const node = await annotate(client, name, options.reason);
    options.print(`node ${name} leaves: ${options.reason}`);
    return options.wait ? await waitUntilDrained(client, node, options) : true;
  } finally {
    client.close();
  }
}

/** Removes the annotation. Rejects when the Node cannot be changed. */
export async function undrainNode(name: string, kubeconfig?: string): Promise<void> {
  const client = await connect(kubeconfig, 'bellman-undrain');
  try {
    await annotate(client, name, null);
  } finally {
    client.close();
  }
}

async function annotate(client: Api, name: string, value: string | null): Promise<Node> {
  try {
    const path = `${paths.nodes}/${encodeURIComponent(name)}`;
    return decodeNode(await patchAnnotations(client, path, { [maintenanceAnnotation]: value }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404)
      throw new Error(`node ${name} does not exist; kubectl get nodes lists the names`);
    throw error;
  }
}

async function waitUntilDrained(client: Api, node: Node, options: DrainOptions): Promise<boolean> {
  const viewer = new ViewerTokenSource(client, options.namespace, options.clock);
  // Timers of the clock do not keep the process alive, but an open port does.
  const { port1: alive } = new MessageChannel();
  alive.on('message', () => undefined);
  try {
    return await pollSpeaker(node, viewer, options);
  } finally {
    alive.close();
  }
}

async function pollSpeaker(
  { name, internalIPs }: Node,
  viewer: ViewerTokenSource,
  { timeoutSeconds, speakerPort: port, clock, print }: DrainOptions,
): Promise<boolean> {
  const endMs = clock.now() + timeoutSeconds * 1000;
  let shown = '';
  for (;;) {
    // A drain may last longer than a token is valid.
    const { token, problem } = await viewer.get();
    const status = await queryDaemon(internalIPs, { port, path: '/status', token }, decodeSpeakerStatus);
    const progress = status.ok
      ? drainProgress(status.value)
      : { isDone: false, text: notReached(name, status.error, problem) };
    if (progress.text !== shown) print(progress.text);
    shown = progress.text;
    if (progress.isDone) return true;
    if (clock.now() >= endMs) {
      print(`gave up after ${timeoutSeconds} s; the node still leaves until you run bellman undrain ${name}`);
      return false;
    }
    await new Promise<void>((resolve) => clock.after(pollMs, resolve));
  }
}

function notReached(name: string, reason: string, problem: string | undefined): string {
  const more = problem === undefined ? '' : `; ${problem}`;
  return `the speaker of node ${name} was not reached: ${reason}${more}`;
}
