/**
 * The values of the Helm chart: names, types, defaults and descriptions. `make schema` writes values.yaml and values.schema.json of the chart from
 * this definition. With the defaults, the chart renders the same objects as `manifests/kustomization.yaml`, except the Namespace, which Helm makes.
 */
import * as z from 'zod';

const text = z.string();
const flag = z.boolean();
const labels = z.record(text, text);
/** An object with any keys. If it becomes a part of a Kubernetes object, the API server checks it. */
const object = z.looseObject({});

const podValues = (
  requests: Readonly<Record<string, string>>,
  limits: Readonly<Record<string, string>>,
  tolerations: readonly Record<string, unknown>[],
  priority: string,
) => ({
  extraArgs: z.array(text).default([]).describe('More flags of the process, as its --help lists them.'),
  resources: object.default({ requests, limits }).describe('CPU and memory of the container.'),
  nodeSelector: labels
    .default({ 'kubernetes.io/os': 'linux' })
    .describe('Labels that a node must have to run the Pods.'),
  tolerations: z
    .array(object)
    .default([...tolerations])
    .describe('Taints that the Pods tolerate.'),
  priorityClassName: text.default(priority).describe('Priority of the Pods.'),
  podLabels: labels.default({}).describe('More labels of the Pods.'),
  podAnnotations: labels.default({}).describe('More annotations of the Pods.'),
});

const enabled = (byDefault: boolean, description: string) => flag.default(byDefault).describe(description);

const port = (byDefault: number, description: string) =>
  z.int().min(1).max(65535).default(byDefault).describe(description);

const image = z
  .strictObject({
    repository: text.min(1).default('bellman').describe('Name of the image, with its registry.'),
    tag: text.default('').describe("Tag of the image. By default the chart's appVersion."),
    digest: text
      .regex(/^(sha256:[0-9a-f]{64})?$/)
      .default('')
      .describe('Digest of the image, sha256:…. It takes precedence over the tag.'),
    pullPolicy: z
      .enum(['', 'Always', 'IfNotPresent', 'Never'])
      .default('')
      .describe('When nodes pull the image. By default Kubernetes decides.'),
    pullSecrets: z
      .array(z.strictObject({ name: text.min(1) }))
      .default([])
      .describe('Secrets with which nodes pull the image.'),
  })
  .describe('The image of both processes. `make image` builds it.');

const controller = z
  .strictObject({
    replicas: z
      .int()
      .min(1)
      .default(2)
      .describe('One replica leads. When it is lost, another one takes over within 15 seconds.'),
    ...podValues({ cpu: '50m', memory: '128Mi' }, { memory: '512Mi' }, [], 'system-cluster-critical'),
    podDisruptionBudget: z
      .strictObject({ enabled: enabled(true, 'Whether `kubectl drain` may end only one replica at a time.') })
      .describe('The PodDisruptionBudget of the controller.'),
    networkPolicy: z
      .strictObject({
        enabled: enabled(true, 'Whether the Pods accept connections to their metrics port only.'),
      })
      .describe('The NetworkPolicy of the controller.'),
  })
  .describe('The Deployment that accepts configurations and assigns addresses.');

const speaker = z
  .strictObject({
    passivePeers: enabled(
      false,
      'Whether speakers may listen on ports below 1024, for peers with `passive: true` on port 179.',
    ),
    realtime: enabled(
      false,
      'Whether the kernel may schedule BFD before all other processes of the node, as intervals below 100 ms or a multiplier of 2 require.',
    ),
    metricsPort: port(7472, 'TCP port of the HTTP endpoint on the nodes.'),
    membershipPort: port(
      7946,
      'UDP port on which the speakers probe each other. Speakers with different ports do not hear each other.',
    ),
    maxUnavailable: z
      .union([z.int().min(1), text.regex(/^([1-9]\d?|100)%$/)])
      .default(1)
      .describe('On how many nodes at a time an upgrade replaces the speaker, as a number or a percentage.'),
    surge: enabled(
      false,
      'Whether the new speaker of a node starts beside the old one and takes its sessions over. The Pods then declare no ports.',
    ),
    ...podValues(
      { cpu: '50m', memory: '192Mi' },
      { memory: '1Gi' },
      [{ operator: 'Exists' }],
      'system-node-critical',
    ),
  })
  .describe('The DaemonSet that announces addresses.');

export const chartValues = z.strictObject({
  image,
  config: z
    .union([text, object])
    .default('')
    .describe(
      'The configuration, as text or as YAML. The chart writes it to the key `config` of the ConfigMap `config`. When this value is empty, the chart makes no ConfigMap, and you write the ConfigMap yourself. Uninstalling leaves the ConfigMap in place.',
    ),
  loadBalancerClass: text
    .default('')
    .describe(
      'Bellman serves only Services with this spec.loadBalancerClass. By default, it serves those without a class.',
    ),
  adoptOnly: enabled(
    false,
    'Whether the controller and the speakers run beside another program that assigns and announces the addresses.',
  ),
  controller,
  speaker,
  admissionPolicies: z
    .strictObject({
      enabled: enabled(
        true,
        'Whether ValidatingAdmissionPolicies limit what the processes and users may write. These policies need Kubernetes 1.30 or newer.',
      ),
    })
    .describe('Policies that RBAC cannot express.'),
  deadNodes: z
    .strictObject({
      enabled: enabled(
        false,
        'Whether the controller may set the Pods of dead nodes to not ready, as `dead-nodes` of the configuration asks. This lets the controller change the status of all Pods.',
      ),
    })
    .describe('Rights for `dead-nodes` of the configuration.'),
  podMonitor: z
    .strictObject({
      enabled: enabled(
        false,
        "Whether the Prometheus operator's PodMonitor makes Prometheus scrape both processes.",
      ),
      interval: text.default('30s').describe('Time between two scrapes.'),
      labels: labels.default({}).describe('Labels by which Prometheus selects the PodMonitor.'),
    })
    .describe('For clusters with the Prometheus operator.'),
  prometheusRule: z
    .strictObject({
      enabled: enabled(
        false,
        "Whether the chart makes the Prometheus operator's PrometheusRule with the alerts of manifests/monitoring/alerts.yaml.",
      ),
      labels: labels.default({}).describe('Labels by which Prometheus selects the rules.'),
      disabled: z.array(text).default([]).describe('Names of alerts to leave out.'),
      runbooks: text
        .default('docs/guides/runbooks.md')
        .describe(
          'Address of the page of runbooks, to which the annotation runbook_url of each alert points.',
        ),
      groups: z.array(object).default([]).describe('More groups of alerting and recording rules.'),
    })
    .describe('Alerts on metrics of Bellman, for clusters with the Prometheus operator.'),
  dashboards: z
    .strictObject({
      enabled: enabled(false, 'Whether the chart makes a ConfigMap for each dashboard.'),
      labels: labels
        .default({ grafana_dashboard: '1' })
        .describe("Labels by which Grafana's sidecar selects the ConfigMaps."),
    })
    .describe('Dashboards for Grafana.'),
  global: object.optional().describe('Values that Helm shares between charts. Bellman reads none of them.'),
});
