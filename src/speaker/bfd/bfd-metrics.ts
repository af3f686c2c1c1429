/**
 * The metrics of BFD. Those from `session_up` to `session_down_events` keep MetalLB's names after the prefix `bellman_bfd_…`. The BFD process
 * reports its state every second, and each scrape makes the metrics from the last report. After a restart of the BFD process, the counters in its
 * reports begin with zero, as Prometheus expects.
 */
import { Counter, Gauge, type Histogram, type Registry } from 'prom-client';
import type { BfdProcessStatus, BfdSessionStatus } from '../../bfd/messages.ts';
import type { Bfd } from '../../bfd/parent.ts';

type Source = Pick<Bfd, 'status' | 'processStatus'>;

/** Counts the sessions that went down. The BFD process does not count them by reason. */
export class BfdDowns {
  readonly #counts = new Map<string, { readonly labels: DownLabels; count: number }>();

  /** `side` is the end that noticed the fault. */
  count(peer: string, diagnostic: number, side: 'local' | 'remote'): void {
    const labels = { peer, diag: String(diagnostic), side };
    const key = JSON.stringify(labels);
    const counted = this.#counts.get(key) ?? { labels, count: 0 };
    counted.count++;
    this.#counts.set(key, counted);
  }

  /** Forgets the peers that have no session any more. */
  keepOnly(peers: ReadonlySet<string>): void {
    for (const [key, { labels }] of this.#counts) if (!peers.has(labels.peer)) this.#counts.delete(key);
  }

  all(): Iterable<{ readonly labels: DownLabels; readonly count: number }> {
    return this.#counts.values();
  }
}

interface DownLabels extends Record<string, string> {
  readonly peer: string;
  readonly diag: string;
  readonly side: string;
}

/** The value of a session's metric; `undefined` leaves the metric out. */
type SessionValue = (session: BfdSessionStatus) => number | undefined;

export function registerBfdMetrics(registry: Registry, bfd: Source, downs: BfdDowns): void {
  const registers = [registry];
  const perPeer = (name: string, help: string) => ({
    name: `bellman_bfd_${name}`,
    help,
    labelNames: ['peer'],
    registers,
  });
  const forEachPeer = (value: SessionValue, report: (labels: { peer: string }, now: number) => void) => {
    for (const session of bfd.status()) {
      const now = value(session);
      if (now !== undefined) report({ peer: session.name }, now);
    }
  };
  const gauge = (name: string, help: string, value: SessionValue) =>
    new Gauge({
      ...perPeer(name, help),
      collect() {
        this.reset();
        forEachPeer(value, (labels, now) => this.set(labels, now));
      },
    });
  const counter = (name: string, help: string, value: SessionValue) =>
    new Counter({
      ...perPeer(name, help),
      collect() {
        this.reset();
        forEachPeer(value, (labels, now) => this.inc(labels, now));
      },
    });
  gauge('session_up', '1 while the session is Up.', ({ state }) => (state === 'Up' ? 1 : 0));
  counter('control_packet_input', 'Control packets that were accepted.', ({ received }) => received);
  counter('control_packet_output', 'Control packets that were sent.', ({ sent }) => sent);
  counter('echo_packet_input', 'Echo packets that came back.', ({ echo }) => echo?.received ?? 0);
  counter('echo_packet_output', 'Echo packets that were sent.', ({ echo }) => echo?.sent ?? 0);
  counter('session_up_events', 'How often the session came up.', ({ ups }) => ups);
  counter('session_down_events', 'How often the session went down after it was Up.', (one) => one.downs);
  gauge(
    'transmit_interval_seconds',
    'Negotiated interval between our packets, before jitter.',
    ({ transmitIntervalMs }) => transmitIntervalMs / 1000,
  );
  gauge(
    'detection_time_seconds',
    'The session goes down after this time without a packet. Missing until the peer has sent one.',
    ({ detectionTimeMs }) => (detectionTimeMs === 0 ? undefined : detectionTimeMs / 1000),
  );
  gauge(
    'profile_in_force',
    '1 while the session runs with the settings of its profile, 0 while it runs with other settings, for instance because this node does not grant BFD real-time scheduling.',
    ({ warning }) => (warning === undefined ? 1 : 0),
  );
  registerDowns(registry, downs);
  registerDrops(registry, bfd);
  registerProcess(registry, bfd);
}

/**
 * The values of the BFD process for metrics that every process has, as prom-client's JSON. The HTTP endpoint adds them to the values of the
 * speaker process.
 */
export function bfdProcessMetrics(process: BfdProcessStatus | undefined): readonly object[] {
  if (!process) return [];
  const metric = (name: string, values: readonly object[]) => ({
    ...{ name, help: name, type: 'counter', aggregator: 'sum', values },
  });
  return [
    metric(
      'bellman_input_failures_total',
      Object.entries(process.inputFailures).map(([kind, value]) => ({
        labels: { entrance: 'bfd', kind },
        value,
      })),
    ),
    metric('bellman_log_lines_lost_total', [{ labels: {}, value: process.lostLogLines }]),
  ];
}

function registerDowns(registry: Registry, downs: BfdDowns): void {
  new Counter({
    name: 'bellman_bfd_down_total',
    help: 'Sessions that went down after they were Up, by diagnostic and by the end that noticed it.',
    labelNames: ['peer', 'diag', 'side'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, count } of downs.all()) this.inc(labels, count);
    },
  });
}

