/** The controller process against the lab's API server: gate, allocation, outages, permissions and failed starts. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAll } from 'js-yaml';
import { applyServiceConditions } from '../../src/kubernetes/write.ts';
import { ControlPlane, Daemon } from '../support/control-plane.ts';
import { eventually, soonMs } from '../support/eventually.ts';
import {
  addresses,
  annotation,
  assigned,
  configMaps,
  configStatus,
  event,
  events,
  makeService,
  services,
  writeConfig,
} from './controller-fixtures.ts';

const good = `address-pools:
- {name: public, protocol: bgp, addresses: [198.51.100.0/28, '2001:db8:100::/120']}
- {name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.241], auto-assign: false}
`;
const bad = good.replace('layer2', 'pigeon');

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** The API group of each resource that the controller uses, and the kind of role that must allow it. A Role covers only `bellman-system`. */
const roleOfResource: Readonly<Record<string, `${'ClusterRole' | 'Role'} ${string}/`>> = {
  services: 'ClusterRole /',
  'services/status': 'ClusterRole /',
  namespaces: 'ClusterRole /',
  nodes: 'ClusterRole /',
  events: 'ClusterRole events.k8s.io/',
  servicecidrs: 'ClusterRole networking.k8s.io/',
  configmaps: 'Role /',
  secrets: 'Role /',
  leases: 'Role coordination.k8s.io/',
};

/** RBAC verbs of HTTP methods, where the names differ. */
const rbacVerbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update' };

let plane: ControlPlane;
before(async () => {
  plane = await ControlPlane.start();
});
after(() => plane.stop());

test('a ConfigMap and a Service lead to an address, an annotation and an event that kubectl shows', async () => {
  const controller = plane.controller();
  await writeConfig(plane, good);
  await makeService(plane, 'web', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] });
  await assigned(plane, 'web', '198.51.100.0', '2001:db8:100::');
  await event(plane, 'Service', 'web', /IPAllocated/);
  const described = await plane.kubectl('describe', 'service', 'web');
  assert.match(described, /bellman\.dev\/ip-allocated-from-pool: public/);
  assert.match(described, /Normal +IPAllocated .*assigned 198\.51\.100\.0, 2001:db8:100:: from pool public/);
  assert.match(await plane.kubectl('get', 'service', 'web'), /198\.51\.100\.0,2001:db8:100::/);
  assert.equal(
    await controller.metric('bellman_allocator_addresses_in_use_total{pool="public",family="ipv4"}'),
    1,
  );
  assert.equal(await controller.fetch('/healthz'), 'ok\n');
  assert.equal((await controller.status()).config?.status, 'active');
  assert.equal(await controller.stop(), 0);
});

const requests: [string, object, Record<string, string>, RegExp | string[]][] = [
  ['by-field', { loadBalancerIP: '198.51.100.7' }, {}, ['198.51.100.7']],
  ['by-annotation', {}, { 'bellman.dev/loadBalancerIPs': '198.51.100.8' }, ['198.51.100.8']],
  ['by-metallb', {}, { 'metallb.universe.tf/loadBalancerIPs': '198.51.100.9' }, ['198.51.100.9']],
  [
    'two-at-once',
    { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
    { 'metallb.io/loadBalancerIPs': '198.51.100.10,2001:db8:100::10' },
    ['2001:db8:100::10', '198.51.100.10'],
  ],
  ['by-pool', {}, { 'metallb.universe.tf/address-pool': 'office' }, ['192.0.2.240']],
  ['by-pools', {}, { 'bellman.dev/address-pool': 'office,public' }, ['192.0.2.241']],
  [
    'prefers-both',
    { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] },
    {},
    ['198.51.100.1', '2001:db8:100::1'],
  ],
  [
    'shares-1',
    { loadBalancerIP: '198.51.100.11' },
    { 'bellman.dev/allow-shared-ip': 'k' },
    ['198.51.100.11'],
  ],
  [
    'shares-2',
    { loadBalancerIP: '198.51.100.11', ports: [{ port: 81 }] },
    { 'bellman.dev/allow-shared-ip': 'k' },
    ['198.51.100.11'],
  ],
  [
    'port-taken',
    { loadBalancerIP: '198.51.100.11' },
    { 'bellman.dev/allow-shared-ip': 'k' },
    /TCP\/80 .*default\/shares-1/,
  ],
  ['in-use', { loadBalancerIP: '198.51.100.7' }, {}, /198\.51\.100\.7.*in use by default\/by-field/],
  ['outside', { loadBalancerIP: '203.0.113.1' }, {}, /203\.0\.113\.1 is in no pool/],
  ['no-such-pool', {}, { 'bellman.dev/address-pool': 'nope' }, /no pool nope; pools: /],
  ['full', {}, { 'bellman.dev/address-pool': 'office' }, /pool office is full/],
  [
    'conflicting',
    { loadBalancerIP: '198.51.100.12' },
    { 'bellman.dev/loadBalancerIPs': '198.51.100.13' },
    /conflicting requests/,
  ],
  ['nonsense', {}, { 'bellman.dev/loadBalancerIPs': 'localhost' }, /localhost is not an IP address/],
];

