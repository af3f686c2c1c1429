import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Candidate,
  campaignDelayMs,
  type LeaseRecord,
  leaseGranted,
  leaseLost,
  leaseTiming,
  mayWrite,
  newCandidate,
  nextLeaseMove,
  observeLease,
  observeNoLease,
  renewalDelayMs,
  writeTimeoutMs,
} from '../../../src/kubernetes/lease.ts';

function lease(holder: string, version: string): LeaseRecord {
  return { holder, durationMs: 10_000, transitions: 0, version };
}

const seenAtZero = observeLease(newCandidate('me'), lease('other', '1'), 0);

for (const { what, candidate, record, now, move } of [
  {
    what: 'creates a missing Lease',
    candidate: newCandidate('me'),
    record: undefined,
    now: 0,
    move: 'create',
  },
  {
    what: 'gives the holder of a deleted Lease time to create it again',
    candidate: observeNoLease(seenAtZero, 2000),
    record: undefined,
    now: 11_999,
    move: 'wait',
  },
  {
    what: 'creates a deleted Lease that its holder has not created again in time',
    candidate: observeNoLease(observeNoLease(seenAtZero, 2000), 9000),
    record: undefined,
    now: 12_000,
    move: 'create',
  },
  {
    what: 'creates its own Lease again when it was deleted',
    candidate: observeNoLease(leaseGranted(newCandidate('me'), '1', 0), 2000),
    record: undefined,
    now: 2000,
    move: 'create',
  },
  {
    what: 'renews its own Lease',
    candidate: newCandidate('me'),
    record: lease('me', '1'),
    now: 0,
    move: 'renew',
  },
  {
    what: 'takes a Lease that was given back',
    candidate: newCandidate('me'),
    record: lease('', '1'),
    now: 0,
    move: 'take',
  },
  {
    what: 'waits when it first sees another holder',
    candidate: newCandidate('me'),
    record: lease('other', '1'),
    now: 9e9,
    move: 'wait',
  },
  {
    what: 'waits for the whole duration of an unchanged Lease',
    candidate: seenAtZero,
    record: lease('other', '1'),
    now: 9999,
    move: 'wait',
  },
  {
    what: 'takes a Lease that has not changed for its whole duration',
    candidate: seenAtZero,
    record: lease('other', '1'),
    now: 10_000,
    move: 'take',
  },
  {
    what: 'keeps waiting when the holder has renewed',
    candidate: seenAtZero,
    record: lease('other', '2'),
    now: 10_000,
    move: 'wait',
  },
] as { what: string; candidate: Candidate; record: LeaseRecord | undefined; now: number; move: string }[])
  test(`nextLeaseMove() ${what}`, () => {
    assert.equal(nextLeaseMove(candidate, record, now), move);
  });

test('observeLease() keeps the time at which a version was first seen', () => {
  const again = observeLease(seenAtZero, lease('other', '1'), 5000);
  assert.equal(again.seen?.atMs, 0);
  const renewed = observeLease(again, lease('other', '2'), 7000);
  assert.equal(renewed.seen?.atMs, 7000);
});

test('mayWrite() counts the deadline from the sending of the renewal, not from its answer', () => {
  const leader = leaseGranted(newCandidate('me'), '5', 1000);
  assert.equal(mayWrite(leader, 1000 + leaseTiming.renewDeadlineMs - 1), true);
  assert.equal(mayWrite(leader, 1000 + leaseTiming.renewDeadlineMs), false);
  assert.equal(mayWrite(leaseLost(leader), 1000), false);
  assert.equal(mayWrite(newCandidate('me'), 0), false);
});

test('leaseTiming leaves a gap between the last write of one leader and the first write of the next leader', () => {
  const { durationMs, renewDeadlineMs, writeGraceMs, retryMs, requestTimeoutMs } = leaseTiming;
  assert.ok(renewDeadlineMs + writeGraceMs < durationMs);
  assert.ok(retryMs + requestTimeoutMs < renewDeadlineMs, 'a term survives one lost renewal');
});

test('writeTimeoutMs() ends a write before another candidate may take the Lease', () => {
  const leader = leaseGranted(newCandidate('me'), '5', 1000);
  const { renewDeadlineMs, writeGraceMs, durationMs } = leaseTiming;
  for (const sinceMs of [0, 3000, renewDeadlineMs - 1]) {
    const endsMs = sinceMs + writeTimeoutMs(leader, 1000 + sinceMs);
    assert.equal(endsMs, renewDeadlineMs + writeGraceMs);
    assert.ok(endsMs < durationMs);
  }
});

test('renewalDelayMs() retries sooner after a failure and never sleeps past the deadline', () => {
  const leader = leaseGranted(newCandidate('me'), '5', 1000);
  assert.equal(renewalDelayMs(leader, true, 0, 1000), leaseTiming.retryMs);
  assert.equal(renewalDelayMs(leader, false, 0, 1000), leaseTiming.renewRetryMs);
  assert.equal(renewalDelayMs(leader, true, 0, 1000 + leaseTiming.renewDeadlineMs - 100), 100);
});

test('campaignDelayMs() lengthens the pause by a random part of at most a fifth, to spread the candidates', () => {
  assert.equal(campaignDelayMs(0, 0), leaseTiming.retryMs);
  assert.equal(campaignDelayMs(1, 0), leaseTiming.retryMs * 1.2);
});

test('renewalDelayMs() and campaignDelayMs() return at least the wait that the server asks for, but a leader tries once more before its deadline', () => {
  const leader = leaseGranted(newCandidate('me'), '5', 1000);
  assert.equal(renewalDelayMs(leader, false, 3000, 1000), 3000);
  const lastAttemptMs = leaseTiming.renewDeadlineMs - leaseTiming.requestTimeoutMs;
  assert.equal(renewalDelayMs(leader, false, 8000, 1000), lastAttemptMs, 'one more attempt');
  assert.equal(renewalDelayMs(leader, false, 8000, 1000 + lastAttemptMs), leaseTiming.requestTimeoutMs);
  assert.equal(campaignDelayMs(0, 8000), 8000);
  assert.equal(campaignDelayMs(1, 8000), 9600);
});
