/**
 * The speakers of three nodes are replaced one by one, as by a DaemonSet with `maxSurge`. The router must lose no session, and the client no
 * datagram. Graceful restart is off. With graceful restart, no datagram would be lost even when a session is not passed on, because the router
 * would keep the routes of that session. `bench/upgrade.ts` measures five nodes, and BFD at 100 ms × 3.
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
 * Detection takes three seconds, so that a busy machine does not cause a false alarm. The slow detection hides no mistake: a BFD session that is
 * not passed on starts with another discriminator. The router takes the new discriminator for a failure, however long detection takes.
 */
const bfd = { intervalMs: 300, multiplier: 10 };

/** Tests the upgrade with this router. `more` adds tests in the same lab. */
export function upgradesWithoutLoss(
  router: UpgradeCase['router'],
  more: (upgradeLab: () => UpgradeLab) => void = () => {},
): void {
  const one: UpgradeCase = { router, gracefulRestart: false, bfd };
  describe(`the speakers are replaced one by one: ${caseName(one)}`, { concurrency: false }, () => {
    let upgradeLab: UpgradeLab;
    before(async () => {
      upgradeLab = await startUpgradeLab(one, 3);
      await beginCase(upgradeLab, one);
    });
    after(() => upgradeLab?.lab.close());

    test('the router loses no session, and no datagram is lost', async () => {
      const result = await upgradeAll(upgradeLab, one);
      const logs = upgradeLab.lab.processes.lastLines(40);
      assert.equal(result.sessions, 2 * upgradeLab.lab.fabric.nodes.length, 'each node has BGP and BFD');
      assert.deepEqual(result.lostSessions, [], `the router has lost sessions\n${logs}`);
      assert.equal(result.lost, 0, `${result.lost} of ${result.asked} datagrams were lost`);
    });

    more(() => upgradeLab);
  });
}
