/** `bellman capture` in a lab. tcpdump reads the files, and finds only the control traffic of the captured peer, Service or address. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { kubeconfigPath, type Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';
import { runCapture } from '../../src/cli/capture/run.ts';
import { labSource } from '../support/status-report.ts';
import { config, ExplainedLab, peer, pools, serviceObjects } from './explain-fixtures.ts';

const six = '- {name: six, protocol: layer2, auto-assign: false, addresses: ["2001:db8:2::f0/124"]}\n';

describe('bellman capture', { concurrency: false }, () => {
  let explained: ExplainedLab;
  let lab: Lab;
  before(async () => {
    explained = await ExplainedLab.start();
    lab = explained.lab;
    await lab.configure(config(peer, `${pools}${six}`));
    await lab.apply(...serviceObjects('six', 'six', { spec: { ipFamilies: ['IPv6'] } }).map(ipv6));
    await explained.explained('six', 'announced', /in layer 2/);
  });
  after(() => explained?.close());

  /** Gives an EndpointSlice IPv6 endpoints. Returns any other object unchanged. */
  function ipv6(object: object): object {
    if (!('addressType' in object)) return object;
    const endpoints = ['node-1', 'node-2'].map((nodeName, i) => ({
      addresses: [`fd00:244:${i + 1}::9`],
      nodeName,
      conditions: { ready: true },
    }));
    return { ...object, addressType: 'IPv6', endpoints };
  }

  const flags = { serviceNamespace: 'default', seconds: 100, frames: 1000 };
  /** As root, tcpdump would become another user, which this world does not have. */
  const linesOf = (file: Buffer) =>
    execFileSync('unshare', ['--user', '--map-user=1000', 'tcpdump', '-nn', '-v', '-r', '-'], {
      input: file,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
  const addressOf = async (service: string) => {
    const [address] = await lab.addressesOf(service);
    assert.ok(address !== undefined);
    return address;
  };

  /** Repeats a command on the host `near` until the promise settles. */
  async function whileWaiting<T>(
    promise: Promise<T>,
    ...command: readonly [string, ...string[]]
  ): Promise<T> {
    let isOver = false;
    const settled = promise.finally(() => {
      isOver = true;
    });
    while (!isOver) await lab.fabric.near.exec(...command).catch(() => {});
    return settled;
  }

  test('holds the BGP messages of a Service from each node that announces it', async () => {
    const { file, notes, isComplete } = await runCapture('default/web', {
      ...labSource,
      ...flags,
      seconds: 10,
    });
    assert.ok(isComplete, notes.join('\n'));
    assert.ok(file);
    const text = linesOf(file);
    // Each session sends a keepalive every 3 s, so 10 s hold messages of both nodes.
    for (const node of lab.fabric.nodes) assert.ok(text.includes(`${node.addresses[0]}.`), text);
    assert.match(text, /192\.0\.2\.1\.179.*(BGP|Flags)/);
    // Times and sequence numbers may contain the digits of these ports, so only a number after an address counts.
    assert.doesNotMatch(text, /\.(7946|6443)[ :]|ARP/);
    assert.deepEqual([...notes].sort(), [
      'node node-1: captured peer router',
      'node node-2: captured peer router',
    ]);
  });

  test('holds ARP about an address, from the node that answers, and ends after the requested number of frames', async () => {
    const address = await addressOf('printer');
    const captured = runCapture(address, { ...labSource, ...flags, frames: 4 });
    const ask = `ip neigh flush to ${address} >/dev/null 2>&1; ping -c 1 -W 1 ${address} >/dev/null 2>&1; sleep 0.2`;
    const { file } = await whileWaiting(captured, 'sh', '-c', ask);
    assert.ok(file);
    const text = linesOf(file);
    assert.match(text, new RegExp(`Request who-has ${address.replaceAll('.', '\\.')}`));
    assert.match(text, new RegExp(`Reply ${address.replaceAll('.', '\\.')} is-at`));
    assert.equal(text.match(/ARP/g)?.length, 4, text);
    assert.doesNotMatch(text, /ICMP|Flags/);
  });

  test('holds Neighbour Discovery about an IPv6 address', async () => {
    const address = await addressOf('six');
    const captured = runCapture('six', { ...labSource, ...flags, frames: 2 });
    const ask = `ip -6 neigh flush to ${address} >/dev/null 2>&1; ping -6 -c 1 -W 1 ${address} >/dev/null 2>&1; sleep 0.2`;
    const { file } = await whileWaiting(captured, 'sh', '-c', ask);
    assert.ok(file);
    const text = linesOf(file);
    assert.match(text, /neighbor solicitation.*who has/);
    assert.ok(text.includes(address), text);
    assert.doesNotMatch(text, /echo/);
  });

  test('works in the Pod of the controller, and writes a file that only its owner may read', async () => {
    const file = '/run/lab/capture.pcapng';
    await lab.execAs(
      'controller',
      lab.fabric.control,
      bellman,
      ...['capture', 'router', '--node', 'node-1'],
      ...['--seconds', '5', '--controller-port', '7472', '-o', file],
    );
    assert.match(linesOf(execFileSync('cat', [file])), /192\.0\.2\.11/);
    assert.match(execFileSync('stat', ['-c', '%a', file], { encoding: 'utf8' }), /^600$/m);
  });

  test('needs a right of its own, and a node runs only one capture at a time', async () => {
    const tokenOf = async (account: string) => {
      const { status } = await lab.client.request<{ status: { token: string } }>({
        method: 'POST',
        path: `/api/v1/namespaces/bellman-system/serviceaccounts/${account}/token`,
        body: { spec: { audiences: ['bellman.dev'] } },
      });
      return status.token;
    };
    const url = 'http://192.0.2.11:7472/capture?peer=router';
    const code = (query: string, ...flags: string[]) =>
      lab.fabric.near.exec(
        'curl',
        '-sS',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        ...flags,
        `${url}${query}`,
      );
    const bearer = async (account: string) => ['-H', `Authorization: Bearer ${await tokenOf(account)}`];
    assert.equal(await code(''), '401');
    assert.equal(await code('', ...(await bearer('viewer'))), '403');
    const capturer = await bearer('capturer');
    assert.equal(await code('&seconds=0', ...capturer), '400');
    assert.equal(await code('&peer=nothing', ...capturer), '404');
    const [header, value] = capturer;
    assert.ok(header !== undefined && value !== undefined);
    const startClient = () =>
      lab.fabric.near.spawn('curl', ['-sS', header, value, `${url}&seconds=100`], { stdio: 'ignore' });
    let client = startClient();
    await lab.until('a second capture is refused', async () => {
      // The request below may arrive before the request of the client. The client is then refused and ends, so another client is started.
      if (client.exitCode !== null) client = startClient();
      return (await code('&seconds=1', ...capturer)) === '429';
    });
    // The first capture ends with its client.
    client.kill();
    await lab.until('the next capture runs', async () => (await code('&seconds=1', ...capturer)) === '200');
  });

  test('says why nothing can be captured', async () => {
    await assert.rejects(
      runCapture('nothing', { ...labSource, ...flags }),
      /no peer nothing and no Service default\/nothing/,
    );
    const run = (...args: readonly string[]) =>
      execFileSync(bellman, ['capture', ...args, '--kubeconfig', kubeconfigPath], { stdio: 'pipe' });
    assert.throws(() => run('A b'), /neither an address nor/);
  });
});
