import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import {
  Reachability,
  type ReachabilityEvent,
  type ReachabilityState,
  stepReachability,
} from '../../../src/kubernetes/reachability.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const answering = { kind: 'answering' } as const;
const missing = { kind: 'missing', sinceMs: 1000, reason: 'refused' } as const;
const lost = { kind: 'lost', sinceMs: 1000 } as const;
const missed = { kind: 'missed', reason: 'timeout' } as const;

const table: readonly (readonly [ReachabilityState, ReachabilityEvent, string, readonly string[]])[] = [
  [answering, { kind: 'answered' }, 'answering', []],
  [answering, missed, 'missing', ['start grace']],
  [answering, { kind: 'grace over' }, 'answering', []],
  [missing, { kind: 'answered' }, 'answering', ['cancel grace', 'wake']],
  [missing, missed, 'missing', []],
  [missing, { kind: 'grace over' }, 'lost', ['log lost']],
  [lost, { kind: 'answered' }, 'answering', ['log returned', 'wake']],
  [lost, missed, 'lost', []],
  [lost, { kind: 'grace over' }, 'lost', []],
];
for (const [state, event, next, actions] of table)
  test(`stepReachability() in state ${state.kind}: ${event.kind} leads to ${next}`, () => {
    const step = stepReachability(state, event, 5000);
    assert.equal(step.state.kind, next);
    assert.deepEqual(
      step.actions.map(({ kind }) => kind),
      actions,
    );
  });

test('stepReachability() logs loss and return alternately, whatever the order of events', () => {
  const events = fc.constantFrom<ReachabilityEvent>({ kind: 'answered' }, missed, { kind: 'grace over' });
  fc.assert(
    fc.property(fc.array(events), (sequence) => {
      let state: ReachabilityState = answering;
      const logs: string[] = [];
      for (const event of sequence) {
        const step = stepReachability(state, event, 0);
        state = step.state;
        logs.push(...step.actions.map(({ kind }) => kind).filter((kind) => kind.startsWith('log')));
      }
      for (const [index, log] of logs.entries())
        assert.equal(log, index % 2 === 0 ? 'log lost' : 'log returned');
    }),
  );
});

function setUp() {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  return { clock, lines, reachability: new Reachability({ clock, logger }) };
}

test('Reachability logs an outage after three seconds and its end at once', () => {
  const { clock, lines, reachability } = setUp();
  reachability.missed('connection refused');
  clock.advance(2900);
  assert.deepEqual(lines, []);
  clock.advance(200);
  clock.advance(10_000);
  reachability.answered();
  assert.deepEqual(
    lines.map(({ msg, reason, outageMs }) => [msg, reason ?? outageMs]),
    [
      ['API server not reached, retrying', 'connection refused'],
      ['API server reached again', 13_100],
    ],
  );
});

test('Reachability does not log a miss that an answer follows within three seconds', () => {
  const { clock, lines, reachability } = setUp();
  reachability.missed('reset');
  assert.equal(reachability.isAnswering, false);
  clock.advance(2000);
  reachability.answered();
  clock.advance(10_000);
  assert.equal(reachability.isAnswering, true);
  assert.deepEqual(lines, []);
});

test('Reachability counts a refusal as an answer, and an aborted request as neither an answer nor a miss', () => {
  const { reachability } = setUp();
  reachability.observeFailure(new ApiError(0, 'AbortError', 'aborted'), AbortSignal.abort());
  assert.equal(reachability.isAnswering, true);
  reachability.observeFailure(new ApiError(0, 'ECONNREFUSED', 'refused'));
  assert.equal(reachability.isAnswering, false);
  reachability.observeFailure(new ApiError(403, 'Forbidden', 'no'));
  assert.equal(reachability.isAnswering, true);
});

test('Reachability.onReturn() calls back once, unless the callback was cancelled', () => {
  const { reachability } = setUp();
  const calls: string[] = [];
  reachability.onReturn(() => calls.push('kept'));
  reachability.onReturn(() => calls.push('cancelled'))();
  for (let i = 0; i < 2; i++) {
    reachability.missed('away');
    reachability.answered();
  }
  assert.deepEqual(calls, ['kept']);
});

test('Reachability.newestEventAgeMs() counts from the newest event', () => {
  const { clock, reachability } = setUp();
  assert.equal(reachability.newestEventAgeMs(), undefined);
  reachability.receivedEvent();
  clock.advance(70_000);
  assert.equal(reachability.newestEventAgeMs(), 70_000);
  reachability.receivedEvent();
  clock.advance(2000);
  assert.equal(reachability.newestEventAgeMs(), 2000);
});
