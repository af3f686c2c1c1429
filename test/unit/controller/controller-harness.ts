import { Registry } from 'prom-client';
import { LeaderTerm } from '../../../src/controller/leader-term.ts';
import { ControllerMetrics } from '../../../src/controller/metrics.ts';
import { EventRecorder } from '../../../src/kubernetes/event-recorder.ts';
import { pause } from '../../../src/kubernetes/retry.ts';
import { createDiagnostics } from '../../../src/telemetry/diagnostics.ts';
import type { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { Turns } from '../../../src/turns.ts';
import { MemoryApi, type StoredObject } from '../../support/memory-api.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass } from '../../support/virtual-run.ts';

export const namespace = 'bellman-system';
export const configPath = `/api/v1/namespaces/${namespace}/configmaps/config`;
export const copyPath = `/api/v1/namespaces/${namespace}/configmaps/bellman-accepted-config`;

/** A layer-2 pool, as an item of the list `address-pools`. `more` holds further keys. */
export function pool(name: string, addresses: string, more = ''): string {
  return `- {name: ${name}, protocol: layer2, addresses: [${addresses}]${more && `, ${more}`}}`;
}

export function config(...pools: string[]): string {
  return `address-pools:\n${pools.join('\n')}\n`;
}

interface RawStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string; readonly ipMode?: string }[] };
}

/** A leader's term that runs in virtual time against an API server in memory. Its methods edit objects as users do. */
export class ControllerHarness {
  readonly clock = new VirtualClock();
  readonly api: MemoryApi;
  readonly registry = new Registry();
  readonly #metrics = new ControllerMetrics(this.registry);
  readonly #log = memoryLogger();
  readonly #diagnostics = createDiagnostics({
    clock: this.clock,
    logger: this.#log.logger,
    registry: this.registry,
  });
  readonly #never = new AbortController();
  #age = 0;
  #term: { readonly term: LeaderTerm; readonly stop: () => Promise<void> } | undefined;

  constructor() {
    this.api = new MemoryApi(this.clock, this.#log.logger);
    this.api.put('/api/v1/namespaces/default', { metadata: { name: 'default' } });
  }

  get recorder(): FlightRecorder {
    return this.#diagnostics.recorder;
  }

  async start(loadBalancerClass?: string, { adoptOnly = false } = {}): Promise<void> {
    const stop = new AbortController();
    const { logger } = this.#log;
    const events = new EventRecorder({
      client: this.api,
      component: 'bellman-controller',
      host: 'test',
      logger,
      clock: this.clock,
    });
    const term = new LeaderTerm({
      client: this.api,
      namespace,
      loadBalancerClass,
      showsConditions: false,
      adoptOnly,
      events,
      metrics: this.#metrics,
      logger,
      clock: this.clock,
      turns: new Turns(this.clock),
      ...this.#diagnostics,
      signal: stop.signal,
    });
    const done = term.serve();
    this.#term = {
      term,
      stop: () => {
        stop.abort();
        return done;
      },
    };
    await this.pass();
  }

  async stop(): Promise<void> {
    await this.#term?.stop();
  }

  /** Lets virtual time pass. */
  pass(ms = 3000): Promise<void> {
    return pass(this.clock, ms, ms > 20_000 ? 500 : 100);
  }

  /** Delays the responses to patches whose path contains `part`, so that a watch shows each change before its response arrives. */
  delayResponses(part: string): void {
    this.api.after = ({ method, path }) =>
      method === 'PATCH' && path.includes(part) ? pause(this.clock, 500, this.#never.signal) : undefined;
  }

  status(): ReturnType<LeaderTerm['status']> | undefined {
    return this.#term?.term.status();
  }

  /** The `msg` of each log line of level `info` or above. */
  get log(): string[] {
    return this.#log.lines.filter(({ level }) => level !== 'debug').map(({ msg }) => msg);
  }

  get logLines() {
    return this.#log.lines;
  }

  /**
   * The events about all objects, or about the objects with the name `of`, as `Reason: message`, with `×n` when counted more than once. They
   * are grouped by namespace. Within a namespace, they come in the order in which they were first written.
   */
  events(of = ''): string[] {
    return [
      ...['default', 'other', namespace].flatMap((each) =>
        this.api.under(`/apis/events.k8s.io/v1/namespaces/${each}/events`),
      ),
    ]
      .map(
        (event) =>
          event as StoredObject & {
            reason: string;
            note: string;
            series?: { count: number };
            regarding: { name: string };
          },
      )
      .filter(({ regarding }) => of === '' || regarding.name === of)
      .map(({ reason, note, series }) => `${reason}: ${note}${series ? ` ×${series.count}` : ''}`);
  }

  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
    const found = (await this.registry.getSingleMetric(name)?.get())?.values.find((value) =>
      Object.entries(labels).every(([label, text]) => value.labels[label] === text),
    );
    return found?.value;
  }

  /** The writes since the last call, except writes of events. */
  writes(): string[] {
    const writes = this.api.writes.splice(0).filter(({ path }) => !path.includes('/events'));
    return writes.map(({ method, path }) => `${method} ${path.replace(/^.*\/namespaces\//, '')}`);
  }

  editConfig(text: string | undefined): void {
    const known = this.api.get(configPath);
    this.api.put(configPath, {
      ...known,
      metadata: { ...known?.metadata, name: 'config', namespace },
      data: text === undefined ? {} : { config: text },
    });
  }

  annotation(name: string, path = configPath): string | undefined {
    return this.api.get(path)?.metadata.annotations?.[`bellman.dev/${name}`];
  }

  /** Creates or changes a Service. `name` is `namespace/name`, or only the name of a Service in the namespace `default`. */
  service(
    name: string,
    { annotations = {}, ...spec }: { annotations?: Record<string, string>; [field: string]: unknown } = {},
  ): void {
    const path = this.servicePath(name);
    const known = this.api.get(path);
    const [own, namespaceOfService = 'default'] = name.split('/').reverse();
    this.api.put(path, {
      ...known,
      metadata: {
        ...known?.metadata,
        name: own,
        namespace: namespaceOfService,
        creationTimestamp: new Date(1_700_000_000_000 + 1000 * this.#age++).toISOString(),
        ...known?.metadata,
        annotations: { ...known?.metadata.annotations, ...annotations },
      },
      spec: {
        type: 'LoadBalancer',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        ports: [{ port: 80, protocol: 'TCP' }],
        ...(known?.spec as object),
        ...spec,
      },
    } as StoredObject);
  }

  /** Writes a status as another client would. */
  setStatus(name: string, ips: readonly string[]): void {
    const known = this.api.get(this.servicePath(name));
    if (known)
      this.api.put(this.servicePath(name), {
        ...known,
        status: {
          loadBalancer: ips.length === 0 ? {} : { ingress: ips.map((ip) => ({ ip, ipMode: 'VIP' })) },
        },
      });
  }

  deleteService(name: string): void {
    this.api.remove(this.servicePath(name));
  }

  addresses(name: string): string[] {
    const status = this.api.get(this.servicePath(name))?.status as RawStatus | undefined;
    return (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
  }

  servicePath(name: string): string {
    const [own, namespaceOfService = 'default'] = name.split('/').reverse();
    return `/api/v1/namespaces/${namespaceOfService}/services/${own}`;
  }
}
