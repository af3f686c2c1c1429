import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LocalMember } from '../../../src/membership/local-member.ts';

const port = 7946;
const local = () => new LocalMember({ name: 'a', incarnation: 5, port, metadata: '' });
const said = (state: 'alive' | 'suspect' | 'dead' | 'left', incarnation: number) =>
  ({ kind: 'member', name: 'a', state, incarnation, endpoint: { host: '', port }, metadata: '' }) as const;

describe('LocalMember', () => {
  test('refutes a false statement, or a statement with a greater incarnation than its own, by taking a still greater incarnation', () => {
    for (const [update, refuted] of [
      [said('suspect', 5), 6],
      [said('dead', 5), 6],
      [said('left', 7), 8],
      [said('alive', 9), 10],
    ] as const) {
      const member = local();
      assert.ok(member.mustRefute(update));
      member.refute(update);
      assert.equal(member.incarnation, refuted);
    }
  });

  test('ignores true and outdated statements', () => {
    assert.equal(local().mustRefute(said('alive', 5)), false);
    assert.equal(local().mustRefute(said('dead', 4)), false);
    assert.equal(local().isCurrent(said('dead', 4)), false);
  });

  test('raises its incarnation with each change, so that other members adopt the change', () => {
    const member = local();
    member.setMetadata('new');
    assert.deepEqual(member.as('alive'), { ...said('alive', 6), metadata: 'new' });
  });
});
