import type { Endpoint } from './endpoint.ts';
import type { Body, Update } from './packet.ts';

/** A packet to send, before the composition adds the sender's header and, where it is wanted, gossip. */
export interface Draft {
  readonly to: string;
  readonly endpoint: Endpoint;
  readonly body: Body;
  readonly updates?: readonly Update[];
  /** Gossip rides along in packets of the failure detector: there are as many of them in a large cluster as in a small one. */
  readonly carriesGossip?: boolean;
}

/** Octets of updates in a packet: with addresses and seal, the datagram stays below 1,400 octets. */
export const updateOctets = 1100;
/** Octets of gossip in a packet. The rest is left for what the receiver should know about itself and about the sender. */
export const gossipOctets = 700;
