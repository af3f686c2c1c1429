/** Hostile octets on a connection to the HTTP endpoint cost at most this connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { AccessControl } from '../../../src/telemetry/access.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { HttpLimits } from '../../../src/telemetry/http-limits.ts';
import { serveHttp } from '../../../src/telemetry/http-server.ts';
import { mutate } from '../../fuzz/mutate.ts';
import { Random } from '../../fuzz/random.ts';
import { scrapeOf } from '../../support/scrape.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const inputs = 1500;
const paths = ['/metrics', '/healthz', '/readyz', '/status', '/debug/events?machine=a&address=192.0.2.1'];
const morePaths = [
  '/capture?service=default/web&seconds=1',
  '/page/data?service=a/b',
  '/page',
  '*',
  '/%',
  '//',
];
const hosts = ['localhost', '127.0.0.1:80', '[::1]', 'example.com', '', '[', '\u00ff'];
const authorizations = ['Bearer a', 'Bearer', 'Basic a:b', `Bearer ${'x'.repeat(9000)}`];

function requestOf(random: Random): Uint8Array {
  const lines = [
    `${random.pick(['GET', 'HEAD', 'POST', 'PUT', 'CONNECT', ''])} ${random.pick([...paths, ...morePaths])} HTTP/1.${random.below(3)}`,
    `host: ${random.pick(hosts)}`,
    `authorization: ${random.pick(authorizations)}`,
    `if-none-match: "${random.below(9)}"`,
    ...(random.oneIn(5) ? ['transfer-encoding: chunked', 'content-length: 5'] : []),
    ...(random.oneIn(5) ? ['upgrade: websocket', 'connection: upgrade'] : []),
    ...(random.oneIn(9) ? [`x: ${'y'.repeat(20_000)}`] : []),
  ];
  const octets = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return random.oneIn(3) ? octets : Uint8Array.from(mutate(octets, random));
}

/** Sends the octets and the end of the stream. Resolves to all that the server sends until it closes the connection. */
async function exchange(port: number, octets: Uint8Array): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  socket.end(octets);
  try {
    return await text(socket);
  } catch (error) {
    // The server may reset a connection from which it reads no more.
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
    return '';
  }
}

test('the HTTP endpoint answers any octets with an HTTP response or closes the connection, and raises no exception', async () => {
  const clock = new VirtualClock();
  const failures: string[] = [];
  const endpoint = await serveHttp([{ host: '127.0.0.1', port: 0 }], {
    registry: scrapeOf(''),
    unhealthy: () => [],
    status: () => ({ version: 1 }),
    events: async () => new FlightRecorder({ clock }).events(),
    guard: new Guard({ logger: pino({ level: 'silent' }), count: (_, kind) => failures.push(kind) }),
    page: async ({ path }) => ({ status: 200, headers: {}, body: path }),
    capture: async (query) => ({ status: 400, reason: String(query.get('service')) }),
    access: new AccessControl({ clock, judge: async () => 'forbidden' }),
    limits: new HttpLimits({ clock, registry: new Registry() }),
  });
  try {
    const statuses = new Set<string>();
    for (let input = 0; input < inputs; input++) {
      const octets = requestOf(new Random(input));
      const answer = await exchange(endpoint.port, octets);
      if (answer === '') continue;
      const [, status] = /^HTTP\/1\.1 ([2-5]\d\d) /.exec(answer) ?? [];
      assert.ok(status, `input ${input} is answered with ${JSON.stringify(answer.slice(0, 80))}`);
      statuses.add(status);
    }
    for (const status of ['200', '400', '401', '404', '405', '431']) assert.ok(statuses.has(status), status);
    assert.deepEqual(failures, []);
    const health = await exchange(endpoint.port, Buffer.from('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n'));
    assert.match(health, /^HTTP\/1\.1 200 /);
  } finally {
    await endpoint.close();
  }
});
