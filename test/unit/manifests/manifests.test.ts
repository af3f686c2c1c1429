import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadAll } from 'js-yaml';
import { parseListenAddresses } from '../../../src/cli/listen-addresses.ts';
import { configMapKey, configMapName, defaultNamespace } from '../../../src/cluster/names.ts';
import { parseConfig } from '../../../src/config/index.ts';
import { kustomize } from '../../support/kustomize.ts';

const folder = fileURLToPath(new URL('../../../manifests/', import.meta.url));

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly { readonly resources?: readonly string[]; readonly verbs: readonly string[] }[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly name: string; readonly namespace: string }[];
  readonly spec?: {
    readonly template?: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly hostNetwork?: boolean;
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly env: readonly {
            readonly name: string;
            readonly value?: string;
            readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
          }[];
          readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
          readonly startupProbe?: { readonly periodSeconds?: number; readonly failureThreshold?: number };
          readonly livenessProbe?: { readonly timeoutSeconds?: number };
          readonly resources: { readonly limits?: { readonly memory?: string } };
          readonly securityContext: { readonly capabilities: { readonly add?: readonly string[] } };
        }[];
      };
    };
  };
}

const rendered = loadAll(execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8' })) as Manifest[];

function one(kind: string, name: string): Manifest {
  const found = rendered.filter((each) => each.kind === kind && each.metadata.name === name);
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0] as Manifest;
}

test('manifests render with kubectl kustomize, each object once, and each namespaced object in our namespace', () => {
  const keys = rendered.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  assert.equal(new Set(keys).size, keys.length);
  for (const { kind, metadata } of rendered)
    assert.equal(
      metadata.namespace,
      /^(Namespace|ClusterRole|ValidatingAdmission)/.test(kind) ? undefined : defaultNamespace,
      kind,
    );
});

test('manifests bind each role to the service account of its process', () => {
  for (const [process, kind] of [
    ['controller', 'Deployment'],
    ['speaker', 'DaemonSet'],
  ] as const) {
    assert.equal(one(kind, process).spec?.template?.spec.serviceAccountName, process);
    one('ServiceAccount', process);
    for (const [binding, role] of [
      ['ClusterRoleBinding', `bellman-${process}`],
      ['RoleBinding', process],
    ] as const) {
      const { roleRef, subjects } = one(binding, role);
      one(roleRef?.kind ?? '', roleRef?.name ?? '');
      assert.deepEqual(
        subjects?.map(({ name, namespace }) => [name, namespace]),
        [[process, defaultNamespace]],
      );
    }
  }
});

test('no role has a wildcard or may write a Service spec; the controller may not list Secrets, the speaker may only list and watch them', () => {
  for (const { kind, rules } of rendered)
    for (const { resources = [], verbs } of rules ?? []) {
      assert.ok(!resources.includes('*') && !verbs.includes('*'));
      assert.ok(kind === 'Role' || !resources.includes('secrets'), 'no right to Secrets of all namespaces');
      if (resources.includes('services'))
        assert.ok(verbs.every((verb) => verb === 'list' || verb === 'watch'));
    }
  for (const { resources = [], verbs } of one('Role', 'controller').rules ?? [])
    if (resources.includes('secrets')) assert.ok(!verbs.includes('list'));
  for (const { resources = [], verbs } of one('Role', 'speaker').rules ?? [])
    if (resources.includes('secrets')) assert.deepEqual(verbs, ['list', 'watch']);
});

test('manifests start each daemon with its arguments, and only the speaker has host networking and added capabilities', () => {
  const controller = one('Deployment', 'controller').spec?.template?.spec;
  const speaker = one('DaemonSet', 'speaker').spec?.template?.spec;
  assert.deepEqual(controller?.containers[0]?.args, ['controller']);
  assert.deepEqual(speaker?.containers[0]?.args, ['speaker']);
  assert.deepEqual(
    speaker?.containers[0]?.env.map(({ name }) => name),
    ['BELLMAN_NAMESPACE', 'BELLMAN_NODE_NAME', 'BELLMAN_HOST_IP', 'BELLMAN_METRICS_ADDRESS'],
  );
  assert.equal(controller?.hostNetwork, undefined);
  assert.equal(speaker?.hostNetwork, true);
  assert.equal(controller?.containers[0]?.securityContext.capabilities.add, undefined);
  assert.deepEqual(speaker?.containers[0]?.securityContext.capabilities.add, ['NET_RAW']);
});

