import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('Guard', () => {
  test('on an exception, returns false, counts and records it, and logs it only if it is the first from its source', () => {
    const { logger, lines } = memoryLogger();
    const counted: string[] = [];
    const recorder = new FlightRecorder({ clock: new VirtualClock() });
    const guard = new Guard({
      logger,
      recorder,
      count: (entrance, kind) => counted.push(`${entrance} ${kind}`),
    });
    const input = { entrance: 'bgp', source: 'router-a', octets: new Uint8Array(5000).fill(0xff) } as const;
    const fail = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    assert.equal(guard.run(input, fail), false);
    assert.equal(guard.run(input, fail), false);
    assert.equal(guard.run({ ...input, source: 'router-b' }, fail), false);
    assert.equal(
      guard.run(input, () => {}),
      true,
    );
    assert.deepEqual(counted, ['bgp RangeError', 'bgp RangeError', 'bgp RangeError']);
    assert.deepEqual(
      lines.map(({ source, octets }) => [source, String(octets).length]),
      [
        ['router-a', 128],
        ['router-b', 128],
      ],
    );
    assert.equal(recorder.events('guard').length, 3);
  });
});
