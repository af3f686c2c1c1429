import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Objects } from '../../../lab/apiserver/objects.ts';
import { ApiProblem } from '../../../lab/apiserver/problem.ts';
import { field, type KubernetesObject } from '../../../lab/apiserver/resources.ts';
import { Store } from '../../../lab/apiserver/store.ts';
import { matcherOf, type Target, targetOf } from '../../../lab/apiserver/target.ts';

const base = 'http://lab/api/v1/namespaces/default/services';

function target(url: string): Target {
  const found = targetOf(new URL(url));
  assert.ok(found);
  return found;
}

function service(name: string, spec: object = {}, metadata: object = {}): KubernetesObject {
  return { metadata: { name, ...metadata }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec } };
}

function refusal(code: number, pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof ApiProblem && error.code === code && pattern.test(error.message);
}

describe('targetOf()', () => {
  const rows: readonly (readonly [path: string, expected: string | undefined])[] = [
    ['/api/v1/services', 'services undefined undefined'],
    ['/api/v1/namespaces/a/services', 'services a undefined'],
    ['/api/v1/namespaces/a/services/b', 'services a b'],
    ['/api/v1/namespaces/a/services/b/status', 'services a b status'],
    ['/api/v1/namespaces/a', 'namespaces undefined a'],
    ['/api/v1/namespaces/a/status', 'namespaces undefined a status'],
    ['/apis/coordination.k8s.io/v1/namespaces/a/leases/b', 'leases a b'],
    ['/api/v1/nodes/n', 'nodes undefined n'],
    ['/api/v1/namespaces/a/services/b/proxy', undefined],
    ['/api/v1/namespaces/a/configmaps/b/status', undefined],
    ['/api/v1/unknown', undefined],
    ['/api/v2/services', undefined],
    ['/apis/apps/v1/deployments', undefined],
  ];
  for (const [path, expected] of rows)
    test(`${expected === undefined ? 'refuses' : 'resolves'} ${path}`, () => {
      const found = targetOf(new URL(path, 'http://lab'));
      const { resource, namespace, name, status } = found ?? {};
      assert.equal(found && `${resource?.plural} ${namespace} ${name}${status ? ' status' : ''}`, expected);
    });
});

