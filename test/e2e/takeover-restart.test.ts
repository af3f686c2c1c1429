/**
 * Bellman takes over from FRR on the same node, where FRR announces as in MetalLB's FRR mode. No other node announces the address. The test ends
 * FRR with SIGKILL. With graceful restart, the router keeps the route until Bellman's session is up, and no datagram may be lost.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { addresses, birdConfig, type LabNode } from '../../lab/fabric.ts';
import { birdSocketPath, Lab } from '../../lab/lab.ts';
import { assertNoDatagramLost } from '../support/handover.ts';
import { startFrr } from '../support/lab-frr.ts';
import { nextHops } from '../support/next-hops.ts';

const address = '198.51.100.7';
/** The folder of the files of `announcer`, the bgpd of FRR on the node. The daemons of the router use another folder. */
const folder = '/run/lab/announcer';
const takeoverKey = 'bellman.dev/takeover';

const config = `
peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: ${addresses.router[0]}, graceful-restart: true}
address-pools:
- {name: public, protocol: bgp, addresses: [${address}/32]}
`;

describe('a takeover from a program with graceful restart', { concurrency: false }, () => {
  let lab: Lab;
  let node: LabNode;

  before(async () => {
    lab = await Lab.start({ nodes: 2, bellman: false });
    const [first] = lab.fabric.nodes;
    assert.ok(first);
    node = first;
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        ports: [{ name: 'echo', protocol: 'UDP', port: 80, targetPort: 8080 }],
        selector: { app: 'web' },
      },
    });
    await lab.addPods('web', [node]);
    await lab.configure(config);
    lab.startController();
    await lab.until('web has its address', async () => (await lab.addressesOf('web'))[0] === address);
  });
  after(() => lab.close());

  /** On the node, starts a bgpd that announces the address as MetalLB's FRR mode does. Waits until the router has the route. */
  async function startAnnouncer(): Promise<void> {
    const file = `${folder}/bgpd.conf`;
    mkdirSync(folder, { recursive: true });
    const lines = [
      'router bgp 64512',
      ` bgp router-id ${node.addresses[0]}`,
      ' no bgp ebgp-requires-policy',
      ' no bgp network import-check',
      ' bgp graceful-restart',
      ' bgp graceful-restart preserve-fw-state',
      ` neighbor ${addresses.router[0]} remote-as 64500`,
      ` neighbor ${addresses.router[0]} timers connect 1`,
      ' address-family ipv4 unicast',
      `  network ${address}/32`,
    ];
    writeFileSync(file, `log stdout\n${lines.join('\n')}\n`);
    // Without zebra (-Z), all next hops count as reachable. A private world has a single user, so bgpd keeps its privileges (-S).
    lab.processes.start('announcer', node.namespace, '/usr/lib/frr/bgpd', [
      ...['-f', file, '-i', `${folder}/bgpd.pid`, '--vty_socket', folder],
      ...['-S', '-Z', '-p', '1179', '-P', '0'],
    ]);
    await lab.until('the router has the route', async () => (await nextHops(lab, address)).length === 1);
  }

  /** Waits until the speaker of the node has its session and has sent its route. */
  async function untilAnnounced(): Promise<void> {
    await lab.until('Bellman announces', async () => {
      const { peers } = (await lab.status(node.namespace)) as {
        peers: { state: string; routesSent: number }[];
      };
      return peers.some(({ state, routesSent }) => state === 'Established' && routesSent === 1);
    });
  }

  /** Kills the announcer and waits until Bellman announces in its place. */
  async function takeOver(): Promise<void> {
    lab.startSpeaker(node, '--adopt-only');
    await lab.until('the speaker sees the session of the other program', async () => {
      const { adoption } = (await lab.status(node.namespace).catch(() => ({}))) as {
        adoption?: { otherSessions: string[]; held: unknown[] };
      };
      return adoption?.otherSessions.length === 1 && adoption.held.length === 1;
    });
    await assertNoDatagramLost(
      lab,
      address,
      async () => {
        await lab.kubectl('label', 'node', node.name, `${takeoverKey}=true`);
        await lab.stop('announcer', 'SIGKILL');
        await untilAnnounced();
        assert.deepEqual(await nextHops(lab, address), [node.addresses[0]]);
      },
      lab.fabric.far,
    );
    await lab.stop(`speaker-${node.name}`);
    await lab.kubectl('label', 'node', node.name, `${takeoverKey}-`);
  }

  test('loses no datagram with BIRD on the router', async () => {
    const file = '/run/lab/bird-restart.conf';
    writeFileSync(file, birdConfig(lab.fabric));
    await lab.stop('bird');
    lab.processes.start('bird', lab.fabric.router, 'bird', ['-f', '-c', file, '-s', birdSocketPath]);
    await startAnnouncer();
    await takeOver();
  });

  test('loses no datagram with FRR on the router', async () => {
    await lab.stop('bird');
    await startFrr(lab, {
      bfdd: [],
      bgpd: [
        'router bgp 64500',
        ` bgp router-id ${addresses.router[0]}`,
        ' no bgp ebgp-requires-policy',
        ' bgp graceful-restart',
        ` neighbor ${node.addresses[0]} remote-as 64512`,
        ` neighbor ${node.addresses[0]} timers connect 1`,
      ],
    });
    await startAnnouncer();
    await takeOver();
  });
});
