import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { PageService } from '../../../src/page/page-service.ts';
import { dataReply } from '../../../src/page/replies.ts';
import type { PageRequest } from '../../../src/telemetry/http-server.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const request = (over: Partial<PageRequest> = {}): PageRequest => ({
  ...{ path: 'data', query: new URLSearchParams(), ifNoneMatch: undefined, acceptEncoding: undefined },
  ...over,
});
const snapshot = { tag: 'abc', collectedAt: '2026-01-01T00:00:00.000Z', octets: gzipSync('{"a":1}') };

test('dataReply() sends no data to a browser that already has it, and compressed data to one that accepts gzip', async () => {
  const plain = await dataReply(snapshot, undefined, request());
  assert.deepEqual([plain.status, plain.body.toString(), plain.headers.etag], [200, '{"a":1}', '"abc"']);
  const small = await dataReply(snapshot, undefined, request({ acceptEncoding: 'gzip, br' }));
  assert.equal(small.body, snapshot.octets);
  assert.equal(small.headers['content-encoding'], 'gzip');
  const same = await dataReply(snapshot, undefined, request({ ifNoneMatch: '"abc"' }));
  assert.deepEqual([same.status, same.body, same.headers['x-collected-at']], [304, '', snapshot.collectedAt]);
});

test('dataReply() returns 202 while the first data is being collected, and says why it could not be collected', async () => {
  assert.equal((await dataReply(undefined, undefined, request())).status, 202);
  const failed = await dataReply(undefined, 'no answer', request());
  assert.deepEqual([failed.status, failed.body], [503, '{"problem":"no answer"}\n']);
});

test('dataReply() goes on sending the last data, and says in an ASCII header why the data is not renewed', async () => {
  const { status, headers } = await dataReply(snapshot, 'kein Anschluß\n', request());
  assert.deepEqual([status, headers['x-failure']], [200, 'kein%20Anschlu%C3%9F%0A']);
});

const service = new PageService({
  logger: pino({ level: 'silent' }),
  clock: new VirtualClock(),
  processOptions: () => assert.fail('no process may start'),
  unavailable: () => 'this replica of the controller does not lead',
});

test('PageService serves its files, with a Content-Security-Policy that lets the browser load nothing from other hosts', async () => {
  for (const [path, type] of [
    ['', 'text/html; charset=utf-8'],
    ['main.js', 'text/javascript; charset=utf-8'],
    ['page.css', 'text/css; charset=utf-8'],
    ['icon.svg', 'image/svg+xml'],
  ] as const) {
    const { status, headers } = await service.reply(request({ path }));
    assert.deepEqual([status, headers['content-type']], [200, type]);
    assert.match(headers['content-security-policy'] ?? '', /default-src 'none'; script-src 'self'/);
    assert.doesNotMatch(headers['content-security-policy'] ?? '', /unsafe|https?:|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
});

for (const path of [
  'nothing.js',
  '../assets.ts',
  '../page-data.ts',
  'tsconfig.json',
  '/etc/passwd',
  '.',
  'a%2fb.js',
])
  test(`PageService has no file ${path}`, async () => {
    assert.equal((await service.reply(request({ path }))).status, 404);
  });

test('PageService starts no child process while it may not collect data, and says why', async () => {
  for (const path of ['data', 'explain']) {
    const { status, body } = await service.reply(request({ path }));
    assert.deepEqual([status, body], [503, '{"problem":"this replica of the controller does not lead"}\n']);
  }
});
