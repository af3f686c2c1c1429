/**
 * An operator's hour: most tests cause a real fault and check that `bellman status`, events, metrics, `/readyz` or the log name what is wrong.
 * The others check that a planned change is not reported as a fault. Each test but the last leaves a healthy cluster to the next one.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { skippedOnKubernetes } from '../../lab/start-api-server.ts';
import { speakersMeet } from '../support/members.ts';
import { runStatusOn, untilStatus } from '../support/status-report.ts';

const officeAddresses = ['192.0.2.240-192.0.2.241', '2001:db8:2::f0-2001:db8:2::f1'];

describe("an operator's view of a fault", { concurrency: false }, () => {
  let lab: Lab;

  before(async () => {
    lab = await Lab.start();
  });
  after(() => lab.close());

  function config({ peer = {}, office = {} }: { peer?: object; office?: object } = {}): string {
    const router = { name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': '192.0.2.1' };
    return JSON.stringify({
      peers: [{ ...router, 'hold-time': '9s', 'connect-time': '1s', ...peer }],
      'address-pools': [
        { name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24', '2001:db8:100::/112'] },
        { name: 'office', protocol: 'layer2', addresses: officeAddresses, ...office },
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

  const status = () => runStatusOn(lab.node('node-1').namespace);

  /** Waits until `bellman status` exits with the code and prints a report that matches each pattern. */
  const shows = (what: string, code: number, ...patterns: readonly RegExp[]) =>
    untilStatus(
      lab,
      what,
      (report) => report.code === code && patterns.every((pattern) => pattern.test(report.text)),
    );

  const readyz = ({ namespace }: LabNode) =>
    namespace.exec('curl', '-s', '-w', '%{http_code}', 'http://127.0.0.1:7472/readyz');

  /** The text that a process has logged since its log had this length. */
  const loggedSince = (length: number, process: string) => lab.log(process).slice(length);

  const events = (reason: string) =>
    lab.kubectl('get', 'events', '-A', '--field-selector', `reason=${reason}`);

  async function nextHops(prefix: string): Promise<number> {
    const routes = await lab.birdc('show', 'route', prefix).catch(() => '');
    return routes.match(/\bvia\b/g)?.length ?? 0;
  }

  test('a speaker is not ready without a configuration, and says so', async () => {
    const node = lab.node('node-1');
    await lab.until('the speaker names the reason', async () =>
      /no accepted configuration yet[\s\S]*503$/.test(await readyz(node).catch(() => '')),
    );
    assert.match(await lab.metrics(node.namespace), /^bellman_speaker_in_sync\{node="node-1"\} 0$/m);
    await shows('the speaker that waits', 1, /^node-1: not in sync: it waits for config$/m);
    await lab.configure(config());
    await lab.addPods('web', lab.fabric.nodes);
    await lab.apply(
      loadBalancer('web', { 'bellman.dev/address-pool': 'public' }, { ipFamilyPolicy: 'RequireDualStack' }),
    );
    await lab.until('the speaker is ready', async () => /200$/.test(await readyz(node)));
    await shows(
      'a healthy cluster',
      0,
      /^default\/web +198\.51\.100\.0 .* node-1, node-2, node-3 by BGP$/m,
      /^node-3 +router +Established +\S+ +2\b(?! of)/m,
    );
    assert.equal((await status()).code, 0);
  });

  test('a speaker whose node is unknown to Kubernetes is not ready, and says so', async () => {
    const node = lab.node('node-3');
    await lab.stop('speaker-node-3');
    lab.startSpeaker({ ...node, name: 'node-9' });
    await lab.until('the speaker names the reason', async () =>
      /^node node-9 is not known to Kubernetes\n503$/.test(await readyz(node).catch(() => '')),
    );
    assert.match(
      lab.log('speaker-node-9'),
      /"reason":"node node-9 is not known to Kubernetes","msg":"this node does not announce"/,
    );
    await lab.stop('speaker-node-9');
    lab.startSpeaker(node);
    await shows('the node again', 0, /^node-3 +router +Established +\S+ +2\b(?! of)/m);
  });

  test('a node that loses its IPv6 address announces fewer routes, says why, and announces all routes when the address is back', async () => {
    const node = lab.node('node-3');
    const [v4 = '', v6 = ''] = await lab.addressesOf('web');
    const logLength = lab.log('speaker-node-3').length;
    await node.namespace.ip('link', 'set', 'eth0', 'down');
    await lab.until('the router has lost the session', async () => (await nextHops(`${v4}/32`)) === 2);
    await node.namespace.ip('link', 'set', 'eth0', 'up');
    await shows(
      'one route of two',
      0,
      /^node-3 +router +Established +\S+ +1 of 2 .*ipv6-unicast is not sent: there is no global IPv6 address/m,
    );
    assert.equal(await nextHops(`${v6}/128`), 2);
    assert.match(
      loggedSince(logLength, 'speaker-node-3'),
      /"reason":"ipv6-unicast is not sent: there is no global IPv6 address[^}]*"msg":"address family not sent"/,
    );
    assert.match(
      await lab.metrics(node.namespace),
      /^bellman_bgp_announced_prefixes_total\{peer="router"\} 1$/m,
    );
    await lab.until('the event of the lost session', async () =>
      /node\/node-3 .*router/.test(await events('BGPSessionDown')),
    );
    await node.namespace.ip('address', 'add', `${node.addresses[1]}/64`, 'dev', 'eth0');
    await lab.until('the router has the IPv6 route', async () => (await nextHops(`${v6}/128`)) === 3);
    await shows('two routes', 0, /^node-3 +router +Established +\S+ +2\b(?! of)(?!.*not sent)/m);
    assert.match(
      loggedSince(logLength, 'speaker-node-3'),
      /"families":\["ipv6-unicast"\],"msg":"now sending address family"/,
    );
    await node.namespace.ip('route', 'add', 'default', 'via', '192.0.2.1');
    await node.namespace.ip('-6', 'route', 'replace', 'default', 'via', '2001:db8:2::1');
    for (const { index, addresses } of lab.fabric.nodes)
      if (index !== node.index)
        await node.namespace.ip('route', 'replace', `10.244.${index}.0/24`, 'via', addresses[0]);
  });

  test('a planned handover leaves one record line and one event for each address, no false event, and no warning about another host', async () => {
    await speakersMeet(lab);
    await lab.addPods('desk', lab.fabric.nodes);
    await lab.apply(
      loadBalancer('desk', { 'bellman.dev/address-pool': 'office' }, { ipFamilyPolicy: 'RequireDualStack' }),
    );
    const record = () => lab.announcingRecordOf('desk');
    const ownersOf = (text: string) => [...text.matchAll(/=([^/]+)\//g)].map(([, name = '']) => name);
    await lab.until('the record has both addresses', async () => ownersOf(await record()).length === 2);
    const [owner = ''] = ownersOf(await record());
    const logLengths = lab.fabric.nodes.map(({ name }) => lab.log(`speaker-${name}`).length);
    await lab.markReady(lab.node(owner), false);
    await lab.until('the record names one successor for both addresses', async () => {
      const [first, second, ...more] = ownersOf(await record());
      return first !== undefined && first !== owner && first === second && more.length === 0;
    });
    const [successor = ''] = ownersOf(await record());
    await shows(
      'the successor',
      0,
      ...(await lab.addressesOf('desk')).map(
        (address) => new RegExp(`^default/desk +${address} .* ${successor} on eth0$`, 'm'),
      ),
    );
    const assigned = async () => {
      const text = await lab.kubectl(
        'get',
        'events',
        '--field-selector',
        'reason=NodeAssigned',
        '-o',
        'json',
      );
      const { items } = JSON.parse(text) as {
        readonly items: readonly {
          readonly involvedObject: { readonly name: string };
          readonly message: string;
          readonly series?: { readonly count: number };
        }[];
      };
      return items
        .filter(
          ({ involvedObject, message }) => involvedObject.name === 'desk' && message.includes(successor),
        )
        .map(({ series }) => series?.count ?? 1);
    };
    await lab.until('the events of the successor', async () => (await assigned()).length === 2);
    // If the old owner changed the record wrongly, the change would come late: a node removes its stale line after 8 s, and writes its overwritten
    // line again after 10 s.
    await sleep(12_000);
    assert.deepEqual(ownersOf(await record()), [successor, successor]);
    assert.deepEqual(await assigned(), [1, 1], 'each address has one event');
    assert.doesNotMatch(await events('NodeUnassigned'), /desk/);
    assert.doesNotMatch(await events('AddressConflict'), /desk/);
    for (const [i, { name, namespace }] of lab.fabric.nodes.entries()) {
      assert.doesNotMatch(loggedSince(logLengths[i] ?? 0, `speaker-${name}`), /another host uses/);
      const answers = (await lab.metrics(namespace)).match(
        /^bellman_speaker_announced\{service="default\/desk",protocol="layer2",.*\} 1$/gm,
      );
      assert.equal(answers?.length ?? 0, name === successor ? 2 : 0, name);
    }
    await lab.markReady(lab.node(owner));
    await lab.kubectl('delete', 'service', 'desk');
    await shows('all nodes again', 0, /^default\/web .* node-1, node-2, node-3 by BGP$/m);
  });

  test('no session ends when a Node is deleted and created again', {
    skip: skippedOnKubernetes('Kubernetes deletes the Pods of a Node that is deleted'),
  }, async () => {
    const node = lab.node('node-2');
    const session = async () => {
      const { peers } = (await lab.status(node.namespace)) as { peers: { state: string; since: string }[] };
      return peers.map(({ state, since }) => `${state} ${since}`);
    };
    const before = await session();
    assert.match(before.join(), /^Established \S+$/);
    const downs = () =>
      lab.kubectl('get', 'events', '--field-selector', 'reason=BGPSessionDown', '-o', 'name');
    const downsBefore = await downs();
    const logLength = lab.log('speaker-node-2').length;
    await lab.kubectl('delete', 'node', node.name);
    await lab.until('the node withdraws its routes', async () =>
      /"reason":"node node-2 is not known to Kubernetes","msg":"this node does not announce"/.test(
        loggedSince(logLength, 'speaker-node-2'),
      ),
    );
    await lab.until('the speaker is not ready', async () => /503$/.test(await readyz(node)));
    await lab.registerNode(node);
    await shows('the node again', 0, /^default\/web .* node-1, node-2, node-3 by BGP$/m);
    assert.deepEqual(await session(), before);
    assert.doesNotMatch(loggedSince(logLength, 'speaker-node-2'), /session down/);
    assert.equal(await downs(), downsBefore);
    assert.match(await lab.metrics(node.namespace), /^bellman_bgp_session_up\{peer="router"\} 1$/m);
  });

  test('status counts no free addresses in a draining pool', async () => {
    await lab.configure(config({ office: { draining: true } }));
    await shows('the pool', 0, /^office +layer2 +IPv4 +2 +0 +0, draining$/m);
    await lab.configure(config());
    await shows('the pool in use again', 0, /^office +layer2 +IPv4 +2 +0 +2$/m);
  });

  test('without a controller an edit is not judged, a Service waits, and status says that no controller leads', async () => {
    await lab.stop('controller', 'SIGKILL');
    await lab.configure(config().replace('layer2', 'carrier-pigeon'));
    await lab.apply(loadBalancer('late', { 'bellman.dev/address-pool': 'office' }));
    await shows(
      'no controller',
      1,
      /^configuration: not judged yet \(accepted \w+ at /,
      /^controller: no replica leads: \S+ last renewed its Lease \d+ s ago$/m,
      /^default\/late +<pending>/m,
      /^default\/web .* node-1, node-2, node-3 by BGP$/m,
    );
    lab.startController();
    await shows(
      'the verdict',
      1,
      /^configuration: stale[\s\S]*address-pools\[1\]\.protocol/,
      /^controller: \S+ leads/m,
    );
    await lab.until('the event', async () =>
      /configmap\/config .*protocol/.test(await events('ConfigStale')),
    );
    assert.match(await lab.metrics(lab.fabric.control), /^bellman_config_stale 1$/m);
    assert.match(lab.log('controller'), /"reason":"[^}]*protocol[^}]*"msg":"configuration not accepted;/);
    await lab.configure(config());
    await shows('the accepted edit', 0, /^configuration: active/, /^default\/late +192\.0\.2\.240/m);
    await lab.kubectl('delete', 'service', 'late');
  });

  test('status, an event and a metric say why a Service waits for an address', async () => {
    await lab.apply(loadBalancer('starved', { 'bellman.dev/address-pool': 'offices' }));
    await shows('the reason', 1, /^default\/starved +<pending> .*offices/m);
    await lab.until('the event', async () =>
      /service\/starved .*offices/.test(await events('AllocationFailed')),
    );
    assert.match(
      await lab.metrics(lab.fabric.control),
      /^bellman_controller_services_waiting\{cause="no-such-pool"\} 1$/m,
    );
    assert.match(
      lab.log('controller'),
      /"service":"default\/starved"[^}]*offices[^}]*"msg":"allocation refused"/,
    );
    await lab.kubectl('delete', 'service', 'starved');
  });

  test('a misspelt annotation is reported under each prefix, with the likely name', async () => {
    await lab.apply(
      loadBalancer('misspelt', {
        'bellman.dev/loadbalancerips': '192.0.2.241',
        'metallb.universe.tf/adress-pool': 'office',
        'metallb.io/alow-shared-ip': 'key',
      }),
    );
    const hints = [
      'bellman.dev/loadbalancerips is unknown; did you mean bellman.dev/loadBalancerIPs?',
      'metallb.universe.tf/adress-pool is unknown; did you mean metallb.universe.tf/address-pool?',
      'metallb.io/alow-shared-ip is unknown; did you mean metallb.io/allow-shared-ip?',
    ];
    await lab.until('an event for each misspelt annotation', async () => {
      const text = await events('UnknownAnnotation');
      return hints.every((hint) => text.includes(hint));
    });
    for (const hint of hints) assert.ok(lab.log('controller').includes(hint), hint);
    await lab.kubectl('delete', 'service', 'misspelt');
  });

  test('status names the node that has the endpoint but may not announce, and says why', async () => {
    const node = lab.node('node-2');
    await lab.addPods('local', [node]);
    await lab.apply(
      loadBalancer('local', { 'bellman.dev/address-pool': 'public' }, { externalTrafficPolicy: 'Local' }),
    );
    await shows('the node', 0, /^default\/local .* node-2 by BGP$/m);
    await lab.markReady(node, false);
    await shows(
      'the reason',
      1,
      /^default\/local .* none: node node-2 is not Ready; 2 other nodes give another reason$/m,
    );
    assert.match(
      await lab.metrics(node.namespace),
      /^bellman_speaker_refusals\{node="node-2",cause="node"\} [1-9]/m,
    );
    assert.match(
      lab.log('speaker-node-2'),
      /"reason":"node node-2 is not Ready","msg":"this node does not announce"/,
    );
    await lab.markReady(node);
    await shows('the node again', 0, /^default\/local .* node-2 by BGP$/m);
    await lab.kubectl('delete', 'service', 'local');
  });

  test('a speaker that is cut off from the API server is named, with the cause', async () => {
    const node = lab.node('node-2');
    const logLength = lab.log('speaker-node-2').length;
    const runs = async ({ namespace }: LabNode) =>
      /^bellman_config_info\{hash="(\w+)"\} 1$/m.exec(await lab.metrics(namespace))?.[1];
    const reconnect = await lab.cut(node, 'tcp 6443');
    const row = /^node-2 +speaker not reached.*it runs, but cannot reach the API server/m;
    await untilStatus(lab, 'status names the cause', ({ text }) => row.test(text));
    await lab.until('the metric says so', async () =>
      /^bellman_kubernetes_api_up 0$/m.test(await lab.metrics(node.namespace)),
    );
    await lab.until('the log says so', async () =>
      /"msg":"API server not reached, retrying"/.test(loggedSince(logLength, 'speaker-node-2')),
    );
    const old = await runs(node);
    await lab.configure(config({ office: { priority: 1 } }));
    await lab.until('another node runs the edit', async () => (await runs(lab.node('node-1'))) !== old);
    assert.equal(await runs(node), old, 'the metric shows that this node runs an older configuration');
    await reconnect();
    await untilStatus(lab, 'status reads the speaker again', ({ text }) =>
      /^node-2 +router +Established/m.test(text),
    );
    await lab.until('the log says that it is back', async () =>
      /"msg":"API server reached again"/.test(loggedSince(logLength, 'speaker-node-2')),
    );
    await lab.until(
      'node-2 runs the edit',
      async () => (await runs(node)) === (await runs(lab.node('node-1'))),
    );
  });

  test('when the AS number of either side is wrong, status keeps the reason as the last error and exits with 1', async () => {
    const cases = [
      [{ 'peer-asn': 64501 }, 'peer said AS 64500, configured 64501'],
      [{ 'my-asn': 64513 }, 'the OPEN says AS 64513'],
    ] as const;
    for (const [peer, reason] of cases) {
      await lab.configure(config({ peer }));
      const row = new RegExp(`^node-2 +router +(?!Established).*${reason}`, 'm');
      const none = /^default\/web .* none: every BGP session that would announce it is down$/m;
      await shows(reason, 1, row, none);
      await sleep(3000);
      assert.match((await status()).text, row, 'later connection resets do not replace the reason');
      assert.match(
        await lab.metrics(lab.node('node-2').namespace),
        new RegExp(`^bellman_bgp_last_error_timestamp_seconds\\{.*${reason}.*\\} \\d`, 'm'),
      );
      assert.ok(lab.log('speaker-node-2').includes(reason));
    }
    await lab.configure(config());
    await shows('the sessions', 0, /^default\/web .* node-1, node-2, node-3 by BGP$/m);
  });

  test('status exits with 1 when no speaker answers', async () => {
    for (const { name } of lab.fabric.nodes) await lab.stop(`speaker-${name}`, 'SIGKILL');
    await shows(
      'no speaker',
      1,
      /^node-1 +speaker not reached/m,
      /^default\/web .* unknown: node-1, node-2, node-3 not reached$/m,
    );
    assert.equal((await status()).code, 1);
  });
});
