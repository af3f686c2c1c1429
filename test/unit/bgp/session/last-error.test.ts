import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LastError } from '../../../../src/bgp/session/last-error.ts';
import { VirtualClock, virtualEpochMs } from '../../../support/virtual-clock.ts';

describe('LastError', () => {
  test('keeps a BGP error when the TCP connection breaks afterwards', () => {
    const last = new LastError(new VirtualClock());
    assert.equal(last.set('connection reset by the peer'), true);
    assert.equal(last.set('Hold Timer Expired'), true);
    assert.equal(last.set('connection reset by the peer'), false);
    assert.equal(last.reason, 'Hold Timer Expired');
    assert.equal(last.set('connection refused'), true);
  });

  test('takes any reason after a session has been up', () => {
    const last = new LastError(new VirtualClock());
    last.set('Hold Timer Expired');
    last.outdate();
    assert.equal(last.reason, 'Hold Timer Expired', 'the last error stays for the record');
    assert.equal(last.set('connection closed by the peer'), true);
  });

  test('has the wall-clock time at which its reason was set', () => {
    const clock = new VirtualClock();
    const last = new LastError(clock);
    clock.advance(1500);
    last.set('Hold Timer Expired');
    clock.advance(1500);
    last.set('connection closed');
    assert.equal(last.atEpochMs, virtualEpochMs + 1500);
  });
});
