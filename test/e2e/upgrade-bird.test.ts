/**
 * The speakers of three nodes are replaced one by one, as by a DaemonSet with `maxSurge`. BIRD may notice nothing, and no datagram may be lost.
 * Without graceful restart, so that a session that is not passed on costs its routes. `bench/upgrade.ts` measures five nodes, and BFD at
 * 100 ms × 3.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  beginCase,
  caseName,
  startUpgradeLab,
  type UpgradeCase,
  type UpgradeLab,
  upgradeAll,
} from '../support/upgrade.ts';

/**
 * Three seconds without a packet, which a busy machine does not cause. A BFD session that is not passed on starts with another discriminator,
 * and the router takes that for a failure at any interval.
 */
const bfd = { intervalMs: 300, multiplier: 10 };
const one: UpgradeCase = { router: 'BIRD', gracefulRestart: false, bfd };

describe(`the speakers are replaced one by one: ${caseName(one)}`, { concurrency: false }, () => {
  let upgradeLab: UpgradeLab;

  before(async () => {
    upgradeLab = await startUpgradeLab(one, 3);
    await beginCase(upgradeLab, one);
  });
  after(() => upgradeLab.lab.close());

  test('the router loses no session, and no datagram is lost', async () => {
    const result = await upgradeAll(upgradeLab, one);
    const logs = upgradeLab.lab.processes.lastLines(40);
    assert.equal(result.after, result.before, `the router has lost a session\n${logs}`);
    assert.equal(result.lost, 0, `${result.lost} of ${result.asked} datagrams were lost`);
  });

  test('a new speaker that is killed before it takes over costs nothing', async () => {
    const { lab } = upgradeLab;
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