describe('Objects', () => {
  test('create() fills in the defaults of an API server', () => {
    const objects = new Objects(new Store());
    const created = objects.create(target(base), service('web', { ipFamilyPolicy: 'RequireDualStack' }));
    assert.equal(created.metadata.namespace, 'default');
    assert.equal(created.metadata.generation, 1);
    assert.match(created.metadata.uid ?? '', /^[0-9a-f-]{36}$/);
    assert.match(created.metadata.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(field(created, 'spec', 'ipFamilies'), ['IPv4', 'IPv6']);
    assert.equal((field(created, 'spec', 'clusterIPs') as string[]).length, 2);
    assert.deepEqual(field(created, 'spec', 'ports', 0), { protocol: 'TCP', targetPort: 80, port: 80 });
    assert.equal(field(created, 'spec', 'externalTrafficPolicy'), 'Cluster');
  });

  test('create() makes a name from generateName and refuses a duplicate name', () => {
    const objects = new Objects(new Store());
    const made = objects.create(target(base), service('', {}, { generateName: 'web-' }));
    assert.match(made.metadata.name, /^web-[0-9a-f]{8}$/);
    assert.throws(
      () => objects.create(target(base), service(made.metadata.name)),
      refusal(409, /already exists/),
    );
  });

  const invalid: readonly (readonly [
    what: string,
    object: KubernetesObject,
    code: number,
    pattern: RegExp,
  ])[] = [
    ['a missing name', service(''), 422, /metadata\.name: Required value/],
    ['a bad name', service('Not_A_Name'), 422, /metadata\.name: Invalid value/],
    ['a Service without ports', service('a', { ports: [] }), 422, /spec\.ports: Required value/],
    ['a port of 0', service('a', { ports: [{ port: 0 }] }), 422, /spec\.ports\[0\]\.port: Invalid value/],
    ['two ports without names', service('a', { ports: [{ port: 1 }, { port: 2 }] }), 422, /name: Required/],
    ['a selector that is not a map', service('a', { selector: 'app=a' }), 400, /expected a map/],
    ['ports that are not a list', service('a', { ports: { port: 1 } }), 400, /expected a list/],
    ['an unknown policy', service('a', { ipFamilyPolicy: 'Both' }), 422, /ipFamilyPolicy: Unsupported/],
    [
      'a namespace that differs from the namespace of the request',
      service('a', {}, { namespace: 'other' }),
      400,
      /not that of the request/,
    ],
    [
      'an annotation that is not a string',
      service('a', {}, { annotations: { a: 1 } }),
      400,
      /expected a string/,
    ],
    [
      'annotations of more than 256 KiB',
      service('a', {}, { annotations: { a: 'x'.repeat(262_144) } }),
      422,
      /metadata\.annotations: Too long/,
    ],
    ['an object of more than 1.5 MiB', service('a', { more: 'x'.repeat(1_572_864) }), 413, /at most 1572864/],
  ];
  for (const [what, object, code, pattern] of invalid)
    test(`create() refuses ${what}`, () => {
      const store = new Store();
      const objects = new Objects(store);
      assert.throws(() => objects.create(target(base), object), refusal(code, pattern));
      assert.deepEqual(store.list('/v1/services'), []);
    });

  test('update() refuses an old resourceVersion as a conflict, and writes nothing when nothing changes', () => {
    const store = new Store();
    const objects = new Objects(store);
    const old = objects.create(target(base), service('web'));
    const web = target(`${base}/web`);
    assert.equal(
      objects.update(web, structuredClone(old)).metadata.resourceVersion,
      old.metadata.resourceVersion,
    );
    const changed = { ...old, metadata: { ...old.metadata, labels: { a: 'b' } } };
    objects.update(web, changed);
    const version = store.version;
    assert.throws(() => objects.update(web, changed), refusal(409, /the object has been modified/));
    assert.equal(store.version, version);
  });

  test('the status changes only through the path /status, and the spec and the generation change only through the main path', () => {
    const objects = new Objects(new Store());
    objects.create(target(base), service('web'));
    const merge = (url: string, patch: object) =>
      objects.patch(target(url), 'application/merge-patch+json', patch);
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] } };
    const spec = { loadBalancerIP: '192.0.2.1' };
    let now = merge(`${base}/web`, { spec, status });
    assert.deepEqual(now.status, { loadBalancer: {} });
    assert.equal(now.metadata.generation, 2);
    now = merge(`${base}/web/status`, {
      status,
      spec: { loadBalancerIP: 'other' },
      metadata: { annotations: { a: 'b' } },
    });
    assert.deepEqual(now.status, status);
    assert.equal(field(now, 'spec', 'loadBalancerIP'), '192.0.2.1');
    assert.deepEqual(now.metadata.annotations, { a: 'b' });
    assert.equal(now.metadata.generation, 2);
  });

  test('a Service keeps its cluster IPs, its class and its first family', () => {
    const objects = new Objects(new Store());
    const created = objects.create(target(base), service('web', { loadBalancerClass: 'a/b' }));
    const web = target(`${base}/web`);
    const replaced = objects.update(web, service('web', { loadBalancerClass: 'a/b' }));
    assert.deepEqual(field(replaced, 'spec', 'clusterIPs'), field(created, 'spec', 'clusterIPs'));
    const dual = objects.update(
      web,
      service('web', { loadBalancerClass: 'a/b', ipFamilyPolicy: 'PreferDualStack' }),
    );
    assert.equal(field(dual, 'spec', 'clusterIPs', 0), field(created, 'spec', 'clusterIPs', 0));
    assert.equal((field(dual, 'spec', 'clusterIPs') as string[]).length, 2);
    assert.throws(
      () => objects.update(web, service('web')),
      refusal(422, /loadBalancerClass.*may not change/),
    );
    assert.throws(
      () => objects.update(web, service('web', { loadBalancerClass: 'a/b', ipFamilies: ['IPv6'] })),
      refusal(422, /primary ipFamily/),
    );
  });

  const changesOfType: readonly (readonly [from: object, to: object, lost: readonly string[]])[] = [
    [
      { type: 'NodePort', allocateLoadBalancerNodePorts: null },
      { type: 'ClusterIP' },
      ['externalTrafficPolicy'],
    ],
    [
      { type: 'LoadBalancer', loadBalancerClass: 'a/b' },
      { type: 'ClusterIP' },
      ['externalTrafficPolicy', 'allocateLoadBalancerNodePorts', 'loadBalancerClass'],
    ],
    [
      { type: 'LoadBalancer' },
      { type: 'ExternalName', externalName: 'example.com' },
      [
        'externalTrafficPolicy',
        'allocateLoadBalancerNodePorts',
        'clusterIP',
        'clusterIPs',
        'ipFamilies',
        'ipFamilyPolicy',
      ],
    ],
  ];
  for (const [from, to, lost] of changesOfType)
    test(`a Service that changes from ${JSON.stringify(from)} to ${JSON.stringify(to)} loses what only the old type has`, () => {
      const objects = new Objects(new Store());
      const { spec } = objects.create(target(base), service('web', from));
      const isLoadBalancer = field(spec, 'type') === 'LoadBalancer';
      const merge = (url: string, patch: object) =>
        objects.patch(target(url), 'application/merge-patch+json', patch);
      if (isLoadBalancer)
        merge(`${base}/web/status`, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } });
      const changed = merge(`${base}/web`, { spec: to });
      const kept = Object.entries(spec as object).filter(([name]) => !lost.includes(name));
      assert.deepEqual(changed.spec, { ...Object.fromEntries(kept), ...to });
      assert.deepEqual(changed.status, { loadBalancer: {} });
    });

  test('a change of type fails when it also sets a field that the new type does not have', () => {
    for (const spec of [
      { externalTrafficPolicy: 'Local' },
      { loadBalancerClass: 'c/d' },
      { allocateLoadBalancerNodePorts: false },
    ]) {
      const objects = new Objects(new Store());
      objects.create(target(base), service('web', { loadBalancerClass: 'a/b' }));
      const patch = { spec: { type: 'ClusterIP', ...spec } };
      assert.throws(
        () => objects.patch(target(`${base}/web`), 'application/merge-patch+json', patch),
        refusal(422, new RegExp(`spec\\.${Object.keys(spec)[0]}: .*may only be`)),
      );
    }
  });

  const clusterIps: readonly (readonly [asked: object, clusterIPs: readonly string[]])[] = [
    [{ clusterIP: '10.96.7.7' }, ['10.96.7.7']],
    [{ clusterIP: 'fd00:96::77' }, ['fd00:96::77']],
    [{ clusterIP: '10.96.7.7', clusterIPs: ['10.96.7.7'] }, ['10.96.7.7']],
    [
      {
        clusterIP: '10.96.7.7',
        clusterIPs: ['10.96.7.7', 'fd00:96::77'],
        ipFamilyPolicy: 'RequireDualStack',
      },
      ['10.96.7.7', 'fd00:96::77'],
    ],
  ];
  for (const [asked, expected] of clusterIps)
    test(`a Service gets the cluster IPs that it asks for, and keeps them: ${JSON.stringify(asked)}`, () => {
      const objects = new Objects(new Store());
      const created = objects.create(target(base), service('web', asked));
      assert.deepEqual(field(created, 'spec', 'clusterIPs'), expected);
      assert.equal(field(created, 'spec', 'clusterIP'), expected[0]);
      const web = target(`${base}/web`);
      const { clusterIPs: _, ...old } = created.spec as Record<string, unknown>;
      for (const spec of [old, { ...old, clusterIP: undefined }])
        assert.deepEqual(objects.update(web, service('web', spec)).spec, created.spec);
      for (const clusterIP of ['10.96.7.8', 'None', 'text'])
        assert.throws(
          () => objects.patch(web, 'application/merge-patch+json', { spec: { clusterIP } }),
          refusal(422, /spec\.clusterIPs\[0\]: Invalid value/),
        );
    });

  test('update() creates a Service on the main path, but not on the status path', () => {
    const store = new Store();
    const objects = new Objects(store);
    assert.throws(
      () => objects.update(target(`${base}/web/status`), service('web')),
      refusal(404, /services "web" not found/),
    );
    assert.deepEqual(store.list('/v1/services'), []);
    assert.equal(objects.update(target(`${base}/web`), service('web')).metadata.name, 'web');
  });

  test('the size of a Secret is that of its decoded values, whether they come as text or in base64', () => {
    const objects = new Objects(new Store());
    const secrets = target('http://lab/api/v1/namespaces/default/secrets');
    const [half, over] = ['x'.repeat(524_288), 'x'.repeat(524_289)];
    const secret = (name: string, text: string) => ({
      metadata: { name },
      data: { a: Buffer.from(half).toString('base64') },
      stringData: { b: text },
    });
    assert.equal(objects.create(secrets, secret('full', half)).metadata.name, 'full');
    assert.throws(() => objects.create(secrets, secret('over', over)), refusal(422, /data: Too long/));
    assert.throws(
      () => objects.create(secrets, { metadata: { name: 'bad' }, stringData: { 'a/b': 'c' } }),
      refusal(422, /data\[a\/b\]: Invalid value/),
    );
  });

  test('delete() waits for finalizers, and fails when the uid differs', () => {
    const objects = new Objects(new Store());
    objects.create(target(base), service('web', {}, { finalizers: ['a/b'] }));
    const web = target(`${base}/web`);
    assert.throws(() => objects.delete(web, { uid: 'other' }), refusal(409, /UID/));
    assert.ok(objects.delete(web).metadata.deletionTimestamp);
    assert.equal(objects.get(web).metadata.name, 'web');
    objects.patch(web, 'application/merge-patch+json', { metadata: { finalizers: null } });
    assert.throws(() => objects.get(web), refusal(404, /services "web" not found/));
  });

  test('deleting a namespace deletes its content', () => {
    const store = new Store();
    const objects = new Objects(store);
    const namespaces = 'http://lab/api/v1/namespaces';
    objects.create(target(namespaces), { metadata: { name: 'short' } });
    objects.create(target(`${namespaces}/short/services`), service('in'));
    objects.create(target(base), service('out'));
    objects.delete(target(`${namespaces}/short`));
    assert.deepEqual(
      store.list('/v1/services').map(([key]) => key),
      ['default/out'],
    );
  });

  test('a dry run stores nothing', () => {
    const store = new Store();
    const objects = new Objects(store);
    objects.create(target(base), service('web'));
    const version = store.version;
    const patch = { metadata: { labels: { a: 'b' } } };
    const shown = objects.patch(target(`${base}/web?dryRun=All`), 'application/merge-patch+json', patch);
    assert.deepEqual(shown.metadata.labels, { a: 'b' });
    objects.create(target(`${base}?dryRun=All`), service('other'));
    objects.delete(target(`${base}/web?dryRun=All`));
    assert.equal(store.version, version);
  });

  test('list() returns each object once over all pages, and answers 410 to a continue token from before a compaction', () => {
    const store = new Store();
    const objects = new Objects(store);
    for (let i = 0; i < 25; i++) objects.create(target(base), service(`s${i}`));
    const all = target(base);
    const matches = matcherOf(all, new URL(base));
    const names: string[] = [];
    const page10 = (token: string | null) => ({ limit: 10, token, isSelection: false });
    let page = objects.list(all, matches, page10(null));
    const second = page.metadata.continue ?? '';
    assert.equal(page.metadata.remainingItemCount, 15);
    for (;;) {
      names.push(...page.items.map(({ metadata }) => metadata.name));
      if (page.metadata.continue === undefined) break;
      page = objects.list(all, matches, page10(page.metadata.continue));
    }
    assert.equal(new Set(names).size, 25);
    assert.equal(names.length, 25);
    store.compact();
    assert.throws(() => objects.list(all, matches, page10(second)), refusal(410, /too old/));
    assert.throws(() => objects.list(all, matches, page10('nonsense')), refusal(400, /continue token/));
  });

  test('patch() refuses an inapplicable JSON patch, and refuses server-side apply with a message that names the flag --server-side', () => {
    const objects = new Objects(new Store());
    objects.create(target(base), service('web'));
    const web = target(`${base}/web`);
    const missing = [{ op: 'remove', path: '/metadata/labels/none' }];
    assert.throws(
      () => objects.patch(web, 'application/json-patch+json', missing),
      refusal(422, /cannot be/),
    );
    assert.throws(
      () => objects.patch(web, 'application/apply-patch+yaml', {}),
      refusal(415, /--server-side/),
    );
  });
});
