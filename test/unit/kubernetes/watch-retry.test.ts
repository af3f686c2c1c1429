import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  initialWatchRetry,
  nextWatchTry,
  type WatchOutcome,
  type WatchRetryState,
} from '../../../src/kubernetes/watch-retry.ts';

const refusal: WatchOutcome = { kind: 'refused', reason: 'forbidden' };

/** Feeds the same outcome several times and returns the last step. */
function repeat(outcome: WatchOutcome, times: number, state: WatchRetryState = initialWatchRetry, nowMs = 0) {
  let step = nextWatchTry(state, outcome, nowMs, 1);
  for (let i = 1; i < times; i++) step = nextWatchTry(step.state, outcome, nowMs, 1);
  return step;
}

test('nextWatchTry() doubles the delay with each failure up to ten seconds', () => {
  const delays = [1, 2, 3, 4, 50].map((times) => repeat({ kind: 'unanswered' }, times).delayMs);
  assert.deepEqual(delays, [200, 400, 800, 1600, 10_000]);
});

test('nextWatchTry() shortens the delay by at most half through jitter', () => {
  assert.equal(nextWatchTry(initialWatchRetry, { kind: 'unanswered' }, 0, 0).delayMs, 100);
});

test('nextWatchTry() resumes the watch after a missing answer or a refusal, and lists again after an expiry or an unusable response', () => {
  const lists = (outcome: WatchOutcome) => nextWatchTry(initialWatchRetry, outcome, 0, 0).relist;
  assert.deepEqual(
    [
      lists({ kind: 'unanswered' }),
      lists(refusal),
      lists({ kind: 'expired' }),
      lists({ kind: 'unusable', isTooLarge: false }),
    ],
    [false, false, true, true],
  );
});

test('nextWatchTry() lists within half a second after the first expiry and backs off after further expiries', () => {
  assert.equal(repeat({ kind: 'expired' }, 1).delayMs, 500);
  assert.equal(repeat({ kind: 'expired' }, 4).delayMs, 1600);
});

test('nextWatchTry() resets the delay when the watch delivers something or the server ends it', () => {
  for (const outcome of [{ kind: 'delivered' }, { kind: 'ended', openForMs: 300_000 }] as const) {
    const { state } = repeat({ kind: 'unanswered' }, 6);
    assert.equal(nextWatchTry(state, outcome, 0, 1).state.failures, 0);
  }
});

test('nextWatchTry() lists within half a second when the watch that opens after a long outage has expired', () => {
  const opened = nextWatchTry(repeat({ kind: 'unanswered' }, 10).state, { kind: 'accepted' }, 0, 1);
  assert.equal(nextWatchTry(opened.state, { kind: 'expired' }, 0, 1).delayMs, 500);
});

test('nextWatchTry() lists within half a second after an outage even if the starting server first refuses a request', () => {
  let { state } = repeat({ kind: 'unanswered' }, 10);
  ({ state } = nextWatchTry(state, refusal, 0, 1));
  ({ state } = nextWatchTry(state, { kind: 'accepted' }, 0, 1));
  assert.equal(nextWatchTry(state, { kind: 'expired' }, 0, 1).delayMs, 500);
});

test('nextWatchTry() backs off when every watch that the server accepts breaks', () => {
  let state = initialWatchRetry;
  const delays = Array.from({ length: 4 }, () => {
    ({ state } = nextWatchTry(state, { kind: 'accepted' }, 0, 1));
    const step = nextWatchTry(state, { kind: 'unanswered' }, 0, 1);
    state = step.state;
    return step.delayMs;
  });
  assert.deepEqual(delays, [200, 400, 800, 1600]);
});

test('nextWatchTry() backs off when every watch that the server accepts expires', () => {
  let { state } = repeat({ kind: 'unanswered' }, 2);
  const delays = Array.from({ length: 4 }, () => {
    ({ state } = nextWatchTry(state, { kind: 'accepted' }, 0, 1));
    const step = nextWatchTry(state, { kind: 'expired' }, 0, 1);
    state = step.state;
    return step.delayMs;
  });
  assert.deepEqual(delays, [500, 1600, 3200, 6400]);
});

test('nextWatchTry() pauses after a watch that ends at once', () => {
  assert.equal(nextWatchTry(initialWatchRetry, { kind: 'ended', openForMs: 10 }, 0, 1).delayMs, 1000);
  assert.equal(nextWatchTry(initialWatchRetry, { kind: 'ended', openForMs: 5000 }, 0, 1).delayMs, 0);
});

test('nextWatchTry() reports a refusal after ten seconds, once for each reason, and reports its end only if it reported the refusal', () => {
  const first = repeat(refusal, 1);
  assert.equal(first.report, undefined);
  const granted = nextWatchTry(first.state, { kind: 'accepted' }, 5000, 1);
  assert.equal(granted.report, undefined, 'a refusal of a few seconds is not reported');
  const late = nextWatchTry(first.state, refusal, 10_000, 1);
  assert.equal(late.report, 'refused');
  assert.equal(nextWatchTry(late.state, refusal, 20_000, 1).report, undefined);
  assert.equal(nextWatchTry(late.state, { ...refusal, reason: 'other' }, 20_000, 1).report, 'refused');
  assert.equal(nextWatchTry(late.state, { kind: 'accepted' }, 20_000, 1).report, 'granted');
});

test('nextWatchTry() halves the page after a body that is too large, down to one object', () => {
  assert.equal(repeat({ kind: 'unusable', isTooLarge: true }, 1).state.pageSize, 250);
  assert.equal(repeat({ kind: 'unusable', isTooLarge: true }, 20).state.pageSize, 1);
});

test('nextWatchTry() waits at least as long as the server asks, even when an outage ends during the wait', () => {
  const throttled: WatchOutcome = { ...refusal, retryAfterMs: 4000 };
  const first = nextWatchTry(initialWatchRetry, throttled, 0, 0);
  assert.deepEqual([first.delayMs, first.endsOnReturn], [4000, false]);
  assert.equal(nextWatchTry(initialWatchRetry, throttled, 0, 1).delayMs, 6000, 'jitter only adds');
  assert.equal(repeat(throttled, 50).delayMs, 10_000, 'our own delay still grows');
  assert.equal(nextWatchTry(initialWatchRetry, refusal, 0, 0).endsOnReturn, true);
});
