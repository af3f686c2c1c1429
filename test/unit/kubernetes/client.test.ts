import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ApiError, connect, type KubernetesClient } from '../../../src/kubernetes/client.ts';

const folder = mkdtempSync(join(tmpdir(), 'bellman-client-'));
after(() => rmSync(folder, { recursive: true }));

function kubeconfig(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function configFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

async function served(
  listener: RequestListener,
  use: (client: KubernetesClient, connections: () => number) => Promise<void>,
): Promise<void> {
  let connections = 0;
  const server = createServer(listener).on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect(kubeconfig('served', configFor(`http://127.0.0.1:${port}/prefix/`)), 'agent/1');
  try {
    await use(client, () => connections);
  } finally {
    client.close();
    server.closeAllConnections();
    server.close();
  }
}

test('request() sends method, path, token, agent and body, and returns the parsed answer', async () => {
  const seen: unknown[] = [];
  await served(
    (request, response) => {
      const { method, url, headers } = request;
      request.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
      seen.push(method, url, headers.authorization, headers['user-agent'], headers['content-type']);
      request.on('end', () => response.end('{"a":1}'));
    },
    async (client) => {
      const answer = await client.request({
        method: 'PATCH',
        path: '/api/v1/x?y=1',
        body: { b: 2 },
        contentType: 'application/merge-patch+json',
      });
      assert.deepEqual(answer, { a: 1 });
    },
  );
  assert.deepEqual(seen, [
    'PATCH',
    '/prefix/api/v1/x?y=1',
    'Bearer secret',
    'agent/1',
    'application/merge-patch+json',
    '{"b":2}',
  ]);
});

test('request() uses one connection for requests that follow each other', async () => {
  await served(
    (_, response) => response.end('{}'),
    async (client, connections) => {
      for (let i = 0; i < 5; i++) await client.request({ method: 'GET', path: '/' });
      assert.equal(connections(), 1);
    },
  );
});

test('request() asks again when the server had closed the idle connection in that moment', async () => {
  let answered = 0;
  await served(
    (request, response) => {
      if (answered++ === 1) request.socket.resetAndDestroy();
      else response.end('{}');
    },
    async (client, connections) => {
      await client.request({ method: 'GET', path: '/' });
      await client.request({ method: 'GET', path: '/' });
      assert.equal(connections(), 2);
    },
  );
});

test('request() rejects with status, reason and message of a refusal', async () => {
  await served(
    (_, response) => {
      response.writeHead(409, { 'content-type': 'application/json' });
      response.end('{"kind":"Status","reason":"Conflict","message":"the object has been modified"}');
    },
    async (client) => {
      await assert.rejects(client.request({ method: 'GET', path: '/api?x' }), (error) => {
        assert.ok(error instanceof ApiError);
        assert.deepEqual([error.status, error.reason], [409, 'Conflict']);
        assert.equal(error.message, 'GET /prefix/api: the object has been modified');
        return true;
      });
    },
  );
});

test('request() rejects with status 0 when nobody answers, when the answer breaks off, and when it takes too long', async () => {
  const nobody = connect(kubeconfig('nobody', configFor('http://127.0.0.1:1')), 'agent');
  await assert.rejects(nobody.request({ method: 'GET', path: '/' }), { status: 0, reason: 'ECONNREFUSED' });
  await served(
    (request, response) => {
      if (request.url === '/prefix/slow') return;
      response.writeHead(200, { 'content-length': 100 });
      response.write('{');
      setTimeout(() => response.destroy(), 10);
    },
    async (client) => {
      await assert.rejects(client.request({ method: 'GET', path: '/broken' }), { status: 0 });
      await assert.rejects(client.request({ method: 'GET', path: '/slow', timeoutMs: 50 }), { status: 0 });
    },
  );
});

test('stream() hands over each line, ends with the server, and stops by its signal', async () => {
  await served(
    (request, response) => {
      response.write('{"n":1}\n{"n":2}\n');
      if (request.url === '/prefix/ends') response.end();
    },
    async (client) => {
      const lines: unknown[] = [];
      await client.stream('/ends', (line) => lines.push(line), new AbortController().signal);
      assert.deepEqual(lines, [{ n: 1 }, { n: 2 }]);
      const stop = new AbortController();
      const staying = client.stream('/stays', () => stop.abort(), stop.signal);
      await assert.rejects(staying, { status: 0 });
    },
  );
});

test('stream() lets an error of its consumer through as it is', async () => {
  await served(
    (_, response) => void response.write('{"n":1}\n'),
    async (client) => {
      const failing = client.stream(
        '/',
        () => {
          throw new TypeError('a bug');
        },
        new AbortController().signal,
      );
      await assert.rejects(failing, TypeError);
    },
  );
});

for (const { what, content, message } of [
  { what: 'is not YAML', content: '{', message: /is not valid: / },
  {
    what: 'has no cluster for its context',
    content: '{"apiVersion":"v1","kind":"Config","current-context":"gone"}',
    message: /has no cluster for its current-context "gone"$/,
  },
])
  test(`connect() says of a kubeconfig that ${what} which file it is and why`, () => {
    const path = kubeconfig('broken', content);
    assert.throws(
      () => connect(path, 'agent'),
      (error: Error) => error.message.startsWith(`kubeconfig ${path} `) && message.test(error.message),
    );
  });

test('connect() says how to give it a way to the API server when there is none', () => {
  assert.throws(() => connect(undefined, 'agent'), /give --kubeconfig FILE or set KUBECONFIG/);
});
