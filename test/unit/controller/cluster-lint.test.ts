/** The warnings about the accepted configuration in its cluster, as an annotation of the ConfigMap. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterWarningText } from '../../../src/controller/config/cluster-lint.ts';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { ControllerHarness, config, pool } from './controller-harness.ts';

const overNode = config(pool('a', '192.0.2.0/28'));
const aside = config(pool('a', '192.0.2.240/28'));
const warning = 'address-pools[0].addresses[0]: 192.0.2.0/28: 192.0.2.11 is the address of node node-1';
/** Longer than the delay after an edit, and shorter than the pause between two judgements. */
const soon = 8000;
const later = 610_000;

function putNode(harness: ControllerHarness, name: string, ip: string, labels: Record<string, string> = {}) {
  harness.api.put(`/api/v1/nodes/${name}`, {
    metadata: { name, labels },
    spec: { podCIDRs: ['10.244.1.0/24'] },
    status: { addresses: [{ type: 'InternalIP', address: ip }] },
  });
}

async function started(text: string, prepare: (harness: ControllerHarness) => void = () => {}) {
  const harness = new ControllerHarness();
  putNode(harness, 'node-1', '192.0.2.11', { rack: 'a' });
  prepare(harness);
  harness.editConfig(text);
  await harness.start();
  await harness.pass(soon);
  return harness;
}

const shown = (harness: ControllerHarness) => harness.annotation('cluster-warnings');

test('an annotation, the log and the status show the warnings about an accepted configuration in its cluster', async () => {
  const harness = await started(overNode);
  assert.equal(shown(harness), warning);
  assert.equal(harness.log.filter((msg) => msg === 'configuration has warnings in this cluster').length, 1);
  assert.deepEqual(
    (harness.status() as { config: { clusterWarnings?: string } }).config.clusterWarnings,
    warning,
  );
  await harness.stop();
});

test('the write that accepts an edit also removes the annotation about the earlier configuration', async () => {
  const harness = await started(overNode);
  harness.writes();
  harness.editConfig(aside);
  await harness.pass(soon);
  assert.equal(shown(harness), undefined);
  assert.deepEqual(
    harness.writes().filter((write) => write.endsWith('/config')),
    ['PATCH bellman-system/configmaps/config'],
  );
  await harness.stop();
});

test('a change of the cluster changes the warnings at the next judgement, with one write', async () => {
  const harness = await started(aside);
  assert.equal(shown(harness), undefined);
  harness.writes();
  putNode(harness, 'node-2', '192.0.2.241');
  await harness.pass(soon);
  assert.equal(shown(harness), undefined, 'the next judgement is not due yet');
  await harness.pass(later);
  assert.match(shown(harness) ?? '', /192\.0\.2\.241 is the address of node node-2$/);
  assert.deepEqual(harness.writes(), ['PATCH bellman-system/configmaps/config']);
  await harness.pass(3 * later);
  assert.deepEqual(harness.writes(), [], 'without a change there is no write');
  harness.api.remove('/api/v1/nodes/node-2');
  await harness.pass(later);
  assert.equal(shown(harness), undefined);
  await harness.stop();
});

test('a new leader leaves the annotation until it has judged, and writes nothing while the warnings are the same', async () => {
  const harness = await started(overNode);
  await harness.stop();
  harness.writes();
  await harness.start();
  assert.equal(shown(harness), warning);
  await harness.pass(later);
  assert.equal(shown(harness), warning);
  assert.deepEqual(harness.writes(), []);
  await harness.stop();
});

test('the annotation is written again after another client has changed or removed it', async () => {
  const harness = await started(overNode);
  const edit = (value: Record<string, string>) => {
    const known = harness.api.get('/api/v1/namespaces/bellman-system/configmaps/config');
    assert.ok(known);
    const { 'bellman.dev/cluster-warnings': _, ...annotations } = known.metadata.annotations ?? {};
    harness.api.put('/api/v1/namespaces/bellman-system/configmaps/config', {
      ...known,
      metadata: { ...known.metadata, annotations: { ...annotations, ...value } },
    });
  };
  for (const value of [{}, { 'bellman.dev/cluster-warnings': 'nonsense' }] as Record<string, string>[]) {
    edit(value);
    await harness.pass();
    assert.equal(shown(harness), warning);
  }
  await harness.stop();
});

test('while a text is rejected, its error is shown instead of warnings; the warnings come back when the text is accepted again', async () => {
  const harness = await started(overNode);
  harness.editConfig('address-pools: 7\n');
  await harness.pass(soon);
  assert.equal(harness.annotation('config-status'), 'stale');
  assert.equal(shown(harness), undefined);
  harness.editConfig(overNode);
  await harness.pass(soon);
  assert.equal(shown(harness), warning);
  await harness.stop();
});

