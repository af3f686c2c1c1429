import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InClusterCredentials, type PodEnvironment } from '../../../src/kubernetes/credentials/in-cluster.ts';
import { VirtualClock, virtualEpochMs } from '../../support/virtual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'bellman-pod-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const environment = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };

function mount(token: string): void {
  writeFileSync(file('token'), `${token}\n`);
  writeFileSync(file('ca.crt'), 'certificate');
}

async function applied(credentials: InClusterCredentials): Promise<RequestOptions> {
  const options: RequestOptions = { headers: { accept: 'application/json' } };
  await credentials.apply(options);
  return options;
}

async function tokenOf(credentials: InClusterCredentials): Promise<unknown> {
  return ((await applied(credentials)).headers as { authorization?: string }).authorization;
}

for (const { host, port, url } of [
  { host: '10.96.0.1', port: '443', url: 'https://10.96.0.1/' },
  { host: 'fd00::1', port: '6443', url: 'https://[fd00::1]:6443/' },
  { host: '127.0.0.1', port: '8001', url: 'http://127.0.0.1:8001/' },
])
  test(`InClusterCredentials reaches host ${host} and port ${port} at ${url}`, () => {
    mount('t');
    const at: PodEnvironment = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port };
    assert.equal(new InClusterCredentials(at, new VirtualClock(), folder).server.href, url);
  });

test('InClusterCredentials adds the token and the certificate of the cluster to a request', async () => {
  mount('first');
  assert.deepEqual(await applied(new InClusterCredentials(environment, new VirtualClock(), folder)), {
    headers: { accept: 'application/json', authorization: 'Bearer first' },
    ca: 'certificate',
  });
});

test('InClusterCredentials uses a rotated token within a minute', async () => {
  mount('first');
  const clock = new VirtualClock();
  const credentials = new InClusterCredentials(environment, clock, folder);
  mount('second');
  clock.advance(59_000);
  assert.equal(await tokenOf(credentials), 'Bearer first');
  clock.advance(1000);
  assert.equal(await tokenOf(credentials), 'Bearer second');
});

/** A ServiceAccount token that expires at this time of the virtual clock. Its signature is not read. */
function tokenUntil(expiryMs: number): string {
  const claims = { iss: 'https://kubernetes.default.svc', exp: (virtualEpochMs + expiryMs) / 1000 };
  return `header.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;
}

test('InClusterCredentials reads a rotated token at once after the server refused the old one', async () => {
  mount(tokenUntil(10_000));
  const clock = new VirtualClock();
  const credentials = new InClusterCredentials(environment, clock, folder);
  clock.advance(20_000);
  const rotated = tokenUntil(60_000);
  mount(rotated);
  assert.equal(credentials.refused(), undefined, 'the new token is not tried yet');
  assert.equal(await tokenOf(credentials), `Bearer ${rotated}`);
});

test('InClusterCredentials reads the token again for the next request, if the kubelet replaced the token after the refusal', async () => {
  mount(tokenUntil(10_000));
  const credentials = new InClusterCredentials(environment, new VirtualClock(), folder);
  credentials.refused();
  const rotated = tokenUntil(60_000);
  mount(rotated);
  assert.equal(await tokenOf(credentials), `Bearer ${rotated}`);
  mount(tokenUntil(70_000));
  assert.equal(
    await tokenOf(credentials),
    `Bearer ${rotated}`,
    'requests that are not refused share one reading',
  );
});

test('InClusterCredentials says that a refused token has expired, and names its file', () => {
  mount(tokenUntil(10_000));
  const clock = new VirtualClock();
  const credentials = new InClusterCredentials(environment, clock, folder);
  assert.equal(credentials.refused(), undefined, 'the token has not expired yet');
  clock.advance(10_000);
  assert.equal(
    credentials.refused(),
    `the token in ${file('token')} expired at 2026-01-01T00:00:10.000Z; the kubelet of this node should have replaced the token; see the kubelet's log`,
  );
  for (const token of ['no JWT', 'a.b.c', `a.${Buffer.from('{"exp":1e300}').toString('base64url')}.c`]) {
    mount(token);
    assert.equal(new InClusterCredentials(environment, clock, folder).refused(), undefined, token);
  }
});

test('InClusterCredentials keeps the last token while the file is missing', async () => {
  mount('first');
  const clock = new VirtualClock();
  const credentials = new InClusterCredentials(environment, clock, folder);
  rmSync(file('token'));
  clock.advance(60_000);
  assert.equal(await tokenOf(credentials), 'Bearer first');
});

test('InClusterCredentials names a missing file, and environment variables that give no valid server address', () => {
  rmSync(file('ca.crt'), { force: true });
  writeFileSync(file('token'), 't');
  const make = (at: PodEnvironment) => () => new InClusterCredentials(at, new VirtualClock(), folder);
  assert.throws(make(environment), /file .*ca\.crt cannot be read: ENOENT/);
  assert.throws(
    make({ KUBERNETES_SERVICE_HOST: 'a b' }),
    /KUBERNETES_SERVICE_HOST "a b" and KUBERNETES_SERVICE_PORT ""/,
  );
});