test('manifests let the speaker serve HTTP on loopback and on the address of its node, at the port named metrics', () => {
  const { env = [], ports = [] } = one('DaemonSet', 'speaker').spec?.template?.spec.containers[0] ?? {};
  const entry = (wanted: string) => env.find(({ name }) => name === wanted);
  assert.equal(entry('BELLMAN_HOST_IP')?.valueFrom?.fieldRef.fieldPath, 'status.hostIP');
  const value = entry('BELLMAN_METRICS_ADDRESS')?.value ?? '';
  const port = ports.find(({ name }) => name === 'metrics')?.containerPort;
  for (const hostIP of ['192.0.2.11', '2001:db8:2::11'])
    assert.deepEqual(parseListenAddresses(value.replace('$(BELLMAN_HOST_IP)', hostIP), 1), [
      { host: '127.0.0.1', port },
      { host: hostIP, port },
    ]);
});

for (const [component, capability] of [
  ['passive-peers', 'NET_BIND_SERVICE'],
  ['realtime', 'SYS_NICE'],
] as const)
  test(`the component ${component} adds the capability ${capability} to the speaker`, () => {
    const speaker = kustomize<Manifest>(component).find(({ kind }) => kind === 'DaemonSet')?.spec?.template
      ?.spec;
    const added = speaker?.containers[0]?.securityContext.capabilities.add;
    assert.deepEqual(added, ['NET_RAW', capability]);
  });

test('the component dead-nodes adds only rights and policies', () => {
  const names = (objects: readonly Manifest[]) =>
    objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  const before = names(rendered);
  const added = names(kustomize<Manifest>('dead-nodes')).filter((name) => !before.includes(name));
  assert.deepEqual(added.sort(), [
    'ClusterRole bellman-dead-nodes',
    'ClusterRoleBinding bellman-dead-nodes',
    'Role bellman-dead-nodes',
    'Role controller-dead-nodes',
    'Role speaker-dead-nodes',
    'RoleBinding bellman-dead-nodes',
    'RoleBinding controller-dead-nodes',
    'RoleBinding speaker-dead-nodes',
    'ValidatingAdmissionPolicy bellman-controller-pods',
    'ValidatingAdmissionPolicy bellman-speaker-leases',
    'ValidatingAdmissionPolicyBinding bellman-controller-pods',
    'ValidatingAdmissionPolicyBinding bellman-speaker-leases',
  ]);
});

test('the component beside-metallb gives the speaker ports that MetalLB does not use', () => {
  const speaker = kustomize<Manifest>('beside-metallb').find(({ kind }) => kind === 'DaemonSet')?.spec
    ?.template;
  const { env = [], ports = [] } = speaker?.spec.containers[0] ?? {};
  const value = (wanted: string) => env.find(({ name }) => name === wanted)?.value;
  assert.equal(value('BELLMAN_METRICS_ADDRESS'), '127.0.0.1:7482,$(BELLMAN_HOST_IP)');
  assert.equal(value('BELLMAN_MEMBERSHIP_PORT'), '7956');
  assert.deepEqual(
    ports.map(({ name, containerPort }) => [name, containerPort]),
    [
      ['metrics', 7482],
      ['membership', 7956],
    ],
  );
});

test('the component beside-metallb tells commands in the Pods of both daemons the port of the speakers', () => {
  const objects = kustomize<Manifest>('beside-metallb');
  for (const kind of ['DaemonSet', 'Deployment']) {
    const { env = [] } = objects.find((each) => each.kind === kind)?.spec?.template?.spec.containers[0] ?? {};
    assert.equal(env.find(({ name }) => name === 'BELLMAN_SPEAKER_PORT')?.value, '7482', kind);
  }
});

