/** Replays a recording of the flight recorder: a JSON line for each event of a machine. */
import assert from 'node:assert/strict';
import { plain, type RecordedEvent } from '../../src/telemetry/flight-recorder.ts';

/** A machine that a recording can be fed to. */
export interface ReplayedMachine<E> {
  /** Takes one step. Returns the state as the recorder names it, and the actions. */
  step(event: E, nowMs: number): { readonly state: string; readonly actions: readonly unknown[] };
}

/** Feeds the recorded events to the machine in order, and compares states and actions with the recorded ones. */
export function replay<E>(jsonLines: string, machine: ReplayedMachine<E>): void {
  for (const [i, recorded] of parseRecording(jsonLines).entries()) {
    const { state, actions } = machine.step(revive(recorded.event) as E, recorded.at);
    const step = { state, actions: asRecorded(actions) };
    assert.deepEqual(step, { state: recorded.state, actions: recorded.actions }, `event ${i + 1}`);
  }
}

export function parseRecording(jsonLines: string): RecordedEvent[] {
  return jsonLines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordedEvent);
}

/** The actions as the recorder reduces them, after a round trip through JSON. */
function asRecorded(actions: readonly unknown[]): unknown {
  return JSON.parse(JSON.stringify(actions.map((action) => plain(action))));
}

/** Turns recorded octets, `{hex}`, into octets again. A recording whose octets were cut cannot be replayed. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  if ('hex' in value && typeof value.hex === 'string') {
    assert.ok(!('cutFrom' in value), 'the recording holds only the first octets of a value');
    return Uint8Array.from(Buffer.from(value.hex, 'hex'));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}
