/** The page of metrics. This file registers every class of metrics, and reads back the name, type, labels and help text of each metric. */
import { Registry } from 'prom-client';
import { BgpMetrics } from '../../src/bgp/metrics.ts';
import { systemClock } from '../../src/clock.ts';
import { refusalCauses } from '../../src/cluster/status.ts';
import { ControllerMetrics } from '../../src/controller/metrics.ts';
import { registerKubernetesMetrics } from '../../src/kubernetes/metrics.ts';
import { Reachability } from '../../src/kubernetes/reachability.ts';
import { Layer2Metrics } from '../../src/layer2/metrics.ts';
import {
  NeighbourCounters,
  registerAddressMetrics,
  registerNeighbourMetrics,
} from '../../src/layer2/responder/metrics.ts';
import { registerAnnouncedMetrics } from '../../src/speaker/announced-metrics.ts';
import { BfdDowns, registerBfdMetrics } from '../../src/speaker/bfd/bfd-metrics.ts';
import { registerDeathMetrics } from '../../src/speaker/dead-nodes/death-metrics.ts';
import { registerLeavingMetrics } from '../../src/speaker/leaving/leaving-metrics.ts';
import { leavingCauses } from '../../src/speaker/plan/leaving.ts';
import { registerConfigMetrics } from '../../src/telemetry/config-metrics.ts';
import { registerLostLogLines } from '../../src/telemetry/diagnostics.ts';
import { entrances } from '../../src/telemetry/guard.ts';
import { registerHttpRefusals } from '../../src/telemetry/http-limits.ts';
import { registerInputFailures } from '../../src/telemetry/input-failures.ts';
import { registerProcessMetrics } from '../../src/telemetry/process-metrics.ts';
import { code, page, table } from './markdown.ts';

/** The fields of a registered metric. The types of prom-client declare only some of them. */
interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labelNames: readonly string[];
  readonly help: string;
}

interface Process {
  readonly title: string;
  readonly text: string;
  readonly register: (registry: Registry) => void;
}

const processes: readonly Process[] = [
  {
    title: 'Controller and speaker: API server',
    text: 'Both processes have the metrics of their connection to the API server.',
    register: (registry) => registerKubernetesMetrics(registry, new Reachability({ clock: systemClock })),
  },
  {
    title: 'Controller and speaker: the process',
    text: 'The input failures and lost log lines that a speaker counts include those of its layer-2 process and of its BFD process.\nAll other metrics describe the process without its child processes.',
    register: (registry) => {
      registerProcessMetrics(registry, systemClock, { component: 'speaker', version: '' });
      registerInputFailures(registry);
      registerHttpRefusals(registry);
      registerLostLogLines(registry);
    },
  },
  {
    title: 'Controller and speaker: configuration',
    text: 'Of the replicas of the controller, only the leader has a configuration.',
    register: (registry) => registerConfigMetrics(registry, () => undefined),
  },
  {
    title: 'Controller',
    text: 'Only the leader has the metrics of pools, Services and dead nodes.',
    register: (registry) => void new ControllerMetrics(registry),
  },
  {
    title: 'Speaker: addresses',
    text: "`bellman_speaker_announced` has MetalLB's name with another prefix.",
    register: (registry) =>
      registerAnnouncedMetrics(registry, {
        nodeName: '',
        sync: { missing: [] },
        speaker: {
          serviceKeysOf: () => [],
          results: {
            advertisedByService: () => [],
            refusalsByService: () => [],
            notToAnnounceByService: () => [],
          },
        },
        peers: () => [],
        owned: () => [],
        inConflict: () => [],
      }),
  },
  {
    title: 'Speaker: BGP',
    text: 'The label `peer` is the name of the peer. Some names are irregular because they come from MetalLB.',
    register: (registry) => void new BgpMetrics(registry),
  },
  {
    title: 'Speaker: BFD',
    text: 'The names from `session_up` to `session_down_events` come from MetalLB. The BFD process reports its counters every second.',
    register: (registry) =>
      registerBfdMetrics(registry, { status: () => [], processStatus: () => undefined }, new BfdDowns()),
  },
  {
    title: 'Speaker: the node',
    text: 'A node leaves before it stops or gets maintenance. See [maintenance](../guides/maintenance.md).',
    register: (registry) => {
      registerLeavingMetrics(registry, '', () => ({ leaving: undefined }));
      registerDeathMetrics(registry, { dead: [] });
    },
  },
  {
    title: 'Speaker: layer 2',
    text: 'The names of the metrics per address come from MetalLB.',
    register: (registry) => {
      registerAddressMetrics(registry, () => []);
      registerNeighbourMetrics(registry, new NeighbourCounters(), () => 0);
      new Layer2Metrics(registry, {
        members: () => [],
        unreachable: () => 0,
        owned: () => 0,
        witness: () => ({ unverified: 0, asked: 0 }),
      });
    },
  },
];

