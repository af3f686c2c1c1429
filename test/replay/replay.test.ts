/**
 * Replays the recordings of this folder. The name of each `.jsonl` file says what happened to the session. The file holds all events of one
 * machine, beginning with `start`, in the format of `/debug/events`: one JSON line for each event that the flight recorder kept.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PeerEvent } from '../../src/bgp/fsm/peer-events.ts';
import { stepPeer } from '../../src/bgp/fsm/peer-machine.ts';
import { describePeerState, initialPeerState } from '../../src/bgp/fsm/peer-state.ts';
import { parseRecording, type ReplayedMachine, replay } from '../support/replay.ts';

const folder = new URL('.', import.meta.url);

/** Returns a new machine for the name that a recording gives, such as `peer router`. Only the machines of peers can be replayed. */
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
