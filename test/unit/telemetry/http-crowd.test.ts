/** A hostile client of the HTTP endpoint costs a bounded amount of memory, and keeps no other client out. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Guard } from '../../../src/telemetry/guard.ts';
import {
  HttpLimits,
  maxConnections,
  maxRequests,
  maxRequestsOfHost,
  readWithinMs,
} from '../../../src/telemetry/http-limits.ts';
import { type HttpEndpoint, serveHttp } from '../../../src/telemetry/http-server.ts';
import { eventually } from '../../support/eventually.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** Keeps the endpoint's side of each connection. */
class WatchedLimits extends HttpLimits {
  readonly sockets: Socket[] = [];

  override connected(socket: Socket): void {
    this.sockets.push(socket);
    super.connected(socket);
  }
}

describe('the HTTP endpoint', () => {
  const clock = new VirtualClock();
  let registry: Registry;
  let endpoint: HttpEndpoint;
  let limits: WatchedLimits;
  /** One function for each unfinished answer to `/metrics`. A call of the function finishes its answer. */
  const open: (() => void)[] = [];
  /** Pieces of the answer to `/metrics`. */
  let answer: Iterable<string> | undefined;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    registry = new Registry();
    limits = new WatchedLimits({ clock, registry });
    endpoint = await serveHttp([{ host: '127.0.0.1', port: 0 }], {
      registry: {
        contentType: registry.contentType,
        metrics: async function* () {
          if (answer !== undefined) yield* answer;
          else yield new Promise<string>((resolve) => void open.push(() => resolve('text')));
        },
      },
      unhealthy: () => [],
      status: () => ({}),
      events: () => Promise.resolve([]),
      guard: new Guard({ logger: pino({ level: 'silent' }) }),
      access: { check: () => Promise.resolve({ allowed: true }) },
      limits,
    });
  });
  afterEach(async () => {
    answer = undefined;
    for (const finish of open.splice(0)) finish();
    for (const socket of sockets.splice(0)) socket.destroy();
    await endpoint.close();
  });

  /** Connects from `localAddress`. The endpoint takes 127.0.0.1 for its own host, and every other loopback address for a separate host. */
  async function client(localAddress = '127.0.0.2'): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: endpoint.port, localAddress });
    sockets.push(socket);
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  }
  const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: node\r\n\r\n`;
  const firstAnswer = async (socket: Socket) =>
    String(await new Promise((resolve) => socket.once('data', resolve))).split('\r\n', 1)[0];
  const refusedNow = async () => {
    const metric = await registry.getSingleMetric('bellman_http_refused_total')?.get();
    return metric?.values.find(({ labels }) => labels.reason === 'requests')?.value ?? 0;
  };

  test('makes few answers at once for a client that sends many requests and reads no answer', async () => {
    const socket = await client();
    socket.pause();
    socket.write(request('/metrics').repeat(2000));
    // Not all 2,000 requests are handled: Node.js reads no further chunk of them until it can send the answers to the first chunk.
    await eventually('the refusals', async () => (await refusedNow()) > 100);
    assert.equal(open.length, maxRequestsOfHost);
  });

  test('bounds the answers in progress for all hosts together, still answers probes, and admits another host once there is room again', async () => {
    const hosts = Math.ceil(maxRequests / maxRequestsOfHost) + 1;
    for (let i = 0; i < hosts; i++)
      (await client(`127.0.0.${10 + i}`)).write(request('/metrics').repeat(maxRequestsOfHost));
    await eventually('the answers', () => open.length === maxRequests);
    for (let i = 0; i < 10; i++) await turn();
    assert.equal(open.length, maxRequests);
    const probe = await client('127.0.0.3');
    probe.write(request('/healthz'));
    assert.equal(await firstAnswer(probe), 'HTTP/1.1 200 OK');
    for (const finish of open.splice(0)) finish();
    answer = ['done'];
    const scraper = await client('127.0.0.4');
    scraper.write(request('/metrics'));
    assert.equal(await firstAnswer(scraper), 'HTTP/1.1 200 OK');
  });

  test('ends the connection of a client that does not read its answer', async () => {
    answer = ['x'.repeat(16 * 2 ** 20)];
    const socket = await client();
    socket.write(request('/metrics'));
    await firstAnswer(socket);
    socket.pause();
    clock.advance(readWithinMs - 1);
    for (let i = 0; i < 10; i++) await turn();
    const [served] = limits.sockets;
    assert.equal(served?.destroyed, false);
    clock.advance(1);
    assert.equal(served?.destroyed, true);
  });

  test('forgets the unfinished answers of a client that goes away, also those that wait behind another answer', async () => {
    const gone = await client();
    gone.write(request('/metrics').repeat(maxRequestsOfHost));
    await eventually('the answers', () => open.length === maxRequestsOfHost);
    gone.destroy();
    answer = ['done'];
    await eventually('a place for another answer', async () => {
      const socket = await client();
      socket.write(request('/metrics'));
      return (await firstAnswer(socket)) === 'HTTP/1.1 200 OK';
    });
  });

  test('makes the pieces of an answer only as fast as the client reads, and no more when the client goes away', async () => {
    let made = 0;
    let isEnded = false;
    const piece = 'x'.repeat(2 ** 20);
    answer = {
      *[Symbol.iterator]() {
        try {
          for (; made < 1000; made++) yield piece;
        } finally {
          isEnded = true;
        }
      },
    };
    const socket = await client();
    socket.write(request('/metrics'));
    await firstAnswer(socket);
    socket.pause();
    await eventually('the first pieces', () => made > 0);
    let before = -1;
    await eventually('the pause', async () => {
      const isPaused = made === before;
      before = made;
      for (let i = 0; i < 20; i++) await turn();
      return isPaused;
    });
    assert.ok(made < 100, `${made} pieces of 1 MiB were made for a client that reads nothing`);
    socket.destroy();
    await eventually('the end', () => isEnded);
    assert.ok(made < 100);
  });

  test('when other hosts have too many connections, closes the connection that has been idle longest, and none from this host', async () => {
    const own = await client('127.0.0.1');
    const idle: Socket[] = [];
    for (let i = 0; i < maxConnections; i++) idle.push(await client());
    const newest = await client('127.0.0.3');
    await eventually('the end of the oldest', () => idle[0]?.closed === true);
    for (const socket of [own, idle[1], newest]) {
      assert.ok(socket);
      socket.write(request('/healthz'));
      assert.equal(await firstAnswer(socket), 'HTTP/1.1 200 OK');
    }
  });
});
