import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Candidate,
  type LeaseRecord,
  leaseGranted,
  leaseLost,
  leaseTiming,
  mayWrite,
  newCandidate,
  nextLeaseMove,
  observeLease,
} from '../../../src/kubernetes/lease.ts';

function lease(holder: string, version: string): LeaseRecord {
  return { holder, durationMs: 10_000, transitions: 0, version };
}

const seenAtZero = observeLease(newCandidate('me'), lease('other', '1'), 0);

for (const { what, candidate, record, now, move } of [
  {
    what: 'creates what is not there',
    candidate: newCandidate('me'),
    record: undefined,
    now: 0,
    move: 'create',
  },
  { what: 'renews its own', candidate: newCandidate('me'), record: lease('me', '1'), now: 0, move: 'renew' },
  {
    what: 'takes what was given back',
    candidate: newCandidate('me'),
    record: lease('', '1'),
    now: 0,
    move: 'take',
  },
  {
    what: 'waits when it sees it first',
    candidate: newCandidate('me'),
    record: lease('other', '1'),
    now: 9e9,
    move: 'wait',
  },
  {
    what: 'waits for the whole duration',
    candidate: seenAtZero,
    record: lease('other', '1'),
    now: 9999,
    move: 'wait',
  },
  {
    what: 'takes it when unchanged for the duration',
    candidate: seenAtZero,
    record: lease('other', '1'),
    now: 10_000,
    move: 'take',
  },
  {
    what: 'waits on when it was renewed',
    candidate: seenAtZero,
    record: lease('other', '2'),
    now: 10_000,
    move: 'wait',
  },
] as { what: string; candidate: Candidate; record: LeaseRecord | undefined; now: number; move: string }[])
  test(`nextLeaseMove() ${what}`, () => {
    assert.equal(nextLeaseMove(candidate, record, now), move);
  });

test('observeLease() counts from when a version was seen first', () => {
  const again = observeLease(seenAtZero, lease('other', '1'), 5000);
  assert.equal(again.seen?.atMs, 0);
  const renewed = observeLease(again, lease('other', '2'), 7000);
  assert.equal(renewed.seen?.atMs, 7000);
});

test('mayWrite() ends the deadline after the renewal was sent, not after it was answered', () => {
  const leader = leaseGranted(newCandidate('me'), '5', 1000);
  assert.equal(mayWrite(leader, 1000 + leaseTiming.renewDeadlineMs - 1), true);
  assert.equal(mayWrite(leader, 1000 + leaseTiming.renewDeadlineMs), false);
  assert.equal(mayWrite(leaseLost(leader), 1000), false);
  assert.equal(mayWrite(newCandidate('me'), 0), false);
});

test('leaseTiming leaves a gap between the last write of one and the first of the next', () => {
  const { durationMs, renewDeadlineMs, writeGraceMs, retryMs, requestTimeoutMs } = leaseTiming;
  assert.ok(renewDeadlineMs + writeGraceMs < durationMs);
  assert.ok(retryMs + requestTimeoutMs < renewDeadlineMs, 'one lost renewal does not end a term');
});
