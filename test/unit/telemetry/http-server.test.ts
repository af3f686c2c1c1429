import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get as httpGet } from 'node:http';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Access, AccessControl } from '../../../src/telemetry/access.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { HttpLimits } from '../../../src/telemetry/http-limits.ts';
import { type HttpEndpoint, type ListenAddress, serveHttp } from '../../../src/telemetry/http-server.ts';
import { freePort } from '../../support/free-port.ts';
import { listeningServers } from '../../support/listening-servers.ts';
import { scrapeOf } from '../../support/scrape.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('serveHttp()', () => {
  const recorder = new FlightRecorder({ clock: new VirtualClock() });
  const failures: string[] = [];
  let endpoint: HttpEndpoint;
  let notReady: string[] = [];
  let status: () => unknown = () => ({ version: 1 });
  let access: Access = { allowed: true };
  const checked: Parameters<AccessControl['check']>[] = [];

  before(async () => {
    endpoint = await serveHttp([{ host: '127.0.0.1', port: 0 }], {
      registry: scrapeOf(''),
      unhealthy: () => [],
      notReady: () => notReady,
      status: () => status(),
      events: () => Promise.resolve(recorder.events()),
      machinesOf: (address) => (address === '192.0.2.7' ? ['peer a'] : []),
      recordedAs: (machine) => (machine === 'peer b' ? 'peer a' : undefined),
      guard: new Guard({
        logger: pino({ level: 'silent' }),
        count: (entrance, kind) => failures.push(`${entrance} ${kind}`),
      }),
      page: async ({ path, query, ifNoneMatch }) => {
        const body = JSON.stringify([path, query.get('service'), ifNoneMatch]);
        return { status: 200, headers: { 'content-type': 'text/x-page' }, body };
      },
      access: {
        check: (...args) => {
          checked.push(args);
          return Promise.resolve(access);
        },
      },
      limits: new HttpLimits({ clock: new VirtualClock(), registry: new Registry() }),
    });
  });
  after(() => endpoint.close());

  async function get(path: string, method = 'GET'): Promise<{ status: number; body: string }> {
    const response = await fetch(`http://127.0.0.1:${endpoint.port}${path}`, { method });
    return { status: response.status, body: await response.text() };
  }

  test('answers /readyz with 503 and the reasons while the process is not ready, and with 200 once it is', async () => {
    notReady = ['no accepted configuration yet', 'node a is not known to Kubernetes'];
    assert.deepEqual(await get('/readyz'), { status: 503, body: `${notReady.join('\n')}\n` });
    assert.deepEqual(await get('/healthz'), { status: 200, body: 'ok\n' });
    notReady = [];
    assert.deepEqual(await get('/readyz'), { status: 200, body: 'ok\n' });
  });

  test('shows the state of the process only to allowed clients', async () => {
    access = { allowed: false, status: 401, reason: 'no token' };
    for (const path of ['/status', '/status?x', '/debug/events', '/debug/other'])
      assert.deepEqual(await get(path), { status: 401, body: 'no token\n' });
    for (const path of ['/healthz', '/readyz', '/metrics']) assert.equal((await get(path)).status, 200);
    access = { allowed: true };
    assert.equal((await get('/status')).status, 200);
  });

  test('serves events as JSON lines, filtered by machine or by address, without secrets', async () => {
    recorder.record('peer a', 'Idle', { kind: 'start', settings: { password: 'hunter2' } }, []);
    recorder.record('ownership', 'owner', { kind: 'claim', address: '192.0.2.10' }, []);
    recorder.record('ownership', 'owner', { kind: 'claim', address: '192.0.2.1' }, []);
    recorder.record(
      'peer c',
      'Idle',
      { kind: 'failed', reason: 'refused by 192.0.2.8:179, [2001:db8::8]:179 at 192.0.2.9, 2001:db8::9.' },
      [],
    );
    const machines = async (query: string) =>
      (await get(`/debug/events${query}`)).body
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { machine: string }).machine);
    assert.deepEqual(await machines(''), ['peer a', 'ownership', 'ownership', 'peer c']);
    assert.deepEqual(await machines('?machine=peer%20a'), ['peer a']);
    assert.deepEqual(await machines('?machine=peer%20a&machine=ownership'), [
      'peer a',
      'ownership',
      'ownership',
    ]);
    assert.deepEqual(await machines('?machine=peer%20b'), ['peer a']);
    assert.deepEqual(await machines('?address=192.0.2.1'), ['ownership']);
    assert.deepEqual(await machines('?address=192.0.2.7'), ['peer a']);
    for (const address of ['192.0.2.8', '192.0.2.9', '2001:db8::8', '2001:db8::9'])
      assert.deepEqual(await machines(`?address=${address}`), ['peer c']);
    assert.deepEqual(await machines('?address=2001:db8::'), []);
    assert.doesNotMatch((await get('/debug/events')).body, /hunter2/);
  });

  test('answers 500 to a request that raises an exception, and counts the exception', async () => {
    status = () => {
      throw new TypeError('secret detail');
    };
    assert.deepEqual(await get('/status'), { status: 500, body: 'internal error\n' });
    assert.deepEqual(failures, ['http TypeError']);
    status = () => ({ version: 1 });
    assert.equal((await get('/status')).status, 200);
  });

  test('serves the page below /page/, and requires one permission for all of its paths', async () => {
    access = { allowed: false, status: 403, reason: 'no right' };
    checked.length = 0;
    for (const path of ['/page', '/page/', '/page/data', '/page/main.js', '/page/a/b?c'])
      assert.deepEqual(await get(path), { status: 403, body: 'no right\n' });
    assert.deepEqual(new Set(checked.map(([, , path]) => path)), new Set(['/page']));
    access = { allowed: true };
    assert.deepEqual(await get('/page/explain?service=a%2Fb'), {
      status: 200,
      body: '["explain","a/b",null]',
    });
    const bare = await fetch(`http://127.0.0.1:${endpoint.port}/page`, { redirect: 'manual' });
    assert.deepEqual([bare.status, bare.headers.get('location')], [308, '/page/']);
  });

  for (const [host, isOwn] of [
    ['127.0.0.1:7471', true],
    ['localhost', true],
    ['[::1]:7471', true],
    ['192.0.2.1', true],
    ['rebound.example:7471', false],
    ['localhost.example', false],
    ['127.0.0.1.example', false],
  ] as const)
    test(`${isOwn ? 'trusts' : 'does not trust'} a client on loopback whose Host header is ${host}`, async () => {
      checked.length = 0;
      for (const path of ['/status', '/page/data', '/debug/events']) {
        const request = httpGet({ host: '127.0.0.1', port: endpoint.port, path, headers: { host } });
        const [response] = await once(request, 'response');
        response.resume();
      }
      assert.deepEqual(
        checked.map(([client]) => client),
        Array(3).fill({ address: '127.0.0.1', namesOwnHost: isOwn }),
      );
    });

  test('refuses the method POST and unknown paths', async () => {
    assert.equal((await get('/status', 'POST')).status, 405);
    assert.equal((await get('/nothing')).status, 404);
  });
});

