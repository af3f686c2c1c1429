/** The lab's API server, used by a stock `kubectl` and by `@kubernetes/client-node`. */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap, Watch } from '@kubernetes/client-node';
import { isKubernetes, skippedOnKubernetes } from '../../lab/start-api-server.ts';
import { eventually } from '../support/eventually.ts';

const run = promisify(execFile);
const skip = skippedOnKubernetes('it tests the embedded server itself');
const folder = mkdtempSync(join(tmpdir(), 'bellman-apiserver-'));
const kubeconfig = join(folder, 'kubeconfig');
let server: ChildProcess | undefined;
let url = '';

before(async () => {
  if (isKubernetes) return;
  const main = fileURLToPath(new URL('../../lab/apiserver/main.ts', import.meta.url));
  const flags = ['--kubeconfig-out', kubeconfig, '--tls', '--token', 'sesame', '--log-folder', folder];
  server = spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  server.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  url = await eventually('the API server prints its URL', () => /https:\S+/.exec(output)?.[0]);
});
after(() => {
  server?.kill('SIGTERM');
  rmSync(folder, { recursive: true });
});

async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await run(
    'kubectl',
    ['--kubeconfig', kubeconfig, '--cache-dir', join(folder, 'cache'), ...args],
    {
      env: { ...process.env, EDITOR: "sed -i 's/app: web/app: edited/'" },
    },
  );
  return stdout;
}

async function refusal(...args: string[]): Promise<string> {
  try {
    await kubectl(...args);
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
  throw new Error(`kubectl ${args.join(' ')} was not refused`);
}

function manifest(name: string, ...objects: object[]): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  return file;
}

const web = (port = 80) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    type: 'LoadBalancer',
    ipFamilyPolicy: 'PreferDualStack',
    selector: { app: 'web' },
    ports: [{ port }],
  },
});

async function knob(name: string): Promise<void> {
  await run('curl', ['-fksS', '-X', 'POST', `${url}/lab/${name}`]);
}

