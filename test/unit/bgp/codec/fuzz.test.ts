import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { fuzzBgp } from '../../../fuzz/bgp-run.ts';

test('the decoder judges whatever arrives: a share of what `make fuzz` tries', (t) => {
  const seed = randomInt(2 ** 32);
  const { inputs, verdicts } = fuzzBgp(seed, 25_000);
  t.diagnostic(`seed ${seed}: ${JSON.stringify(verdicts)}`);
  for (const verdict of ['refused', 'with faults', 'sound'])
    assert.ok((verdicts[verdict] ?? 0) > inputs / 50, `seed ${seed}: too few are ${verdict}`);
});
