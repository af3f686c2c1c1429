/**
 * A real Prometheus finds Bellman's Pods by our PodMonitor. The Prometheus of Debian cannot discover Pods in Kubernetes, so a file holds the targets
 * that another Prometheus would discover for the Pods of our manifests. The test translates the PodMonitor as the Prometheus operator does, but
 * supports only the fields that our PodMonitor has.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { kustomize } from '../support/kustomize.ts';

interface Relabeling {
  readonly sourceLabels?: readonly string[];
  readonly regex?: string;
  readonly replacement?: string;
  readonly targetLabel?: string;
}

interface PodMonitor {
  readonly kind: string;
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly podMetricsEndpoints: readonly { readonly relabelings: readonly Relabeling[] }[];
  };
}

interface Workload {
  readonly kind: string;
  readonly spec: {
    readonly template: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
      };
      readonly spec: {
        readonly containers: readonly {
          readonly name: string;
          readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
        }[];
      };
    };
  };
}

interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const folder = mkdtempSync(join(tmpdir(), 'bellman-pod-monitor-'));
let prometheus: ChildProcess | undefined;
after(() => {
  prometheus?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const labelName = (text: string) => text.replaceAll(/[^a-zA-Z0-9_]/g, '_');

/** The discovery of Prometheus makes one target for each port of a container, and one for a container without ports. */
function discovered(name: string, ip: string, kind: string, ...components: string[]): TargetGroup[] {
  const owner = kustomize<Workload>(...components).find((each) => each.kind === kind);
  assert.ok(owner);
  const { metadata, spec } = owner.spec.template;
  const meta = (object: string, values: Readonly<Record<string, string>> = {}) =>
    Object.fromEntries(
      Object.entries(values).map(([key, value]) => [
        `__meta_kubernetes_pod_${object}_${labelName(key)}`,
        value,
      ]),
    );
  return spec.containers.flatMap((container) => {
    const labels = {
      ...meta('label', metadata.labels),
      ...meta('annotation', metadata.annotations),
      __meta_kubernetes_pod_name: name,
      __meta_kubernetes_pod_ip: ip,
      __meta_kubernetes_pod_phase: 'Running',
      __meta_kubernetes_pod_container_name: container.name,
    };
    if (!container.ports) return [{ targets: [ip], labels }];
    return container.ports.map(({ name: portName, containerPort }) => ({
      targets: [`${isIPv6(ip) ? `[${ip}]` : ip}:${containerPort}`],
      labels: { ...labels, __meta_kubernetes_pod_container_port_name: portName },
    }));
  });
}

/** The scrape configuration that the operator makes from a PodMonitor whose endpoint names no port. */
function scrapeConfig({ spec }: PodMonitor, targets: string): object {
  const selected = Object.entries(spec.selector.matchLabels).map(([label, value]) => ({
    ...{ source_labels: [`__meta_kubernetes_pod_label_${labelName(label)}`], regex: value, action: 'keep' },
  }));
  const [endpoint] = spec.podMetricsEndpoints;
  return {
    job_name: 'podMonitor/bellman-system/bellman/0',
    file_sd_configs: [{ files: [targets] }],
    relabel_configs: [
      ...selected,
      { source_labels: ['__meta_kubernetes_pod_phase'], regex: '(Failed|Succeeded)', action: 'drop' },
      { source_labels: ['__meta_kubernetes_pod_container_name'], target_label: 'container' },
      { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
      ...(endpoint?.relabelings ?? []).map(({ sourceLabels, regex, replacement, targetLabel }) => ({
        ...(sourceLabels && { source_labels: sourceLabels }),
        ...(regex === undefined ? {} : { regex }),
        ...(replacement === undefined ? {} : { replacement }),
        target_label: targetLabel,
      })),
    ],
  };
}

interface ActiveTarget {
  readonly scrapeUrl: string;
  readonly labels: Readonly<Record<string, string>>;
}

test('Prometheus finds each process once, at the port that the Kustomize components give it', async () => {
  const foreign = {
    targets: ['10.0.0.9:1'],
    labels: { __meta_kubernetes_pod_name: 'foreign', __meta_kubernetes_pod_container_port_name: 'metrics' },
  };
  const file = (name: string, content: unknown) => {
    writeFileSync(join(folder, name), JSON.stringify(content));
    return join(folder, name);
  };
  const targetFile = file('targets.json', [
    ...discovered('controller-a', '10.0.0.1', 'Deployment'),
    ...discovered('speaker-a', '10.0.0.2', 'DaemonSet'),
    ...discovered('speaker-v6', '2001:db8::2', 'DaemonSet'),
    ...discovered('speaker-surge', '10.0.0.3', 'DaemonSet', 'surge'),
    ...discovered('speaker-surge-v6', '2001:db8::3', 'DaemonSet', 'surge'),
    ...discovered('speaker-beside', '10.0.0.4', 'DaemonSet', 'beside-metallb'),
    ...discovered('speaker-both', '10.0.0.5', 'DaemonSet', 'beside-metallb', 'surge'),
    foreign,
  ]);
  const monitor = kustomize<PodMonitor>('monitoring').find(({ kind }) => kind === 'PodMonitor');
  assert.ok(monitor);
  const config = file('prometheus.json', { scrape_configs: [scrapeConfig(monitor, targetFile)] });
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: 'inherit' },
  );
  prometheus = child;
  const expected = [
    ...['controller-a http://10.0.0.1:7471/metrics', 'speaker-a http://10.0.0.2:7472/metrics'],
    ...['speaker-beside http://10.0.0.4:7482/metrics', 'speaker-both http://10.0.0.5:7482/metrics'],
    ...['speaker-surge http://10.0.0.3:7472/metrics', 'speaker-surge-v6 http://[2001:db8::3]:7472/metrics'],
    'speaker-v6 http://[2001:db8::2]:7472/metrics',
  ];
  const targets = await eventually('Prometheus has read the targets, or has ended', async () => {
    if (child.exitCode !== null) return [];
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/targets?state=active`);
    const { data } = (await response.json()) as { data: { activeTargets: readonly ActiveTarget[] } };
    return data.activeTargets.length >= expected.length && data.activeTargets;
  });
  assert.deepEqual(targets.map(({ labels, scrapeUrl }) => `${labels.pod} ${scrapeUrl}`).sort(), expected);
  assert.ok(targets.every(({ labels }) => labels.endpoint === 'metrics'));
});