describe('kubectl against the lab’s API server', { concurrency: false, skip }, () => {
  test('apply creates an object, then leaves it unchanged, then changes it', async () => {
    assert.match(await kubectl('apply', '-f', manifest('a', web())), /service\/web created/);
    assert.match(await kubectl('apply', '-f', manifest('a', web())), /service\/web unchanged/);
    assert.match(await kubectl('apply', '-f', manifest('a', web(81))), /service\/web configured/);
    assert.equal(await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.ports[*].port}'), '81');
  });

  test('get shows the usual columns', async () => {
    assert.match(
      await kubectl('get', 'svc'),
      /NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nweb +LoadBalancer +10\.96\.\d+\.\d+ +<pending> +81\/TCP/,
    );
    assert.match(await kubectl('get', 'ns'), /default +Active/);
    assert.match(await kubectl('get', 'svc', '-A', '-o', 'wide'), /app=web/);
  });

  test('describe shows the object and its events', async () => {
    const uid = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.metadata.uid}');
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web.1', namespace: 'default' },
      involvedObject: { apiVersion: 'v1', kind: 'Service', name: 'web', namespace: 'default', uid },
      type: 'Normal',
      reason: 'IPAllocated',
      message: 'assigned 192.0.2.1',
      firstTimestamp: new Date().toISOString(),
      lastTimestamp: new Date().toISOString(),
      count: 1,
      source: { component: 'test' },
    };
    await kubectl('create', '-f', manifest('e', event));
    const described = await kubectl('describe', 'service', 'web');
    assert.match(described, /IP Families: +IPv4,IPv6/);
    assert.match(described, /IPAllocated .* assigned 192\.0\.2\.1/);
    assert.match(await kubectl('get', 'events'), /Normal +IPAllocated +service\/web +assigned 192\.0\.2\.1/);
    assert.match(await kubectl('get', 'events.events.k8s.io', '-o', 'yaml'), /note: assigned 192\.0\.2\.1/);
  });

  test('get events sorts by a field of the object', async () => {
    const event = (name: string, lastTimestamp: string) => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'kube-system' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'kube-system' },
      type: 'Normal',
      reason: name,
      lastTimestamp,
    });
    await kubectl(
      ...['create', '-f'],
      manifest('sorted', event('later', '2026-01-02T00:00:00Z'), event('earlier', '2026-01-01T00:00:00Z')),
    );
    const shown = await kubectl('get', 'events', '-n', 'kube-system', '--sort-by=.lastTimestamp');
    assert.match(shown, /earlier.*later/s);
  });

  test('logs shows the log of a pod, and drain cordons a node and removes its pods', async () => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'drained' } };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'talker', namespace: 'default' },
      spec: { nodeName: 'drained', containers: [{ name: 'server', image: 'none' }] },
    };
    writeFileSync(join(folder, 'talker.log'), 'one\ntwo\nthree\n');
    await kubectl('create', '-f', manifest('drain', node, pod));
    assert.equal(await kubectl('logs', 'talker'), 'one\ntwo\nthree\n');
    assert.equal(await kubectl('logs', '--tail=1', 'talker'), 'three\n');
    assert.match(await refusal('logs', 'missing'), /not found/);
    await kubectl('drain', 'drained', '--force');
    assert.match(await kubectl('get', 'node', 'drained'), /SchedulingDisabled/);
    assert.match(await refusal('get', 'pod', 'talker'), /not found/);
  });

  test('edit stores the change that the editor made', async () => {
    assert.match(await kubectl('edit', 'service', 'web'), /edited/);
    assert.equal(await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.selector.app}'), 'edited');
  });

  for (const [type, patch] of [
    ['strategic', '{"metadata":{"labels":{"by":"strategic"}}}'],
    ['merge', '{"metadata":{"labels":{"by":"merge"}}}'],
    ['json', '[{"op":"replace","path":"/metadata/labels/by","value":"json"}]'],
  ] as const) {
    test(`patch of type ${type} changes the label`, async () => {
      await kubectl('patch', 'service', 'web', '--type', type, '-p', patch);
      assert.equal(await kubectl('get', 'service', 'web', '-o', 'jsonpath={.metadata.labels.by}'), type);
    });
  }

  test('the status changes only through its own path', async () => {
    const status = '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"}]}}}';
    await kubectl('patch', 'service', 'web', '--type', 'merge', '-p', status);
    assert.equal(
      await kubectl('get', 'service', 'web', '-o', 'jsonpath={.status.loadBalancer.ingress[*].ip}'),
      '',
    );
    // This does what `--subresource status` does. The kubectl of Debian 12 does not have that flag yet.
    const object = JSON.parse(await kubectl('get', 'service', 'web', '-o', 'json')) as object;
    const file = join(folder, 'status.json');
    writeFileSync(file, JSON.stringify({ ...object, ...(JSON.parse(status) as object) }));
    await kubectl('replace', '--raw', '/api/v1/namespaces/default/services/web/status', '-f', file);
    assert.match(await kubectl('get', 'service', 'web'), /192\.0\.2\.7/);
  });

  test('get filters by label and by field', async () => {
    assert.match(await kubectl('get', 'svc', '-l', 'by in (json)', '-o', 'name'), /service\/web/);
    assert.equal(await kubectl('get', 'svc', '-l', 'by!=json', '-o', 'name'), '');
    assert.match(await kubectl('get', 'svc', '--field-selector', 'metadata.name=web', '-o', 'name'), /web/);
  });

  test('get -w shows a change as it happens', async () => {
    const watching = spawn('kubectl', [
      '--kubeconfig',
      kubeconfig,
      '--cache-dir',
      join(folder, 'cache'),
      'get',
      'svc',
      '-w',
      '-L',
      'seen',
    ]);
    let output = '';
    watching.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    try {
      await eventually('the first row', () => /web +LoadBalancer/.test(output));
      await kubectl('label', 'service', 'web', 'seen=yes');
      await eventually('the row of the change', () => /web .* yes\n/.test(output));
    } finally {
      watching.kill('SIGTERM');
    }
  });

  test('an update with an old resourceVersion is a conflict', async () => {
    const old = await kubectl('get', 'service', 'web', '-o', 'json');
    await kubectl('annotate', 'service', 'web', 'newer=yes');
    writeFileSync(join(folder, 'old.json'), old);
    assert.match(
      await refusal('replace', '-f', join(folder, 'old.json')),
      /Conflict|the object has been modified/,
    );
  });

  test('an invalid object is refused with the name of the field', async () => {
    assert.match(
      await refusal(
        'create',
        '-f',
        manifest('bad', { ...web(), metadata: { name: 'Not_A_Name', namespace: 'default' } }),
      ),
      /metadata\.name: Invalid value/,
    );
    assert.match(
      await refusal(
        'create',
        '-f',
        manifest('lost', { ...web(), metadata: { name: 'a', namespace: 'nowhere' } }),
      ),
      /namespaces "nowhere" not found/,
    );
    assert.match(await refusal('get', 'service', 'nothing'), /services "nothing" not found/);
    assert.match(
      await refusal(
        'annotate',
        'service',
        'web',
        `long=${'x'.repeat(100_000)}`,
        `longer=${'x'.repeat(100_000)}`,
        `longest=${'x'.repeat(80_000)}`,
      ),
      /Too long/,
    );
  });

  test('the kinds besides Service that Bellman uses can be created, listed and deleted', async () => {
    const named = (apiVersion: string, kind: string, more: object = {}) => ({
      apiVersion,
      kind,
      metadata: { name: 'one', namespace: 'default' },
      ...more,
    });
    const objects = [
      named('v1', 'ConfigMap', { data: { a: 'b' } }),
      named('v1', 'Secret', { stringData: { password: 'x' } }),
      named('v1', 'Pod', { spec: { containers: [{ name: 'a', image: 'b' }] } }),
      named('coordination.k8s.io/v1', 'Lease', { spec: { holderIdentity: 'me' } }),
      named('discovery.k8s.io/v1', 'EndpointSlice', { addressType: 'IPv4', endpoints: [], ports: [] }),
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'one' } },
    ];
    const file = manifest('kinds', ...objects);
    await kubectl('create', '-f', file);
    assert.match(
      await kubectl('get', 'cm,secret,pod,lease,endpointslice,node'),
      /lease\.coordination\.k8s\.io\/one +me/,
    );
    assert.equal(await kubectl('get', 'secret', 'one', '-o', 'jsonpath={.data.password}'), 'eA==');
    await kubectl('delete', '-f', file);
    assert.match(await refusal('get', 'node', 'one'), /not found/);
  });

  test('delete removes an object, and a namespace with its content', async () => {
    await kubectl(
      'create',
      '-f',
      manifest('ns', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'short' } }),
    );
    await kubectl(
      'create',
      '-f',
      manifest('in', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'in', namespace: 'short' } }),
    );
    await kubectl('delete', 'namespace', 'short');
    assert.equal(await kubectl('get', 'cm', '-n', 'short', '-o', 'name'), '');
    await kubectl('delete', 'service', 'web');
    assert.match(await refusal('get', 'service', 'web'), /not found/);
  });

  test('a wrong token is refused', async () => {
    const wrong = join(folder, 'wrong');
    writeFileSync(wrong, readFileSync(kubeconfig, 'utf8').replace('sesame', 'simsim'));
    assert.match(await refusal('--kubeconfig', wrong, 'get', 'svc'), /Unauthorized|logged in/);
  });
});

