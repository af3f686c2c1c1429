/** Access to the state of a speaker and of the controller over the network. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addresses, type Fabric } from '../../lab/fabric.ts';
import { kubeconfigPath, Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';

describe('access to /status, /debug and the page', { concurrency: false }, () => {
  let lab: Lab;
  let fabric: Fabric;
  const url = (path: string) => `http://192.0.2.11:7472${path}`;
  before(async () => {
    lab = await Lab.start({ nodes: 1 });
    fabric = lab.fabric;
    await lab.applyExample('config');
    await lab.until('the speaker is ready', async () => (await code('/readyz')) === '200');
  });
  after(() => lab.close());

  /** The HTTP status that a host of the segment gets. */
  const code = (path: string, ...flags: string[]) =>
    fabric.near.exec('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', ...flags, url(path));

  async function tokenOf(account: string, audience: string): Promise<string> {
    const { status } = await lab.client.request<{ status: { token: string } }>({
      method: 'POST',
      path: `/api/v1/namespaces/bellman-system/serviceaccounts/${account}/token`,
      body: { spec: { audiences: [audience] } },
    });
    return status.token;
  }
  const bearer = (token: string) => ['-H', `Authorization: Bearer ${token}`];

  test('/status and /debug of a speaker refuse a client without a valid token, and an account without permission', async () => {
    for (const path of ['/status', '/debug/events']) {
      assert.equal(await code(path), '401');
      assert.equal(await code(path, ...bearer('made-up')), '401');
      assert.equal(await code(path, ...bearer(await tokenOf('viewer', 'other'))), '401');
      assert.equal(await code(path, ...bearer(await tokenOf('default', 'bellman.dev'))), '403');
    }
  });

  test('/status and /debug of a speaker answer the viewer', async () => {
    const token = await tokenOf('viewer', 'bellman.dev');
    for (const path of ['/status', '/debug/events']) assert.equal(await code(path, ...bearer(token)), '200');
  });

  test('the controller answers the viewer on /status and on its page, and refuses a client without a valid token or permission', async () => {
    const flags = ['-sS', '-o', '/dev/null', '-w', '%{http_code}'];
    const codeFor = (path: string, ...more: string[]) =>
      lab.node('node-1').namespace.exec('curl', ...flags, ...more, `http://${addresses.control}:7472${path}`);
    await lab.until('the controller answers', async () => (await codeFor('/status')) === '401');
    const viewer = bearer(await tokenOf('viewer', 'bellman.dev'));
    const stranger = bearer(await tokenOf('default', 'bellman.dev'));
    for (const path of [
      '/status',
      '/page/',
      '/page/main.js',
      '/page/data',
      '/page/explain?service=default%2Fweb',
    ]) {
      assert.equal(await codeFor(path), '401', path);
      assert.equal(await codeFor(path, ...bearer('made-up')), '401', path);
      assert.equal(await codeFor(path, ...stranger), '403', path);
    }
    for (const path of ['/status', '/page/', '/page/main.js'])
      assert.equal(await codeFor(path, ...viewer), '200', path);
    await lab.until('the page has data', async () => (await codeFor('/page/data', ...viewer)) === '200');
  });

  test('the page of the controller refuses a request on loopback whose Host header holds a foreign name, as DNS rebinding sends it', async () => {
    const codeFor = (name: string) =>
      fabric.control.exec(
        ...(['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}'] as const),
        ...['--resolve', `${name}:7472:127.0.0.1`, `http://${name}:7472/page/`],
      );
    assert.equal(await codeFor('localhost'), '200');
    assert.equal(await codeFor('rebound.example'), '401');
  });

  for (const account of ['controller', 'speaker'] as const)
    test(`/status and /debug are readable in the Pod of the ${account} by bellman status and bellman trace, with the rights of that Pod`, async () => {
      const host = account === 'controller' ? fabric.control : lab.node('node-1').namespace;
      const run = (...args: string[]) =>
        lab
          .execAs(account, host, bellman, ...args)
          .catch(({ stdout, stderr }: { stdout?: string; stderr?: string }) => `${stdout}${stderr}`);
      await lab.until('bellman status shows the session', async () => {
        const text = await run('status');
        assert.doesNotMatch(text, /forbidden/i);
        return text.includes(addresses.router[0]) && text.includes('Established');
      });
      assert.match(await run('trace', addresses.router[0]), /node-1 +peer .* ⇒ Established/);
    });

  test('/metrics, /healthz and /readyz of a speaker need no token over the network', async () => {
    for (const path of ['/metrics', '/healthz', '/readyz']) assert.equal(await code(path), '200');
  });

  test('the HTTP paths of a speaker are served on loopback and on the address of the node, and on no other address', async () => {
    const { namespace } = lab.node('node-1');
    const failedToConnect = 7;
    // The node's addresses on the management network and towards its pods.
    for (const address of ['10.255.0.11', '10.244.1.1', '[fd00:244:1::1]'])
      await assert.rejects(namespace.exec('curl', '-sS', '-g', `http://${address}:7472/healthz`), {
        code: failedToConnect,
      });
    for (const address of ['127.0.0.1', '192.0.2.11'])
      assert.equal(await namespace.exec('curl', '-sS', `http://${address}:7472/healthz`), 'ok\n');
  });

  test('/status is readable by `bellman status` with only a kubeconfig', async () => {
    await lab.until('bellman status shows the session', async () => {
      const output = await fabric.control
        .exec(bellman, 'status', '--kubeconfig', kubeconfigPath)
        .catch((error: { stdout?: string }) => error.stdout ?? '');
      return output.includes(addresses.router[0]) && output.includes('Established');
    });
  });
});
