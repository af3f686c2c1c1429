import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { deathReportBody } from '../../../src/cluster/death-report.ts';
import { Allocator } from '../../../src/controller/allocator/allocator.ts';
import { DeadNodes } from '../../../src/controller/dead-nodes/dead-nodes.ts';
import { markPods } from '../../../src/controller/dead-nodes/pod-marker.ts';
import { deathTiming } from '../../../src/controller/death-judge/death-judge.ts';
import { ControllerMetrics } from '../../../src/controller/metrics.ts';
import type { ApiRequest } from '../../../src/kubernetes/api.ts';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import type { EventRecord } from '../../../src/kubernetes/events.ts';
import { pause } from '../../../src/kubernetes/retry.ts';
import { createDiagnostics } from '../../../src/telemetry/diagnostics.ts';
import { Turns } from '../../../src/turns.ts';
import { MemoryApi, type StoredObject } from '../../support/memory-api.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

const namespace = 'bellman-system';
const leasePath = (node: string) => `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`;
const reportPath = (node: string) =>
  `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/speaker-${node}`;
const podPath = (name: string) => `/api/v1/namespaces/default/pods/${name}`;
const labels = { 'app.kubernetes.io/name': 'bellman', 'app.kubernetes.io/component': 'speaker' };

/** An API server that also says which rights its client has. */
class RightsApi extends MemoryApi {
  missing: readonly string[] = [];
  isBroken = false;

  override async request<T>(request: ApiRequest): Promise<T> {
    if (!request.path.endsWith('/selfsubjectaccessreviews')) return super.request<T>(request);
    if (this.isBroken) return null as T;
    const { spec } = request.body as {
      readonly spec: { readonly resourceAttributes: { readonly verb: string; readonly resource: string } };
    };
    const { verb, resource } = spec.resourceAttributes;
    return { status: { allowed: !this.missing.includes(`${verb} ${resource}`) } } as T;
  }
}

