import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefix } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';
import { bird } from './daemons/bird.ts';
import { endProcess, ourIpv4, ourIpv6, ourSide, peer, plain, router, startRouter, wire } from './scenario.ts';

test('a session with BIRD comes up, carries routes of both families, withdraws one, and ends with a NOTIFICATION when we stop', async (t) => {
  const cable = await wire();
  const daemon = await startRouter(bird, cable, router());
  const { speaker } = ourSide();
  t.after(() => speaker.stop({ kind: 'shutdown', reason: 'end of the test' }));
  t.after(() => endProcess(daemon));
  speaker.setPeers([peer()]);
  speaker.announce('router', prefix('198.51.100.1/32'), { ...plain, communities: [0xfc000001], med: 7 });
  speaker.announce('router', prefix('2001:db8:100::1/128'), plain);
  speaker.synced();
  await eventually('both routes at BIRD', async () => (await daemon.routes()).length === 2);
  assert.deepEqual(await daemon.routes(), [
    {
      prefix: '198.51.100.1/32',
      nextHop: ourIpv4,
      asPath: [64512],
      communities: ['64512:1'],
      largeCommunities: [],
      med: 7,
      localPref: 100,
    },
    {
      prefix: '2001:db8:100::1/128',
      nextHop: ourIpv6,
      asPath: [64512],
      communities: [],
      largeCommunities: [],
      localPref: 100,
    },
  ]);
  const [status] = speaker.status();
  assert.equal(status?.state, 'Established');
  assert.equal(status.peerAsn, 64500);
  assert.deepEqual(status.families, ['ipv4-unicast', 'ipv6-unicast']);
  speaker.withdraw('router', prefix('198.51.100.1/32'));
  await eventually('one route at BIRD', async () => (await daemon.routes()).length === 1);
  await speaker.stop({ kind: 'shutdown', reason: 'node drain: worker-3' });
  await eventually('the NOTIFICATION in the log of BIRD', () =>
    daemon.log().includes('Received: Administrative shutdown: "node drain: worker-3"'),
  );
  assert.deepEqual(await daemon.routes(), []);
});
