/** Membership keys change while one node cannot reach the API server: no address is ever answered by two nodes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { membershipSecretKey, membershipSecretName } from '../../src/cluster/names.ts';

const services = ['a', 'b', 'c'];
/** Longer than speakers take to declare another speaker dead and to take over its addresses. */
const watchedMs = 8000;
const watchPauseMs = 100;

describe('membership keys change while one node is cut off from the API server', {
  concurrency: false,
}, () => {
  let lab: Lab;
  let addresses: readonly string[] = [];
  let isolated: LabNode;
  let reconnect = async () => {};

  before(async () => {
    lab = await Lab.start({ nodes: 3 });
    await lab.configure(
      'address-pools: [{name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250]}]',
    );
    for (const name of services) {
      await lab.addPods(name, lab.fabric.nodes);
      await lab.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default' },
        spec: { type: 'LoadBalancer', selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
      });
    }
    await lab.until('every Service has an address', async () => {
      addresses = (await Promise.all(services.map((name) => lab.addressesOf(name)))).flat();
      return addresses.length === services.length;
    });
    await lab.until('each address is answered by one node', async () =>
      (await countAnswerers()).every((count) => count === 1),
    );
    isolated = lab.node('node-3');
    reconnect = await lab.cut(isolated, 'tcp 6443');
  });
  after(() => lab.close());

  /** For each address, the number of nodes that answer ARP requests within a second. */
  function countAnswerers(): Promise<number[]> {
    return Promise.all(addresses.map(async (address) => (await lab.answerers(address)).size));
  }

  async function expectNoSecondAnswerer(): Promise<void> {
    const end = performance.now() + watchedMs;
    while (performance.now() < end) {
      assert.deepEqual(
        (await countAnswerers()).filter((count) => count > 1),
        [],
      );
      await sleep(watchPauseMs);
    }
    await lab.until('each address is answered by one node', async () =>
      (await countAnswerers()).every((count) => count === 1),
    );
  }

  async function readKeys(): Promise<string[]> {
    const text = await lab.kubectl(
      ...['get', 'secret', membershipSecretName, '-n', 'bellman-system'],
      ...['-o', `jsonpath={.data.${membershipSecretKey}}`],
    );
    return Buffer.from(text, 'base64').toString().trim().split('\n');
  }

  const writeKeys = (keys: readonly string[]) =>
    lab.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: membershipSecretName, namespace: 'bellman-system' },
      data: { [membershipSecretKey]: Buffer.from(`${keys.join('\n')}\n`).toString('base64') },
    });

  const newKey = () => randomBytes(32).toString('base64');

  test('no address is answered by two nodes when the keys are rotated in three steps', async () => {
    const [old = ''] = await readKeys();
    const fresh = newKey();
    for (const keys of [[old, fresh], [fresh, old], [fresh]]) {
      await writeKeys(keys);
      await expectNoSecondAnswerer();
    }
  });

  test('no address is answered by two nodes when the keys are replaced in one step', async () => {
    await writeKeys([newKey()]);
    await expectNoSecondAnswerer();
  });

  test('no address is answered by two nodes when the keys are deleted and the controller makes new ones', async () => {
    const before = await readKeys();
    await lab.kubectl('delete', 'secret', membershipSecretName, '-n', 'bellman-system');
    await lab.until('the controller makes new keys', async () => (await readKeys()).join() !== before.join());
    await expectNoSecondAnswerer();
  });

  test('no address is answered by two nodes when the node reaches the API server again and all speakers hear each other', async () => {
    await reconnect();
    await lab.until('each speaker hears both others', async () => {
      const views = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
      return views.every(
        (view) =>
          (view as { members: { state: string }[] }).members.filter(({ state }) => state === 'alive')
            .length === 2,
      );
    });
    await expectNoSecondAnswerer();
  });
});
