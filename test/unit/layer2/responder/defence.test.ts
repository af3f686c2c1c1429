import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ConflictHistory,
  decideDefence,
  type ObservedConflict,
} from '../../../../src/layer2/responder/defence.ts';

const foreign: ObservedConflict = { mac: '02:00:00:00:00:ff', isSpeaker: false, policy: 'defend' };

/** Decides a series of conflicts. Returns `time action` for each, with ` reported` where the conflict is reported. */
function run(conflicts: readonly (readonly [nowMs: number, conflict: ObservedConflict])[]) {
  let history: ConflictHistory | undefined;
  return conflicts.map(([nowMs, conflict]) => {
    const decision = decideDefence(history, conflict, nowMs);
    history = decision.history;
    return `${nowMs} ${decision.action}${decision.report ? ' reported' : ''}`;
  });
}

test('decideDefence() defends and reports at most once in ten seconds', () => {
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

test('decideDefence() reports a second host at once, but does not defend again before ten seconds are over', () => {
  assert.deepEqual(
    run([
      [0, foreign],
      [5, { ...foreign, mac: '02:00:00:00:00:fe' }],
    ]),
    ['0 defended reported', '5 waiting reported'],
  );
});

test('decideDefence() bounds the reports of a host that changes its MAC with every packet', () => {
  const conflicts = Array.from(
    { length: 1000 },
    (_, i) => [i, { ...foreign, mac: `02:00:00:00:00:${i}` }] as const,
  );
  const reported = run(conflicts).filter((text) => text.endsWith('reported'));
  assert.equal(reported.length, 3);
});

test('decideDefence() yields under the policy `yield`', () => {
  assert.deepEqual(run([[0, { ...foreign, policy: 'yield' }]]), ['0 yielded reported']);
});

test('decideDefence() neither defends against nor yields to another speaker', () => {
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
