/** The page service with its child process, against a small HTTP server in the place of the API server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import type { PageData } from '../../../src/page/page-data.ts';
import { PageService } from '../../../src/page/page-service.ts';
import type { PageRequest } from '../../../src/telemetry/http-server.ts';
import { eventually } from '../../support/eventually.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const lists: Readonly<Record<string, readonly object[]>> = {
  '/api/v1/services': [
    {
      metadata: { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '1' },
      spec: { type: 'LoadBalancer', ports: [] },
      status: {},
    },
  ],
  '/api/v1/nodes': [{ metadata: { name: 'a', uid: 'v', resourceVersion: '1' }, status: {} }],
};
/** Watches stay open. Lists have the objects above. Everything else does not exist. */
const server = createServer(({ url = '' }, response) => {
  const [path = '', query = ''] = url.split('?');
  if (query.includes('watch=true') || query.includes('watch=1'))
    return void response.writeHead(200).flushHeaders();
  const items = lists[path];
  response.writeHead(items ? 200 : 404, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify(
      items
        ? { items, metadata: { resourceVersion: '1' } }
        : { kind: 'Status', code: 404, message: 'not found' },
    ),
  );
});
const folder = mkdtempSync(join(tmpdir(), 'bellman-page-'));
const kubeconfig = join(folder, 'kubeconfig');
const clock = new VirtualClock();
const service = new PageService({
  ...{ clock, logger: pino({ level: 'silent' }), unavailable: () => undefined },
  processOptions: () => ({
    ...{ kubeconfig, namespace: 'bellman-system', speakerPort: 1, controllerPort: 1, logLevel: 'error' },
  }),
});
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // A kubeconfig is YAML, and every JSON text is also YAML.
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: 'u', user: {} }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
});
after(async () => {
  await service.stop();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string, over: Partial<PageRequest> = {}) =>
  service.reply({
    ...{ path, query: new URLSearchParams(), ifNoneMatch: undefined, acceptEncoding: undefined },
    ...over,
  });

const hasChild = () => process.getActiveResourcesInfo().includes('ProcessWrap');

test('PageService starts a process on the first request for data, and serves the data that the process collects', async () => {
  assert.equal((await get('data')).status, 202);
  const { body, headers } = await eventually('the data', async () => {
    const reply = await get('data');
    return reply.status === 200 && reply;
  });
  const data = JSON.parse(body.toString()) as PageData;
  assert.deepEqual(
    data.addresses.map((each) => each.service),
    ['default/web'],
  );
  assert.equal((await get('data', { ifNoneMatch: headers.etag })).status, 304);
});

test('PageService explains a Service, and says why it cannot explain a text that names no Service', async () => {
  const explain = async (name: string) => {
    const { status, body } = await get('explain', { query: new URLSearchParams({ service: name }) });
    return [status, JSON.parse(body.toString())] as const;
  };
  const [status, explanation] = await explain('default/web');
  assert.deepEqual([status, explanation.service, explanation.verdict], [200, 'default/web', 'not announced']);
  const [refused, { problem }] = await explain('no name');
  assert.equal(refused, 503);
  assert.match(problem, /neither an address nor the name of a Service/);
});

test('PageService ends the process after 30 seconds without a request for data, and starts it again on the next one', async () => {
  clock.advance(29_000);
  assert.equal((await get('data')).status, 200);
  clock.advance(29_000);
  assert.equal((await get('data')).status, 200);
  assert.ok(hasChild());
  clock.advance(31_000);
  await eventually('the process has ended', async () => !hasChild());
  assert.equal((await get('data')).status, 202);
  await eventually('new data', async () => (await get('data')).status === 200);
});
