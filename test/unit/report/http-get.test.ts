import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { daemonUrl, httpGet } from '../../../src/report/read/http-get.ts';

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return daemonUrl('127.0.0.1', (server.address() as AddressInfo).port, '/status');
}

test('httpGet() returns the body', async (t) => {
  const url = await serve(t, (_, response) => response.end('body'));
  assert.deepEqual(await httpGet(url), { ok: true, value: 'body' });
});

test('httpGet() gives up on an endless body', async (t) => {
  const chunk = Buffer.alloc(1024 * 1024);
  const url = await serve(t, (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  });
  const result = await httpGet(url);
  assert.match(result.ok ? '' : result.error.reason, /^the answer exceeds \d+ octets$/);
  assert.equal(result.ok || result.error.hasAnswered, true);
});

test('httpGet() reports an HTTP error, and a port that nothing listens on', async (t) => {
  const url = await serve(t, (_, response) => response.writeHead(500).end('no\u001b[2J way\n'));
  const answered = { reason: 'HTTP status 500: no [2J way', hasAnswered: true, status: 500 };
  assert.deepEqual(await httpGet(url), { ok: false, error: answered });
  const refused = { reason: 'ECONNREFUSED', hasAnswered: false };
  assert.deepEqual(await httpGet('http://127.0.0.1:9/status'), { ok: false, error: refused });
});
