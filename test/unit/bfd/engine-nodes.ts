/** BFD engines in virtual time, on networks in memory. */
import assert from 'node:assert/strict';
import { BfdEngine } from '../../../src/bfd/engine.ts';
import type { BfdChange, BfdProcessStatus, BfdSessionStatus } from '../../../src/bfd/messages.ts';
import type { BfdSessionSettings } from '../../../src/bfd/session-settings.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { Random } from '../../fuzz/random.ts';
import { connect, MemoryBfdTransport } from '../../support/memory-bfd-transport.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

export const ours = '192.0.2.1';
export const theirs = '192.0.2.2';
export const base: BfdSessionSettings = {
  id: 'router',
  name: 'router',
  peerAddress: theirs,
  interface: 'eth0',
  mode: { kind: 'single-hop' },
  transmitIntervalMs: 50,
  receiveIntervalMs: 50,
  detectMultiplier: 3,
  passive: false,
};

export interface Node {
  readonly engine: BfdEngine;
  readonly transport: MemoryBfdTransport;
  readonly changes: BfdChange[];
  readonly lines: ReturnType<typeof memoryLogger>['lines'];
  readonly recorder: FlightRecorder;
  readonly pauses: () => number;
}

let seed = 0;

export function node(
  clock: VirtualClock,
  scheduling: Pick<BfdProcessStatus, 'scheduling' | 'schedulingFault'> = { scheduling: 'fifo' },
): Node {
  const numbers = new Random(++seed);
  const transport = new MemoryBfdTransport();
  const { logger, lines } = memoryLogger();
  const recorder = new FlightRecorder({ clock });
  const changes: BfdChange[] = [];
  let pauses = 0;
  const engine = new BfdEngine({
    ...{ transport, scheduling, recorder, logger, clock },
    guard: new Guard({ logger, recorder }),
    onChange: (change) => changes.push(change),
    random: () => numbers.uint32() / 2 ** 32,
    randomOctets: (length) => Uint8Array.from(numbers.octets(length)),
    pause: () => void pauses++,
  });
  return { engine, transport, changes, lines, recorder, pauses: () => pauses };
}

export function only({ engine }: Node): BfdSessionStatus {
  const [session] = engine.status();
  assert.ok(session);
  return session;
}

/** Two nodes with a session that is Up. `a.lines` has only what is logged later. */
export function pair(changes: Partial<BfdSessionSettings> = {}) {
  const clock = new VirtualClock();
  const [a, b] = [node(clock), node(clock)];
  connect([a.transport, ours], [b.transport, theirs]);
  a.engine.setSessions([{ ...base, ...changes }]);
  b.engine.setSessions([{ ...base, ...changes, peerAddress: ours }]);
  clock.advance(3000);
  assert.deepEqual([only(a).state, only(b).state], ['Up', 'Up']);
  a.lines.length = 0;
  return { clock, a, b };
}
