import type { Endpoint } from './endpoint.ts';
import type { Body, Update } from './packet.ts';

/** A packet to send, before the outbox adds the header and, when `carriesGossip` is set, gossip. */
export interface Draft {
  readonly to: string;
  readonly endpoint: Endpoint;
  readonly body: Body;
  readonly updates?: readonly Update[];
  /** Set in packets of the failure detector. How many of them a member sends hardly depends on the size of the cluster. */
  readonly carriesGossip?: boolean;
}

/** Maximum number of octets of updates in a packet. With IP and UDP headers and seal, the datagram stays below 1,400 octets. */
export const updateOctets = 1100;
/** Maximum number of octets of gossip in a packet. The rest is reserved for updates about the receiver and the sender. */
export const gossipOctets = 700;