/** The meaning of each label. A label that has another meaning on one metric is listed with the name of that metric. */
const labels: Readonly<Record<string, string>> = {
  peer: 'name of the peer',
  component: '`controller`, `speaker`',
  service: 'the Service as `namespace/name`',
  node: 'name of the node',
  hash: 'the first 16 hexadecimal digits of the SHA-256 of the text, as in `bellman status`',
  entrance: entrances.map(code).join(', '),
  version: 'version of Bellman',
  node_version: 'version of Node',
  kind: 'code of the error, or its class',
  pool: 'name of the pool',
  family: '`ipv4`, `ipv6`',
  namespace: 'name of the namespace',
  ip: 'the address',
  'bellman_speaker_announced protocol': '`bgp`, `layer2`',
  'bellman_speaker_refusals cause': refusalCauses.map(code).join(', '),
  cause: 'see [refusals](../design/allocation.md#refusals)',
  object: '`configmap`, `service`, `conditions`',
  result: '`ok`, `conflict`, `error`',
  from: 'state before',
  to: 'state after',
  code: 'error code of RFC 4271',
  subcode: 'error subcode',
  treatment: 'see RFC 7606 section 2',
  error: 'the error in words',
  direction: '`sent`, `received`',
  protocol: '`arp`, `ndp`',
  state: '`alive`, `suspect`, `dead`, `left`',
  'bellman_controller_dead_nodes state':
    '`waiting`: the controller reads signs of life; `held`: a rule forbids marking the node; `marked`: the Pods of the node are set to not ready, or are about to be',
  'bellman_controller_node_deaths_total result': '`marked`, `returned`',
  diag: 'diagnostic code of RFC 5880 section 4.1: 1 detection time expired, 2 echo failed, 3 neighbor signaled session down',
  side: '`local`: this node noticed the fault; `remote`: the peer noticed it',
  'bellman_node_leaving reason': leavingCauses.map(code).join(', '),
  'bellman_http_refused_total reason':
    '`requests`: too many answers were being made or read; `connections`: there were too many, and the one that was idle the longest was closed',
  'bellman_bfd_dropped_total reason':
    '`ttl` (the kernel dropped the packet: its TTL was too small, the queue was full, or, during a flood, no session had its discriminator), `malformed`, `no-session`, `wrong-source`, `no-discriminator`, `authentication`, `sequence`, `admin-down`',
  'bellman_layer2_requests_dropped_total reason':
    '`malformed`, `other-vlan`, `not-for-us`, `own-frame`, `hop-limit`, `checksum`, `unknown-address`, `late`, `send-failed`',
  'bellman_membership_dropped_total reason':
    '`unknown-key`, `authentication`, `replayed`, `unproven` (the sender has not proved that it receives our packets), `flood` (more datagrams of unknown sessions than this node decrypts), `truncated`, `malformed`, `version`, `own`',
};

export function metricsPage(): string {
  const sections = processes.flatMap((process) => [
    `## ${process.title}`,
    process.text,
    table(['metric', 'type', 'labels', 'meaning'], metricsOf(process).map(row)),
  ]);
  return page(
    'Metrics',
    'Each daemon serves its metrics in the Prometheus format at `/metrics`: the controller on port 7471, the speaker on port 7472.\n`--metrics-address` changes the port and the addresses.',
    ...sections,
    '## Labels',
    table(['label', 'meaning'], labelRows()),
  );
}

/** All registered metrics. */
export function allMetrics(): readonly Metric[] {
  return processes.flatMap(metricsOf);
}

function metricsOf({ register }: Process): readonly Metric[] {
  const registry = new Registry();
  register(registry);
  return registry.getMetricsAsArray() as readonly object[] as readonly Metric[];
}

function row({ name, type, labelNames, help }: Metric): string[] {
  return [code(name), type, labelNames.map(code).join(', '), help.endsWith('.') ? help : `${help}.`];
}

/** A row for each label, and a row for each metric that gives a label its own meaning. */
function labelRows(): readonly (readonly [string, string])[] {
  const rows = new Map<string, string>();
  for (const { name, labelNames } of processes.flatMap(metricsOf))
    for (const label of labelNames) {
      const own = labels[`${name} ${label}`];
      const meaning = own ?? labels[label];
      if (meaning === undefined)
        throw new Error(`scripts/reference/metrics.ts: say what the label ${label} of ${name} means`);
      rows.set(own === undefined ? code(label) : `${code(label)} of ${code(name)}`, meaning);
    }
  return [...rows];
}