test('a Service shows conditions, and loses them when Bellman no longer serves it', async () => {
  const controller = plane.controller('--service-conditions');
  await writeConfig(plane, good);
  await makeService(plane, 'shown', {}, { 'bellman.dev/address-pool': 'office' });
  await makeService(plane, 'refused', {}, { 'bellman.dev/address-pool': 'nowhere' });
  const conditions = async (name: string) => {
    const { status } = await plane.get<{ status?: { conditions?: readonly Condition[] } }>(
      `${services}/${name}`,
    );
    return (status?.conditions ?? []).map(({ type, status, reason }) => `${type} ${status} ${reason}`);
  };
  const uidOf = async (name: string) =>
    (await plane.get<{ metadata: { uid: string } }>(`${services}/${name}`)).metadata.uid;
  const shows = (name: string, ...expected: string[]) =>
    eventually(
      `${name} to show ${expected}`,
      async () => `${(await conditions(name)).sort()}` === `${expected}`,
    );
  const other = 'example.com/Other True Here';
  await applyServiceConditions(
    plane.client,
    { namespace: 'default', name: 'shown', uid: await uidOf('shown') },
    'other',
    [
      {
        type: 'example.com/Other',
        status: 'True',
        reason: 'Here',
        message: '',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
  );
  const assigned = 'bellman.dev/AddressAssigned True Assigned';
  await shows('shown', assigned, 'bellman.dev/Announced False NoNodeAnswers', other);
  await shows(
    'refused',
    'bellman.dev/AddressAssigned False NoSuchPool',
    'bellman.dev/Announced False NoAddress',
  );
  const [address = ''] = await addresses(plane, 'shown');
  await plane.merge(`${services}/shown/status`, {
    metadata: { annotations: { 'bellman.dev/announcing': `${address}=node-1/eth0` } },
  });
  await shows('shown', assigned, 'bellman.dev/Announced True Answered', other);
  await plane.merge(`${services}/shown`, { spec: { type: 'ClusterIP' } });
  await shows('shown', other);
  assert.equal(await controller.stop(), 0);
  await plane.kubectl('delete', 'service', 'shown', 'refused');
});

test('each kind of request is fulfilled, or refused with a cause', async (t) => {
  const controller = plane.controller();
  await controller.logged('leading');
  for (const [name, spec, annotations, expected] of requests)
    await t.test(name, async () => {
      await makeService(plane, name, spec, annotations);
      if (expected instanceof RegExp) {
        await event(plane, 'Service', name, new RegExp(`^Warning AllocationFailed .*${expected.source}`));
        assert.deepEqual(await addresses(plane, name), []);
      } else {
        await assigned(plane, name, ...expected);
        await event(plane, 'Service', name, /^Normal IPAllocated/);
      }
    });
  await t.test('a freed address goes to the Service that waits for it', async () => {
    await plane.delete(`${services}/by-pool`);
    await assigned(plane, 'full', '192.0.2.240');
  });
  await t.test('a Service of another class stays untouched', async () => {
    await makeService(plane, 'theirs', { loadBalancerClass: 'example.com/other' });
    await makeService(plane, 'after-theirs');
    await assigned(plane, 'after-theirs', '198.51.100.2');
    assert.deepEqual(await addresses(plane, 'theirs'), []);
    assert.deepEqual(await events(plane, 'Service', 'theirs'), []);
  });
  await t.test('a Service that becomes ClusterIP gives its address back', async () => {
    await plane.merge(`${services}/after-theirs`, { spec: { type: 'ClusterIP' } });
    await assigned(plane, 'after-theirs');
    await event(plane, 'Service', 'after-theirs', /IPReleased released 198\.51\.100\.2/);
  });
  assert.equal(await controller.stop(), 0);
});

test('no address moves on a bad edit, a restart after it, a deleted ConfigMap, an orphaning edit, draining, or a split of a pool', async (t) => {
  let controller = plane.controller();
  await controller.logged('leading');
  const before = await addresses(plane, 'web');

  await t.test('kubectl shows the errors of a bad edit', async () => {
    await writeConfig(plane, bad);
    await configStatus(plane, 'stale');
    await event(plane, 'ConfigMap', 'config', /ConfigStale/);
    const described = await plane.kubectl('describe', 'configmap', '-n', 'bellman-system', 'config');
    assert.match(described, /bellman\.dev\/config-status: stale/);
    assert.match(described, /bellman\.dev\/config-error:\s+address-pools\[1\]\.protocol/);
    assert.match(described, /Warning +ConfigStale .*stays in force/);
    assert.match(
      await plane.kubectl('get', 'events', '-n', 'bellman-system'),
      /ConfigStale +configmap\/config/,
    );
    assert.equal(await controller.metric('bellman_config_stale'), 1);
    const stale = await eventually('the log line of the refusal', () =>
      controller.lines.find(({ msg }) => msg.startsWith('configuration not accepted')),
    );
    assert.match(String(stale.reason), /address-pools\[1\]\.protocol/);
  });

  await t.test(
    'a killed controller restarts with the accepted configuration, and changes neither the ConfigMap nor its events',
    async () => {
      const eventsBefore = await events(plane, 'ConfigMap', 'config');
      controller.signal('SIGKILL');
      await controller.exited;
      const annotated = (await plane.requests('bellman-controller')).get('PATCH configmaps');
      controller = plane.controller('--no-leader-election');
      await eventually(
        'the verdict of the gate',
        async () => (await controller.status()).config?.status === 'stale',
      );
      await makeService(plane, 'under-stale');
      await assigned(plane, 'under-stale', '198.51.100.2');
      assert.deepEqual(await addresses(plane, 'web'), before);
      assert.equal((await plane.requests('bellman-controller')).get('PATCH configmaps'), annotated);
      assert.deepEqual(await events(plane, 'ConfigMap', 'config'), eventsBefore);
    },
  );

  await t.test(
    'a deleted ConfigMap counts as stale until it is created again, even for a controller that starts in the meantime',
    async () => {
      await plane.delete(`${configMaps}/config`);
      await event(plane, 'ConfigMap', 'config', /ConfigStale .*there is no ConfigMap config/);
      await controller.stop();
      controller = plane.controller('--no-leader-election');
      await makeService(plane, 'under-deleted');
      await assigned(plane, 'under-deleted', '198.51.100.3');
      assert.equal(await controller.metric('bellman_config_stale'), 1);
      await writeConfig(plane, good);
      await configStatus(plane, 'active');
      assert.equal(await annotation(plane, 'accepted-config'), good);
      await event(plane, 'ConfigMap', 'config', /ConfigAccepted configuration reverted to the accepted one/);
    },
  );

  await t.test('the refusal of an edit that would orphan addresses names those addresses', async () => {
    await writeConfig(plane, good.replace(/^.*office.*\n/m, ''));
    await configStatus(plane, 'stale');
    assert.match(
      (await annotation(plane, 'config-error')) ?? '',
      /default\/(full|by-pools) 192\.0\.2\.24[01]/,
    );
    await assigned(plane, 'full', '192.0.2.240');
  });

  await t.test('a draining pool keeps its assigned addresses and assigns no new ones', async () => {
    await writeConfig(plane, good.replace('name: office,', 'name: office, draining: true,'));
    await configStatus(plane, 'active');
    await plane.delete(`${services}/by-pools`);
    await makeService(plane, 'too-late', {}, { 'bellman.dev/address-pool': 'office' });
    await event(plane, 'Service', 'too-late', /AllocationFailed .*draining/);
    await assigned(plane, 'full', '192.0.2.240');
  });

  await t.test('a split of a pool changes no address', async () => {
    const [split] = [
      good.replace(
        /^.*public.*\n/m,
        `- {name: low, protocol: bgp, addresses: [198.51.100.0/29]}
- {name: high, protocol: bgp, addresses: [198.51.100.8/29, '2001:db8:100::/120']}
`,
      ),
    ];
    await writeConfig(plane, split);
    await eventually(
      'the split to be in force',
      async () => (await annotation(plane, 'accepted-config')) === split,
    );
    await eventually('the Service to name both pools', async () =>
      /: low,high/.test(await plane.kubectl('describe', 'service', 'web')),
    );
    assert.deepEqual(await addresses(plane, 'web'), before);
  });
  assert.equal(await controller.stop(), 0);
});

test('a controller that starts while the API server is away waits for it, and logs the outage once', async () => {
  await plane.knob('refuse');
  const controller = plane.controller('--no-leader-election');
  await controller.logged('API server not reached, retrying');
  await sleep(1500);
  await plane.knob('serve');
  await controller.logged('API server reached again');
  await makeService(plane, 'after-absence');
  await eventually('an address', async () => (await addresses(plane, 'after-absence')).length === 1);
  assert.equal(controller.messages.filter((msg) => msg === 'API server not reached, retrying').length, 1);

  await plane.knob('cut-watches');
  await plane.knob('compact');
  await makeService(plane, 'after-compaction');
  await eventually('an address', async () => (await addresses(plane, 'after-compaction')).length === 1);
  assert.equal(await controller.stop(), 0);
});

test('the controller logs the return of the API server soon, and the flight recorder has the outage', async () => {
  const controller = plane.controller('--no-leader-election');
  await controller.logged('in sync');
  await plane.knob('refuse');
  const lost = await controller.logged('API server not reached, retrying');
  assert.equal(await controller.metric('bellman_kubernetes_api_up'), 0);
  await sleep(8000);
  await plane.knob('serve');
  const servedAt = Date.now();
  const returned = await controller.logged('API server reached again');
  assert.ok(
    Date.parse(String(returned.ts)) - servedAt < soonMs,
    `served at ${servedAt}, logged at ${returned.ts}`,
  );
  assert.ok(Date.parse(String(lost.ts)) < servedAt);
  assert.equal(await controller.metric('bellman_kubernetes_api_up'), 1);
  assert.match(await controller.fetch('/debug/events'), /"machine":"api server"/);
  assert.equal(await controller.stop(), 0);
});

test('an API server that forbids everything for some seconds causes no warning', async () => {
  await plane.knob('forbid');
  const asked = async () => {
    const counts = await plane.requests('bellman-controller');
    return [...counts.values()].reduce((sum, count) => sum + count, 0);
  };
  const earlier = await asked();
  const controller = plane.controller();
  await eventually('a refused request', async () => (await asked()) > earlier);
  // After ten seconds of refusals, the controller would rightly warn. The pause is much shorter, because a busy machine may need some seconds more
  // until the server serves again.
  await sleep(2000);
  await plane.knob('serve');
  await makeService(plane, 'after-forbidden');
  await eventually('an address', async () => (await addresses(plane, 'after-forbidden')).length === 1);
  assert.deepEqual(
    controller.messages.filter((msg) => /API server|lease not obtained|not written/.test(msg)),
    [],
  );
  assert.equal(await controller.stop(), 0);
});

test('validate --kubeconfig names the addresses that an edit would orphan, and exits with 2 when the API server is away', async () => {
  const controller = plane.controller();
  await writeConfig(plane, good);
  await configStatus(plane, 'active');
  await makeService(plane, 'judged');
  await eventually('an address', async () => (await addresses(plane, 'judged')).length === 1);
  const [address = ''] = await addresses(plane, 'judged');
  const folder = await mkdtemp(join(tmpdir(), 'bellman-validate-'));
  try {
    const [kept, orphaning] = [join(folder, 'kept.yaml'), join(folder, 'orphaning.yaml')];
    await writeFile(kept, good);
    await writeFile(orphaning, good.replace('198.51.100.0/28', '203.0.113.0/28'));
    const validate = async (file: string) => {
      const args = ['validate', '--kubeconfig', plane.kubeconfig, file];
      const process = new Daemon(args);
      return { code: await process.exited, text: process.messages.join('\n'), errors: process.errors };
    };
    const valid = await validate(kept);
    assert.equal(valid.code, 0);
    assert.match(valid.text, /kept\.yaml: valid: 0 peers, 2 pools, \d+ assigned address(es)? kept/);
    assert.match(valid.text, /kept\.yaml: effect: none on sessions, addresses and announcements/);
    await makeService(plane, 'later', {}, { 'bellman.dev/address-pool': 'new' });
    await writeFile(
      kept,
      `${good}- {name: new, protocol: none, auto-assign: false, addresses: [203.0.113.9/32], namespaces: [default, nowhere]}\n`,
    );
    const edited = await validate(kept);
    assert.equal(edited.code, 0, edited.errors);
    assert.match(edited.text, /warning: address-pools\[2\]\.namespaces\[1\]: there is no namespace nowhere/);
    assert.match(edited.text, /effect: Service default\/later has 203\.0\.113\.9 instead of no address/);
    const invalid = await validate(orphaning);
    assert.equal(invalid.code, 1);
    const line = `${orphaning}:1:1: address-pools: no pool would hold ${address} of Service default/judged`;
    assert.ok(invalid.text.includes(line), invalid.text);
    await plane.knob('refuse');
    const away = await validate(kept);
    assert.equal(away.code, 2);
    assert.match(away.errors, /^bellman: .*\n$/);
  } finally {
    await plane.knob('serve');
    await rm(folder, { recursive: true });
  }
  assert.equal(await controller.stop(), 0);
});

test('the controller uses TLS and a token; a wrong token is refused', async () => {
  const secure = await ControlPlane.start('--tls', '--token', 'abc');
  try {
    const controller = secure.controller();
    await writeConfig(secure, good);
    await configStatus(secure, 'active');
    await assert.rejects(secure.kubectl('get', 'services', '--token', 'wrong'), /Unauthorized|logged in/);
    assert.equal(await controller.stop(), 0);
  } finally {
    await secure.stop();
  }
});

test('the roles in the manifests allow every request of the controller', async () => {
  const rendered = loadAll(await plane.kubectl('kustomize', 'manifests')) as Role[];
  const allowed = new Set(
    rendered
      .filter(({ metadata }) => /^(bellman-)?controller$/.test(metadata.name))
      .flatMap(({ kind, rules = [] }) =>
        rules.flatMap(({ apiGroups, resources, verbs }) =>
          apiGroups.flatMap((group) =>
            resources.flatMap((resource) => verbs.map((verb) => `${verb} ${kind} ${group}/${resource}`)),
          ),
        ),
      ),
  );
  const asked = [...(await plane.requests('bellman-controller')).keys()].map((key) => {
    const [verb = '', resource = ''] = key.split(' ');
    return `${rbacVerbs[verb] ?? verb.toLowerCase()} ${roleOfResource[resource]}${resource}`;
  });
  assert.ok(asked.length >= 10);
  assert.deepEqual(
    asked.filter((each) => !allowed.has(each)),
    [],
  );
});

test('a command that cannot run prints the reason in one line and exits with 2', async () => {
  const missing = join(plane.folder, 'missing');
  const without = new Daemon(['controller', '--metrics-address', '127.0.0.1:0'], {
    KUBECONFIG: missing,
  });
  assert.equal(await without.exited, 2);
  assert.deepEqual(
    without.lines.map(({ level, msg }) => [level, msg]),
    [['error', 'cannot start']],
  );
  assert.match(String(without.lines[0]?.reason), new RegExp(`^kubeconfig ${missing} cannot be read: `));
  const unknown = new Daemon(['controller', '--no-such-flag']);
  assert.equal(await unknown.exited, 2);
  assert.match(unknown.errors, /unknown option '--no-such-flag'/);
});
