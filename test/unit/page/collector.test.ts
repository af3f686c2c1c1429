/** The collector with an API server in memory, in virtual time. No speaker answers. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { PageCollector } from '../../../src/page/collector.ts';
import type { FromPage } from '../../../src/page/messages.ts';
import type { PageData } from '../../../src/page/page-data.ts';
import { eventually } from '../../support/eventually.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass } from '../../support/virtual-run.ts';

const clock = new VirtualClock();
const api = new MemoryApi(clock);
const stop = new AbortController();
const published: FromPage[] = [];
const requests: string[] = [];
api.before = ({ method, path }) => {
  requests.push(`${method} ${path}`);
};
const collector = new PageCollector({
  ...{ client: api, clock, release: '1', logger: pino({ level: 'silent' }), signal: stop.signal },
  source: { namespace: 'bellman-system', speakerPort: 7472, controllerPort: 7471, clock },
  publish: (message) => published.push(message),
});
const service = (name: string, type = 'LoadBalancer') =>
  api.put(`/api/v1/namespaces/default/services/${name}`, {
    metadata: { name, namespace: 'default' },
    spec: { type, ports: [] },
    status: {},
  });
service('web');
service('inside', 'ClusterIP');
api.put('/api/v1/nodes/a', { metadata: { name: 'a' }, status: { addresses: [] } });
const running = collector.run();
after(async () => {
  stop.abort();
  await running;
});

async function nextData(): Promise<{ tag: string; data: PageData }> {
  const count = published.length;
  clock.advance(5000);
  await eventually('a collection', () => published.length > count);
  const last = published.at(-1);
  assert.equal(last?.kind, 'data', JSON.stringify(last));
  assert.ok(last?.kind === 'data');
  return { tag: last.tag, data: JSON.parse(gunzipSync(Buffer.from(last.gzip, 'base64')).toString()) };
}

test('PageCollector publishes the Services that Bellman serves, as bellman status judges them', async () => {
  await eventually('the first collection', () => published.length === 1);
  const { data } = await nextData();
  assert.deepEqual(
    data.addresses.map(({ service }) => service),
    ['default/web'],
  );
  assert.ok(data.problems.some(({ text }) => text.startsWith('Service default/web waits for an address')));
  assert.deepEqual(
    data.nodes.map(({ node, notReached }) => [node, notReached]),
    [['a', 'it has no address']],
  );
});

test('PageCollector says why it has no data when it may not list nodes, and collects once it may', async (t) => {
  const [ownClock, end, messages] = [new VirtualClock(), new AbortController(), [] as FromPage[]];
  const client = new MemoryApi(ownClock);
  client.before = ({ path }) => {
    if (path.startsWith('/api/v1/nodes')) throw new ApiError(403, 'Forbidden', 'nodes is forbidden');
  };
  const refused = new PageCollector({
    ...{ client, clock: ownClock, release: '1', logger: pino({ level: 'silent' }), signal: end.signal },
    source: { namespace: 'bellman-system', speakerPort: 7472, controllerPort: 7471, clock: ownClock },
    publish: (message) => messages.push(message),
  });
  const collecting = refused.run();
  t.after(async () => {
    end.abort();
    await collecting;
  });
  await pass(ownClock, 6000);
  assert.deepEqual(messages, [{ kind: 'failed', reason: 'nodes is forbidden' }]);
  client.before = () => {};
  await eventually('a collection', async () => {
    await pass(ownClock, 1000);
    return messages.at(-1)?.kind === 'data';
  });
});

test('PageCollector gives equal tags to equal data, and follows the cluster by watches', async () => {
  const { tag } = await nextData();
  requests.length = 0;
  assert.equal((await nextData()).tag, tag);
  assert.deepEqual(
    requests.filter((each) => /GET .*\/(services|nodes)\b(?!account)/.test(each)),
    [],
  );
  service('more');
  const { tag: other, data } = await eventually('the watch delivers the new Service', async () => {
    const next = await nextData();
    return next.tag !== tag && next;
  });
  assert.notEqual(other, tag);
  assert.deepEqual(
    data.addresses.map(({ service }) => service),
    ['default/web', 'default/more'],
  );
});

test('PageCollector makes one explanation of a Service for all viewers of the same data', async () => {
  requests.length = 0;
  const first = await collector.explain('default/web');
  assert.ok('json' in first, JSON.stringify(first));
  assert.equal(JSON.parse(first.json).service, 'default/web');
  assert.equal(await collector.explain('default/web'), first);
  assert.equal(requests.filter((each) => each.includes('endpointslices')).length, 1);
  await nextData();
  assert.notEqual(await collector.explain('default/web'), first);
});

test('PageCollector says that a Service does not exist, and refuses a text that is no name', async () => {
  const absent = await collector.explain('default/none');
  assert.ok('json' in absent && /does not exist/.test(absent.json));
  const refused = await collector.explain('<img>');
  assert.ok('problem' in refused && /neither an address nor the name/.test(refused.problem));
});

test('PageCollector explains why Bellman does not serve a Service that exists', async () => {
  const foreign = await collector.explain('default/inside');
  assert.ok('json' in foreign, JSON.stringify(foreign));
  assert.deepEqual(
    JSON.parse(foreign.json).causes.map(({ text }: { text: string }) => text),
    ['the Service has the type ClusterIP; Bellman serves only the type LoadBalancer'],
  );
});

test('PageCollector says why it cannot read the cluster, and goes on', async () => {
  api.before = ({ path }) => {
    if (path.includes('configmaps')) throw new Error('connection refused');
  };
  const count = published.length;
  clock.advance(5000);
  await eventually('a failure', () => published.length > count);
  assert.deepEqual(published.at(-1), { kind: 'failed', reason: 'connection refused' });
  api.before = () => {};
  assert.equal((await nextData()).data.release, '1');
});
