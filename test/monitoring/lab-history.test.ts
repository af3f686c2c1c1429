/**
 * In a lab that a real Prometheus scrapes, these alerts fire and resolve: those that look back for 10 or 15 minutes, the one about an address whose
 * answers reach no witness, and the one about a route that is not sent. In these tests, the rules look back for a tenth of the shipped time, and
 * an alert fires after a shorter pending time.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { addresses, birdConfig, type LabNode } from '../../lab/fabric.ts';
import { birdSocketPath, Lab } from '../../lab/lab.ts';
import { serviceObjects } from '../e2e/explain-fixtures.ts';
import { FiringAlerts, historyAlerts } from './firing-alerts.ts';
import { Prometheus } from './prometheus.ts';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const fixedAddress = '192.0.2.230';
const fixedNode = 'node-3';
/** Makes each request for `/debug/events` raise an exception, as a bug would. The server calls `getAll` for each of these requests. */
const plantedBug = 'data:text/javascript,URLSearchParams.prototype.getAll=()=>{throw new Error("planted")}';

function configuration(): string {
  return JSON.stringify({
    peers: [{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] }],
    'address-pools': [
      { name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] },
      {
        ...{ name: 'long', protocol: 'bgp', 'auto-assign': false, addresses: ['198.18.0.0/24'] },
        // With so many communities, a route does not fit into a message of 4096 octets. BIRD accepts no message that is longer.
        'bgp-advertisements': [{ communities: Array.from({ length: 340 }, (_, i) => `64512:1:${i}`) }],
      },
      { name: 'office', protocol: 'layer2', addresses: ['192.0.2.240-192.0.2.250'] },
      {
        ...{ name: 'fixed', protocol: 'layer2', 'auto-assign': false, addresses: [`${fixedAddress}/32`] },
        'l2-advertisements': [
          { 'node-selectors': [{ 'match-labels': { 'kubernetes.io/hostname': fixedNode } }] },
        ],
      },
    ],
  });
}

describe('Prometheus scrapes a lab for a while', { concurrency: false }, () => {
  let lab: Lab;
  let alerts: FiringAlerts;

  before(async () => {
    lab = await Lab.start({ nodes: 3 });
    await lab.configure(configuration());
    await lab.apply(
      ...serviceObjects('web', 'public'),
      ...serviceObjects('printer', 'office'),
      ...serviceObjects('fixed', 'fixed'),
    );
    alerts = new FiringAlerts(lab, await Prometheus.start(lab, { lookBack: 0.1 }));
    await sessionsUp();
  });
  after(() => lab.close());

  const birdc = (...command: string[]) => lab.fabric.router.exec('birdc', '-s', birdSocketPath, ...command);
  const hasSessions = async () =>
    (await birdc('show', 'protocols')).match(/Established/g)?.length === lab.fabric.nodes.length;
  const sessionsUp = () => lab.until('all sessions are up', hasSessions);

  async function configureRouter(change: (text: string) => string): Promise<void> {
    const file = '/run/lab/bird-history.conf';
    writeFileSync(file, change(birdConfig(lab.fabric)));
    await birdc('configure', `"${file}"`);
  }

  test('a session that comes up again and again', async () => {
    await alerts.fires(['BellmanBgpSessionFlapping'], async () => {
      if (await hasSessions()) await birdc('restart', 'all');
    });
  });

  test('a router that accepts fewer routes than it gets', async () => {
    await lab.apply(...serviceObjects('second', 'public'));
    await configureRouter((text) =>
      text.replaceAll('ipv4 { import all;', 'ipv4 { import all; receive limit 1 action restart;'),
    );
    await alerts.fires(['BellmanBgpRoutesRejected']);
    await configureRouter((text) => text);
    await sessionsUp();
  });

  test('a route that no message of the session can carry', async () => {
    await lab.apply(...serviceObjects('long', 'long'));
    await alerts.fires(['BellmanBgpRoutesNotSent']);
    await lab.kubectl('delete', 'service', 'long');
    await alerts.resolves(['BellmanBgpRoutesNotSent']);
  });

  test('an input that raises an exception', async () => {
    const node = lab.node('node-2');
    const listen = `127.0.0.1:7472,${node.addresses[0]}`;
    await lab.stop(`speaker-${node.name}`);
    lab.startSpeakerAs(
      node,
      ...[process.execPath, '--import', plantedBug, program],
      ...['speaker', '--node-name', node.name, '--metrics-address', listen],
    );
    await sessionsUp();
    await lab.until('a request fails', async () => {
      const url = 'http://127.0.0.1:7472/debug/events?machine=a';
      return (
        (await node.namespace.exec('curl', '-sS', '-w', '%{http_code}', '-o', '/dev/null', url)) === '500'
      );
    });
    await alerts.fires(['BellmanInputFailures']);
  });

  test('an address whose answers reach no other speaker, while no other node may have it', async () => {
    const { namespace } = lab.node(fixedNode);
    await lab.until('a speaker asks for addresses', async () => {
      const texts = await Promise.all(lab.fabric.nodes.map((node) => lab.metrics(node.namespace)));
      return texts.some((text) => /bellman_layer2_witness_questions_total [1-9]/.test(text));
    });
    const chain = 'add chain netdev mute out { type filter hook egress device eth0 priority 0; }';
    const rule = `add rule netdev mute out arp saddr ip ${fixedAddress} drop`;
    await namespace.exec('nft', `add table netdev mute; ${chain}; ${rule}`);
    await alerts.fires(['BellmanAddressNotVerified']);
    await namespace.exec('nft', 'delete table netdev mute');
    await alerts.resolves(['BellmanAddressNotVerified']);
  });

  test('a layer-2 process that stands still', async () => {
    const node = lab.node(fixedNode);
    const { near } = lab.fabric;
    await alerts.fires(['BellmanAnswersLate'], async () => {
      await stall(node, async () => {
        await near.exec('arping', '-b', '-c', '3', '-w', '3', '-I', 'eth0', fixedAddress).catch(() => '');
      });
    });
  });

  async function stall(node: LabNode, work: () => Promise<void>): Promise<void> {
    await lab.signalLayer2(node, 'SIGSTOP');
    try {
      await work();
    } finally {
      await lab.signalLayer2(node, 'SIGCONT');
    }
  }

  test('a host that uses an address of a Service', async () => {
    const { near } = lab.fabric;
    await near.ip('address', 'add', `${fixedAddress}/32`, 'dev', 'eth0');
    await alerts.fires(['BellmanAddressConflict'], async () => {
      await near.exec('arping', '-c', '1', '-w', '1', '-U', '-I', 'eth0', fixedAddress).catch(() => '');
    });
    await near.ip('address', 'del', `${fixedAddress}/32`, 'dev', 'eth0');
  });

  test('all alerts resolve after a while', async () => {
    assert.deepEqual([...alerts.fired].toSorted(), historyAlerts.toSorted());
    await alerts.resolves(historyAlerts);
  });
});
