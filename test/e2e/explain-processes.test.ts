/**
 * Faults in a running lab: processes that are dead and networks that are cut. The first two lines of `bellman explain` name the cause of each
 * fault, and `bellman status --problems` lists the fault and nothing else.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { LabNode } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';
import { configureBird, isUp } from './bfd-fixtures.ts';
import { config, peer, pools, serviceObjects, useExplainedLab } from './explain-fixtures.ts';

describe('dead processes and cut networks', { concurrency: false }, () => {
  const { explained, problems, heals, remove, ...faulty } = useExplainedLab();
  let lab: Lab;
  before(() => {
    lab = faulty.lab();
  });

  /** The node that answers for the printer, and the other node. */
  async function ownerAndOther(): Promise<[owner: LabNode, other: LabNode]> {
    const [address = ''] = await lab.addressesOf('printer');
    const answering: LabNode[] = [];
    const others: LabNode[] = [];
    for (const node of lab.fabric.nodes) {
      const { announcing } = (await lab.status(node.namespace)) as { announcing: object };
      (address in announcing ? answering : others).push(node);
    }
    const [owner] = answering;
    const [other] = others;
    assert.ok(owner && other);
    return [owner, other];
  }

  test('the controller is dead', async () => {
    await lab.stop('controller', 'SIGKILL');
    await lab.apply(...serviceObjects('late', 'office'));
    await explained('late', 'not announced', /no replica leads: .* last renewed its Lease \d+ s ago/);
    await explained('web', 'announced', /node-1, node-2 by BGP\n.*no replica leads/);
    await problems(/^controller: no replica leads/, /^service: Service default\/late waits/);
    await remove('late');
    lab.startController();
    await heals();
  });

  test('a node that answers for no layer-2 address cannot reach the API server', async () => {
    const [owner, other] = await ownerAndOther();
    const heal = await lab.cut(other, 'tcp 6443');
    const cause = `node ${other.name} cannot reach the API server`;
    await explained('web', 'announced', new RegExp(`announced by ${owner.name} by BGP\\n.*${cause}`));
    await explained('printer', 'announced', new RegExp(`announced by ${owner.name}.*\\n.*${cause}`));
    await problems(new RegExp(`^speaker: ${cause}`));
    await heal();
    await heals();
  });

  test('the node that answers for a layer-2 address cannot reach the API server', async () => {
    const [owner] = await ownerAndOther();
    const heal = await lab.cut(owner, 'tcp 6443');
    await explained('printer', 'unknown', new RegExp(`unknown: ${owner.name} cannot reach the API server`));
    await problems(
      new RegExp(`^speaker: node ${owner.name} cannot reach the API server`),
      new RegExp(`^address: .*printer: ${owner.name} on eth0 according to the announcing record`),
    );
    await heal();
    await heals();
  });

  test('a speaker is dead', async () => {
    const [owner, other] = await ownerAndOther();
    await lab.stop(`speaker-${other.name}`, 'SIGKILL');
    const cause = `the speaker of node ${other.name} was not reached: ECONNREFUSED`;
    await explained('web', 'announced', new RegExp(`announced by ${owner.name} by BGP\\n.*${cause}`));
    await explained('printer', 'announced', new RegExp(`announced by ${owner.name}.*\\n.*${cause}`));
    await problems(new RegExp(`^speaker: ${cause}`));
    lab.startSpeaker(other);
    await heals();
  });

  test('all speakers are dead', async () => {
    for (const { name } of lab.fabric.nodes) await lab.stop(`speaker-${name}`, 'SIGKILL');
    const cause =
      /unknown: the speakers .* were not reached: node-1 \(ECONNREFUSED\), node-2 \(ECONNREFUSED\)/;
    await explained('web', 'unknown', cause);
    await explained('printer', 'unknown', cause);
    await problems(
      /^speaker: the speaker of node node-1 was not reached/,
      /^speaker: the speaker of node node-2 was not reached/,
      /^address: .* of Service default\/web: unknown: node-1, node-2 not reached/,
      /^address: .* of Service default\/printer: node-\d on eth0 according to the announcing record/,
    );
    for (const node of lab.fabric.nodes) lab.startSpeaker(node);
    await heals();
  });

  const deafness = [
    ...[/^membership: the speaker of node node-1 runs, but node-2 does not hear it/],
    ...[/^membership: the speaker of node node-2 runs, but node-1 does not hear it/],
    /^address: .* of Service default\/printer: node-\d and node-\d: more than one node answers/,
  ];
  const twice =
    /node-\d on eth0 .* and node-\d on eth0 .* in layer 2\n.*answer for it at the same time, because their speakers do not hear each other/;

  test('a firewall drops the packets of the membership', async () => {
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    const heal = await lab.cut(node, 'udp 7946');
    await explained('printer', 'announced', twice);
    await problems(...deafness);
    await heal();
    await heals();
  });

  test('a partition cuts the speakers off from each other', async () => {
    const [node, far] = lab.fabric.nodes;
    assert.ok(node && far);
    const rules = far.addresses.flatMap((address) => {
      const family = address.includes(':') ? 'ip6' : 'ip';
      return [
        `add rule inet partition input ${family} saddr ${address} drop`,
        `add rule inet partition output ${family} daddr ${address} drop`,
      ];
    });
    const chains = ['input', 'output'].map(
      (hook) => `add chain inet partition ${hook} { type filter hook ${hook} priority 0; }`,
    );
    await node.namespace.exec('nft', ['add table inet partition', ...chains, ...rules].join('; '));
    await explained('printer', 'announced', twice);
    await problems(...deafness);
    await node.namespace.exec('nft', 'delete table inet partition');
    await heals();
  });

  test('the user cannot get a token of the viewer', async () => {
    await lab.kubectl('delete', 'serviceaccount', 'viewer', '-n', 'bellman-system');
    const cause = /unknown: .* token of ServiceAccount bellman-system\/viewer, and the request .* failed/;
    await explained('web', 'unknown', cause);
    await explained('printer', 'unknown', cause);
    await problems(
      /^speaker: daemons on other hosts show their state only with a token of ServiceAccount/,
      /^address: .* of Service default\/web: unknown/,
      /^address: .* of Service default\/printer: node-\d on eth0 according to the announcing record/,
    );
    await lab.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'viewer', namespace: 'bellman-system' },
    });
    await heals();
  });

  test('a firewall drops the packets of BFD', async () => {
    await lab.stop('bird');
    await configureBird(lab, 'min rx interval 300 ms; min tx interval 300 ms; multiplier 10;');
    const profile =
      '\nbfd-profiles: [{name: lab, receive-interval: 300, transmit-interval: 300, detect-multiplier: 10}]';
    await lab.configure(config(peer.replace('}', ', bfd-profile: lab}'), `${profile}${pools}`));
    for (const node of lab.fabric.nodes)
      await lab.until(`BFD and BGP of ${node.name}`, () => isUp(lab, node));
    await problems();
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    const heal = await lab.cut(node, 'udp 3784');
    // The session comes up again without BFD, because the configuration leaves `bfd-strict` off.
    await explained('web', 'announced', /announced by .* by BGP\n.*peer router at node-1: BFD is Down/);
    await problems(/^bfd: peer router at node-1: BFD is Down/);
    await heal();
    await heals();
  });
});
