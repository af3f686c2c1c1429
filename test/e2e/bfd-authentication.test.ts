/** The keys of BFD come from a Secret. They can be replaced without a flap. After the Secret is deleted, a speaker keeps them until it restarts. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addresses, type LabNode } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';
import { peerPasswordLabel } from '../../src/cluster/names.ts';
import { configureBird, events, isUp, sessionOf, startWithoutRouter } from './bfd-fixtures.ts';

const [oldKey, newKey] = [
  { id: 1, text: 'correct horse' },
  { id: 2, text: 'battery staple' },
];
/** Detection takes 15 s, so that a busy machine does not cause a false alarm. */
const timers = { intervalMs: 300, multiplier: 50 };

function config(keyId: number): string {
  return JSON.stringify({
    peers: [
      {
        ...{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] },
        ...{ 'bfd-profile': 'secured' },
      },
    ],
    'bfd-profiles': [
      {
        name: 'secured',
        'receive-interval': timers.intervalMs,
        'transmit-interval': timers.intervalMs,
        'detect-multiplier': timers.multiplier,
        authentication: { type: 'meticulous-sha1', 'key-secret': 'bfd', 'key-id': keyId },
      },
    ],
    'address-pools': [{ name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] }],
  });
}

describe('BFD with keys from a Secret, with BIRD', { concurrency: false }, () => {
  let lab: Lab;
  let nodes: readonly LabNode[];

  before(async () => {
    ({ lab } = await startWithoutRouter(config(oldKey.id)));
    ({ nodes } = lab.fabric);
    await routerHas(oldKey);
  });
  after(() => lab?.close());

  /** Makes the router accept each of these keys, and sign its own packets with the first. */
  const routerHas = (...keys: readonly { readonly id: number; readonly text: string }[]) =>
    configureBird(
      lab,
      [
        ...[`interval ${timers.intervalMs} ms;`, `multiplier ${timers.multiplier};`],
        'authentication meticulous keyed sha1;',
        ...keys.map(({ id, text }) => `password "${text}" { id ${id}; };`),
      ].join(' '),
    );
  const secretHas = (...keys: readonly { readonly id: number; readonly text: string }[]) =>
    lab.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'bfd',
        namespace: 'bellman-system',
        labels: Object.fromEntries([peerPasswordLabel.split('=')]),
      },
      data: Object.fromEntries(keys.map(({ id, text }) => [id, Buffer.from(text).toString('base64')])),
    });
  const forEachNode = async (what: string, holds: (node: LabNode) => Promise<boolean>) => {
    for (const node of nodes) await lab.until(`${what} on ${node.name}`, () => holds(node));
  };
  const sessions = () => Promise.all(nodes.map((node) => sessionOf(lab, node)));
  /** Checks that no session has gone down since `before` was read. */
  const areSame = async (before: Awaited<ReturnType<typeof sessions>>) => {
    for (const [i, now] of (await sessions()).entries()) {
      assert.equal(now?.since, before[i]?.since, 'BGP is still the same session');
      assert.equal(now?.bfd?.since, before[i]?.bfd?.since, 'BFD has been up all the time');
      assert.equal(now?.bfd?.state, 'Up');
    }
  };
  const warns = async (node: LabNode, warning: RegExp) =>
    (await sessionOf(lab, node))?.warnings.some((each) => warning.test(each)) ?? false;

  test('BFD does not run without its keys, and BGP does not wait for it', async () => {
    await forEachNode('a warning', (node) =>
      warns(node, /^Secret bellman-system\/bfd does not exist or lacks the label .*: BFD does not run$/),
    );
    await forEachNode('BGP', async (node) => {
      const session = await sessionOf(lab, node);
      return session?.state === 'Established' && session.bfd === undefined;
    });
    await lab.until('an event', async () =>
      /^ConfigMap +config +Warning +peer router: Secret bellman-system\/bfd .*BFD does not run$/m.test(
        await events(lab, 'BfdKeyMissing', 'bellman-system'),
      ),
    );
  });

  test('the Secret starts BFD with authentication', async () => {
    await secretHas(oldKey);
    await forEachNode('BFD', (node) => isUp(lab, node));
    const sessions = await lab.birdc('show', 'bfd', 'sessions');
    for (const { addresses: own } of nodes) assert.match(sessions, new RegExp(`^${own[0]} .* Up `, 'm'));
  });

  test('a wrong key takes BFD down, and the right one brings it back', async () => {
    await secretHas({ ...oldKey, text: 'another key' });
    await forEachNode('BFD down', async (node) => {
      const bfd = (await sessionOf(lab, node))?.bfd;
      return bfd !== undefined && bfd.state !== 'Up' && (bfd.dropped.authentication ?? 0) > 0;
    });
    await secretHas(oldKey);
    await forEachNode('BFD again', (node) => isUp(lab, node));
  });

  test('the steps of the guide to replace a BFD key cause no flap', async () => {
    const before = await sessions();
    await secretHas(oldKey, newKey);
    await routerHas(oldKey, newKey);
    await routerHas(newKey, oldKey);
    await lab.configure(config(newKey.id));
    await forEachNode('the edit is in force', async ({ name }) => {
      const puts = lab.log(`speaker-${name}`).match(/"configuration in force"/g) ?? [];
      return puts.length === 2;
    });
    await routerHas(newKey);
    await secretHas(newKey);
    // If the router refused our packets, its session would be down after `multiplier` of them, and so would ours.
    const started = await sessions();
    for (const [i, node] of nodes.entries())
      await lab.until(`packets with the new key on ${node.name}`, async () => {
        const [now, start] = [(await sessionOf(lab, node))?.bfd, started[i]?.bfd];
        if (!now || !start) return false;
        return now.sent - start.sent > timers.multiplier && now.received - start.received > timers.multiplier;
      });
    await areSame(before);
    for (const node of nodes) assert.deepEqual((await sessionOf(lab, node))?.warnings, []);
  });

  test('a deleted Secret costs no session, and a speaker that starts without it runs no BFD', async () => {
    const before = await sessions();
    await lab.kubectl('delete', 'secret', 'bfd', '-n', 'bellman-system');
    await forEachNode('a warning', (node) => warns(node, /: BFD keeps its last keys$/));
    await areSame(before);
    const [node] = nodes;
    assert.ok(node);
    await lab.stop(`speaker-${node.name}`);
    lab.startSpeaker(node);
    await lab.until('a warning', () => warns(node, /: BFD does not run$/));
    await lab.until('BGP without BFD', async () => {
      const session = await sessionOf(lab, node);
      return session?.state === 'Established' && session.bfd === undefined;
    });
    await secretHas(newKey);
    await forEachNode('BFD again', (each) => isUp(lab, each));
  });
});
