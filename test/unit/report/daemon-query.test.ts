import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { withoutApiServer, withoutToken } from '../../../src/report/daemon-faults.ts';
import { queryDaemon } from '../../../src/report/read/daemon-query.ts';
import { fail, ok, type Result } from '../../../src/result.ts';

const server = createServer((request, response) => {
  if (request.url === '/body') response.end('body');
  else if (request.url === '/away') response.writeHead(503).end('no API server');
  else response.writeHead(request.url === '/token' ? 401 : 403).end('not you');
});
before(() => once(server.listen(0, '127.0.0.1'), 'listening'));
after(() => server.close());

const listening = '127.0.0.1';
/** Nothing listens on this address. */
const silent = '127.0.0.2';

function query(
  addresses: readonly string[],
  path: string,
  decode: (body: string) => Result<string, string> = ok,
): Promise<Result<string, string>> {
  const { port } = server.address() as AddressInfo;
  return queryDaemon(addresses, { port, path, token: undefined }, decode);
}

test('queryDaemon() returns the decoded answer of the first address that gives one', async () => {
  assert.deepEqual(await query([silent, listening], '/body'), ok('body'));
});

test('queryDaemon() fails with the fault of an address that answered, wherever the address stands in the list', async () => {
  const answered = fail('HTTP status 403: not you');
  assert.deepEqual(await query([listening, silent], '/status'), answered);
  assert.deepEqual(await query([silent, listening], '/status'), answered);
});

test('queryDaemon() fails with the fault of the decoder', async () => {
  assert.deepEqual(await query([listening, silent], '/body', () => fail('no status')), fail('no status'));
});

test('queryDaemon() fails with the fault of the first address when no address answers, and says when there is no address', async () => {
  assert.deepEqual(await query([silent, '127.0.0.3'], '/body'), fail('ECONNREFUSED'));
  assert.deepEqual(await query([], '/body'), fail('it has no address'));
});

test('queryDaemon() says that a daemon cannot reach the API server', async () => {
  assert.deepEqual(await query([silent, listening], '/away'), fail(withoutApiServer));
});

test('queryDaemon() says that a daemon needs a token', async () => {
  assert.deepEqual(await query([silent, listening], '/token'), fail(withoutToken));
});
