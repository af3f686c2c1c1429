/**
 * Collects the state of the cluster for the page, again and again while the process runs. It watches Services and nodes, because their lists are
 * long, and reads everything else for each collection.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../clock.ts';
import { isServed } from '../cluster/service-class.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import { decodeNode, decodeService } from '../kubernetes/decode.ts';
import type { Node, Service } from '../kubernetes/model.ts';
import { pause } from '../kubernetes/retry.ts';
import { watch } from '../kubernetes/watch.ts';
import { paths } from '../kubernetes/write.ts';
import type { Logger } from '../log.ts';
import { explain } from '../report/explain/explain.ts';
import { collectView, type StatusSource } from '../report/read/cluster-view.ts';
import { factsOf, readService } from '../report/read/explain-facts.ts';
import { ViewerTokenSource } from '../report/read/viewer-token.ts';
import type { ClusterView } from '../report/status/view.ts';
import { parseSubject, type Subject } from '../report/subject.ts';
import { reasonOf } from '../result.ts';
import type { ExplainAnswer, FromPage, Snapshot } from './messages.ts';
import { pageData } from './view-model.ts';

export interface CollectorOptions {
  readonly client: Api;
  readonly source: StatusSource;
  readonly release: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly publish: (message: FromPage) => void;
}

/**
 * `pauseMs` is the shortest pause between two collections. The pause after a long collection is longer, so that collections take at most the
 * share `partOfTime` of the time.
 */
const collecting = { pauseMs: 5000, partOfTime: 0.2 } as const;

const compress = promisify(gzip);

export class PageCollector {
  readonly #options: CollectorOptions;
  readonly #viewer: ViewerTokenSource;
  readonly #services = new Map<string, Service>();
  readonly #nodes = new Map<string, Node>();
  #view: ClusterView | undefined;
  /** Explanations of the present view, so that viewers share them. */
  readonly #explanations = new Map<string, ExplainAnswer>();

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#viewer = new ViewerTokenSource(options.client, options.source.namespace, options.clock);
  }

  /** Collects until the signal aborts. Never rejects. */
  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    const listed = Promise.all([
      this.#follow(paths.services, (raw) => this.#served(raw), this.#services),
      this.#follow(paths.nodes, decodeNode, this.#nodes),
    ]).then(() => true);
    const late = () => pause(clock, collecting.pauseMs, signal).then(() => false);
    while (!(await Promise.race([listed, late()])) && !signal.aborted) await this.#reportUnlisted();
    while (!signal.aborted) {
      const startedMs = clock.now();
      await this.#collect();
      const tookMs = clock.now() - startedMs;
      const pauseMs = Math.max(collecting.pauseMs, tookMs / collecting.partOfTime - tookMs);
      await pause(clock, pauseMs, signal);
    }
  }

  /** Explains a Service, `namespace/name`, from the last view. Never rejects. */
  async explain(service: string): Promise<ExplainAnswer> {
    const known = this.#explanations.get(service);
    if (known) return known;
    const view = this.#view;
    if (!view) return { problem: 'the state of the cluster is not known yet' };
    const answer = await this.#explain(service, view);
    if (this.#view === view && 'json' in answer) this.#explanations.set(service, answer);
    return answer;
  }

  async #explain(key: string, view: ClusterView): Promise<ExplainAnswer> {
    const { client, source } = this.#options;
    try {
      const subject = parseSubject(key, '');
      const service = this.#services.get(key) ?? (await this.#unserved(subject));
      const facts = await factsOf(client, {
        ...{ source, service, viewer: await this.#viewer.get(), nodes: [...this.#nodes.values()] },
        subject,
        cluster: { ...view, services: service ? [service] : [] },
      });
      return { json: JSON.stringify(explain(facts)) };
    } catch (error) {
      return { problem: reasonOf(error) };
    }
  }

  /** Reads a Service that Bellman does not serve. A viewer may still look at a Service that Bellman served before. */
  async #unserved(subject: Subject): Promise<Service | undefined> {
    if (subject.kind === 'address' || subject.namespace === '') return undefined;
    return readService(this.#options.client, subject);
  }

  /** Resolves when the first list is complete, or the signal aborts. */
  #follow<T>(
    path: string,
    decode: (raw: RawObject) => T | undefined,
    known: Map<string, T>,
  ): Promise<unknown> {
    const { client, clock, logger, signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const changed = (key: string, object: T | undefined) => {
      if (object === undefined) known.delete(key);
      else known.set(key, object);
    };
    const ended = watch({
      client,
      path,
      decode,
      handler: { changed, synced: resolve },
      clock,
      logger,
      signal,
    });
    return Promise.race([promise, ended]);
  }

  /** Decodes a Service; `undefined` when Bellman does not serve it. */
  #served(raw: RawObject): Service | undefined {
    const service = decodeService(raw);
    return isServed(service, this.#options.source.loadBalancerClass) ? service : undefined;
  }

  /** Publishes why there is no data, if Services or nodes cannot be listed. A watch only logs the failure, and tries again. */
  async #reportUnlisted(): Promise<void> {
    const { client, signal, publish } = this.#options;
    try {
      for (const path of [paths.services, paths.nodes])
        await client.request({ method: 'GET', path: `${path}?limit=1`, signal });
    } catch (error) {
      if (!signal.aborted) publish({ kind: 'failed', reason: reasonOf(error) });
    }
  }

  async #collect(): Promise<void> {
    const { client, source, release, publish } = this.#options;
    try {
      const view = await collectView(client, source, {
        services: [...this.#services.values()],
        nodes: [...this.#nodes.values()],
        viewer: await this.#viewer.get(),
      });
      this.#view = view;
      this.#explanations.clear();
      publish({ kind: 'data', ...(await this.#snapshot(JSON.stringify(pageData(view, release)))) });
    } catch (error) {
      publish({ kind: 'failed', reason: reasonOf(error) });
    }
  }

  async #snapshot(json: string): Promise<Snapshot> {
    return {
      tag: createHash('sha256').update(json).digest('base64url').slice(0, 22),
      gzip: (await compress(json)).toString('base64'),
      collectedAt: new Date(this.#options.clock.epochMs()).toISOString(),
    };
  }
}
