import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { drainNode } from '../../../src/cli/drain/drain-node.ts';
import { drainProgress } from '../../../src/cli/drain/progress.ts';
import { kubeconfigFor } from '../../support/kubeconfig.ts';
import { decodedStatus, leastStatus } from './fixtures.ts';

const leaving = {
  cause: 'maintenance',
  reason: 'is in maintenance',
  since: '2026-01-01T00:00:00Z',
  draining: [],
  heldByFloor: [],
};

const peer = { name: 'router', state: 'Established', since: '2026-01-01T00:00:00Z', routesSent: 1 };
const held = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'];
const cases: readonly (readonly [string, object, boolean, RegExp])[] = [
  ['has not seen the annotation', { leaving: undefined }, false, /does not know yet/],
  ['answers in layer 2', { announcing: { '192.0.2.1': '' } }, false, /1 address in layer 2 and 0 by BGP/],
  [
    'announces by BGP',
    { advertised: { '192.0.2.1': ['router'] } },
    false,
    /0 addresses in layer 2 and 1 by BGP/,
  ],
  ['has not sent all withdrawals', { peers: [peer] }, false, /not withdrawn all routes yet from router$/],
  [
    'keeps addresses that too few other nodes could announce',
    { advertised: { '192.0.2.1': ['router'] }, leaving: { ...leaving, heldByFloor: held } },
    false,
    /keeps announcing 192\.0\.2\.1, 192\.0\.2\.2, 192\.0\.2\.3 and 2 more/,
  ],
  [
    'has not read all objects',
    { waitingFor: ['services', 'endpoints'] },
    false,
    /reads: services, endpoints$/,
  ],
  [
    'has read all objects and has not planned',
    { longWork: [{ work: 'plans of Services', remaining: 3, seconds: 0.1 }] },
    false,
    /not finished: plans of Services$/,
  ],
  ['announces nothing', { peers: [{ ...peer, routesSent: 0 }] }, true, /announces nothing/],
];
for (const [name, over, isDone, text] of cases)
  test(`drainProgress() is ${isDone ? '' : 'not '}done when the speaker ${name}`, () => {
    const progress = drainProgress(decodedStatus({ leaving, ...over }));
    assert.equal(progress.isDone, isDone);
    assert.match(progress.text, text);
  });

const folder = mkdtempSync(join(tmpdir(), 'bellman-drain-'));
after(() => rmSync(folder, { recursive: true }));

test('drainNode() asks for a new token when its token expires before the drain ends', async () => {
  const minuteMs = 60_000;
  let now = 0;
  const clock = {
    now: () => now,
    epochMs: () => now,
    after: (_delayMs: number, callback: () => void) => {
      now += minuteMs;
      setImmediate(callback);
      return { cancel: () => undefined };
    },
  };
  let issuedAt = 0;
  const node = {
    metadata: { name: 'n' },
    status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
  };
  const server = createServer(({ url = '', headers }, response) => {
    const answer = (status: number, body: object) => response.writeHead(status).end(JSON.stringify(body));
    if (url === '/api/v1/nodes/n') return answer(200, node);
    if (url.endsWith('/serviceaccounts/viewer/token')) {
      issuedAt = now;
      return answer(201, { status: { token: `token-${now}` } });
    }
    const isValid = headers.authorization === `Bearer token-${issuedAt}` && now < issuedAt + 10 * minuteMs;
    if (!isValid) return answer(401, {});
    const announcing = now < 15 * minuteMs ? { '192.0.2.1': '' } : {};
    return answer(200, { version: 1, ...leastStatus, leaving, announcing });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigFor(`http://127.0.0.1:${port}`));
  const lines: string[] = [];
  try {
    const isDone = await drainNode('n', {
      ...{ kubeconfig, namespace: 'bellman-system', reason: 'new kernel', wait: true, timeoutSeconds: 3600 },
      ...{ speakerPort: port, clock, print: (line: string) => void lines.push(line) },
    });
    assert.equal(isDone, true, lines.join('\n'));
    assert.deepEqual(lines, [
      'node n leaves: new kernel',
      'the node still announces 1 address in layer 2 and 0 by BGP',
      'the node announces nothing',
    ]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
