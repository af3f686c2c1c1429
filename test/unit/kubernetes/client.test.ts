import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ApiError, UnusableResponse } from '../../../src/kubernetes/api-error.ts';
import { connect, type KubernetesClient } from '../../../src/kubernetes/client.ts';
import { eventually } from '../../support/eventually.ts';
import { kubeconfigFor } from '../../support/kubeconfig.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'bellman-client-'));
after(() => rmSync(folder, { recursive: true }));

function kubeconfig(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function served(
  listener: RequestListener,
  use: (client: KubernetesClient, connections: () => number) => Promise<void>,
): Promise<void> {
  let connections = 0;
  const server = createServer(listener).on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = await connect(
    kubeconfig('served', kubeconfigFor(`http://127.0.0.1:${port}/prefix/`)),
    'agent/1',
  );
  try {
    await use(client, () => connections);
  } finally {
    client.close();
    server.closeAllConnections();
    server.close();
  }
}

test('request() sends method, path, token, agent and body, and returns the parsed response', async () => {
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

test('request() reuses one connection for consecutive requests', async () => {
  await served(
    (_, response) => response.end('{}'),
    async (client, connections) => {
      for (let i = 0; i < 5; i++) await client.request({ method: 'GET', path: '/' });
      assert.equal(connections(), 1);
    },
  );
});

test('request() sends the request again on a new connection when the server closes the idle one just as the request is sent', async () => {
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

test('the error of request() says how long the server asks the client to wait, but at most 64 s', async () => {
  for (const { header, retryAfterMs } of [
    { header: '1', retryAfterMs: 1000 },
    { header: '32', retryAfterMs: 32_000 },
    { header: '86400', retryAfterMs: 64_000 },
    { header: '-1', retryAfterMs: undefined },
    { header: 'Fri, 31 Dec 1999 23:59:59 GMT', retryAfterMs: undefined },
    { header: undefined, retryAfterMs: undefined },
  ])
    await served(
      (_, response) =>
        response.writeHead(429, header === undefined ? {} : { 'retry-after': header }).end('{}'),
      (client) => assert.rejects(client.request({ method: 'GET', path: '/' }), { status: 429, retryAfterMs }),
    );
});

test('request() rejects with status 0 when there is no server, when the response breaks off, and after the time limit', async () => {
  const unreachable = await connect(kubeconfig('unreachable', kubeconfigFor('http://127.0.0.1:1')), 'agent');
  await assert.rejects(unreachable.request({ method: 'GET', path: '/' }), {
    status: 0,
    reason: 'ECONNREFUSED',
  });
  await served(
    (request, response) => {
      if (request.url === '/prefix/slow') return;
      response.writeHead(200, { 'content-length': 100 });
      response.write('{');
      if (request.url === '/prefix/broken') setTimeout(() => response.destroy(), 10);
    },
    async (client) => {
      await assert.rejects(client.request({ method: 'GET', path: '/broken' }), { status: 0 });
      for (const path of ['/slow', '/slow-body'])
        await assert.rejects(client.request({ method: 'GET', path, timeoutMs: 50 }), (error: ApiError) => {
          assert.equal(error.status, 0);
          return /^GET .*\/slow.*: no answer in time$/.test(error.message);
        });
    },
  );
});

test('openStream() yields each line, ends when the server ends the response, and fails when its signal aborts', async () => {
  await served(
    (request, response) => {
      response.write('{"n":1}\n{"n":2}\n');
      if (request.url === '/prefix/ends') response.end();
    },
    async (client) => {
      const lines: unknown[] = [];
      for await (const line of await client.openStream('/ends', new AbortController().signal))
        lines.push(line);
      assert.deepEqual(lines, ['{"n":1}', '{"n":2}']);
      const stop = new AbortController();
      const staying = await client.openStream('/stays', stop.signal);
      const reading = async () => {
        for await (const _ of staying) stop.abort();
      };
      await assert.rejects(reading(), { status: 0 });
      assert.equal(client.reachability.isAnswering, true, 'an abort is not an outage');
    },
  );
});

test('openStream() fails and does not repeat its request when the server resets a reused connection after the stream has begun', async () => {
  const asked: unknown[] = [];
  let reset = () => {};
  await served(
    (request, response) => {
      asked.push(request.url);
      if (request.url !== '/prefix/watch') {
        response.end('{}');
        return;
      }
      reset = () => request.socket.resetAndDestroy();
      response.write('{"n":1}\n');
    },
    async (client, connections) => {
      await client.request({ method: 'GET', path: '/first' });
      const reading = async () => {
        for await (const _ of await client.openStream('/watch', new AbortController().signal)) reset();
      };
      await assert.rejects(reading(), { status: 0 });
      // If openStream() repeated its request, the repetition would arrive before this request.
      await client.request({ method: 'GET', path: '/version' }).catch(() => undefined);
      assert.deepEqual(asked, ['/prefix/first', '/prefix/watch', '/prefix/version']);
      assert.equal(connections(), 2);
    },
  );
});

test('openStream() closes its connection when the reader stops', async () => {
  let closed = false;
  await served(
    (_, response) => {
      response.on('close', () => {
        closed = true;
      });
      response.write('{"n":1}\n');
    },
    async (client) => {
      for await (const _ of await client.openStream('/', new AbortController().signal)) break;
      await eventually('the server sees the end', () => closed);
    },
  );
});

test('openStream() leaves no listener on a connection that many watches use in turn', async () => {
  const warnings: string[] = [];
  const note = ({ message }: Error) => void warnings.push(message);
  process.on('warning', note);
  after(() => process.off('warning', note));
  await served(
    (_, response) => response.end('{}\n'),
    async (client, connections) => {
      for (let watches = 0; watches < 12; watches++) {
        const lines = await client.openStream('/watch', new AbortController().signal);
        for await (const line of lines) assert.equal(line, '{}');
        // The connection becomes free for another watch in the next turn.
        await sleep(0);
      }
      assert.equal(connections(), 1);
    },
  );
  assert.deepEqual(warnings, []);
});

test('request() rejects with UnusableResponse when the body is not JSON or does not end', async () => {
  await served(
    (request, response) => {
      if (request.url === '/prefix/text') return void response.end('<html>');
      const chunk = Buffer.alloc(2 ** 20, ' ');
      const more = () => {
        while (response.write(chunk));
        response.once('drain', more);
      };
      more();
    },
    async (client) => {
      await assert.rejects(client.request({ method: 'GET', path: '/text' }), UnusableResponse);
      await assert.rejects(client.request({ method: 'GET', path: '/endless' }), { isTooLarge: true });
    },
  );
});

test('request() reads compressed responses, and openStream() asks for none', async () => {
  const encodings: unknown[] = [];
  const zeros = gzipSync('0'.repeat(65 * 2 ** 20));
  const bodies: Readonly<Record<string, Buffer>> = {
    list: gzipSync(JSON.stringify({ items: ['a'] })),
    refusal: gzipSync(JSON.stringify({ reason: 'Busy', message: 'later' })),
    bomb: zeros,
    damaged: Buffer.from('no gzip'),
    short: zeros.subarray(0, zeros.length / 2),
  };
  await served(
    ({ url = '', headers }, response) => {
      const name = url.split('/').pop() ?? '';
      encodings.push(headers['accept-encoding']);
      if (name === 'watch') return void response.end('line\n');
      response.writeHead(name === 'refusal' ? 429 : 200, { 'content-encoding': 'gzip' }).end(bodies[name]);
    },
    async (client) => {
      const get = (name: string) => client.request({ method: 'GET', path: `/${name}` });
      assert.deepEqual(await get('list'), { items: ['a'] });
      await assert.rejects(get('refusal'), {
        status: 429,
        reason: 'Busy',
        message: 'GET /prefix/refusal: later',
      });
      await assert.rejects(get('bomb'), (error: UnusableResponse) => error.isTooLarge);
      for (const name of ['damaged', 'short'])
        await assert.rejects(
          get(name),
          (error) => error instanceof UnusableResponse && error.message.startsWith(`GET /${name}: `),
          name,
        );
      const { signal } = new AbortController();
      for await (const line of await client.openStream('/watch', signal)) assert.equal(line, 'line');
    },
  );
  assert.deepEqual(new Set(encodings.slice(0, -1)), new Set(['gzip']));
  assert.equal(encodings.at(-1), undefined);
});

test('request() rejects with the status code of a refusal whose body is not a Status object', async () => {
  for (const body of ['', 'null', '5', '{"message":{"a":1},"reason":7}', '<html>', '[1]'])
    await served(
      (_, response) => response.writeHead(502).end(body),
      async (client) => {
        await assert.rejects(client.request({ method: 'GET', path: '/' }), { status: 502, reason: '502' });
      },
    );
});

test('KubernetesClient notices the return of the server soon, without a request from its caller', async () => {
  let isAway = false;
  await served(
    (request, response) => {
      if (isAway) request.socket.resetAndDestroy();
      else response.end('{}');
    },
    async (client) => {
      isAway = true;
      await assert.rejects(client.request({ method: 'GET', path: '/' }), { status: 0 });
      assert.equal(client.reachability.isAnswering, false);
      await sleep(1000);
      isAway = false;
      await eventually('the return', () => client.reachability.isAnswering);
    },
  );
});

test('KubernetesClient counts an opened watch as an answer', async () => {
  await served(
    (request, response) => {
      if (request.url?.startsWith('/prefix/watch')) response.writeHead(200).flushHeaders();
      else request.socket.destroy();
    },
    async (client) => {
      await assert.rejects(client.request({ method: 'GET', path: '/' }));
      assert.equal(client.reachability.isAnswering, false);
      await client.openStream('/watch', new AbortController().signal);
      assert.equal(client.reachability.isAnswering, true);
    },
  );
});

/** A kubeconfig whose exec plugin, which supplies the credentials, is this shell script. */
function pluginConfig(server: string, script: string): string {
  const exec = {
    ...{ apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Never' },
    ...{ command: 'sh', args: ['-c', script] },
  };
  const config = { ...JSON.parse(kubeconfigFor(server)), users: [{ name: 'u', user: { exec } }] };
  return kubeconfig('plugin', JSON.stringify(config));
}

/** A plugin that writes its process id to a file and hangs. `end()` ends all its processes, even one that has just been started. */
function hangingPlugin(name: string) {
  const [runs, marker] = [join(folder, `${name}-runs`), join(folder, `${name}-marker`)];
  writeFileSync(marker, '');
  return {
    script: `echo $$ >> ${runs}; while [ -e ${marker} ]; do sleep 0.1; done`,
    starts: () => (existsSync(runs) ? readFileSync(runs, 'utf8').trim().split('\n').length : 0),
    end: () => rmSync(marker),
  };
}

test('request() and openStream() stop waiting for an exec plugin at their time limit or abort signal, and start it only once', async () => {
  const plugin = hangingPlugin('hanging');
  const client = await connect(pluginConfig('http://127.0.0.1:1', plugin.script), 'agent');
  try {
    const request = { method: 'GET', path: '/x', timeoutMs: 300 } as const;
    const stop = new AbortController();
    const stream = client.openStream('/watch', stop.signal);
    for (const _ of [1, 2])
      await assert.rejects(client.request(request), {
        ...{ status: 0, message: 'GET /x: no credentials in time' },
      });
    stop.abort();
    await assert.rejects(stream, { status: 0 });
    await eventually('the plugin runs', () => plugin.starts() > 0);
    assert.equal(plugin.starts(), 1);
  } finally {
    client.close();
    plugin.end();
  }
});

test('request() starts an exec plugin again when its first process has run for a minute without an answer', async () => {
  const plugin = hangingPlugin('slow');
  const clock = new VirtualClock();
  const config = pluginConfig('http://127.0.0.1:1', plugin.script);
  const client = await connect(config, 'agent', { clock });
  try {
    for (const starts of [1, 2]) {
      const late = client.request({ method: 'GET', path: '/x', timeoutMs: 300 });
      await Promise.all([
        assert.rejects(late, { message: 'GET /x: no credentials in time' }),
        eventually(`start ${starts}`, () => plugin.starts() >= starts).then(() => clock.advance(60_000)),
      ]);
    }
  } finally {
    client.close();
    plugin.end();
  }
});

test('request() runs an exec plugin again after the server refused the token, even if the kubeconfig has a new current-context', async () => {
  const runs = join(folder, 'runs');
  const credential = `{"status":{"token":"t'$(wc -l < ${runs})'"}}`;
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(seen.length === 2 ? 401 : 200).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const config = pluginConfig(`http://127.0.0.1:${port}`, `echo >> ${runs}; echo '${credential}'`);
  const client = await connect(config, 'agent');
  try {
    await client.request({ method: 'GET', path: '/' });
    const file = JSON.parse(readFileSync(config, 'utf8'));
    const [{ context }] = file.contexts;
    const other = { name: 'other', context: { ...context, user: 'other' } };
    const edited = { 'current-context': 'other', contexts: [...file.contexts, other] };
    const users = [...file.users, { name: 'other', user: { token: 'theirs' } }];
    writeFileSync(config, JSON.stringify({ ...file, ...edited, users }));
    await assert.rejects(client.request({ method: 'GET', path: '/' }), { status: 401 });
    await client.request({ method: 'GET', path: '/' });
    assert.deepEqual(seen, ['Bearer t1', 'Bearer t1', 'Bearer t2']);
  } finally {
    client.close();
    server.close();
  }
});

for (const { what, content, message } of [
  { what: 'is not YAML', content: '{', message: /is not valid: / },
  {
    what: 'has no cluster for its context',
    content: '{"apiVersion":"v1","kind":"Config","current-context":"gone"}',
    message: /has no cluster for its current-context "gone"$/,
  },
])
  test(`connect() names the file and the fault of a kubeconfig that ${what}`, () => {
    const path = kubeconfig('broken', content);
    return assert.rejects(
      connect(path, 'agent'),
      (error: Error) => error.message.startsWith(`kubeconfig ${path} `) && message.test(error.message),
    );
  });

test('connect() names the flag --kubeconfig and the variable KUBECONFIG when no kubeconfig is given', () => {
  return assert.rejects(connect(undefined, 'agent'), /give --kubeconfig FILE or set KUBECONFIG/);
});
