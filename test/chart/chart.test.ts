/**
 * The Helm chart, as Helm itself reads it. `make chart-test` builds Helm and names its program in the environment variable HELM. `make test` builds
 * no Helm and leaves this file out.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadAll } from 'js-yaml';
import { root } from '../../scripts/target.ts';
import { configMapKey, configMapName, defaultNamespace } from '../../src/cluster/names.ts';
import { parseConfig } from '../../src/config/index.ts';

const helm = process.env.HELM ?? 'helm';
const chart = join(root, 'manifests/chart');

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
}

let scratch = '';
// The environment of Helm. Its variables make Helm keep its caches and settings in the scratch folder.
let env: NodeJS.ProcessEnv = {};
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'bellman-chart-'));
  env = {
    ...process.env,
    HOME: scratch,
    XDG_CACHE_HOME: scratch,
    XDG_CONFIG_HOME: scratch,
    XDG_DATA_HOME: scratch,
  };
});
after(() => rmSync(scratch, { recursive: true, force: true }));

function runHelm(...args: string[]) {
  return spawnSync(helm, args, { encoding: 'utf8', env });
}

function template(values: object = {}, namespace = defaultNamespace) {
  const file = join(scratch, 'values.json');
  writeFileSync(file, JSON.stringify(values));
  return runHelm('template', 'bellman', chart, '--namespace', namespace, '--values', file);
}

function render(values: object = {}, namespace?: string): KubernetesObject[] {
  const { status, stdout, stderr } = template(values, namespace);
  assert.equal(status, 0, stderr);
  return objects(stdout);
}

function objects(text: string): KubernetesObject[] {
  return (loadAll(text) as (KubernetesObject | null)[]).filter((each) => each !== null);
}

/** The objects by their identity, so that the order of files and of objects does not matter. */
function byIdentity(list: readonly KubernetesObject[]): Record<string, KubernetesObject> {
  const named = list.map((each) => [
    `${each.apiVersion} ${each.kind} ${each.metadata.namespace ?? ''}/${each.metadata.name}`,
    each,
  ]);
  assert.equal(new Set(named.map(([name]) => name)).size, list.length, 'an object appears twice');
  return Object.fromEntries(named);
}

function one(list: readonly KubernetesObject[], kind: string, name: string): unknown {
  const found = list.filter((each) => each.kind === kind && each.metadata.name === name);
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0];
}

test('the chart renders the same objects as the kustomization, except the Namespace, which Helm makes', () => {
  const kustomized = objects(
    execFileSync('kubectl', ['kustomize', join(root, 'manifests')], { encoding: 'utf8' }),
  );
  const expected = kustomized.filter(({ kind }) => kind !== 'Namespace');
  assert.ok(expected.length > 15);
  assert.deepEqual(byIdentity(render()), byIdentity(expected));
});

test('helm lint --strict finds nothing', () => {
  const { status, stdout, stderr } = runHelm('lint', '--strict', chart);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /1 chart\(s\) linted, 0 chart\(s\) failed/);
});

test('the chart has the version of the program', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const [metadata] = loadAll(readFileSync(join(chart, 'Chart.yaml'), 'utf8'));
  const { version: ofChart, appVersion } = metadata as { version: string; appVersion: string };
  assert.deepEqual({ ofChart, appVersion }, { ofChart: version, appVersion: version });
});

test('no object names a namespace other than that of the release', () => {
  const { stdout } = template({ podMonitor: { enabled: true } }, 'elsewhere');
  assert.doesNotMatch(stdout, /bellman-system/);
  assert.match(stdout, /system:serviceaccount:elsewhere:speaker/);
});

test('Helm refuses an unknown key or a wrong value, and names the key', () => {
  for (const [values, message] of [
    [{ controler: {} }, /controler/],
    [{ speaker: { tollerations: [] } }, /tollerations/],
    [{ controller: { replicas: 0 } }, /replicas/],
    [{ image: { digest: 'sha256:1' } }, /digest/],
    [{ config: { peers: [{ 'my-asn': 64512, 'peer-asm': 64500 }] } }, /peer-asm/],
  ] as const) {
    const { status, stderr } = template(values);
    assert.notEqual(status, 0, JSON.stringify(values));
    assert.match(stderr, message);
  }
});

