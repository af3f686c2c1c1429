/**
 * Serves the page: files, the data that the browser draws, and explanations of Services.
 *
 *   browser ──GET data──→ PageService ←──data, every few seconds── child (`process.ts`) ←── API server, all daemons
 *
 * All viewers share one child and its last data. If a browser already has this data, its request costs only a comparison of tags. Otherwise, the
 * reply holds the data. The child starts with the first request for data. It stops when no request for data has come for a while.
 */
import { ChildProcess } from '../child-process/child-process.ts';
import { childProgram } from '../child-process/program.ts';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { PageRequest } from '../telemetry/http-server.ts';
import { assetNamed } from './assets.ts';
import type { ExplainAnswer, FromPage, PageProcessOptions, ToPage } from './messages.ts';
import { dataReply, type KeptSnapshot, type PageReply, problemReply, reply } from './replies.ts';

export interface PageServiceOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once, before the child starts for the first time. */
  readonly processOptions: () => PageProcessOptions;
  /** Why this process has no data, for instance because another replica leads; `undefined` when it has data. */
  readonly unavailable: () => string | undefined;
}

const program = childProgram(import.meta.url, { source: './process.ts', bundle: './page-process.js' });
/** The child stops this long after the last request for data. A visible page asks every five seconds, and a hidden one does not ask. */
const idleMs = 30_000;
const stopMs = 3000;
/** Limits the memory of the child, in MiB. Without the limit, a child that grows would make the kernel kill the whole container. */
const childNodeFlags = ['--max-old-space-size=256'] as const;

export class PageService {
  readonly #options: PageServiceOptions;
  #child: ChildProcess<ToPage, FromPage> | undefined;
  #snapshot: KeptSnapshot | undefined;
  /** Why the data is not renewed. */
  #failure: string | undefined;
  #idle: Timer | undefined;

  constructor(options: PageServiceOptions) {
    this.#options = options;
  }

  async reply(request: PageRequest): Promise<PageReply> {
    switch (request.path) {
      case 'data':
        return this.#data(request);
      case 'explain':
        return this.#explain(request.query.get('service') ?? '');
      default:
        return fileReply(request.path === '' ? 'index.html' : request.path);
    }
  }

  /** Resolves when the child is gone. */
  async stop(): Promise<void> {
    this.#idle?.cancel();
    this.#snapshot = undefined;
    this.#failure = undefined;
    await this.#child?.stop();
  }

  async #data(request: PageRequest): Promise<PageReply> {
    const refusal = this.#refusal();
    if (refusal) return refusal;
    this.#keepRunning();
    return dataReply(this.#snapshot, this.#failure, request);
  }

  async #explain(service: string): Promise<PageReply> {
    const refusal = this.#refusal();
    if (refusal) return refusal;
    if (!this.#snapshot || !this.#child)
      return problemReply(503, 'the state of the cluster is not known yet');
    try {
      const answer = await this.#child.ask<ExplainAnswer>((id) => ({ kind: 'explain', id, service }));
      return 'json' in answer
        ? reply(200, { 'content-type': 'application/json' }, answer.json)
        : problemReply(503, answer.problem);
    } catch (error) {
      return problemReply(503, reasonOf(error));
    }
  }

  #refusal(): PageReply | undefined {
    const reason = this.#options.unavailable();
    return reason === undefined ? undefined : problemReply(503, reason);
  }

  #keepRunning(): void {
    const { clock } = this.#options;
    this.#idle?.cancel();
    this.#idle = clock.after(idleMs, () => void this.stop());
    this.#child ??= this.#createChild();
    this.#child.start();
  }

  #createChild(): ChildProcess<ToPage, FromPage> {
    const { logger, clock, processOptions } = this.#options;
    return new ChildProcess<ToPage, FromPage>({
      ...{ name: 'page process', program, logger, clock, stopMs },
      arguments: [JSON.stringify(processOptions())],
      nodeFlags: childNodeFlags,
      onStarted: () => {},
      onMessage: (message) => this.#receive(message),
      onEnded: () => {
        if (this.#child?.isWanted)
          this.#failure = 'the process that reads the cluster has ended, and is started again';
      },
      stopMessage: { kind: 'stop' },
    });
  }

  #receive(message: FromPage): void {
    switch (message.kind) {
      case 'data': {
        const { tag, gzip, collectedAt } = message;
        this.#snapshot = { tag, collectedAt, octets: Buffer.from(gzip, 'base64') };
        this.#failure = undefined;
        return;
      }
      case 'failed':
        this.#failure = message.reason;
        return;
      case 'explanation':
        this.#child?.answered(message.id, message.answer);
    }
  }
}

async function fileReply(name: string): Promise<PageReply> {
  const asset = await assetNamed(name);
  return asset
    ? reply(200, { 'content-type': asset.type }, asset.body)
    : problemReply(404, 'the page has no such file');
}
