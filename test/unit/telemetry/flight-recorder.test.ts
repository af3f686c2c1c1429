import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FlightRecorder, plain } from '../../../src/telemetry/flight-recorder.ts';
import { VirtualClock, virtualEpochMs } from '../../support/virtual-clock.ts';

describe('FlightRecorder', () => {
  test('keeps the last events of each machine in order', () => {
    const clock = new VirtualClock();
    const recorder = new FlightRecorder({ clock, eventsPerMachine: 2 });
    for (const [index, machine] of ['a', 'b', 'a', 'a'].entries()) {
      recorder.record(machine, 'Idle', { kind: 'event', index }, []);
      clock.advance(1);
    }
    const seen = recorder.events().map(({ machine, at, event }) => [machine, at - virtualEpochMs, event]);
    assert.deepEqual(seen, [
      ['b', 1, { kind: 'event', index: 1 }],
      ['a', 2, { kind: 'event', index: 2 }],
      ['a', 3, { kind: 'event', index: 3 }],
    ]);
    recorder.forget('a');
    assert.equal(recorder.events('a').length, 0);
  });

  test('when there are too many machines, drops the one without an event for the longest time', () => {
    const recorder = new FlightRecorder({ clock: new VirtualClock(), machines: 2 });
    for (const machine of ['a', 'b', 'a', 'c']) recorder.record(machine, '', {}, []);
    assert.deepEqual([...new Set(recorder.events().map(({ machine }) => machine))].sort(), ['a', 'c']);
  });

  test('passes each event on to the debug log', () => {
    const passed: unknown[] = [];
    const recorder = new FlightRecorder({ clock: new VirtualClock(), debug: (event) => passed.push(event) });
    recorder.record('a', 'Idle', { kind: 'start' }, [{ kind: 'connect' }]);
    assert.deepEqual(passed, recorder.events());
  });
});

describe('plain()', () => {
  test('masks secrets at any depth', () => {
    const peer = { password: 'x', membershipKeys: ['z'], keys: ['y'], key: 1, token: 't', name: 'a' };
    assert.deepEqual(plain({ peer, map: new Map([['password', 'x']]) }), {
      peer: {
        password: '***',
        membershipKeys: '***',
        keys: '***',
        key: '***',
        token: '***',
        name: 'a',
      },
      map: [['password', '***']],
    });
  });

  test('bounds the size of its result', () => {
    const huge = { octets: new Uint8Array(65_535), text: 'x'.repeat(100_000), list: Array(100_000).fill(1) };
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    for (const value of [huge, cyclic]) assert.ok(JSON.stringify(plain(value)).length < 2_000);
    assert.deepEqual(plain(new Uint8Array([1, 255])), { hex: '01ff' });
    assert.equal((plain(huge) as { octets: { cutFrom: number } }).octets.cutFrom, 65_535);
  });

  test('turns each kind of value into JSON, and leaves functions out', () => {
    const value = {
      big: 1n,
      map: new Map([['a', 1]]),
      set: new Set(['b']),
      error: new Error('c'),
      run: () => 0,
    };
    assert.equal(
      JSON.stringify(plain(value)),
      '{"big":"1","map":[["a",1]],"set":["b"],"error":{"error":"c"}}',
    );
  });
});