const configuration = {
  peers: [{ 'my-asn': 4200000000, 'peer-asn': 64500, 'peer-address': '10.0.0.1' }],
  'bgp-communities': { quiet: '64512:100' },
  'address-pools': [
    { name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24', '2001:db8:100::/112'] },
  ],
};

for (const [form, config] of [
  ['text', '# kept as it is\npeers:\n- my-asn: 4200000000\n  peer-asn: 64500\n  peer-address: 10.0.0.1\n'],
  ['YAML', configuration],
] as const)
  test(`a configuration given as ${form} becomes a ConfigMap that Bellman accepts and that helm uninstall keeps`, () => {
    const map = one(render({ config }), 'ConfigMap', configMapName) as KubernetesObject;
    assert.equal(map.metadata.namespace, defaultNamespace);
    assert.equal(map.metadata.annotations?.['helm.sh/resource-policy'], 'keep');
    const text = map.data?.[configMapKey] ?? '';
    const parsed = parseConfig(text);
    assert.ok(parsed.ok, text);
    assert.match(text, /my-asn: 4200000000\n/);
    if (typeof config === 'string') assert.equal(text, config);
  });

test('without a configuration the chart touches no ConfigMap and no Secret, so install, upgrade and uninstall leave them as they are', () => {
  const everything = { podMonitor: { enabled: true }, speaker: { passivePeers: true } };
  for (const values of [{}, everything])
    assert.ok(
      !render(values).some(({ kind }) => kind === 'ConfigMap' || kind === 'Secret' || kind === 'Namespace'),
    );
});

test('the chart has no hooks', () => {
  const everything = { config: configuration, podMonitor: { enabled: true } };
  for (const { metadata } of render(everything))
    assert.ok(!Object.keys(metadata.annotations ?? {}).some((key) => key === 'helm.sh/hook'));
});

interface Workload {
  readonly spec: {
    readonly replicas?: number;
    readonly updateStrategy?: { readonly rollingUpdate: { readonly maxUnavailable: number | string } };
    readonly template: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations: Readonly<Record<string, string>>;
      };
      readonly spec: {
        readonly tolerations?: readonly object[];
        readonly nodeSelector?: object;
        readonly priorityClassName?: string;
        readonly imagePullSecrets?: readonly object[];
        readonly containers: readonly {
          readonly image: string;
          readonly imagePullPolicy?: string;
          readonly args: readonly string[];
          readonly env: readonly { readonly name: string; readonly value?: string }[];
          readonly resources?: {
            readonly limits: { readonly memory: string };
            readonly requests: { readonly cpu: string };
          };
          readonly securityContext: { readonly capabilities: { readonly add?: readonly string[] } };
        }[];
      };
    };
  };
}

test('adoptOnly and ports that MetalLB does not use reach the Pods, so that Bellman can run beside MetalLB', () => {
  const list = render({ adoptOnly: true, speaker: { metricsPort: 7482, membershipPort: 7956 } });
  for (const [kind, name] of [
    ['Deployment', 'controller'],
    ['DaemonSet', 'speaker'],
  ] as const) {
    const daemon = JSON.stringify(one(list, kind, name));
    assert.match(daemon, /"name":"BELLMAN_ADOPT_ONLY","value":"true"/);
    assert.match(daemon, /"name":"BELLMAN_SPEAKER_PORT","value":"7482"/);
  }
  const speaker = JSON.stringify(one(list, 'DaemonSet', 'speaker'));
  assert.match(speaker, /"value":"127.0.0.1:7482,/);
  assert.match(speaker, /"name":"BELLMAN_MEMBERSHIP_PORT","value":"7956"/);
  assert.match(speaker, /"prometheus.io\/port":"7482"/);
  assert.doesNotMatch(speaker, /7472|7946/);
  assert.equal(speaker.match(/"port":7482/g)?.length, 3, 'three probes use the port');
});

test('the values of the chart reach the Pods', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const tolerations = [{ key: 'example', operator: 'Exists' }];
  const process = {
    extraArgs: ['--log-level', 'debug'],
    resources: { limits: { memory: '2Gi' } },
    nodeSelector: { 'example.com/kind': 'edge' },
    tolerations,
    priorityClassName: 'example',
    podLabels: { team: 'network' },
    podAnnotations: { note: 'a: b' },
  };
  const list = render({
    image: {
      repository: 'registry.example/bellman',
      digest,
      pullPolicy: 'Always',
      pullSecrets: [{ name: 'pull' }],
    },
    loadBalancerClass: 'example.com/bellman',
    controller: {
      ...process,
      replicas: 3,
      podDisruptionBudget: { enabled: false },
      networkPolicy: { enabled: false },
    },
    speaker: { ...process, passivePeers: true, realtime: true, maxUnavailable: '25%' },
    admissionPolicies: { enabled: false },
  });
  const controller = one(list, 'Deployment', 'controller') as Workload;
  const speaker = one(list, 'DaemonSet', 'speaker') as Workload;
  assert.equal(controller.spec.replicas, 3);
  assert.equal(speaker.spec.updateStrategy?.rollingUpdate.maxUnavailable, '25%');
  for (const [name, workload] of [
    ['controller', controller],
    ['speaker', speaker],
  ] as const) {
    const { metadata, spec } = workload.spec.template;
    const container = spec.containers[0];
    assert.equal(container?.image, `registry.example/bellman@${digest}`);
    assert.equal(container.imagePullPolicy, 'Always');
    assert.deepEqual(container.args, [name, '--log-level', 'debug']);
    // A variable also reaches the commands that `kubectl exec` runs in the Pod.
    const served = container.env.find((each) => each.name === 'BELLMAN_LOAD_BALANCER_CLASS');
    assert.equal(served?.value, 'example.com/bellman');
    // Helm merges maps, so the defaults of other keys stay.
    assert.equal(container.resources?.limits.memory, '2Gi');
    assert.equal(container.resources?.requests.cpu, '50m');
    assert.deepEqual(spec.tolerations, tolerations);
    assert.deepEqual(spec.nodeSelector, { 'kubernetes.io/os': 'linux', 'example.com/kind': 'edge' });
    assert.equal(spec.priorityClassName, 'example');
    assert.deepEqual(spec.imagePullSecrets, [{ name: 'pull' }]);
    assert.equal(metadata.labels.team, 'network');
    assert.equal(metadata.annotations.note, 'a: b');
  }
  assert.deepEqual(speaker.spec.template.spec.containers[0]?.securityContext.capabilities.add, [
    'NET_RAW',
    'NET_BIND_SERVICE',
    'SYS_NICE',
  ]);
  for (const kind of ['PodDisruptionBudget', 'NetworkPolicy', 'ValidatingAdmissionPolicy'])
    assert.ok(!list.some((each) => each.kind === kind), kind);
});

