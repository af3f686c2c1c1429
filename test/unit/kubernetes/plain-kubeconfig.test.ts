import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { dump } from 'js-yaml';
import { systemClock } from '../../../src/clock.ts';
import type { Credentials } from '../../../src/kubernetes/credentials/credentials.ts';
import { kubeconfigCredentials } from '../../../src/kubernetes/credentials/kubeconfig.ts';
import { plainKubeconfigCredentials } from '../../../src/kubernetes/credentials/plain-kubeconfig.ts';

const folder = mkdtempSync(join(tmpdir(), 'bellman-kubeconfig-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'config');
const server = 'https://192.0.2.1:6443';
const base64 = (text: string) => Buffer.from(text).toString('base64');

function write(cluster: object, user: object, more: object = {}): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'own',
    contexts: [
      { name: 'other', context: { cluster: 'other', user: 'other' } },
      { name: 'own', context: { cluster: 'c', user: 'u', namespace: 'n' } },
    ],
    clusters: [
      { name: 'other', cluster: { server: 'https://192.0.2.2', 'proxy-url': 'http://192.0.2.3' } },
      { name: 'c', cluster },
    ],
    users: [
      { name: 'u', user },
      { name: 'other', user: { exec: { command: 'none' } } },
    ],
  };
  writeFileSync(path, dump({ ...config, ...more }));
}

/** The options that the credentials add to a request, except the agent, because the client has an agent of its own. */
async function applied(credentials: Credentials): Promise<RequestOptions> {
  const options: RequestOptions = { headers: { accept: 'application/json' } };
  await credentials.apply(options);
  const { ca, cert, key, servername, rejectUnauthorized, auth } = options;
  const headers = Object.fromEntries(
    Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return { ca, cert, key, headers, servername, rejectUnauthorized, auth };
}

writeFileSync(join(folder, 'ca.pem'), 'authority');
writeFileSync(join(folder, 'cert.pem'), 'certificate');
writeFileSync(join(folder, 'key.pem'), 'key');
for (const { what, cluster, user } of [
  { what: 'a token', cluster: {}, user: { token: 'secret' } },
  { what: 'no credentials', cluster: {}, user: {} },
  { what: 'empty values', cluster: { 'certificate-authority': '' }, user: { token: '' } },
  {
    what: 'files beside the kubeconfig',
    cluster: { 'certificate-authority': 'ca.pem' },
    user: { 'client-certificate': 'cert.pem', 'client-key': './key.pem' },
  },
  {
    what: 'absolute paths',
    cluster: { 'certificate-authority': join(folder, 'ca.pem') },
    user: { 'client-certificate': join(folder, 'cert.pem'), 'client-key': join(folder, 'key.pem') },
  },
  {
    what: 'certificates in the kubeconfig',
    cluster: { 'certificate-authority-data': base64('authority') },
    user: { 'client-certificate-data': base64('certificate'), 'client-key-data': base64('key') },
  },
  {
    what: 'files and data for the same certificate',
    cluster: {
      'certificate-authority': 'ca.pem',
      'certificate-authority-data': base64('another authority'),
    },
    user: {},
  },
  {
    what: 'a server whose certificate is not verified',
    cluster: { 'insecure-skip-tls-verify': true },
    user: {},
  },
  { what: 'a server name for TLS', cluster: { 'tls-server-name': 'api.example' }, user: { token: 't' } },
  { what: 'a path in the server URL', cluster: { server: `${server}/k8s/c-1/` }, user: { token: 't' } },
])
  test(`a plain kubeconfig with ${what} gives the credentials that @kubernetes/client-node gives`, async () => {
    write({ server, ...cluster }, user);
    const plain = plainKubeconfigCredentials(path);
    const reference = kubeconfigCredentials(path, systemClock);
    assert.ok(plain);
    assert.equal(plain.server.href, reference.server.href);
    assert.equal(plain.isProxied, reference.isProxied);
    assert.deepEqual(await applied(plain), await applied(reference));
  });

for (const { what, cluster, user, more } of [
  { what: 'an exec plugin', user: { exec: { command: 'aws' } } },
  { what: 'an OIDC provider', user: { 'auth-provider': { name: 'oidc' } } },
  { what: 'a user name and a password', user: { username: 'a', password: 'b' } },
  { what: 'a file with a token', user: { tokenFile: '/token' } },
  { what: 'impersonation', user: { token: 't', as: 'admin' } },
  { what: 'a proxy', cluster: { 'proxy-url': 'http://192.0.2.9' } },
  { what: 'an unknown key', cluster: { 'disable-compression': true } },
  { what: 'a token that is a number', user: { token: 123 } },
  { what: 'no server', cluster: { server: undefined } },
  { what: 'a server that is no URL', cluster: { server: '192.0.2.1:port' } },
  { what: 'an unknown context', more: { 'current-context': 'none' } },
  { what: 'two users of the same name', more: { users: [1, 2].map(() => ({ name: 'u', user: {} })) } },
  { what: 'no users and no clusters', more: { users: null, clusters: null } },
] as { what: string; cluster?: object; user?: object; more?: object }[])
  test(`a kubeconfig with ${what} is left to @kubernetes/client-node`, () => {
    write(JSON.parse(JSON.stringify({ server, ...cluster })), user ?? {}, more);
    assert.equal(plainKubeconfigCredentials(path), undefined);
  });

for (const text of ['', '[]', 'a: {', 'null'])
  test(`a kubeconfig that consists of ${JSON.stringify(text)} is left to @kubernetes/client-node`, () => {
    writeFileSync(path, text);
    assert.equal(plainKubeconfigCredentials(path), undefined);
  });

test('a plain kubeconfig with an HTTP server adds the token to a request, and its certificate files are not read', async () => {
  write({ server: 'http://127.0.0.1:8001', 'certificate-authority': 'none.pem' }, { token: 't' });
  assert.deepEqual((await applied(plainKubeconfigCredentials(path) as Credentials)).headers, {
    accept: 'application/json',
    authorization: 'Bearer t',
  });
});

test('a plain kubeconfig uses a rotated certificate with the next request', async () => {
  write({ server }, { 'client-certificate': 'rotated.pem', 'client-key': 'key.pem' });
  writeFileSync(join(folder, 'rotated.pem'), 'first');
  const credentials = plainKubeconfigCredentials(path) as Credentials;
  assert.equal(String((await applied(credentials)).cert), 'first');
  writeFileSync(join(folder, 'rotated.pem'), 'second');
  assert.equal(String((await applied(credentials)).cert), 'second');
});

test('a plain kubeconfig that refers to a missing file makes the request fail with an error that names the file', () => {
  write({ server, 'certificate-authority': 'missing.pem' }, {});
  return assert.rejects(applied(plainKubeconfigCredentials(path) as Credentials), /missing\.pem/);
});
