/** A few bursts of the chaos run; `make chaos` runs hundreds. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Lab } from '../../lab/lab.ts';
import { runBurst } from '../chaos/burst.ts';
import { startCluster } from '../chaos/cluster.ts';
import { violations } from '../chaos/invariants.ts';
import { Random } from '../fuzz/random.ts';

const bursts = 3;

describe('bursts of faults', { concurrency: false }, () => {
  let lab: Lab;
  before(async () => {
    lab = await startCluster();
    await lab.until('the cluster is settled', async () => (await violations(lab)).length === 0);
  });
  after(() => lab?.close());

  for (let seed = 1; seed <= bursts; seed++)
    test(`the cluster recovers from burst ${seed}`, async () => {
      const result = await runBurst(lab, new Random(seed));
      assert.deepEqual(
        result.violations,
        [],
        `${result.faults.join('; ')}\n${result.violations.length > 0 ? lab.processes.lastLines(60) : ''}`,
      );
    });
});