test('the configuration is judged against Services, namespaces, ServiceCIDR objects and the addresses of Pods', async () => {
  const text = config(
    '- {name: s, protocol: bgp, addresses: [198.51.100.0/28], service-selectors: [{match-labels: {tier: gold}}], namespaces: [default, shop]}',
    '- {name: p, protocol: bgp, addresses: [10.244.1.0/28, 10.96.1.0/24]}',
  );
  const harness = await started(text, ({ api }) =>
    api.put('/apis/networking.k8s.io/v1/servicecidrs/kubernetes', {
      metadata: { name: 'kubernetes' },
      spec: { cidrs: ['10.96.0.0/16'] },
    }),
  );
  assert.deepEqual(shown(harness)?.split('\n'), [
    'address-pools[0].service-selectors: no Service of type LoadBalancer of the cluster matches',
    'address-pools[0].namespaces[1]: there is no namespace shop',
    'address-pools[1].addresses[0]: 10.244.1.0/28: it overlaps 10.244.1.0/24, the Pod addresses of node node-1',
    'address-pools[1].addresses[1]: 10.96.1.0/24: it overlaps 10.96.0.0/16, the range of ClusterIPs of ServiceCIDR kubernetes',
  ]);
  const path = harness.servicePath('gold');
  harness.api.put(path, {
    metadata: { name: 'gold', namespace: 'default', labels: { tier: 'gold' } },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  });
  harness.api.put('/api/v1/namespaces/shop', { metadata: { name: 'shop' } });
  await harness.pass(later);
  assert.equal(shown(harness)?.split('\n').length, 2);
  await harness.stop();
});

for (const [what, collection, status, isJudged] of [
  ['may not list nodes', '/api/v1/nodes', 403, false],
  ['may not list ServiceCIDR objects', '/servicecidrs', 403, true],
  ['meets a server without ServiceCIDR objects', '/servicecidrs', 404, true],
] as const)
  test(`a controller that ${what} ${isJudged ? 'judges the rest' : 'logs this once, and still assigns addresses'}`, async () => {
    const harness = await started(overNode, ({ api }) => {
      api.before = ({ path }) => {
        if (path.split('?')[0]?.endsWith(collection)) throw new ApiError(status, 'Reason', 'refused here');
      };
    });
    assert.equal(shown(harness), isJudged ? warning : undefined);
    await harness.pass(3 * later);
    assert.equal(
      harness.log.filter((msg) => msg.startsWith('configuration not judged')).length,
      isJudged ? 0 : 1,
    );
    harness.service('web');
    await harness.pass();
    assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
    await harness.stop();
  });

for (const status of [0, 500])
  test(`a judgement that fails with the status ${status} is tried again after a minute`, async () => {
    const harness = await started(overNode, ({ api }) => {
      api.before = ({ path }) => {
        if (path.split('?')[0] === '/api/v1/nodes') throw new ApiError(status, 'Reason', 'no list');
      };
    });
    assert.equal(shown(harness), undefined);
    harness.api.before = () => {};
    await harness.pass(60_000);
    assert.equal(shown(harness), warning);
    await harness.stop();
  });

test('a malformed Node, which no real API server stores, is left out, and the configuration is judged against the others', async () => {
  const harness = await started(overNode, ({ api }) =>
    api.put('/api/v1/nodes/a-odd', { metadata: { name: 'a-odd' }, status: { addresses: 7 } }),
  );
  assert.equal(shown(harness), warning);
  assert.equal(await harness.metric('bellman_input_failures_total', { entrance: 'watch' }), 1);
  await harness.stop();
});

test('the annotation names at most twenty warnings, and has a bounded length', () => {
  const many = (count: number, characters: number) =>
    Array.from({ length: count }, (_, i) => ({ path: `peers[${i}]`, message: 'x'.repeat(characters) }));
  assert.equal(clusterWarningText([]), null);
  const lines = clusterWarningText(many(50, 20))?.split('\n') ?? [];
  assert.equal(lines.length, 21);
  assert.equal(lines.at(-1), 'and 30 more');
  for (const characters of [500, 5000]) {
    const text = clusterWarningText(many(50, characters)) ?? '';
    assert.ok(text.length <= 4100, String(text.length));
    assert.match(text, /\nand \d+ more$/);
  }
  assert.equal(clusterWarningText([{ path: 'a', message: 'b\nc' }]), 'a: b c');
});
