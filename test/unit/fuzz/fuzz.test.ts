import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { fuzz } from '../../fuzz/run.ts';
import { targets } from '../../fuzz/targets.ts';

/** Number of inputs for all targets together. These inputs take seconds. `make fuzz` runs millions. */
const totalInputs = 25_000;
/** Factor by which the CPU budgets are raised, because unit tests run in parallel. */
const slack = 3;

describe('all code that reads octets from outside survives a sample of the inputs of `make fuzz`', () => {
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
  for (const target of targets)
    test(target.name, (t) => {
      const seed = randomInt(2 ** 32);
      const count = Math.round((totalInputs * target.weight) / weights);
      const { verdicts } = fuzz(target, { seed, count, slack });
      t.diagnostic(`seed ${seed}: ${JSON.stringify(verdicts)}`);
      for (const verdict of target.expectedVerdicts)
        assert.ok((verdicts[verdict] ?? 0) > count / 250, `seed ${seed}: verdict ${verdict} is too rare`);
    });
});
