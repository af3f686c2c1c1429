import assert from 'node:assert/strict';
import type { ProbeResult } from '../../lab/probe.ts';

/**
 * A connection that is open while its address moves may break, because the new node does not know it. The client opens one every 10 ms, and
 * each takes a few milliseconds.
 */
const openAtHandover = 2;

/** Fails when a client lost more requests than the handover of an address explains. */
export function assertOnlyOpenConnectionsBroke(result: ProbeResult): void {
  assert.ok(result.asked - result.answered <= openAtHandover, `lost requests: ${JSON.stringify(result)}`);
}
