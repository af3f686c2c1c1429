/** A configuration of MetalLB v0.12 with BFD, unchanged, with the unmodified speaker and FRR. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { addresses } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';
import { parseConfig } from '../../src/config/index.ts';
import { frrPrivileges } from '../support/frr-privileges.ts';
import { isUp, nextHops, sessionOf, silence, startWithoutRouter, unsilence } from './bfd-fixtures.ts';

describe('the BFD configuration of MetalLB v0.12, with FRR', { concurrency: false }, () => {
  let lab: Lab;
  let address = '';
  let privileges: Awaited<ReturnType<typeof frrPrivileges>>;
  /** As in the documentation of MetalLB v0.12: FRR's profile is called by its name from the peer. */
  const config = `
peers:
- my-asn: 64512
  peer-asn: 64500
  peer-address: ${addresses.router[0]}
  bfd-profile: bfdprofile
bfd-profiles:
- name: bfdprofile
  receive-interval: 280
  transmit-interval: 270
  detect-multiplier: 10
  echo-interval: 60
  echo-mode: false
  passive-mode: false
  minimum-ttl: 252
address-pools:
- name: addresspool
  protocol: bgp
  addresses:
  - 198.51.100.0/24
`;

  before(async () => {
    const parsed = parseConfig(config);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.warnings, []);
    ({ lab, address } = await startWithoutRouter(config));
    const neighbors = lab.fabric.nodes.flatMap(({ addresses: [v4] }) => [
      ` neighbor ${v4} remote-as 64512`,
      ` neighbor ${v4} bfd`,
      ` neighbor ${v4} timers connect 1`,
    ]);
    const peers = lab.fabric.nodes.flatMap(({ addresses: [v4] }) => [
      ` peer ${v4} interface eth0`,
      '  detect-multiplier 10',
      ' !',
    ]);
    privileges = await frrPrivileges();
    startFrr('zebra', []);
    startFrr('bfdd', ['bfd', ...peers, '!'], '--bfdctl', '/run/lab/bfdd.sock');
    startFrr('bgpd', [
      'router bgp 64500',
      ` bgp router-id ${addresses.router[0]}`,
      ' no bgp ebgp-requires-policy',
      ' maximum-paths 8',
      ...neighbors,
    ]);
    for (const each of lab.fabric.nodes)
      await lab.until(`BFD and BGP of ${each.name}`, () => isUp(lab, each));
    await lab.until('both routes', async () => (await nextHops(lab, address)).length === 2);
  });
  after(() => lab.close());

  function startFrr(daemon: string, lines: readonly string[], ...options: readonly string[]): void {
    const file = `/run/lab/${daemon}.conf`;
    writeFileSync(file, `${['log stdout', ...lines].join('\n')}\n`);
    lab.processes.start(
      daemon,
      lab.fabric.router,
      `/usr/lib/frr/${daemon}`,
      [
        ...['-f', file, '-i', `/run/lab/${daemon}.pid`, '--vty_socket', '/run/lab', '-z', '/run/lab/zserv'],
        ...['-P', '0', ...privileges.options, ...options],
      ],
      { LD_PRELOAD: privileges.environment.LD_PRELOAD ?? '' },
    );
  }

  const vtysh = (...commands: readonly string[]) =>
    lab.fabric.router.exec(
      'vtysh',
      '--vty_socket',
      '/run/lab',
      ...commands.flatMap((command) => ['-c', command]),
    );

  test('both ends have the same session, with the discriminators exchanged', async () => {
    const peers: { peer: string; id: number; 'remote-id': number; status: string }[] = JSON.parse(
      await vtysh('show bfd peers json'),
    );
    for (const node of lab.fabric.nodes) {
      const theirs = peers.find(({ peer }) => peer === node.addresses[0]);
      const ours = (await sessionOf(lab, node))?.bfd;
      assert.equal(theirs?.status, 'up');
      assert.equal(theirs?.id, ours?.remoteDiscriminator);
      assert.equal(theirs?.['remote-id'], ours?.localDiscriminator);
    }
  });

  test('AdminDown of FRR does not end the BGP session', async () => {
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    const before = await sessionOf(lab, node);
    const peer = ['configure terminal', 'bfd', `peer ${node.addresses[0]} interface eth0`];
    await vtysh(...peer, 'shutdown');
    await lab.until('AdminDown is seen', async () => {
      const bfd = (await sessionOf(lab, node))?.bfd;
      return bfd?.remoteState === 'AdminDown' && bfd.problem === 'the peer has shut its BFD session down';
    });
    const during = await sessionOf(lab, node);
    assert.equal(during?.state, 'Established');
    assert.equal(during?.since, before?.since, 'it is still the same session');
    await vtysh(...peer, 'no shutdown');
    await lab.until('BFD again', () => isUp(lab, node));
  });

  test('a silent cut takes the route away long before the hold time', async () => {
    const [first, second] = lab.fabric.nodes;
    assert.ok(first && second);
    await silence(lab, first);
    const cutAt = Date.now();
    await lab.until('the route is gone', async () => {
      const hops = await nextHops(lab, address);
      return hops.length === 1 && hops[0] === second.addresses[0];
    });
    // The log keeps the reason. `lastError` names the failed attempts to connect a few seconds later.
    await lab.until('the end of the session', async () =>
      lab.log(`speaker-${first.name}`).includes('BFD has lost the peer'),
    );
    assert.ok(Date.now() - cutAt < 60_000, 'the hold time of 90 s does not explain this');
    await unsilence(lab, first);
    await lab.until('the session again', () => isUp(lab, first));
    await lab.until('both routes again', async () => (await nextHops(lab, address)).length === 2);
  });
});
