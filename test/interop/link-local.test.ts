import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../src/address/index.ts';
import { ip, prefix } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';
import { bird } from './daemons/bird.ts';
import {
  endProcess,
  ourIpv4,
  ourIpv6,
  ourSide,
  peer,
  plain,
  router,
  startRouter,
  theirIpv4,
  theirIpv6,
  wire,
} from './scenario.ts';

test('a session over link-local addresses is bound to its interface and has global next hops', async (t) => {
  const cable = await wire({
    ours: [ourIpv4, ourIpv6, 'fe80::1'],
    theirs: [theirIpv4, theirIpv6, 'fe80::2'],
  });
  const daemon = await startRouter(
    bird,
    cable,
    router({ localAddress: "fe80::2%'eth0'" }, { address: "fe80::1%'eth0'" }),
  );
  const { speaker } = ourSide();
  t.after(() => speaker.stop({ kind: 'shutdown', reason: 'end of the test' }));
  t.after(() => endProcess(daemon));
  speaker.setPeers([
    peer({
      address: ip('fe80::2'),
      interface: cable.device,
      sourceAddress: ip('fe80::1'),
    }),
  ]);
  speaker.announce('router', prefix('198.51.100.1/32'), plain);
  speaker.announce('router', prefix('2001:db8:100::1/128'), plain);
  speaker.synced();
  await eventually('both routes at BIRD', async () => (await daemon.routes()).length === 2);
  const nextHops = new Map((await daemon.routes()).map((route) => [route.prefix, route.nextHop]));
  assert.equal(nextHops.get('198.51.100.1/32'), ourIpv4);
  assert.equal(nextHops.get('2001:db8:100::1/128'), `${ourIpv6} fe80::1`);
  const [status] = speaker.status();
  assert.ok(status);
  assert.equal(formatIp(status.address), 'fe80::2');
});

test('a connecting link-local peer is identified by its address and its interface', async (t) => {
  const cable = await wire({ ours: [ourIpv4, 'fe80::1'], theirs: [theirIpv4, 'fe80::2'] });
  const other = await wire({ ours: ['fe80::1'], theirs: ['fe80::2'] });
  const daemon = await startRouter(
    bird,
    cable,
    router({ localAddress: "fe80::2%'eth0'" }, { address: "fe80::1%'eth0'", passive: false }),
  );
  const { speaker } = ourSide();
  t.after(() => speaker.stop({ kind: 'shutdown', reason: 'end of the test' }));
  t.after(() => endProcess(daemon));
  // A speaker that ignored the interface would give the connection to the first peer of this list, which is on the cable `other`.
  speaker.setPeers(
    [other, cable].map(({ device }) =>
      peer({ name: device, address: ip('fe80::2'), interface: device, passive: true }),
    ),
  );
  await eventually('the session', () => daemon.isEstablished());
  const isEstablished = (device: string) =>
    speaker.status().find(({ name }) => name === device)?.state === 'Established';
  await eventually('the session of one of the peers', () =>
    [cable, other].some(({ device }) => isEstablished(device)),
  );
  assert.equal(isEstablished(cable.device), true);
  assert.equal(isEstablished(other.device), false);
});
