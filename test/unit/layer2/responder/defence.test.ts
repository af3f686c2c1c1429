import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClaimHistory, decideClaim } from '../../../../src/layer2/responder/defence.ts';

const foreign = { mac: '02:00:00:00:00:ff', isSpeaker: false, policy: 'defend' } as const;

/** Decides one claim after another, and tells `time action reported`. */
function run(
  claims: readonly (readonly [
    number,
    typeof foreign | { mac: string; isSpeaker: boolean; policy: 'defend' | 'yield' },
  ])[],
) {
  let history: ClaimHistory | undefined;
  return claims.map(([now, claim]) => {
    const decision = decideClaim(history, claim, now);
    history = decision.history;
    return `${now} ${decision.action}${decision.report ? ' reported' : ''}`;
  });
}

test('decideClaim() defends at most every ten seconds and reports as often', () => {
  assert.deepEqual(
    run([
      [0, foreign],
      [1, foreign],
      [9_999, foreign],
      [10_000, foreign],
      [15_000, foreign],
    ]),
    ['0 defended reported', '1 waiting', '9999 waiting', '10000 defended reported', '15000 waiting'],
  );
});

test('decideClaim() reports another claimant at once, without defending sooner', () => {
  assert.deepEqual(
    run([
      [0, foreign],
      [5, { ...foreign, mac: '02:00:00:00:00:fe' }],
    ]),
    ['0 defended reported', '5 waiting reported'],
  );
});

test('decideClaim() reports few of those that change their address with every packet', () => {
  const claims = Array.from(
    { length: 1000 },
    (_, i) => [i, { ...foreign, mac: `02:00:00:00:00:${i}` }] as const,
  );
  const reported = run(claims).filter((text) => text.endsWith('reported'));
  assert.equal(reported.length, 3);
});

test('decideClaim() yields where that is the policy', () => {
  assert.deepEqual(run([[0, { ...foreign, policy: 'yield' }]]), ['0 yielded reported']);
});

test('decideClaim() neither fights nor gives way to another speaker', () => {
  for (const policy of ['defend', 'yield'] as const)
    assert.deepEqual(
      run([
        [0, { ...foreign, policy, isSpeaker: true }],
        [10, { ...foreign, policy, isSpeaker: true }],
        [10_000, { ...foreign, policy, isSpeaker: true }],
      ]),
      ['0 waiting reported', '10 waiting', '10000 waiting reported'],
    );
});
