/** New speakers take over the sessions of the old ones, with BIRD as the router. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upgradesWithoutLoss } from './upgrade-fixtures.ts';

upgradesWithoutLoss('BIRD', (upgradeLab) => {
  test('a new speaker that is killed before it takes over costs no session', async () => {
    const { lab } = upgradeLab();
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    const before = await lab.status(node.namespace);
    lab.processes.rename(`speaker-${node.name}`, 'serving');
    const inSync = () => lab.log(`speaker-${node.name}`).split('"in sync"').length;
    const count = inSync();
    lab.startSpeaker(node);
    await lab.until('the second speaker is in sync', async () => inSync() > count);
    await lab.stop(`speaker-${node.name}`, 'SIGKILL');
    lab.processes.rename('serving', `speaker-${node.name}`);
    const sinceOf = (status: unknown) =>
      (status as { readonly peers: readonly { readonly since: string }[] }).peers.map(({ since }) => since);
    assert.deepEqual(sinceOf(await lab.status(node.namespace)), sinceOf(before));
  });
});
