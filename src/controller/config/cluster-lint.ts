/**
 * Judges the configuration in force against the cluster: a few seconds after it comes into force, and then every ten minutes, because nodes
 * and Services change too. The judge is `src/lint/`; the warnings become an annotation of the ConfigMap.
 *
 * Nodes are listed and not watched. The kubelet of each node writes its Node every few minutes, so a watch would receive more than an
 * occasional list does. A watch would also keep all nodes in memory.
 */
import type { Clock, Timer } from '../../clock.ts';
import type { Config, Labels } from '../../config/index.ts';
import type { Api, RawObject } from '../../kubernetes/api.ts';
import { ApiError } from '../../kubernetes/api-error.ts';
import { listPages } from '../../kubernetes/list.ts';
import { readRawObject } from '../../kubernetes/watch-event.ts';
import { paths } from '../../kubernetes/write.ts';
import { formatLintWarning, type LintWarning, lintSteps } from '../../lint/cluster.ts';
import { type LintedNode, type LintedServiceCIDR, lintedNode, lintedServiceCIDRs } from '../../lint/facts.ts';
import type { Logger } from '../../log.ts';
import { printable } from '../../printable.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { Turns } from '../../turns.ts';

export interface ClusterLintOptions {
  readonly client: Api;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly guard: Guard;
  readonly logger: Logger;
  /** Ends all work. */
  readonly signal: AbortSignal;
  /** The labels of each Service of type LoadBalancer. */
  readonly loadBalancers: () => Iterable<Labels>;
  readonly namespaces: ReadonlyMap<string, Labels>;
  /** Receives the warnings after each judgement, as {@link clusterWarningText} writes them. */
  readonly onWarnings: (text: string | null) => void;
}

/** Delay after a new configuration, so that an edit and its correction cost one judgement. */
const firstDelayMs = 5000;
/** Pause between two judgements of one configuration. */
const periodMs = 600_000;
/** Pause after a judgement that failed. While the controller lacks a permission, it sends one request a minute. */
const retryMs = 60_000;
/** A Node may have tens of KiB, and the parser cannot be interrupted. */
const pageSize = 100;
const listTimeoutMs = 60_000;
const maxPages = 10_000;

const maxWarnings = 20;
const maxTextCharacters = 4000;

export class ClusterLint {
  readonly #options: ClusterLintOptions;
  #config: Config | undefined;
  #timer: Timer | undefined;
  #judging: Promise<void> | undefined;
  /** The last logged reason why the configuration could not be judged. */
  #fault: string | undefined;

  constructor(options: ClusterLintOptions) {
    this.#options = options;
  }

  /** Judges a configuration that has come into force. */
  setConfig(config: Config): void {
    this.#config = config;
    this.#schedule(firstDelayMs);
  }

  /** Resolves when the work under way is done. Abort the signal before this call. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#judging;
  }

  #schedule(delayMs: number): void {
    const { clock, signal } = this.#options;
    this.#timer?.cancel();
    if (signal.aborted) return;
    this.#timer = clock.after(delayMs, () => {
      // If a judgement of an earlier configuration is still under way, it schedules the next judgement when it ends.
      this.#judging ??= this.#judge().finally(() => {
        this.#judging = undefined;
      });
    });
  }

  async #judge(): Promise<void> {
    const { guard, logger, signal } = this.#options;
    const config = this.#config;
    if (!config) return;
    let pauseMs = retryMs;
    try {
      const warnings = await this.#warningsOf(config);
      this.#fault = undefined;
      pauseMs = periodMs;
      if (config === this.#config && !signal.aborted) this.#options.onWarnings(clusterWarningText(warnings));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) guard.failed({ entrance: 'watch', source: paths.nodes }, error);
      else if (error.status !== 0 && error.message !== this.#fault) {
        this.#fault = error.message;
        logger.warn({ reason: error.message }, 'configuration not judged against the cluster, retrying');
      }
    } finally {
      this.#schedule(config === this.#config ? pauseMs : firstDelayMs);
    }
  }

  async #warningsOf(config: Config): Promise<LintWarning[]> {
    const { turns, loadBalancers, namespaces, signal } = this.#options;
    const steps = lintSteps(config, {
      nodes: await this.#nodes(),
      serviceCIDRs: await this.#serviceCIDRs(),
      loadBalancers: [...loadBalancers()],
      namespaces,
      // The controller keeps no ClusterIPs in memory, and only the speakers know the links of their nodes.
      clusterIPs: [],
      links: undefined,
    });
    const found: LintWarning[] = [];
    for (const step of steps) {
      found.push(...step);
      while (!turns.hasTime && !signal.aborted) await turns.next();
      if (signal.aborted) break;
    }
    return found;
  }

  async #nodes(): Promise<LintedNode[]> {
    const found: LintedNode[] = [];
    await this.#list(paths.nodes, (raw) => found.push(lintedNode(raw)));
    return found;
  }

  /** Empty when the API server does not know this kind of object, or the account may not list such objects. */
  async #serviceCIDRs(): Promise<LintedServiceCIDR[]> {
    const found: LintedServiceCIDR[] = [];
    try {
      await this.#list(paths.serviceCIDRs, (raw) => found.push(...lintedServiceCIDRs(raw)));
    } catch (error) {
      if (!(error instanceof ApiError && (error.status === 403 || error.status === 404))) throw error;
    }
    return found;
  }

  /** Calls `handle` with each object of a collection. A malformed object is left out. */
  async #list(collection: string, handle: (raw: RawObject) => void): Promise<void> {
    const { client, guard, turns, signal } = this.#options;
    const options = { pageSize, maxPages, timeoutMs: listTimeoutMs, signal };
    for await (const { items } of listPages(client, collection, options)) {
      for (const item of items)
        guard.run({ entrance: 'watch', source: collection }, () => handle(readRawObject(item)));
      if (!turns.hasTime) await turns.next();
    }
  }
}

/** The warnings in lines of bounded length, for the annotation; `null` when there are none. */
export function clusterWarningText(warnings: readonly LintWarning[]): string | null {
  const lines: string[] = [];
  let characters = 0;
  for (const warning of warnings) {
    const line = printable(formatLintWarning(warning), maxTextCharacters / 4);
    if (lines.length === maxWarnings || characters + line.length > maxTextCharacters) break;
    lines.push(line);
    characters += line.length;
  }
  const hidden = warnings.length - lines.length;
  if (hidden > 0) lines.push(`and ${hidden} more`);
  return lines.length === 0 ? null : lines.join('\n');
}