test('the component adopt-only sets BELLMAN_ADOPT_ONLY in both daemons', () => {
  const objects = kustomize<Manifest>('adopt-only');
  for (const kind of ['DaemonSet', 'Deployment']) {
    const { env = [] } = objects.find((each) => each.kind === kind)?.spec?.template?.spec.containers[0] ?? {};
    assert.equal(env.find(({ name }) => name === 'BELLMAN_ADOPT_ONLY')?.value, 'true', kind);
  }
});

interface DaemonSet {
  readonly kind: string;
  readonly spec: {
    readonly updateStrategy?: object;
    readonly minReadySeconds?: number;
    readonly template?: {
      readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
      readonly spec: { readonly containers: readonly Record<string, unknown>[] };
    };
  };
}

/** The ports and the update strategy that the speaker's DaemonSet has with these components. */
function speakerWith(...components: readonly string[]) {
  const speaker = kustomize<DaemonSet>(...components).find(({ kind }) => kind === 'DaemonSet');
  const { updateStrategy, minReadySeconds, template } = speaker?.spec ?? {};
  const container = template?.spec.containers[0] ?? {};
  return {
    updateStrategy,
    minReadySeconds,
    ports: container.ports,
    annotated: template?.metadata.annotations['prometheus.io/port'],
    probed: ['startupProbe', 'readinessProbe', 'livenessProbe'].map(
      (probe) => (container[probe] as { readonly httpGet: { readonly port: unknown } }).httpGet.port,
    ),
  };
}

for (const [components, port] of [
  [['surge'], 7472],
  [['beside-metallb', 'surge'], 7482],
] as const)
  test(`with ${components.join(' and ')}, two speakers can run on a node, and probes and annotation give the port number ${port}`, () => {
    const { updateStrategy, minReadySeconds = 0, ports, annotated, probed } = speakerWith(...components);
    assert.deepEqual(updateStrategy, { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
    assert.ok(minReadySeconds > 0);
    assert.equal(ports, undefined);
    assert.equal(annotated, String(port));
    assert.deepEqual(probed, [port, port, port]);
  });

test('kustomize fails when surge is listed before beside-metallb, because surge removes the ports that beside-metallb changes', () => {
  assert.throws(() => speakerWith('surge', 'beside-metallb'), /containers\/0\/ports/);
});

test('without components, the probes reach the port that the speaker declares', () => {
  const { probed, annotated } = speakerWith();
  assert.deepEqual(probed, [7472, 7472, 7472]);
  assert.equal(annotated, '7472');
});

test('manifests give each process time for a slow start, a liveness timeout of at least 5 s and a memory limit', () => {
  for (const [kind, name] of [
    ['Deployment', 'controller'],
    ['DaemonSet', 'speaker'],
  ] as const) {
    const container = one(kind, name).spec?.template?.spec.containers[0];
    const { startupProbe, livenessProbe } = container ?? {};
    assert.ok((startupProbe?.periodSeconds ?? 0) * (startupProbe?.failureThreshold ?? 0) >= 120, name);
    assert.ok((livenessProbe?.timeoutSeconds ?? 0) >= 5, name);
    assert.match(container?.resources.limits?.memory ?? '', /^\d+[MG]i$/);
  }
  one('PodDisruptionBudget', 'controller');
  one('NetworkPolicy', 'controller');
});

test('the example ConfigMap has the right name, is accepted, and is not among the applied manifests', () => {
  const [example] = loadAll(readFileSync(`${folder}example-config.yaml`, 'utf8')) as Manifest[];
  assert.deepEqual(example?.metadata, { name: configMapName, namespace: defaultNamespace });
  const parsed = parseConfig(example?.data?.[configMapKey] ?? '');
  assert.ok(parsed.ok);
  assert.ok(!rendered.some(({ kind }) => kind === 'ConfigMap'));
});
