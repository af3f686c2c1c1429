/**
 * The operator's view: `bellman status`, events and records that stay correct, and configuration edits that move addresses without a lost
 * datagram.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { kubeconfigPath, Lab, speakerPod } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';
import { untilOwner } from '../../lab/steps.ts';
import { peerPasswordLabel } from '../../src/cluster/names.ts';
import { assertNoDatagramLost, exposeEcho } from '../support/handover.ts';
import { runStatusOn, untilStatus } from '../support/status-report.ts';

const office = '192.0.2.240-192.0.2.250';

describe('the view of an operator', { concurrency: false }, () => {
  let lab: Lab;
  let printer = '';

  before(async () => {
    lab = await Lab.start();
    await lab.configure(config());
    await lab.addPods('printer', lab.fabric.nodes);
    await lab.apply(
      loadBalancer('printer', { 'bellman.dev/address-pool': 'office' }),
      loadBalancer('web', { 'bellman.dev/address-pool': 'public' }, { selector: { app: 'printer' } }),
      loadBalancer('theirs', {}, { loadBalancerClass: 'example.org/other' }),
    );
    await exposeEcho(lab, 'printer');
    await lab.addPods('web', lab.fabric.nodes.slice(0, 1));
    await lab.until('printer has an address', async () => (await lab.addressesOf('printer')).length === 1);
    [printer = ''] = await lab.addressesOf('printer');
    await lab.until('printer answers', async () => (await ask(printer)).includes('printer-'));
    await lab.until('every speaker knows the others', async () => {
      const views = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
      return views.every((view) => JSON.stringify(view).match(/"state":"alive"/g)?.length === 2);
    });
  });
  after(() => lab.close());

  function config(peer: object = {}, officePool: object = {}): string {
    const base = { 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': '192.0.2.1', 'hold-time': '9s' };
    return JSON.stringify({
      peers: [{ name: 'router', ...base, ...peer }],
      'address-pools': [
        { name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] },
        { name: 'office', protocol: 'layer2', addresses: [office], ...officePool },
      ],
    });
  }

  function loadBalancer(name: string, annotations: object, spec: object = {}): object {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', annotations },
      spec: {
        type: 'LoadBalancer',
        ports: [{ port: 80, targetPort: 8080 }],
        selector: { app: name },
        ...spec,
      },
    };
  }

  const ask = (address: string) => lab.curl(lab.fabric.near, address);

  const status = (...flags: readonly string[]) => runStatusOn(lab.node('node-1').namespace, ...flags);

  /** Waits until the output of `bellman status` matches the pattern. */
  const shows = (what: string, pattern: RegExp) => untilStatus(lab, what, ({ text }) => pattern.test(text));

  const record = (service = 'printer') => lab.announcingRecordOf(service);

  const owner = () => untilOwner(lab, printer);

  test('bellman status shows pools, announcers, sessions and members, and leaves out Services of other classes', async () => {
    await shows('web by BGP', /^default\/web +198\.51\.100\.0 +public +node-1, node-2, node-3 by BGP$/m);
    await shows('the members', /^node-1 +2 alive$/m);
    const { text, code } = await status();
    assert.equal(code, 0, text);
    const node = await owner();
    assert.match(text, /^configuration: active \(accepted \w+ at /);
    assert.match(text, /^office +layer2 +IPv4 +11 +1 +10$/m);
    assert.match(
      text,
      new RegExp(`^default/printer +${printer.replaceAll('.', '\\.')} +office +${node.name} on eth0$`, 'm'),
    );
    assert.match(text, /^node-2 +router +Established +\S+ +1/m);
    assert.doesNotMatch(text, /theirs/);
    const others = await status('--load-balancer-class', 'example.org/other');
    assert.match(others.text, /^default\/theirs +<pending>/m);
  });

  test('bellman trace shows the events of a peer up to Established, of an address and of the membership', async () => {
    const node = lab.node('node-1').namespace;
    const trace = (subject: string, ...flags: string[]) =>
      node.exec(bellman, 'trace', subject, '--kubeconfig', kubeconfigPath, ...flags);
    const peer = await trace('router', '--node', 'node-2');
    assert.match(peer, /^\S+Z {2}node-2 {2}peer router {2}open .* ⇒ OpenConfirm$/m);
    assert.match(peer, /^\S+Z {2}node-2 {2}peer router {2}keepalive .* ⇒ Established$/m);
    assert.doesNotMatch(peer, /node-1 {2}/);
    assert.match(
      await trace('192.0.2.1', '--node', 'node-2'),
      /^\S+Z {2}node-2 {2}peer router {2}open .* ⇒ OpenConfirm$/m,
    );
    const script = `${bellman} trace nonsense --kubeconfig ${kubeconfigPath} 2>&1; echo "exit $?"`;
    assert.equal(
      await node.exec('sh', '-c', script),
      'bellman: no events about nonsense; bellman status lists the names of the peers\nexit 1\n',
    );
    const events = (await trace(printer, '-o', 'json')).trim().split('\n');
    const machines = events.map((line) => (JSON.parse(line) as { machine: string }).machine);
    assert.ok(
      machines.length > 0 && machines.every((machine) => !machine.startsWith('peer ')),
      machines.join(),
    );
    assert.match(await trace('membership'), /^\S+Z {2}node-3 {2}membership /m);
  });

  test('a peer without its password Secret is shown as waiting, and status gives a hint when the Secret has the wrong password', async () => {
    await lab.configure(config({ 'password-secret': { name: 'tor' } }));
    const command = `kubectl -n bellman-system label secret tor ${peerPasswordLabel}`;
    const waiting = `Secret bellman-system/tor does not exist or lacks the label ${peerPasswordLabel} (${command}): the session waits for its password`;
    await shows(
      'waiting',
      new RegExp(`^node-3 +router +Idle +\\S+ +0(?: of 1)? +\\S+ ${waiting.replace(/[()]/g, '\\$&')}$`, 'm'),
    );
    assert.match(await lab.metrics(lab.node('node-3').namespace), /session_up\{peer="router"\} 0/);
    await lab.until('an event about the missing password', async () =>
      (await lab.kubectl('get', 'events', '-n', 'bellman-system')).includes(`peer router: ${waiting}`),
    );
    await shows('no session', /^default\/web .* none: every BGP session that would announce it is down$/m);
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'tor', namespace: 'bellman-system' },
      data: { password: Buffer.from('not what the router has').toString('base64') },
    });
    await lab.kubectl('label', 'secret', 'tor', peerPasswordLabel, '-n', 'bellman-system');
    await shows(
      'a hint',
      /^node-3 .* no answer from 192\.0\.2\.1 port 179; a peer with a different password/m,
    );
    await lab.configure(config());
    await shows('the session', /^node-3 +router +Established/m);
  });

  test('an unusable membership Secret is reported everywhere, and is recreated after its deletion', async () => {
    const secret = ['secret', 'bellman-membership', '-n', 'bellman-system'];
    const readyz = () =>
      lab.node('node-2').namespace.exec('curl', '-s', '-w', '%{http_code}', 'http://127.0.0.1:7472/readyz');
    assert.match(await readyz(), /ok\n200$/);
    const data = { keys: Buffer.from('garbage').toString('base64') };
    await lab.kubectl('patch', ...secret, '-p', JSON.stringify({ data }));
    const fault = 'Secret bellman-membership, keys, line 1 is not 32 octets in base64';
    await shows('the fault', new RegExp(`^node-2: layer 2: ${fault}$`, 'm'));
    assert.equal((await status()).code, 1);
    assert.equal(await readyz(), `layer 2: ${fault}\n503`);
    await lab.until('the controller reports the unusable Secret', async () =>
      /membership Secret not usable; delete it, and the controller creates a new one/.test(
        lab.log('controller'),
      ),
    );
    assert.match(await ask(printer), /printer-/, 'the speakers keep using the known keys');
    await lab.kubectl('delete', ...secret);
    await lab.until('the speaker is ready again', async () => /ok\n200$/.test(await readyz()));
    await shows('members', /^node-1 +2 alive$/m);
    assert.match(await ask(printer), /printer-/);
  });

  test('a speaker counts as missing only if its node has a speaker Pod', async () => {
    const countMissing = async () =>
      /^bellman_membership_unreachable (\d+)/m.exec(await lab.metrics(lab.node('node-1').namespace))?.[1];
    const addNode = (name: string, address: string) =>
      lab.apply({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        status: { addresses: [{ type: 'InternalIP', address }] },
      });
    await addNode('without', '192.0.2.99');
    await addNode('with', '192.0.2.98');
    await lab.apply(speakerPod('with'));
    // The speaker sees the node `without` before the node `with`, so a count of one shows that the node `without` does not count.
    await lab.until('a speaker is missing', async () => (await countMissing()) !== '0');
    assert.equal(await countMissing(), '1');
    await lab.apply(speakerPod('without'));
    await lab.until('two speakers are missing', async () => (await countMissing()) === '2');
    await lab.kubectl('delete', 'pod', 'speaker-with', 'speaker-without', '-n', 'bellman-system');
    await lab.until('no speaker is missing', async () => (await countMissing()) === '0');
    await lab.kubectl('delete', 'node', 'with', 'without');
  });

  test('an edit of node-selectors hands over to a selected node without a lost datagram', async () => {
    const old = await owner();
    const expression = { key: 'kubernetes.io/hostname', operator: 'NotIn', values: [old.name] };
    const selectors = [{ 'match-expressions': [expression] }];
    await assertNoDatagramLost(lab, printer, async () => {
      await lab.configure(config({}, { 'l2-advertisements': [{ 'node-selectors': selectors }] }));
      await untilOwner(lab, printer, old);
    });
    const now = await owner();
    await lab.until(
      'the record names the new owner',
      async () => (await record()) === `${printer}=${now.name}/eth0`,
    );
    await lab.configure(config());
  });

  test('the interfaces of l2-advertisements limit where an address is answered', async () => {
    await lab.configure(config({}, { 'l2-advertisements': [{ interfaces: ['eth9'] }] }));
    const isAnswered = () =>
      lab.fabric.near.exec('arping', '-c', '1', '-w', '1', '-I', 'eth0', printer).then(
        () => true,
        () => false,
      );
    await lab.until('no node answers', async () => !(await isAnswered()));
    await lab.until('the record is empty', async () => (await record()) === '');
    await lab.until('an event says why', async () =>
      /NodeUnassigned .*no node answers for 192\.0\.2\.240 any more: no live speaker that may announce it has a link/.test(
        await lab.kubectl('get', 'events'),
      ),
    );
    await lab.configure(config({}, { 'l2-advertisements': [{ interfaces: ['eth0'] }] }));
    await lab.until('printer answers', async () => (await ask(printer)).includes('printer-'));
    await lab.until('the record is back', async () => /=node-\d\/eth0$/.test(await record()));
    await lab.configure(config());
  });

  test('the record disappears when the pool changes to BGP, and returns with layer 2', async () => {
    await lab.configure(config({}, { protocol: 'bgp' }));
    await shows('BGP', /^default\/printer .* node-1, node-2, node-3 by BGP$/m);
    await lab.until('the record is empty', async () => (await record()) === '');
    await lab.configure(config());
    await lab.until('printer answers', async () => (await ask(printer)).includes('printer-'));
    await lab.until('the record is back', async () => /=node-\d\/eth0$/.test(await record()));
  });

  test('the record disappears with the last endpoint, and status names the reason', async () => {
    for (const node of lab.fabric.nodes) await lab.removePods('printer', node);
    await shows('the reason', /^default\/printer .* none: no endpoint of this address family is ready$/m);
    await lab.until('the record is empty', async () => (await record()) === '');
    await lab.addPods('printer', lab.fabric.nodes);
    await lab.until('the record is back', async () => /=node-\d\/eth0$/.test(await record()));
  });

  test('of three Services that share an address, only the one that moves to a BGP pool loses its record', async () => {
    const shared = (name: string, port: number, pool: string) =>
      loadBalancer(
        name,
        { 'bellman.dev/address-pool': pool, 'bellman.dev/allow-shared-ip': 'key' },
        { ports: [{ port, targetPort: 8080 }], selector: { app: 'printer' } },
      );
    const names = ['shared-1', 'shared-2', 'shared-3'];
    for (const name of names) await lab.addPods(name, lab.fabric.nodes.slice(0, 1));
    await lab.apply(...names.map((name, i) => shared(name, 80 + i, 'office')));
    let address = '';
    await lab.until('the three Services share an address', async () => {
      const [first = [], ...others] = await Promise.all(names.map((name) => lab.addressesOf(name)));
      address = first.join();
      return address !== '' && others.every((other) => other.join() === address);
    });
    const line = new RegExp(`^${address.replaceAll('.', '\\.')}=node-\\d/eth0$`);
    await lab.until('each has the record', async () =>
      (await Promise.all(names.map((name) => record(name)))).every((text) => line.test(text)),
    );
    const before = await record('shared-2');
    await lab.apply(shared('shared-1', 80, 'public'));
    await lab.until('the record of shared-1 is empty', async () => (await record('shared-1')) === '');
    assert.match((await lab.addressesOf('shared-1')).join(), /^198\.51\.100\./);
    assert.deepEqual(await Promise.all(names.slice(1).map((name) => record(name))), [before, before]);
    const events = await lab.kubectl('get', 'events', '--field-selector', 'reason=NodeUnassigned');
    assert.doesNotMatch(events, /shared/, 'each shared Service is announced, so no event names it');
    for (const name of names) await lab.kubectl('delete', 'service', name);
  });

  test('the record disappears when the Service moves to a BGP pool', async () => {
    await lab.apply(loadBalancer('printer', { 'bellman.dev/address-pool': 'public' }));
    await lab.until('the Service has an address of the BGP pool', async () =>
      (await lab.addressesOf('printer')).every((address) => address.startsWith('198.51.100.')),
    );
    await lab.until('the record is empty', async () => (await record()) === '');
  });

  test('a deleted configuration stays in force, and status reports it', async () => {
    await lab.kubectl('delete', 'configmap', 'config', '-n', 'bellman-system');
    await shows(
      'kept',
      /^configuration: .* does not exist; the configuration accepted as \w+ at \S+ stays in force/,
    );
    const { text, code } = await status();
    assert.equal(code, 1);
    assert.match(text, /^default\/web .* node-1, node-2, node-3 by BGP$/m);
    await lab.configure(config());
    await shows('active', /^configuration: active/);
  });
});
