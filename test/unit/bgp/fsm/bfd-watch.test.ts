import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type BfdReport,
  type BfdWatch,
  bfdReadiness,
  dampingLosses,
  dampingWindowMs,
  endDamping,
  initialBfdWatch,
  noteSessionEnded,
  observeBfd,
} from '../../../../src/bgp/fsm/bfd-watch.ts';

const report = (changes: Partial<BfdReport>): BfdReport => ({
  state: 'Down',
  remoteState: 'Down',
  diagnostic: 0,
  remoteControlPlaneIndependent: false,
  ...changes,
});
const up = report({ state: 'Up', remoteState: 'Up' });

function observed(...reports: readonly BfdReport[]): { watch: BfdWatch; isLost: boolean } {
  let last = { watch: initialBfdWatch, isLost: false };
  for (const [at, one] of reports.entries()) last = observeBfd(last.watch, one, at);
  return last;
}

describe('observeBfd(): which reports mean that the peer is lost', () => {
  const cases: readonly (readonly [string, readonly BfdReport[], boolean])[] = [
    ['Down without ever having been Up', [report({ diagnostic: 1 })], false],
    ['Up, then the Detection Time expires', [up, report({ diagnostic: 1 })], true],
    ['Up, then the peer signals Down', [up, report({ diagnostic: 3 })], true],
    ['Up, then echo fails', [up, report({ diagnostic: 2 })], true],
    [
      'Up, then Down, then Init: no second loss',
      [up, report({ diagnostic: 1 }), report({ state: 'Init', diagnostic: 1 })],
      false,
    ],
    ['Up, then the peer is AdminDown', [up, report({ remoteState: 'AdminDown', diagnostic: 3 })], false],
    [
      'AdminDown of the peer, then its silence',
      [up, report({ remoteState: 'AdminDown', diagnostic: 3 }), report({ diagnostic: 1 })],
      false,
    ],
    ['Up, then this end is AdminDown', [up, report({ state: 'AdminDown', diagnostic: 7 })], false],
    ['AdminDown of this end, then Down', [up, report({ state: 'AdminDown' }), report({})], false],
    ['Up, then a new BFD session that begins in Down', [up, report({})], false],
    ['Up, lost, Up, then lost again', [up, report({ diagnostic: 1 }), up, report({ diagnostic: 1 })], true],
  ];
  for (const [name, reports, isLost] of cases)
    test(name, () => assert.equal(observed(...reports).isLost, isLost));
});

test('observeBfd() keeps the C bit that the peer sent while BFD was Up', () => {
  const { watch } = observed({ ...up, remoteControlPlaneIndependent: true }, report({ diagnostic: 1 }));
  assert.equal(watch.remoteControlPlaneIndependent, true);
});

describe('bfdReadiness()', () => {
  test('is not ready before BFD is Up, and ready when either end is AdminDown', () => {
    assert.equal(bfdReadiness(initialBfdWatch, 0, 5).kind, 'not-ready');
    assert.equal(bfdReadiness(observed(report({ state: 'Init' })).watch, 0, 5).kind, 'not-ready');
    assert.equal(bfdReadiness(observed(report({ state: 'AdminDown' })).watch, 9000, 5).kind, 'ready');
    assert.equal(bfdReadiness(observed(report({ remoteState: 'AdminDown' })).watch, 9000, 5).kind, 'ready');
  });

  test('is ready when BFD has been Up for the hold-down, counted from the change to Up', () => {
    const { watch } = observed(up, up, up);
    assert.deepEqual(bfdReadiness(watch, 1000, 400), { kind: 'ready-in', delayMs: 600 });
    assert.deepEqual(bfdReadiness(watch, 1000, 1000), { kind: 'ready' });
    assert.deepEqual(bfdReadiness(watch, 0, 0), { kind: 'ready' });
  });
});

describe('damping', () => {
  test('begins when BFD has ended five sessions within ten minutes, and endDamping() ends it', () => {
    let watch = initialBfdWatch;
    for (let i = 1; i < dampingLosses; i++) watch = noteSessionEnded(watch, i * 1000);
    assert.equal(watch.isDamped, false);
    watch = noteSessionEnded(watch, 6000);
    assert.equal(watch.isDamped, true);
    assert.deepEqual(endDamping(watch), initialBfdWatch);
  });

  test('is in force exactly when the session that BFD has just ended is at least the fifth within ten minutes', () => {
    const gaps = fc.array(fc.nat({ max: dampingWindowMs }), { maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(gaps, (list) => {
        let watch = initialBfdWatch;
        let now = 0;
        const all: number[] = [];
        for (const gap of list) {
          now += gap;
          all.push(now);
          watch = noteSessionEnded(watch, now);
          const recent = all.filter((at) => now - at < dampingWindowMs).length;
          assert.equal(watch.isDamped, recent >= dampingLosses);
        }
      }),
    );
  });
});
