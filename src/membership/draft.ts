import type { Endpoint } from './endpoint.ts';
import type { Body, Update } from './packet.ts';

/** A packet to send. The outbox adds the header, and adds gossip when `carriesGossip` is set. */
export interface Draft {
  readonly to: string;
  readonly endpoint: Endpoint;
  readonly body: Body;
  readonly updates?: readonly Update[];
  /**
   * Set in packets of the failure detector. A member sends about as many of them in a large cluster as in a small one, so gossip does not
   * cause more packets in a large cluster.
   */
  readonly carriesGossip?: boolean;
  /**
   * Set in a ping that repeats an unanswered one. Such a ping carries no gossip even when `carriesGossip` is set, because its receiver is
   * probably dead.
   */
  readonly isRepeated?: boolean;
}

/**
 * Maximum number of octets of updates in a packet. With the IP and UDP headers and the seal, the datagram stays below 1,400 octets if the names of
 * nodes have at most some 90 characters.
 */
export const updateOctets = 1100;
/**
 * Maximum number of octets of gossip in a packet. The remaining octets, up to `updateOctets`, are for other updates, such as those about the
 * receiver and the sender.
 */
export const gossipOctets = 700;
