/** Tests the server that `bellman page` runs for the browser on this host, and the requests that it sends to the leader. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { ApiRequest } from '../../../src/kubernetes/api.ts';
import { type ForwardedHeaders, LeaderPage } from '../../../src/page/local/leader-page.ts';
import { type PageServer, servePage } from '../../../src/page/local/server.ts';
import { type PageReply, reply } from '../../../src/page/replies.ts';
import type { PageRequest } from '../../../src/telemetry/http-server.ts';
import { listeningServers } from '../../support/listening-servers.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { VirtualClock, virtualEpochMs } from '../../support/virtual-clock.ts';

const key = 'the-key-of-this-page';

describe('servePage()', () => {
  let server: PageServer;
  const own: PageRequest[] = [];
  const asked: [string, ForwardedHeaders][] = [];
  let fromLeader: PageReply | undefined;
  let ownReply = reply(200, {}, 'own');
  before(async () => {
    server = await servePage({
      ...{ port: 0, key },
      own: {
        reply: async (request) => {
          own.push(request);
          return ownReply;
        },
      },
      leader: {
        get: async (path, headers) => {
          asked.push([path, headers]);
          return fromLeader;
        },
      },
    });
  });
  after(() => server.close());

  async function ask(path: string, headers: IncomingHttpHeaders = {}, method = 'GET') {
    const request = get({ host: '127.0.0.1', port: server.port, path, headers, method });
    const [response] = await once(request, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode as number, body: Buffer.concat(chunks).toString() };
  }

  for (const path of ['/', '/data', `/${key}`, '/wrong-key-of-this-page/data', '//data', `/x/${key}/data`])
    test(`refuses ${path}, which does not begin with the key between two slashes`, async () => {
      assert.equal((await ask(path)).status, 404);
      assert.deepEqual([own, asked], [[], []]);
    });

  for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example'])
    test(`refuses a request for the host ${JSON.stringify(host)}, even with the key`, async () => {
      assert.equal((await ask(`/${key}/data`, { host })).status, 403);
      assert.deepEqual([own, asked], [[], []]);
    });

  test('refuses a write', async () => {
    assert.equal((await ask(`/${key}/data`, {}, 'POST')).status, 405);
  });

  test('takes data and explanations from the leader, and passes on only the headers that the leader needs', async () => {
    fromLeader = reply(304, { etag: '"x"' }, '');
    const headers = { host: 'localhost:1', 'if-none-match': '"x"', 'accept-encoding': 'gzip', cookie: 'a=b' };
    assert.equal((await ask(`/${key}/data`, headers)).status, 304);
    await ask(`/${key}/explain?service=a%2Fb`);
    assert.deepEqual(asked, [
      ['data', { 'if-none-match': '"x"', 'accept-encoding': 'gzip' }],
      ['explain?service=a%2Fb', {}],
    ]);
    assert.deepEqual(own, []);
  });

  test('serves the files itself, and also the data while no leader answers', async () => {
    fromLeader = undefined;
    for (const path of ['', 'main.js', 'data'])
      assert.deepEqual(await ask(`/${key}/${path}`), { status: 200, body: 'own' });
    assert.deepEqual(
      own.map(({ path }) => path),
      ['', 'main.js', 'data'],
    );
  });

  test('shows why the leader has no explanation, unless this process has one', async () => {
    fromLeader = reply(503, {}, 'the reason of the leader');
    assert.deepEqual(await ask(`/${key}/explain`), { status: 200, body: 'own' });
    ownReply = reply(503, {}, 'no data');
    assert.deepEqual(await ask(`/${key}/explain`), { status: 503, body: 'the reason of the leader' });
    fromLeader = undefined;
    assert.deepEqual(await ask(`/${key}/explain`), { status: 503, body: 'no data' });
  });

  test('says which flag is wrong when the port is taken', async () => {
    const options = {
      port: server.port,
      key,
      own: { reply: () => assert.fail() },
      leader: { get: () => assert.fail() },
    };
    await assert.rejects(servePage(options), /^Error: --port: cannot listen: .*EADDRINUSE/);
  });

  test('goes on serving after the kernel has failed to accept connections', async (t) => {
    const servers = listeningServers(t);
    const other = await servePage({
      ...{ port: 0, key },
      own: { reply: async () => reply(200, {}, 'own') },
      leader: { get: async () => undefined },
    });
    t.after(() => other.close());
    for (let i = 0; i < 3; i++) servers[0]?.emit('error', new Error('accept ENOBUFS'));
    assert.equal((await fetch(`http://127.0.0.1:${other.port}/${key}/data`)).status, 200);
  });
});

describe('LeaderPage', () => {
  let answer: { readonly status: number; readonly body: string } = { status: 200, body: '{}' };
  const received: IncomingHttpHeaders[] = [];
  const leader = createServer(({ headers }, response) => {
    received.push(headers);
    response.writeHead(answer.status, { etag: '"t"', 'set-cookie': 'no' }).end(answer.body);
  });
  const clock = new VirtualClock();
  const api = new MemoryApi(clock);
  let page: LeaderPage;
  /** As `page`, but the API server gives it a token. */
  let withToken: LeaderPage;
  before(async () => {
    leader.listen(0, '127.0.0.1');
    await once(leader, 'listening');
    api.put('/apis/coordination.k8s.io/v1/namespaces/bellman-system/leases/bellman-controller', {
      metadata: { name: 'bellman-controller' },
      spec: {
        holderIdentity: 'pod-1_uuid',
        renewTime: new Date(virtualEpochMs).toISOString(),
        leaseDurationSeconds: 15,
      },
    });
    api.put('/api/v1/namespaces/bellman-system/pods/pod-1', {
      metadata: { name: 'pod-1' },
      status: { podIPs: [{ ip: '127.0.0.1' }] },
    });
    const controllerPort = (leader.address() as AddressInfo).port;
    const options = { namespace: 'bellman-system', controllerPort, clock };
    page = new LeaderPage({ ...options, client: api });
    const granting = new MemoryApi(clock);
    granting.request = <T>(request: ApiRequest) =>
      request.path.endsWith('/token')
        ? Promise.resolve({ status: { token: 't' } } as T)
        : api.request<T>(request);
    withToken = new LeaderPage({ ...options, client: granting });
  });
  after(() => void leader.close());

  test('finds the leader by its Lease, and returns only the headers that the page needs', async () => {
    const got = await page.get('data', { 'if-none-match': '"s"' });
    assert.deepEqual([got?.status, got?.headers.etag, got?.headers['set-cookie']], [200, '"t"', undefined]);
    assert.match(got?.headers['content-security-policy'] ?? '', /default-src 'none'/);
    assert.equal(received.at(-1)?.['if-none-match'], '"s"');
  });

  for (const status of [401, 403, 429])
    test(`shows why the leader refuses with ${status}, or why there is no token`, async () => {
      answer = { status, body: 'RBAC does not allow this user to get /page\n' };
      for (const [of, reason] of [
        [withToken, /"the leader refuses to show the page: RBAC does not allow this user to get \/page"/],
        [page, /"daemons on other hosts show their state only with a token of ServiceAccount/],
      ] as const) {
        const got = await of.get('data', {});
        assert.equal(got?.status, status);
        assert.match(String(got?.body), reason);
      }
      assert.equal(received.at(-2)?.authorization, 'Bearer t');
    });

  for (const status of [404, 500, 503])
    test(`gives no reply when the leader answers ${status}`, async () => {
      answer = { status, body: '' };
      assert.equal(await page.get('data', {}), undefined);
    });

  test('returns the reason for which the leader has no explanation', async () => {
    answer = { status: 503, body: 'the Service does not exist' };
    const got = await page.get('explain?service=a%2Fb', {});
    assert.deepEqual([got?.status, String(got?.body)], [503, answer.body]);
  });

  test('asks the holder of the Lease, however old the Lease is by the clock of this host', async () => {
    answer = { status: 200, body: '{}' };
    clock.advance(60_000);
    assert.equal((await page.get('data', {}))?.status, 200);
  });
});