test('deadNodes.enabled adds the roles for dead nodes, and adds admission policies for them only while admissionPolicies.enabled is true', () => {
  const component = objects(
    execFileSync('kubectl', ['kustomize', join(root, 'test/chart/with-dead-nodes')], { encoding: 'utf8' }),
  );
  assert.deepEqual(
    byIdentity(render({ deadNodes: { enabled: true } })),
    byIdentity(component.filter(({ kind }) => kind !== 'Namespace')),
  );
  const withoutPolicies = render({ deadNodes: { enabled: true }, admissionPolicies: { enabled: false } });
  one(withoutPolicies, 'ClusterRole', 'bellman-dead-nodes');
  assert.ok(!withoutPolicies.some(({ kind }) => kind.startsWith('ValidatingAdmissionPolicy')));
});

test('monitoring objects appear on request', () => {
  const component = objects(
    execFileSync('kubectl', ['kustomize', join(root, 'test/chart/with-monitoring')], {
      encoding: 'utf8',
    }),
  );
  const shipped = one(component, 'PrometheusRule', 'bellman') as PrometheusRule;
  assert.ok(shipped.spec.groups.length > 3);
  assert.deepEqual(
    byIdentity(
      render({
        podMonitor: { enabled: true },
        prometheusRule: { enabled: true },
        dashboards: { enabled: true },
      }),
    ),
    byIdentity(component.filter(({ kind }) => kind !== 'Namespace')),
  );

  const groups = [{ name: 'own', rules: [{ alert: 'Example', expr: 'up == 0' }] }];
  const list = render({
    podMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: {
      enabled: true,
      groups,
      disabled: ['BellmanConfigStale'],
      runbooks: 'https://example.com/runbooks',
    },
  });
  const monitor = one(list, 'PodMonitor', 'bellman') as KubernetesObject & {
    metadata: { labels: Record<string, string> };
  };
  assert.equal(monitor.metadata.labels.release, 'prometheus');
  const rule = one(list, 'PrometheusRule', 'bellman') as PrometheusRule;
  assert.deepEqual(rule.spec.groups.at(-1), groups[0]);
  const alerts = rule.spec.groups.flatMap((group) => group.rules);
  assert.ok(!alerts.some(({ alert }) => alert === 'BellmanConfigStale'));
  assert.equal(
    alerts.find(({ alert }) => alert === 'BellmanConfigMissing')?.annotations?.runbook_url,
    'https://example.com/runbooks#bellmanconfigmissing',
  );
});

interface PrometheusRule {
  readonly spec: {
    readonly groups: readonly {
      readonly name: string;
      readonly rules: readonly {
        readonly alert: string;
        readonly annotations?: { readonly runbook_url: string };
      }[];
    }[];
  };
}