/** The dead-node part of a leader, and the nodes n1, n2…. Each node has a speaker, a Lease, an old death report and two Pods. */
async function setUp(
  t: TestContext,
  { missing = [] as readonly string[], isBroken = false, count = 3, maxNodes = 1 } = {},
) {
  const nodes = Array.from({ length: count }, (_, i) => `n${i + 1}`);
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const api = new RightsApi(clock, logger);
  Object.assign(api, { missing, isBroken });
  const registry = new Registry();
  const events: EventRecord[] = [];
  const end = new AbortController();
  for (const name of nodes) {
    api.put(`/api/v1/nodes/${name}`, {
      metadata: { name, uid: `uid-${name}` },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    api.put(`/api/v1/namespaces/${namespace}/pods/speaker-${name}`, {
      metadata: { name: `speaker-${name}`, namespace, labels },
      spec: { nodeName: name },
    });
    for (const each of ['a', 'b'])
      api.put(podPath(`${each}-${name}`), {
        metadata: { name: `${each}-${name}`, namespace: 'default' },
        spec: { nodeName: name },
        status: {
          conditions: [
            { type: 'PodScheduled', status: 'True' },
            { type: 'Ready', status: 'True' },
          ],
        },
      });
  }
  const renew = (node: string) =>
    api.put(leasePath(node), {
      metadata: { name: node, namespace: 'kube-node-lease' },
      spec: { renewTime: String(clock.now()) },
    });
  const report = (speaker: string, ...dead: readonly string[]) => {
    const body = deathReportBody({ name: speaker, uid: '' }, dead, clock.epochMs()) as StoredObject;
    api.put(reportPath(speaker), { ...body, metadata: { ...body.metadata, namespace } });
  };
  for (const name of nodes) {
    renew(name);
    report(name);
  }
  const metrics = new ControllerMetrics(registry);
  const deadNodes = new DeadNodes({
    client: api,
    namespace,
    events: { record: (event) => void events.push(event) },
    metrics,
    logger,
    clock,
    turns: new Turns(clock),
    ...createDiagnostics({ clock, logger, registry }),
    signal: end.signal,
    configMapUid: () => 'uid-config',
  });
  t.after(async () => {
    end.abort();
    await deadNodes.stop();
  });
  metrics.termBegun({
    allocator: new Allocator(),
    pools: () => [],
    queued: () => 0,
    deaths: () => deadNodes.decisions,
  });
  deadNodes.setConfig({ deadNodes: { maxNodes: { kind: 'number', nodes: maxNodes } } });
  await pass(clock, 2 * deathTiming.quietMs, 500);
  /** Names of the Pods that are marked, sorted. */
  const marked = () =>
    api
      .under('/api/v1/namespaces/default/pods')
      .filter((pod) => JSON.stringify(pod).includes('BellmanNodeDead'))
      .map(({ metadata: { name } }) => name)
      .sort();
  const reasons = () => events.map(({ reason, regarding }) => `${reason} ${regarding.name}`);
  return { api, clock, deadNodes, events, lines, registry, renew, report, marked, reasons, end };
}

describe('DeadNodes', () => {
  test('reads no Lease while no node is reported', async (t) => {
    const { api, clock } = await setUp(t);
    let requests = 0;
    api.before = ({ path }) => {
      if (path.includes('/leases')) requests++;
    };
    await pass(clock, 30_000, 500);
    assert.equal(requests, 0);
  });

  test('reads the Lease of a node at once when a majority begins to report it, even while another node is marked', async (t) => {
    const { api, clock, report, marked } = await setUp(t, { count: 5, maxNodes: 2 });
    const reportAll = (...dead: readonly string[]) => {
      for (const speaker of ['n1', 'n2', 'n3']) report(speaker, ...dead);
    };
    reportAll('n5');
    await pass(clock, 5000);
    assert.deepEqual(marked(), ['a-n5', 'b-n5']);
    let readAtMs: number | undefined;
    api.before = ({ path }) => {
      if (path === leasePath('n4')) readAtMs ??= clock.now();
    };
    const reportedAtMs = clock.now();
    reportAll('n4', 'n5');
    await pass(clock, 2000, 10);
    assert.ok(readAtMs !== undefined && readAtMs - reportedAtMs <= 10, `${readAtMs} after ${reportedAtMs}`);
  });

  test('reads the Lease of a node at once when a majority reports the node again, even if the earlier reports ended before a decision', async (t) => {
    const { api, clock, deadNodes, report } = await setUp(t);
    for (const speaker of ['n1', 'n2']) report(speaker, 'n3');
    await pass(clock, 100, 10);
    assert.equal(deadNodes.status()?.nodes[0]?.state, 'waiting');
    for (const speaker of ['n1', 'n2']) report(speaker);
    await pass(clock, 2000, 10);
    assert.deepEqual(deadNodes.status()?.nodes, []);
    let readAtMs: number | undefined;
    api.before = ({ path }) => {
      if (path === leasePath('n3')) readAtMs ??= clock.now();
    };
    const reportedAtMs = clock.now();
    for (const speaker of ['n1', 'n2']) report(speaker, 'n3');
    await pass(clock, 2000, 10);
    assert.ok(readAtMs !== undefined && readAtMs - reportedAtMs <= 10, `${readAtMs} after ${reportedAtMs}`);
  });

  test('marks more nodes than it can read in one round, if max-nodes allows it', async (t) => {
    const { clock, report, reasons } = await setUp(t, { count: 121, maxNodes: 100 });
    const dead = Array.from({ length: 60 }, (_, i) => `n${i + 62}`);
    for (let i = 1; i <= 61; i++) report(`n${i}`, ...dead);
    await pass(clock, 2000);
    assert.deepEqual(reasons().sort(), dead.map((node) => `NodeDead ${node}`).sort());
  });

  test('measures the silence of more nodes than it can read in one round, even if the API server is slow', async (t) => {
    const { api, clock, report, reasons, end } = await setUp(t, { count: 201, maxNodes: 100 });
    api.after = async ({ path }) => {
      if (path.includes('/kube-node-lease/')) await pause(clock, 600, end.signal);
    };
    const dead = Array.from({ length: 100 }, (_, i) => `n${i + 102}`);
    // Each dead node has just written a report of its own, so it is held until it has shown no sign of life for `silenceMs`.
    for (const node of dead) report(node, 'n1');
    for (let i = 1; i <= 101; i++) report(`n${i}`, ...dead);
    await pass(clock, deathTiming.silenceMs + 5000, 100);
    assert.deepEqual(reasons().sort(), dead.map((node) => `NodeDead ${node}`).sort());
  });

  test('counts the Pods that were marked in a round in which a request failed', async (t) => {
    const { api, clock, report, marked, registry } = await setUp(t);
    let isFirst = true;
    api.before = ({ method, path }) => {
      if (method !== 'PATCH' || path !== `${podPath('a-n3')}/status` || !isFirst) return;
      isFirst = false;
      throw new ApiError(500, 'InternalError', 'no');
    };
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 5000);
    assert.deepEqual(marked(), ['a-n3', 'b-n3']);
    const pods = await registry.getSingleMetric('bellman_controller_pods_marked_total')?.get();
    assert.equal(pods?.values[0]?.value, 2);
  });

  test('sets the ready Pods of a dead node to not ready, and keeps their other conditions', async (t) => {
    const { api, clock, deadNodes, report, marked, reasons, registry } = await setUp(t);
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 2000);
    assert.deepEqual(marked(), ['a-n3', 'b-n3']);
    assert.deepEqual(reasons(), ['NodeDead n3']);
    const status = api.get(podPath('a-n3'))?.status as { conditions?: readonly object[] } | undefined;
    const [scheduled, ready] = status?.conditions ?? [];
    assert.deepEqual(scheduled, { type: 'PodScheduled', status: 'True' });
    assert.deepEqual(ready, {
      type: 'Ready',
      status: 'False',
      reason: 'BellmanNodeDead',
      message: 'a majority of the speakers of Bellman finds the node of this Pod dead',
      lastTransitionTime: (ready as { lastTransitionTime: string }).lastTransitionTime,
    });
    const [node] = deadNodes.status()?.nodes ?? [];
    assert.deepEqual(node, { node: 'n3', state: 'marked', reports: 2, speakers: 3, reason: '' });
    const counts = await registry.getSingleMetric('bellman_controller_dead_nodes')?.get();
    assert.deepEqual(
      counts?.values.map(({ labels, value }) => [labels.state, value]),
      [
        ['waiting', 0],
        ['held', 0],
        ['marked', 1],
      ],
    );
    const pods = await registry.getSingleMetric('bellman_controller_pods_marked_total')?.get();
    assert.equal(pods?.values[0]?.value, 2);
  });

  test('says that a marked node lives as soon as its Lease is renewed, and leaves its Pods to the kubelet', async (t) => {
    const { clock, deadNodes, renew, report, marked, reasons } = await setUp(t);
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 2000);
    renew('n3');
    await pass(clock, 2000);
    assert.deepEqual(reasons(), ['NodeDead n3', 'NodeAlive n3']);
    assert.deepEqual(marked(), ['a-n3', 'b-n3']);
    report('n1');
    report('n2');
    await pass(clock, 1000);
    assert.deepEqual(deadNodes.status()?.nodes, []);
  });

  test('a Lease that is renewed while the Pods are being marked stops the marking', async (t) => {
    const { api, clock, renew, report, marked } = await setUp(t);
    for (let i = 0; i < 40; i++)
      api.put(podPath(`more-${i}`), {
        metadata: { name: `more-${i}`, namespace: 'default' },
        spec: { nodeName: 'n3' },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      });
    report('n1', 'n3');
    report('n2', 'n3');
    let writes = 0;
    api.before = ({ method, path }) => {
      if (method === 'PATCH' && path.endsWith('/status') && ++writes === 3) renew('n3');
    };
    await pass(clock, 5000);
    assert.ok(marked().length < 20, `${marked().length} of 42 Pods are marked`);
    assert.ok(marked().length >= 3);
  });

  test('a Pod that has changed since it was listed is not overwritten, but listed again and then marked', async (t) => {
    const { api, clock, report, marked } = await setUp(t);
    let isFirst = true;
    api.before = ({ method, path }) => {
      if (method !== 'PATCH' || path !== `${podPath('a-n3')}/status` || !isFirst) return;
      isFirst = false;
      const pod = api.get(podPath('a-n3'));
      assert.ok(pod);
      api.put(podPath('a-n3'), { ...pod, changed: true });
    };
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 3000);
    assert.deepEqual(marked(), ['a-n3', 'b-n3']);
    assert.equal(api.get(podPath('a-n3'))?.changed, true);
  });

  test('failed reads do not count as silence: without the API server nothing is marked', async (t) => {
    const { api, clock, report, marked } = await setUp(t);
    api.before = ({ method, path }) => {
      if (method === 'GET' && path.includes('/leases')) throw new ApiError(0, 'ECONNRESET', 'gone');
    };
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 60_000, 500);
    assert.deepEqual(marked(), []);
  });

  test('reads that fail for a moment while the Pods are being marked do not end the marking', async (t) => {
    const { api, clock, report, marked } = await setUp(t);
    let failsUntilMs: number | undefined;
    api.before = ({ method, path }) => {
      if (path.startsWith('/api/v1/pods?')) failsUntilMs ??= clock.now() + 700;
      if (method === 'GET' && path.includes('/leases') && clock.now() < (failsUntilMs ?? 0))
        throw new ApiError(0, 'ECONNRESET', 'gone');
    };
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 5000);
    assert.deepEqual(marked(), ['a-n3', 'b-n3']);
  });

  test('a watch that is behind causes no false mark: the reports are read again before a node is marked', async (t) => {
    const { api, clock, report, marked } = await setUp(t);
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 100);
    api.cutWatches();
    report('n2');
    await pass(clock, 400);
    assert.deepEqual(marked(), []);
    await pass(clock, 60_000, 500);
    assert.deepEqual(marked(), []);
  });

  test('no Pod is marked when the Lease is renewed while the reports are still being read', async (t) => {
    const { api, clock, end, renew, report, marked, reasons } = await setUp(t);
    api.after = ({ method, path }) =>
      method === 'GET' && path.includes('/leases?') ? pause(clock, 900, end.signal) : undefined;
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 1200);
    renew('n3');
    await pass(clock, 5000);
    assert.deepEqual([marked(), reasons()], [[], []]);
  });

  test('marks no Pod after the term of the leader has ended', async (t) => {
    const { clock, end, report, marked } = await setUp(t);
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 300);
    end.abort();
    await pass(clock, 5000);
    assert.deepEqual(marked(), []);
  });

  test('marks nothing after dead-nodes is removed from the configuration', async (t) => {
    const { clock, deadNodes, report, marked } = await setUp(t);
    deadNodes.setConfig({});
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 5000);
    assert.deepEqual([marked(), deadNodes.status()], [[], undefined]);
  });

  test('an answer about rights that is not an object is counted, and the controller asks again which rights it has', async (t) => {
    const { api, clock, deadNodes, registry } = await setUp(t, { missing: ['patch pods'] });
    const missing = deadNodes.status()?.missingRights;
    const failures = async () => {
      const metric = await registry.getSingleMetric('bellman_input_failures_total')?.get();
      return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
    };
    const before = await failures();
    api.isBroken = true;
    await pass(clock, 60_000, 500);
    assert.ok((await failures()) > before);
    assert.deepEqual(deadNodes.status()?.missingRights, missing);
    Object.assign(api, { isBroken: false, missing: [] });
    await pass(clock, 60_000, 500);
    assert.deepEqual(deadNodes.status()?.missingRights, []);
  });

  test('soon asks again which rights it has, if it does not know them yet', async (t) => {
    const { api, clock, report, marked } = await setUp(t, { isBroken: true });
    api.isBroken = false;
    await pass(clock, 20_000, 500);
    report('n1', 'n3');
    report('n2', 'n3');
    await pass(clock, 2 * deathTiming.quietMs, 500);
    assert.deepEqual(marked(), ['a-n3', 'b-n3']);
  });

  test('names the rights that are missing, in the status and in an event, until they are granted', async (t) => {
    const { api, clock, deadNodes, events } = await setUp(t, { missing: ['patch pods', 'get leases'] });
    const missing = ['patch pods/status', 'get leases in kube-node-lease'];
    assert.deepEqual(deadNodes.status()?.missingRights, missing);
    assert.deepEqual(
      events.map(({ reason, message }) => `${reason}: ${message}`),
      [
        'RightsMissing: the configuration has dead-nodes, but the controller may not patch pods/status, get leases in kube-node-lease: apply manifests/dead-nodes/, or set deadNodes.enabled of the chart',
      ],
    );
    api.missing = [];
    await pass(clock, 20_000, 500);
    assert.deepEqual(deadNodes.status()?.missingRights, []);
  });

  test('names the speakers that have written no death report', async (t) => {
    const { api, clock, deadNodes } = await setUp(t);
    assert.deepEqual(deadNodes.status()?.withoutReport, []);
    api.remove(reportPath('n2'));
    await pass(clock, 1000);
    assert.deepEqual(deadNodes.status()?.withoutReport, ['n2']);
  });
});

test('markPods() returns after a failure only when no more writes are under way, and counts the Pods that it marked', async () => {
  const api = new MemoryApi(new VirtualClock());
  for (let i = 0; i < 40; i++)
    api.put(podPath(`pod-${i}`), {
      metadata: { name: `pod-${i}`, namespace: 'default' },
      spec: { nodeName: 'n1' },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
  let writes = 0;
  let underWay = 0;
  api.before = async ({ method, path }) => {
    if (method !== 'PATCH') return;
    writes++;
    if (path === `${podPath('pod-39')}/status`) throw new ApiError(500, 'InternalError', 'no');
    underWay++;
    await setImmediate();
    underWay--;
  };
  const { marked, failure } = await markPods('n1', {
    client: api,
    epochMs: () => 0,
    isStillDead: async () => true,
  });
  assert.match(String(failure), /^Error: no$/);
  const before = writes;
  assert.deepEqual([underWay, marked], [0, before - 1]);
  await settle();
  assert.equal(writes, before);
});
