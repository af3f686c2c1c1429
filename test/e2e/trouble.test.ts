/** Common faults: each leads to one clear message and no crash. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kubeconfigText } from '../../lab/apiserver/kubeconfig.ts';
import { Lab } from '../../lab/lab.ts';
import { plug } from '../../lab/netns.ts';
import { bellman } from '../../lab/program.ts';
import { ownerOf, untilOwner } from '../../lab/steps.ts';
import { patienceMs, soonMs } from '../support/eventually.ts';

describe('a daemon that cannot start prints the reason and exits with 2', () => {
  const kubeconfig = '/run/trouble-kubeconfig';
  before(() => writeFileSync(kubeconfig, kubeconfigText({ url: 'http://127.0.0.1:9' })));

  const refused: readonly (readonly [string, string[], RegExp])[] = [
    ['no way to the API server', [], /no way to the API server: .*--kubeconfig/],
    ['a missing kubeconfig', ['--kubeconfig', '/nowhere'], /kubeconfig \/nowhere cannot be read/],
    [
      'an address of another machine',
      ['--kubeconfig', kubeconfig, '--metrics-address', '127.0.0.1:7479,192.0.2.99'],
      /--metrics-address: cannot listen on 192\.0\.2\.99 port 7479: this machine does not have the address/,
    ],
    ['an invalid kubeconfig', ['--kubeconfig', '/dev/null'], /kubeconfig \/dev\/null/],
  ];
  for (const role of [['controller'], ['speaker', '--node-name', 'a', '--state-directory', '/run/trouble']])
    for (const [name, flags, message] of refused)
      test(`${role[0]}: ${name}`, () => {
        const { status, stdout } = spawnSync(bellman, [...role, ...flags], {
          encoding: 'utf8',
          // The environment names no API server.
          env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
          timeout: patienceMs,
        });
        const lines = stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, string>);
        assert.match(lines.find(({ msg }) => msg === 'cannot start')?.reason ?? '', message);
        assert.equal(status, 2);
      });
});

describe('faults in a running lab', { concurrency: false }, () => {
  let lab: Lab;
  let printer = '';
  before(async () => {
    lab = await Lab.start({ nodes: 2 });
    await lab.applyExample('config');
    await lab.addPods('printer', lab.fabric.nodes);
    await lab.applyExample('printer');
    await lab.until('printer has addresses', async () => (await lab.addressesOf('printer')).length === 2);
    [printer = ''] = await lab.addressesOf('printer');
    await lab.until('printer answers', async () =>
      (await lab.curl(lab.fabric.near, printer)).includes('printer-'),
    );
    await sessions(2);
  });
  after(() => lab.close());

  const sessions = (count: number) =>
    lab.until(
      `${count} sessions are established`,
      async () => ((await lab.birdc('show', 'protocols')).match(/Established/g)?.length ?? 0) === count,
    );

  test('an unreachable router causes only a few log lines until its session is back', async () => {
    const lines = () =>
      lab
        .log('speaker-node-1')
        .split('\n')
        .filter((line) => line.includes('"component":"bgp"'));
    const before = lines().length;
    await lab.fabric.segment.ip('link', 'set', 'router', 'down');
    await lab.until('the speaker reports the lost session', async () => {
      const { peers } = (await lab.status(lab.node('node-1').namespace)) as {
        peers: { state: string; lastError?: string }[];
      };
      return peers[0]?.state !== 'Established' && (peers[0]?.lastError ?? '') !== '';
    });
    await lab.fabric.segment.ip('link', 'set', 'router', 'up');
    await sessions(2);
    // The router may know of the session before the speaker does.
    await lab.until('the speaker reports the session', async () =>
      lines()
        .slice(before)
        .some((line) => line.includes('session established')),
    );
    const linesSince = lines().slice(before);
    assert.ok(linesSince.length <= 6, `few lines: ${linesSince.join('\n')}`);
    assert.ok(lab.isRunning('speaker-node-1'));
  });

  test('after an outage of the API server, a speaker soon logs that the server is back, and corrects the announcing record', async () => {
    await lab.addPods('lonely', [lab.node('node-1')]);
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'lonely',
        namespace: 'default',
        annotations: { 'bellman.dev/address-pool': 'office' },
      },
      spec: { type: 'LoadBalancer', selector: { app: 'lonely' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    const record = () => lab.announcingRecordOf('lonely');
    await lab.until('a node answers for the Service', async () => (await record()) !== '');
    const log = () =>
      lab
        .log('speaker-node-1')
        .split('\n')
        .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as { msg: string; ts: string }] : []));
    // The speaker may have met an outage before, for instance when it started.
    const earlier = log().length;
    await lab.api('refuse');
    await lab.until('the speaker logs the loss', async () =>
      log()
        .slice(earlier)
        .some(({ msg }) => msg === 'API server not reached, retrying'),
    );
    await sleep(5000);
    await lab.api('serve');
    const servedAt = Date.now();
    await lab.removePods('lonely', lab.node('node-1'));
    const returned = () =>
      log()
        .slice(earlier)
        .find(({ msg }) => msg === 'API server reached again');
    await lab.until('the speaker logs the return', async () => returned() !== undefined);
    const delayMs = Date.parse(returned()?.ts ?? '') - servedAt;
    assert.ok(delayMs < soonMs, `the line came ${delayMs} ms after the return`);
    await lab.until('the record is empty', async () => (await record()) === '');
  });

  test('a speaker whose traffic to the API server is dropped logs the outage soon', async () => {
    const node = lab.node('node-2');
    const count = (message: string) => lab.log('speaker-node-2').split(`"msg":"${message}"`).length - 1;
    const [lost, returned] = ['API server not reached, retrying', 'API server reached again'];
    const before = { lost: count(lost), returned: count(returned) };
    const heal = await lab.cut(node, 'tcp 6443');
    const cutAt = performance.now();
    await lab.until('the speaker logs the loss', async () => count(lost) > before.lost);
    const delayMs = performance.now() - cutAt;
    assert.ok(delayMs < soonMs, `the line came after ${delayMs} ms`);
    assert.match(await lab.metrics(node.namespace), /^bellman_kubernetes_api_up 0$/m);
    await heal();
    await lab.until('the speaker logs the return', async () => count(returned) > before.returned);
    // The speaker may notice only now that a watch broke during the outage. The metric is then 0 until the retry of that watch is answered.
    await lab.until('the metric shows the return', async () =>
      /^bellman_kubernetes_api_up 1$/m.test(await lab.metrics(node.namespace)),
    );
  });

  test('another node answers when the interface of the owner disappears, and the owner can answer again on its new interface', async () => {
    const owner = await untilOwner(lab, printer);
    const other = lab.fabric.nodes.find((node) => node !== owner);
    assert.ok(other);
    const otherMac = await lab.macOf(other);
    await owner.namespace.ip('link', 'delete', 'eth0');
    await lab.until('the other node answers', async () => {
      await lab.curl(lab.fabric.near, printer).catch(() => '');
      return (await lab.neighbourOf(lab.fabric.near, printer)) === otherMac;
    });
    assert.ok(lab.isRunning(`speaker-${owner.name}`));
    const [v4, v6] = owner.addresses;
    await plug(
      { namespace: owner.namespace, interface: 'eth0', addresses: [`${v4}/24`, `${v6}/64`] },
      lab.fabric.segment,
      'lan',
      owner.name,
    );
    await owner.namespace.ip('route', 'add', 'default', 'via', '192.0.2.1');
    await owner.namespace.ip('-6', 'route', 'add', 'default', 'via', '2001:db8:2::1');
    await owner.namespace.ip('route', 'add', `10.244.${other.index}.0/24`, 'via', other.addresses[0]);
    await sessions(2);
    await lab.until('the speakers see each other alive', async () => {
      const { members } = (await lab.status(other.namespace)) as { members: { state: string }[] };
      return members.every(({ state }) => state === 'alive');
    });
    await lab.stop(`speaker-${other.name}`);
    await lab.until('the node with the new interface answers', async () => {
      await lab.curl(lab.fabric.near, printer).catch(() => '');
      return (await ownerOf(lab, printer)) === owner;
    });
  });
});
