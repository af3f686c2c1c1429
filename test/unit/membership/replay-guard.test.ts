import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noToken, ReplayGuard } from '../../../src/membership/replay-guard.ts';

const secret = new Uint8Array(32).fill(7);

function tokenOf(guard: ReplayGuard, name: string, session: string): string {
  const verdict = guard.judge(name, session, 1, noToken);
  assert.equal(verdict.kind, 'challenge');
  return verdict.kind === 'challenge' ? verdict.token : '';
}

describe('ReplayGuard', () => {
  test('accepts each sequence number once in a session that shows its token', () => {
    const guard = new ReplayGuard(secret);
    const token = tokenOf(guard, 'a', 's1');
    assert.deepEqual(guard.judge('a', 's1', 2, token), { kind: 'accept' });
    assert.deepEqual(guard.judge('a', 's1', 2, token), { kind: 'replayed' });
    assert.deepEqual(guard.judge('a', 's1', 3, token), { kind: 'accept' });
  });

  test('keeps a challenge valid while datagrams of other sessions arrive', () => {
    const guard = new ReplayGuard(secret);
    const token = tokenOf(guard, 'a', 's1');
    for (let i = 0; i < 100; i++) tokenOf(guard, 'a', `recorded-${i}`);
    assert.deepEqual(guard.judge('a', 's1', 2, token), { kind: 'accept' });
  });

  test('rejects a token of another name, of another session or from before a restart', () => {
    const guard = new ReplayGuard(secret);
    const token = tokenOf(guard, 'a', 's1');
    assert.equal(guard.judge('b', 's1', 2, token).kind, 'challenge');
    assert.equal(guard.judge('a', 's2', 2, token).kind, 'challenge');
    assert.equal(new ReplayGuard(new Uint8Array(32)).judge('a', 's1', 2, token).kind, 'challenge');
  });

  test('does not accept a session again after a newer session has replaced it', () => {
    const guard = new ReplayGuard(secret);
    const first = tokenOf(guard, 'a', 's1');
    guard.judge('a', 's1', 2, first);
    const second = tokenOf(guard, 'a', 's2');
    assert.deepEqual(guard.judge('a', 's2', 2, second), { kind: 'accept' });
    assert.equal(guard.judge('a', 's1', 2, first).kind, 'challenge');
    assert.equal(guard.judge('a', 's1', 3, first).kind, 'challenge');
    assert.deepEqual(guard.judge('a', 's2', 3, second), { kind: 'accept' });
  });

  test('once a member is forgotten, rejects its token and each token that another member has not shown yet', () => {
    const guard = new ReplayGuard(secret);
    const old = tokenOf(guard, 'a', 's1');
    const pending = tokenOf(guard, 'b', 's1');
    guard.judge('a', 's1', 2, old);
    guard.forget('a');
    for (const sequence of [2, 3]) assert.equal(guard.judge('a', 's1', sequence, old).kind, 'challenge');
    assert.deepEqual(guard.judge('a', 's1', 4, tokenOf(guard, 'a', 's1')), { kind: 'accept' });
    assert.equal(guard.judge('b', 's1', 2, pending).kind, 'challenge');
    assert.deepEqual(guard.judge('b', 's1', 3, tokenOf(guard, 'b', 's1')), { kind: 'accept' });
  });
});