function registerDrops(registry: Registry, bfd: Source): void {
  new Counter({
    name: 'bellman_bfd_dropped_total',
    help: 'Received packets that were dropped. The peer is empty while no session is known for the packet. The reason ttl counts all packets that the kernel dropped: the TTL was too small, the queue was full, or a flood filter did not know the discriminator.',
    labelNames: ['peer', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      const dropped = bfd.status().map(({ name, dropped }) => [name, dropped] as const);
      for (const [peer, reasons] of [...dropped, ['', bfd.processStatus()?.dropped ?? {}] as const])
        for (const [reason, count] of Object.entries(reasons)) this.inc({ peer, reason }, count);
    },
  });
}

function registerProcess(registry: Registry, bfd: Source): void {
  new Gauge({
    name: 'bellman_bfd_realtime',
    help: '1 while the kernel schedules the BFD process before all normal processes. Missing while the process does not run.',
    labelNames: [],
    registers: [registry],
    collect() {
      this.reset();
      const status = bfd.processStatus();
      if (status) this.set(status.scheduling === 'fifo' ? 1 : 0);
      else this.remove();
    },
  });
  registerLateness(registry, bfd);
}

const latenessName = 'bellman_bfd_lateness_seconds';
const latenessHelp = 'Time between the moment when a packet was due and the moment when it was sent.';

/**
 * How late packets were sent. The BFD process counts the packets in each bucket. prom-client's Histogram takes no finished counts, so a plain
 * object takes its place. The object has only the members that a registry uses.
 */
function registerLateness(registry: Registry, bfd: Source): void {
  const get = async () => {
    const lateness = bfd.processStatus()?.lateness;
    return { ...head, values: lateness ? latenessValues(lateness) : [] };
  };
  const head = { name: latenessName, help: latenessHelp, type: 'histogram', aggregator: 'sum' };
  const metric: object = { ...head, labelNames: [], get, reset: () => undefined };
  registry.registerMetric(metric as Histogram);
}

/** A bucket of Prometheus counts all values up to its bound, also those that a smaller bucket counts. */
function latenessValues({ boundsMs, counts, sumMs }: BfdProcessStatus['lateness']) {
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    const boundMs = boundsMs[i];
    const le = boundMs === undefined ? '+Inf' : boundMs / 1000;
    return { metricName: `${latenessName}_bucket`, labels: { le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${latenessName}_sum`, labels: {}, value: sumMs / 1000 },
    { metricName: `${latenessName}_count`, labels: {}, value: total },
  ];
}
