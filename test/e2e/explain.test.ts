/**
 * Faults of the configuration, of objects and of peers in a running lab. `explain-processes.test.ts` has the faults of processes and networks.
 * The first two lines of `bellman explain` name the cause of each fault, and `bellman status --problems` lists the fault and nothing else. The
 * tests call the code of the commands in this process, because each start of a command from source takes a second of CPU time. The first test
 * runs `bellman explain` itself.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { kubeconfigPath, type Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';
import { config, peer, pools, serviceObjects, useExplainedLab } from './explain-fixtures.ts';

describe('faults in a lab', { concurrency: false }, () => {
  const { explained, problems, remove, ...faulty } = useExplainedLab();
  let lab: Lab;
  before(() => {
    lab = faulty.lab();
  });

  test('bellman explain prints the explanations, and its exit codes tell the verdicts apart', async () => {
    await lab.apply(...serviceObjects('empty', 'office', { nodes: [] }));
    await explained(
      'empty',
      'not announced',
      /no endpoint of this address family is ready.*\(EndpointSlice endpoints/,
    );
    const run = (...args: readonly string[]) =>
      spawnSync(bellman, [...args, '--kubeconfig', kubeconfigPath, '--controller-port', '7472'], {
        encoding: 'utf8',
      });
    const announced = run('explain', 'default/web');
    assert.equal(announced.status, 0, announced.stderr);
    assert.match(announced.stdout, /sends 198\.51\.100\.\d+\/32/);
    const empty = run('explain', 'empty', '-n', 'default', '-o', 'json');
    assert.equal(empty.status, 1, empty.stderr);
    assert.equal(JSON.parse(empty.stdout).addresses[0].nodes[0].layer2.refusal.cause, 'no-endpoint');
    assert.equal(run('explain', 'nothing').status, 1);
    // The account of the controller may read everything that the explanation needs.
    const inPod = await lab.execAs('controller', lab.fabric.control, bellman, 'explain', 'default/web');
    assert.match(inPod, /announced by node-1, node-2 by BGP/);
    // An address without a ready endpoint is not a problem of Bellman's.
    await problems();
    await remove('empty');
  });

  test('Services that get no address, or an address that no node may announce', async () => {
    await lab.apply(
      ...serviceObjects('first', 'tiny'),
      ...serviceObjects('unknown-pool', 'nowhere'),
      ...serviceObjects('foreign', 'office', { spec: { loadBalancerClass: 'example.com/other' } }),
      ...serviceObjects('internal', 'office', { spec: { type: 'ClusterIP' } }),
      ...serviceObjects('elsewhere', 'elsewhere'),
      ...serviceObjects('rack', 'rack'),
      ...serviceObjects('gold', 'gold'),
      ...serviceObjects('silent', 'silent'),
    );
    await explained('first', 'announced', /in layer 2/);
    await lab.apply(...serviceObjects('second', 'tiny'));
    await explained('second', 'not announced', /pool tiny is full/);
    await explained('unknown-pool', 'not announced', /there is no pool nowhere/);
    await explained('foreign', 'not announced', /the class example\.com\/other.*spec\.loadBalancerClass/);
    await explained('internal', 'not announced', /the type ClusterIP.*spec\.type/);
    await explained('elsewhere', 'not announced', /no link of the node has a subnet with the address/);
    await explained('rack', 'not announced', /no layer 2 advertisement selects this node.*node-selectors/);
    await explained('gold', 'not announced', /no BGP advertisement selects this Service.*service-selectors/);
    await explained('silent', 'not announced', /pool silent has the protocol none/);
    await problems(
      /^service: .*second waits .*tiny is full/,
      /^service: .*unknown-pool waits .*no pool nowhere/,
      /^address: .*10\.9\.9\.\d of Service default\/elsewhere/,
      /^address: .*192\.0\.2\.20\d of Service default\/rack/,
      /^address: .*198\.18\.0\.\d of Service default\/gold/,
    );
    await remove(
      ...['first', 'second', 'unknown-pool', 'foreign', 'internal', 'elsewhere', 'rack', 'gold', 'silent'],
    );
    await problems();
  });

  const sessionFaults: readonly (readonly [string, string, RegExp])[] = [
    ['a wrong AS number', peer.replace('64500', '64599'), /Bad Peer AS/],
    ['a wrong password', peer.replace('}', ', password: wrong}'), /password/],
    [
      'a missing password Secret',
      peer.replace('}', ', password-secret: {name: absent}}'),
      /Secret bellman-system\/absent .*the session waits for its password/,
    ],
  ];
  for (const [name, faulty, pattern] of sessionFaults)
    test(`a session with ${name}`, async () => {
      await lab.configure(config(faulty));
      await explained('web', 'not announced', pattern);
      await problems(
        /^(session|bfd): peer router at node-\d/,
        /^address: .*198\.51\.100\.\d+ of Service default\/web/,
      );
      await lab.configure(config());
      await explained('web', 'announced', /node-1, node-2 by BGP/);
      await problems();
    });

  test('BFD packets that the router does not answer', async () => {
    const profile = '\nbfd-profiles: [{name: fast}]';
    await lab.configure(config(peer.replace('}', ', bfd-profile: fast}'), `${profile}${pools}`));
    // The session goes on, because BFD has never been Up.
    await explained('web', 'announced', /BFD is Down: we send, and nothing returns/);
    await problems(/^bfd: peer router at node-1, node-2: BFD is Down/);
    await lab.configure(config());
    await problems();
  });

  test('a rejected edit of the ConfigMap', async () => {
    await lab.configure(
      config(peer, `${pools}- {name: late, protocol: layer3, addresses: [192.0.2.216/29]}\n`),
    );
    await lab.apply(...serviceObjects('late', 'late'));
    await explained('late', 'not announced', /there is no pool late[\s\S]*stale.*layer3/);
    await problems(/^configuration: stale/, /^service: Service default\/late waits/);
    await remove('late');
    await lab.configure(config());
    await problems();
  });

  test('the only node with an endpoint is excluded, and later not Ready', async () => {
    const [first] = lab.fabric.nodes;
    assert.ok(first);
    const spec = { externalTrafficPolicy: 'Local' };
    await lab.apply(...serviceObjects('local', 'office', { nodes: ['node-1'], spec }));
    await explained('local', 'announced', /announced by node-1/);
    const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
    await lab.kubectl('label', 'node', 'node-1', `${label}=`);
    await explained('local', 'not announced', /node node-1 is labelled .*\(Node metadata\.labels/);
    await problems(/^address: .*local.* none: node node-1 is labelled/);
    await lab.kubectl('label', 'node', 'node-1', `${label}-`);
    await lab.markReady(first, false);
    await explained('local', 'not announced', /node node-1 is not Ready \(Node status\.conditions/);
    await problems(/^address: .*local.* none: node node-1 is not Ready/);
    await lab.markReady(first);
    await explained('local', 'announced', /announced by node-1/);
    await remove('local');
    await problems();
  });

  test('another host uses the address', async () => {
    const address = '192.0.2.249';
    await lab.fabric.near.ip('address', 'add', `${address}/24`, 'dev', 'eth0');
    await lab.apply(
      ...serviceObjects('taken', 'office', { annotations: { 'bellman.dev/loadBalancerIPs': address } }),
    );
    await explained(address, 'not announced', /another host uses the address: \S+ on eth0 of node node-\d/);
    await problems(/^address: .*192\.0\.2\.249 of Service default\/taken.* none: node-\d sees another host/);
    await remove('taken');
    await lab.fabric.near.ip('address', 'del', `${address}/24`, 'dev', 'eth0');
    await problems();
  });
});
