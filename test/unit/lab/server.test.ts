import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ApiServer } from '../../../lab/apiserver/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'bellman-server-'));
const server = new ApiServer({ logFolder: folder });
let port = 0;
before(async () => {
  port = await server.listen(0, '127.0.0.1');
});
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Sends the path as it is. `fetch` would correct it. */
async function answer(method: string, path: string, body?: object): Promise<{ code: number; text: string }> {
  const content = body === undefined ? '' : JSON.stringify(body);
  const socket = connect(port, '127.0.0.1');
  socket.end(
    `${method} ${path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nContent-Length: ${content.length}\r\n\r\n${content}`,
  );
  let whole = '';
  for await (const chunk of socket.setEncoding('utf8')) whole += chunk;
  const [head = '', text = ''] = whole.split('\r\n\r\n');
  return { code: Number(head.split(' ')[1]), text };
}

describe('ApiServer', () => {
  for (const path of ['/api/v1/services/%zz', '/api/v1/namespaces/%/services', '//'])
    test(`answers 400 to the malformed path ${path}`, async () => {
      assert.equal((await answer('GET', path)).code, 400);
    });

  test('neither creates nor deletes an object on its status path', async () => {
    const services = '/api/v1/namespaces/default/services';
    const web = { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } };
    assert.equal((await answer('PUT', `${services}/web/status`, web)).code, 404);
    assert.equal((await answer('PUT', `${services}/web`, web)).code, 201);
    assert.equal((await answer('DELETE', `${services}/web/status`)).code, 405);
    assert.equal((await answer('DELETE', `${services}/web`)).code, 200);
  });

  for (const [log, tail, expected] of [
    ['one\ntwo\nthree\n', '?tailLines=2', 'two\nthree\n'],
    ['one\ntwo\nthree', '?tailLines=2', 'two\nthree'],
    ['one\n\nthree\n', '?tailLines=2', '\nthree\n'],
    ['one\ntwo\n', '?tailLines=3', 'one\ntwo\n'],
    ['one\ntwo\n', '?tailLines=0', ''],
    ['one\ntwo\n', '', 'one\ntwo\n'],
    ['', '?tailLines=1', ''],
  ] as const)
    test(`answers a request for the log ${JSON.stringify(log)} with ${tail || 'no query'} by ${JSON.stringify(expected)}`, async () => {
      writeFileSync(join(folder, 'web.log'), log);
      const shown = await answer('GET', `/api/v1/namespaces/default/pods/web/log${tail}`);
      assert.deepEqual(shown, { code: 200, text: expected });
    });
});
