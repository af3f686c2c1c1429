/** A session with a peer behind another router, two hops away. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { cable, NetworkNamespace } from '../../lab/netns.ts';
import { ip } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';
import { bird } from './daemons/bird.ts';
import { endProcess, ourSide, peer, router, startRouter, theirIpv4, wire } from './scenario.ts';

const run = promisify(execFile);
const farAddress = '10.99.0.2';

test('an eBGP peer two hops away comes up when ebgp-multihop is not set, and is unreachable with ebgp-multihop: false', async (t) => {
  const near = await wire();
  await near.namespace.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  const far = await NetworkNamespace.create('far');
  await cable(
    { namespace: near.namespace, interface: 'eth1', addresses: ['10.99.0.1/24'] },
    { namespace: far, interface: 'eth0', addresses: [`${farAddress}/24`] },
  );
  await far.ip('route', 'add', 'default', 'via', '10.99.0.1');
  await run('ip', ['route', 'add', '10.99.0.0/24', 'via', theirIpv4]);
  const daemon = await startRouter(
    bird,
    { ...near, namespace: far },
    router({ localAddress: farAddress }, { multihop: true }),
  );
  const { speaker } = ourSide();
  t.after(() => speaker.stop({ kind: 'shutdown', reason: 'end of the test' }));
  t.after(() => endProcess(daemon));
  const behind = { address: ip(farAddress) };
  const state = () => speaker.status()[0];

  speaker.setPeers([peer({ ...behind, ebgpHops: 1 })]);
  await eventually('the peer is out of reach', () => /unreachable/.test(state()?.lastError ?? ''));
  assert.notEqual(state()?.state, 'Established');

  speaker.setPeers([peer(behind)]);
  await eventually('the session is up', () => state()?.state === 'Established');
});
