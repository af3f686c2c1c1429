/**
 * Reports to the controller which nodes this speaker finds dead, while the configuration has `dead-nodes`. The report is a Lease in Bellman's
 * namespace (`cluster/death-report.ts`). `NodeDeaths` decides which nodes the report names, and when it is written.
 */
import type { Clock, Timer } from '../../clock.ts';
import { deathReportBody, deathReportName } from '../../cluster/death-report.ts';
import type { Config } from '../../config/index.ts';
import type { Api } from '../../kubernetes/api.ts';
import { ApiError, isNotFound } from '../../kubernetes/api-error.ts';
import type { Node } from '../../kubernetes/model.ts';
import { type Refusal, refused } from '../../kubernetes/retry.ts';
import { WorkQueue } from '../../kubernetes/work-queue.ts';
import { paths } from '../../kubernetes/write.ts';
import type { KnownSpeakers, MemberStatus } from '../../layer2/messages.ts';
import type { Logger } from '../../log.ts';
import type { FlightRecorder } from '../../telemetry/flight-recorder.ts';
import { NodeDeaths, type ProbeAnswer, type Question } from './node-deaths.ts';

export interface DeathReporterOptions {
  readonly client: Api;
  readonly namespace: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: FlightRecorder;
  /** The Node of this speaker. */
  readonly node: () => Pick<Node, 'name' | 'uid'> | undefined;
  /** The port of the membership. */
  readonly port: number;
  readonly ask: (addresses: readonly string[], port: number, clock: Clock) => Promise<ProbeAnswer>;
}

/** Limit for one write. When the API server does not answer in this time, the report is written again over another connection. */
const writeTimeoutMs = 2000;
/**
 * Shortest pause before the next step. While this speaker's Node is not known, no report can be written, so a report stays due. Without this
 * limit, the steps would then follow each other without a pause.
 */
const minStepMs = 20;

export class DeathReporter {
  readonly #options: DeathReporterOptions;
  #deaths = new NodeDeaths();
  #members: readonly MemberStatus[] | undefined;
  readonly #queue: WorkQueue;
  readonly #addresses = new Map<string, readonly string[]>();
  #isUsed = false;
  /** The UID of the Node at the last report. */
  #reportedUid = '';
  /** The names that were logged last. */
  #logged = '';
  #timer: Timer | undefined;
  #refusal: Refusal | undefined;

  constructor(options: DeathReporterOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: 1,
      maxRetryMs: 5000,
      reachability: options.client.reachability,
      work: () => this.#write(),
      onError: (_, error) => this.#failed(error),
    });
  }

  /** The nodes that this speaker finds dead. */
  get dead(): readonly string[] {
    return this.#isUsed ? this.#deaths.dead : [];
  }

  /** Sentences that say why reports are not written, or why this speaker would not notice the death of some nodes. */
  troubles(): string[] {
    if (!this.#isUsed) return [];
    const refusal = this.#refusal?.logged;
    const { unproven } = this.#deaths;
    return [
      ...(refusal === undefined
        ? []
        : [`dead nodes: the API server does not take this speaker's death report: ${refusal}`]),
      ...(unproven.length === 0
        ? []
        : [
            `dead nodes: TCP connections to port ${this.#options.port} of ${unproven.join(', ')} are neither refused nor accepted, so this speaker could not report a death there`,
          ]),
    ];
  }

  setConfig({ deadNodes }: Pick<Config, 'deadNodes'>): void {
    const isUsed = deadNodes !== undefined;
    if (isUsed === this.#isUsed) return;
    this.#isUsed = isUsed;
    this.#timer?.cancel();
    this.#refusal = undefined;
    this.#deaths = new NodeDeaths();
    this.#logged = '';
    if (isUsed) this.setMembers(this.#members);
  }

  /** Sets the speakers that Kubernetes knows, with the addresses of their Pods and nodes. */
  setSpeakers({ known }: KnownSpeakers): void {
    this.#addresses.clear();
    for (const { node, addresses } of known) this.#addresses.set(node, addresses);
    // The first report waits for the UID of this node, which may be known now.
    this.#step();
  }

  setMembers(members: readonly MemberStatus[] | undefined): void {
    this.#members = members;
    if (!this.#isUsed) return;
    this.#deaths.setMembers(members, this.#options.clock.now());
    this.#step();
  }

  async stop(): Promise<void> {
    this.#isUsed = false;
    this.#timer?.cancel();
    this.#queue.stop();
    await this.#queue.settled();
  }

  #step(): void {
    if (!this.#isUsed) return;
    const { clock } = this.#options;
    for (const question of this.#deaths.due(clock.now())) void this.#ask(question);
    this.#reportIfDue();
    this.#timer?.cancel();
    const atMs = this.#deaths.wakeAtMs();
    this.#timer =
      atMs === Number.POSITIVE_INFINITY
        ? undefined
        : clock.after(Math.max(minStepMs, atMs - clock.now()), () => this.#step());
  }

  async #ask(question: Question): Promise<void> {
    const { ask, port, clock } = this.#options;
    const deaths = this.#deaths;
    const answer = await ask(this.#addresses.get(question.node) ?? [], port, clock);
    if (deaths !== this.#deaths) return;
    deaths.answered(question, answer, clock.now());
    this.#step();
  }

  #reportIfDue(): void {
    const { node, clock, logger, recorder } = this.#options;
    const own = node();
    if (own === undefined) return;
    // The garbage collector of Kubernetes deletes the report together with its Node, so a new Node needs a new report.
    const isNewNode = own.uid !== this.#reportedUid;
    this.#reportedUid = own.uid;
    const dead = this.#deaths.takeReport(clock.now());
    if (dead || isNewNode) this.#queue.add('report');
    if (!dead) return;
    const nodes = dead.join();
    recorder.record('dead-nodes', nodes, { kind: 'report', nodes }, []);
    if (nodes !== this.#logged) {
      if (nodes === '') logger.warn('no node is dead any more');
      else logger.warn({ nodes }, 'nodes are dead');
    }
    this.#logged = nodes;
  }

  async #write(): Promise<void> {
    const { client, namespace, clock } = this.#options;
    const node = this.#options.node();
    if (!node || !this.#isUsed) return;
    const body = deathReportBody(node, this.#deaths.dead, clock.epochMs());
    const collection = paths.leases(namespace);
    const path = `${collection}/${deathReportName(node.name)}`;
    const contentType = 'application/merge-patch+json';
    try {
      await client.request({ method: 'PATCH', path, contentType, body, timeoutMs: writeTimeoutMs });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.request({ method: 'POST', path: collection, body, timeoutMs: writeTimeoutMs });
    }
    this.#refusal = undefined;
  }

  #failed(error: unknown): void {
    const { clock, logger } = this.#options;
    if (error instanceof ApiError && error.status === 0) return;
    const { refusal, isWorthLogging } = refused(this.#refusal, String(error), clock.now());
    this.#refusal = refusal;
    if (isWorthLogging) logger.warn({ reason: refusal.logged }, 'death report not written, retrying');
  }
}
