/**
 * Layer 2 in a whole lab: which node answers when nodes die, leave, return or are partitioned, and while the API server is away. Most tests
 * recognise the answering node by its MAC address, which they read on the near client: in the neighbour table or in the output of `arping`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { ownerOf, untilOwner } from '../../lab/steps.ts';
import { assertNoDatagramLost } from '../support/handover.ts';
import { membersSeenBy, speakersMeet } from '../support/members.ts';
import { printerAnswers, startPrinter } from '../support/printer.ts';

let lab: Lab;
let v4 = '';
let v6 = '';

before(async () => {
  lab = await Lab.start();
  await lab.applyExample('config');
  [v4, v6] = await startPrinter(lab, { withEcho: true });
});
after(() => lab.close());

const isAnswered = () => printerAnswers(lab, [v4, v6]);

const owner = () => untilOwner(lab, v4);

/** MAC addresses that answer a broadcast request for the address. A correct cluster has exactly one. */
async function answerers(): Promise<string[]> {
  const output = await lab.fabric.near.exec('arping', '-c', '2', '-w', '2', '-I', 'eth0', v4);
  return [
    ...new Set([...output.matchAll(/\[([0-9A-Fa-f:]+)\]/g)].map(([, mac]) => (mac ?? '').toLowerCase())),
  ];
}

/** Waits until exactly one node answers, and it is not `node`. Returns the MAC address of the node that answers. */
async function successorOf(node: LabNode): Promise<string> {
  const mac = await lab.macOf(node);
  let macs: string[] = [];
  await lab.until(`exactly one node answers, not ${node.name}`, async () => {
    macs = await answerers();
    return macs.length === 1 && macs[0] !== mac;
  });
  return macs[0] ?? '';
}

