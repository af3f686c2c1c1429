import { bfdDatagrams } from './bfd-datagrams.ts';
import { bgpDecoder } from './bgp-decoder.ts';
import { bgpSession } from './bgp-session.ts';
import { kubernetesBodies } from './kubernetes-bodies.ts';
import { kubernetesObjects } from './kubernetes-objects.ts';
import { membershipDatagrams } from './membership-datagrams.ts';
import { membershipPackets } from './membership-packets.ts';
import { membershipSpeakers } from './membership-speakers.ts';
import { neighbourFrames } from './neighbour-frames.ts';
import { neighbourResponder } from './neighbour-responder.ts';
import { succession } from './succession.ts';
import type { FuzzTarget } from './target.ts';

/** Every entrance that is fuzzed. To add one, write a file with a FuzzTarget and list it here. */
export const targets: readonly FuzzTarget[] = [
  bgpDecoder,
  bgpSession,
  membershipPackets,
  membershipDatagrams,
  membershipSpeakers,
  neighbourFrames,
  neighbourResponder,
  bfdDatagrams,
  succession,
  kubernetesBodies,
  kubernetesObjects,
];
