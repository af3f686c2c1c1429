/** New speakers take over the sessions of the old ones, with BIRD as the router. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upgradesWithoutLoss } from './upgrade-fixtures.ts';

interface Status {
  readonly peers: readonly {
    readonly since: string;
    readonly bfd?: { readonly since: string; readonly sent: number };
  }[];
}

upgradesWithoutLoss('BIRD', (upgradeLab) => {
  test('a new speaker that is killed before it takes over costs no session', async () => {
    const { lab } = upgradeLab();
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    const statusOf = async () => (await lab.status(node.namespace)) as Status;
    const before = await statusOf();
    lab.processes.rename(`speaker-${node.name}`, 'serving');
    const inSync = () => lab.log(`speaker-${node.name}`).split('"in sync"').length;
    const count = inSync();
    lab.startSpeaker(node);
    await lab.until('the second speaker is in sync', async () => inSync() > count);
    await lab.stop(`speaker-${node.name}`, 'SIGKILL');
    lab.processes.rename('serving', `speaker-${node.name}`);
    const sinceOf = (status: Status) => status.peers.map(({ since, bfd }) => [since, bfd?.since]);
    const after = await statusOf();
    // Ten missed packets bring a session down. If the killed speaker had stopped the BFD session, the router would notice it during this wait.
    await lab.until('every BFD session has sent 20 packets more', async () =>
      (await statusOf()).peers.every(
        ({ bfd }, i) => (bfd?.sent ?? 0) >= (after.peers[i]?.bfd?.sent ?? 0) + 20,
      ),
    );
    assert.deepEqual(sinceOf(await statusOf()), sinceOf(before));
  });
});