describe('serveHttp() with several addresses', () => {
  const serve = (...addresses: ListenAddress[]) =>
    serveHttp(addresses, {
      registry: scrapeOf(''),
      unhealthy: () => [],
      status: () => ({}),
      events: () => Promise.resolve([]),
      guard: new Guard({ logger: pino({ level: 'silent' }) }),
      access: { check: () => Promise.resolve({ allowed: true }) },
      limits: new HttpLimits({ clock: new VirtualClock(), registry: new Registry() }),
    });
  const answers = (host: string, port: number) =>
    fetch(`http://${host}:${port}/healthz`).then(
      ({ status }) => status === 200,
      () => false,
    );

  test('answers on each of them and on no other', async () => {
    const port = await freePort();
    const endpoint = await serve({ host: '127.0.0.1', port }, { host: '127.0.0.2', port });
    assert.equal(endpoint.port, port);
    assert.deepEqual(
      await Promise.all(['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => answers(host, port))),
      [true, true, false],
    );
    await endpoint.close();
    assert.equal(await answers('127.0.0.2', port), false);
  });

  test('serves on none when one cannot be bound, and says which one and why', async () => {
    const port = await freePort();
    await assert.rejects(serve({ host: '127.0.0.1', port }, { host: '192.0.2.99', port }), {
      message: `--metrics-address: cannot listen on 192.0.2.99 port ${port}: this machine does not have the address`,
    });
    assert.equal(await answers('127.0.0.1', port), false);
    const endpoint = await serve({ host: '127.0.0.1', port });
    await assert.rejects(serve({ host: '::', port }), {
      message: `--metrics-address: cannot listen on port ${port}: another socket uses the port`,
    });
    await endpoint.close();
  });

  test('goes on when connections cannot be accepted', async (t) => {
    const servers = listeningServers(t);
    const endpoint = await serve({ host: '127.0.0.1', port: 0 });
    t.after(() => endpoint.close());
    for (let i = 0; i < 3; i++) servers[0]?.emit('error', new Error('accept ENOBUFS'));
    assert.equal(await answers('127.0.0.1', endpoint.port), true);
  });
});

test('serveHttp() gives a capture an aborted signal when the client goes away during the check of its token', async (t) => {
  const checking = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<Access>();
  const gone = Promise.withResolvers<void>();
  const captured = Promise.withResolvers<boolean>();
  class WatchedLimits extends HttpLimits {
    override connected(socket: Socket): void {
      super.connected(socket);
      socket.once('close', () => gone.resolve());
    }
  }
  const endpoint = await serveHttp([{ host: '127.0.0.1', port: 0 }], {
    registry: scrapeOf(''),
    unhealthy: () => [],
    status: () => ({}),
    events: () => Promise.resolve([]),
    guard: new Guard({ logger: pino({ level: 'silent' }) }),
    access: {
      check: () => {
        checking.resolve();
        return verdict.promise;
      },
    },
    capture: async (_, signal) => {
      captured.resolve(signal.aborted);
      return { status: 404, reason: 'nothing' };
    },
    limits: new WatchedLimits({ clock: new VirtualClock(), registry: new Registry() }),
  });
  t.after(() => endpoint.close());
  const client = httpGet(`http://127.0.0.1:${endpoint.port}/capture`).on('error', () => {});
  await checking.promise;
  client.destroy();
  await gone.promise;
  verdict.resolve({ allowed: true });
  assert.equal(await captured.promise, true);
});