describe('@kubernetes/client-node against the lab’s API server', { concurrency: false, skip }, () => {
  const config = new KubeConfig();
  let api: CoreV1Api;
  const put = (name: string) =>
    api.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name }, data: {} } });
  before(() => {
    config.loadFromFile(kubeconfig);
    api = config.makeApiClient(CoreV1Api);
  });

  test('an informer survives broken watches and a compaction', async () => {
    const seen = new Set<string>();
    const informer = makeInformer<V1ConfigMap>(config, '/api/v1/namespaces/default/configmaps', () =>
      api.listNamespacedConfigMap({ namespace: 'default' }),
    );
    informer.on('add', (object) => void seen.add(object.metadata?.name ?? ''));
    let isOver = false;
    informer.on('error', () => {
      setTimeout(() => {
        if (!isOver) void informer.start();
      }, 50);
    });
    await informer.start();
    try {
      await put('first');
      await eventually('the first object', () => seen.has('first'));
      await knob('cut-watches');
      await put('second');
      await eventually('an object after the cut', () => seen.has('second'));
      await knob('cut-watches');
      await knob('compact');
      await put('third');
      await eventually('an object created after the compaction', () => seen.has('third'));
    } finally {
      isOver = true;
      await informer.stop();
    }
  });

  test('a watch from a version before a compaction gets 410 Gone', async () => {
    const { metadata } = await api.listNamespacedConfigMap({ namespace: 'default' });
    await put('later');
    await knob('compact');
    const answers: { type: string; code?: number }[] = [];
    const watch = new Watch(config);
    const request = await watch.watch(
      '/api/v1/namespaces/default/configmaps',
      { resourceVersion: metadata?.resourceVersion ?? '' },
      (type: string, object: { code?: number }) =>
        void answers.push({ type, ...(object.code === undefined ? {} : { code: object.code }) }),
      () => {},
    );
    try {
      const [answer] = await eventually('an answer', () => (answers.length > 0 ? answers : undefined));
      assert.deepEqual(answer, { type: 'ERROR', code: 410 });
    } finally {
      request.abort();
    }
  });

  test('a watch resumes from a version without missing a change', async () => {
    const { metadata } = await api.listNamespacedConfigMap({ namespace: 'default' });
    await put('missed-1');
    await put('missed-2');
    const names: string[] = [];
    const request = await new Watch(config).watch(
      '/api/v1/namespaces/default/configmaps',
      { resourceVersion: metadata?.resourceVersion ?? '' },
      (_: string, object: V1ConfigMap) => void names.push(object.metadata?.name ?? ''),
      () => {},
    );
    try {
      await eventually('both changes', () => names.length >= 2);
      assert.deepEqual(names, ['missed-1', 'missed-2']);
    } finally {
      request.abort();
    }
  });
});
