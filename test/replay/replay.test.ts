/**
 * Replays recorded faults. A file is named for its fault and holds the events of one machine from its first event, `start`, on. They have
 * the form in which the flight recorder keeps them and `/debug/events` serves them: one JSON line for each event.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PeerEvent } from '../../src/bgp/fsm/peer-events.ts';
import { stepPeer } from '../../src/bgp/fsm/peer-machine.ts';
import { describePeerState, initialPeerState } from '../../src/bgp/fsm/peer-state.ts';
import { parseRecording, type ReplayedMachine, replay } from '../support/replay.ts';

const folder = new URL('.', import.meta.url);

/** Returns a new machine of the kind that the recorded name stands for. */
function machineNamed(name: string): ReplayedMachine<never> {
  if (name.startsWith('peer ')) return peerMachine();
  throw new Error(`no machine can replay ${name}`);
}

function peerMachine(): ReplayedMachine<PeerEvent> {
  let peer = initialPeerState;
  return {
    step(event, nowMs) {
      const { state, actions } = stepPeer(peer, event, nowMs);
      peer = state;
      return { state: describePeerState(state), actions };
    },
  };
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.jsonl')))
  test(file.replace('.jsonl', '').replaceAll('-', ' '), () => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    const [first] = parseRecording(text);
    if (!first) throw new Error('the recording is empty');
    replay(text, machineNamed(first.machine));
  });