describe('an address in layer 2', { concurrency: false }, () => {
  test('exactly one node answers for both families, and the Service names it', async () => {
    const node = await owner();
    assert.deepEqual(await answerers(), [await lab.macOf(node)]);
    const answers6 = await lab.fabric.near.exec('ndisc6', '-q', '-m', v6, 'eth0');
    assert.deepEqual([...new Set(answers6.toLowerCase().match(/[0-9a-f:]{17}/g))], [await lab.macOf(node)]);
    await lab.until('the record names the owner', async () => {
      const record = await lab.announcingRecordOf('printer');
      return record.includes(`${v4}=${node.name}/eth0`) && record.includes(`${v6}=${node.name}/eth0`);
    });
  });

  test('addresses that arrive one after another spread over the nodes', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names)
      await lab.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default', annotations: { 'bellman.dev/address-pool': 'office' } },
        spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'printer' } },
      });
    for (const name of names) await lab.addPods(name, lab.fabric.nodes.slice(0, 1));
    const owners = new Map<string, number>();
    await lab.until('each address is answered', async () => {
      owners.clear();
      for (const name of ['printer', ...names]) {
        const record = await lab.announcingRecordOf(name);
        const nodes = [...record.matchAll(/=(node-\d)\//g)].map(([, node]) => node ?? '');
        if (nodes.length === 0) return false;
        for (const node of nodes) owners.set(node, (owners.get(node) ?? 0) + 1);
      }
      return true;
    });
    const loads = [...owners.values()];
    assert.equal(loads.length, 3, `every node has addresses: ${JSON.stringify([...owners])}`);
    assert.ok(
      Math.max(...loads) - Math.min(...loads) <= 1,
      `the numbers of addresses differ by at most one: ${JSON.stringify([...owners])}`,
    );
    for (const name of names) await lab.kubectl('delete', 'service', name);
  });

  test('a speaker that stops hands over without a lost datagram', async () => {
    const before = await owner();
    await assertNoDatagramLost(lab, v4, async () => {
      await lab.stop(`speaker-${before.name}`);
      await untilOwner(lab, v4, before);
    });
    assert.equal((await answerers()).length, 1);
    const now = await owner();
    lab.startSpeaker(before);
    await speakersMeet(lab);
    assert.equal((await owner()).name, now.name, 'a returning node takes no address back');
    assert.deepEqual(await answerers(), [await lab.macOf(now)]);
  });

  test('a node that is no longer Ready hands over both families, and the record follows without a false event', async () => {
    await speakersMeet(lab);
    const old = await owner();
    const record = () => lab.announcingRecordOf('printer');
    const unassigned = async () =>
      (await lab.kubectl('get', 'events')).split('\n').filter((line) => line.includes('NodeUnassigned'));
    const before = await unassigned();
    await lab.markReady(old, false);
    await lab.until('the record names one successor for both families', async () => {
      const nodes = [...(await record()).matchAll(/=([^/]+)\//g)].map(([, node]) => node);
      return nodes.length === 2 && nodes[0] === nodes[1] && nodes[0] !== old.name;
    });
    const followed = await record();
    // If the old owner changed the record wrongly, the change would come late: a node removes its stale line after 8 s, and writes its overwritten
    // line again after 10 s.
    await sleep(12_000);
    assert.equal(await record(), followed);
    assert.deepEqual(await unassigned(), before);
    await lab.markReady(old, true);
  });

  test('when a node dies during an outage of the API server, another node takes over and keeps the address after the dead one returns', async () => {
    const before = await owner();
    const awayUntil = performance.now() + 60_000;
    await lab.api('refuse');
    await lab.killNode(before);
    await lab.until('another node answers', async () => {
      const now = await ownerOf(lab, v4);
      return now !== undefined && now !== before && (await isAnswered());
    });
    const now = await owner();
    await lab.reviveNode(before);
    while (performance.now() < awayUntil) {
      assert.ok(await isAnswered());
      assert.equal((await ownerOf(lab, v4))?.name, now.name);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    await lab.api('serve');
    await speakersMeet(lab);
    assert.equal((await owner()).name, now.name);
    assert.deepEqual(await answerers(), [await lab.macOf(now)]);
    await lab.until('the record names the new owner', async () =>
      (await lab.announcingRecordOf('printer')).includes(`${v4}=${now.name}/`),
    );
  });

  test('another node takes over from a node that loses its link, and keeps the address when the link returns', async () => {
    const before = await owner();
    await lab.fabric.segment.ip('link', 'set', before.name, 'down');
    const successor = await successorOf(before);
    await lab.fabric.segment.ip('link', 'set', before.name, 'up');
    await speakersMeet(lab);
    await lab.until('only the node that took over answers', async () => {
      const macs = await answerers();
      return macs.length === 1 && macs[0] === successor;
    });
  });

  test('partitioned speakers report the partition and agree again after it heals', async () => {
    const [first, ...others] = lab.fabric.nodes;
    assert.ok(first);
    const heal = await lab.cut(first, 'udp 7946');
    await lab.until('the partition is reported', async () =>
      /bellman_membership_unreachable 2/.test(await lab.metrics(first.namespace)),
    );
    await lab.until('the others see the first as dead', async () =>
      (await Promise.all(others.map((node) => membersSeenBy(lab, node)))).every(
        (view) => view.get(first.name) === 'dead',
      ),
    );
    await heal();
    await speakersMeet(lab);
    await lab.until('exactly one node answers', async () => (await answerers()).length === 1);
    await lab.until('no member is missing', async () =>
      /bellman_membership_unreachable 0/.test(await lab.metrics(first.namespace)),
    );
  });

  test('a speaker that restarts behind a partition takes no address when the partition heals', async () => {
    const [first, ...others] = lab.fabric.nodes;
    assert.ok(first);
    const heal = await lab.cut(first, 'udp 7946');
    const holders = async (among: readonly LabNode[]) => {
      const found: string[] = [];
      for (const node of among) {
        const { announcing } = (await lab.status(node.namespace)) as { announcing: Record<string, string> };
        if (v4 in announcing) found.push(node.name);
      }
      return found;
    };
    await lab.until('the majority answers', async () => (await holders(others)).length === 1);
    const before = await holders(others);
    await lab.stop(`speaker-${first.name}`);
    lab.startSpeaker(first);
    // The restarted speaker does not know the answering node and takes it for a foreign host.
    await lab.until('the isolated speaker has probed the address', async () => {
      const { inUse } = (await lab.status(first.namespace)) as { inUse: Record<string, string> };
      return v4 in inUse || (await holders([first])).length === 1;
    });
    await heal();
    await speakersMeet(lab);
    await lab.until('one node answers', async () => (await answerers()).length === 1);
    assert.deepEqual(await holders(lab.fabric.nodes), before);
  });

  test('with externalTrafficPolicy Local the node with the endpoint answers, even after the endpoint moves', async () => {
    const [first, second, third] = lab.fabric.nodes;
    assert.ok(first && second && third);
    const answeredBy = (node: LabNode) =>
      lab.until(`${node.name} answers`, async () => {
        await Promise.all([v4, v6].map((address) => lab.curl(lab.fabric.near, address)));
        return (await ownerOf(lab, v4)) === node && (await ownerOf(lab, v6)) === node;
      });
    for (const node of [first, third]) await lab.removePods('printer', node);
    await lab.kubectl('patch', 'service', 'printer', '-p', '{"spec":{"externalTrafficPolicy":"Local"}}');
    await answeredBy(second);
    await lab.addPods('printer', [third]);
    await lab.removePods('printer', second);
    await answeredBy(third);
    assert.deepEqual(await answerers(), [await lab.macOf(third)]);
  });

  test('a node cut off from the API server does not contend for an address that has moved in the meantime', async () => {
    const [, second, third] = lab.fabric.nodes;
    assert.ok(second && third);
    const timesAnswered = () => lab.log('speaker-node-3').match(/"answering"/g)?.length ?? 0;
    const reconnect = await lab.cut(third, 'tcp 6443');
    await lab.addPods('printer', [second]);
    await lab.removePods('printer', third);
    await lab.until('the node with the endpoint answers', async () => {
      await Promise.all([v4, v6].map((address) => lab.curl(lab.fabric.near, address)));
      return (await answerers()).join() === (await lab.macOf(second));
    });
    const answered = timesAnswered();
    const output = await lab.fabric.near.exec('arping', '-c', '5', '-w', '5', '-I', 'eth0', v4);
    const macs = [...output.matchAll(/\[([0-9A-Fa-f:]+)\]/g)].map(([, mac]) => mac?.toLowerCase());
    assert.deepEqual(
      macs,
      Array(5).fill(await lab.macOf(second)),
      'each request gets one answer, from the same node',
    );
    assert.equal(timesAnswered(), answered);
    await reconnect();
  });

  test('no node answers for a deleted Service, not even a node that is cut off from the API server', async () => {
    await lab.kubectl('patch', 'service', 'printer', '-p', '{"spec":{"externalTrafficPolicy":"Cluster"}}');
    const answering = await owner();
    const other = lab.fabric.nodes.find((node) => node !== answering);
    assert.ok(other);
    await lab.until('every node may announce the address', async () => {
      const views = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
      return views.every((view) => (view as { notAnnounced: object[] }).notAnnounced.length === 0);
    });
    const reconnect = await lab.cut(other, 'tcp 6443');
    await lab.kubectl('delete', 'service', 'printer');
    await lab.until('no node answers', async () => {
      try {
        await answerers();
        return false;
      } catch {
        return true;
      }
    });
    // The node that is cut off might claim the address after it has waited a second for each of the other two to claim it. This `arping` runs for
    // longer than these two waits.
    await assert.rejects(lab.fabric.near.exec('arping', '-c', '4', '-w', '4', '-I', 'eth0', v4));
    await reconnect();
  });
});
