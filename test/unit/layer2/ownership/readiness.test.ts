import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type MembershipState, Readiness } from '../../../../src/layer2/ownership/readiness.ts';

const complete: MembershipState & { readonly hasEntries: boolean } = {
  hasEntries: true,
  isSynced: true,
  liveMembers: 2,
  isAnyUnreachable: false,
  isAlone: false,
};

describe('Readiness', () => {
  for (const [name, over, fromMs] of [
    ['comes at once when all speakers are alive and their claims are known', {}, 0],
    ['comes after 1.5 s when some speakers are missing', { isAnyUnreachable: true }, 1500],
    [
      'comes after 3 s when other speakers are listed but none of them is alive',
      { isSynced: false, liveMembers: 0, isAnyUnreachable: true },
      3000,
    ],
    [
      'comes after 3 s when no other speaker is known, but Kubernetes may not have listed all',
      { isSynced: false, liveMembers: 0 },
      3000,
    ],
    [
      'comes at once when Kubernetes lists no other speaker',
      { isSynced: false, liveMembers: 0, isAlone: true },
      0,
    ],
    [
      'waits for the claims of a live member that is not listed',
      { isSynced: false, liveMembers: 1, isAlone: true },
      30_000,
    ],
    ['comes only after 30 s when claims of live members are missing', { isSynced: false }, 30_000],
    ['never comes without entries', { hasEntries: false }, Number.POSITIVE_INFINITY],
  ] as const)
    test(name, () => {
      const joinedAtMs = 500;
      const readiness = new Readiness(joinedAtMs);
      const { hasEntries, ...membership } = { ...complete, ...over };
      for (const waitedMs of [0, 1499, 1500, 2999, 3000, 29_999, 30_000, 100_000])
        assert.equal(
          readiness.isReady({ hasEntries, membership }, joinedAtMs + waitedMs),
          waitedMs >= fromMs,
          `${waitedMs} ms`,
        );
    });

  test('wakeAtMs() returns each deadline once', () => {
    const readiness = new Readiness(500);
    const visited: number[] = [];
    for (let at = readiness.wakeAtMs(500); at < Number.POSITIVE_INFINITY; at = readiness.wakeAtMs(at))
      visited.push(at);
    assert.deepEqual(visited, [2000, 3500, 30_500]);
  });
});
