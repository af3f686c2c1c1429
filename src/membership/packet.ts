import type { PayloadRecord } from './payload.ts';

/** Where a member's socket is. */
export interface Endpoint {
  /** An address as text; empty while the member does not know its own. */
  readonly host: string;
  readonly port: number;
}

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left';

/** What one member says of another, or of itself. The greater incarnation is newer; then the later state of the type's order. */
export interface MemberUpdate {
  readonly kind: 'member';
  readonly name: string;
  readonly state: MemberState;
  readonly incarnation: number;
  readonly endpoint: Endpoint;
  /** What the member tells of itself; opaque here. */
  readonly metadata: string;
}

export type Update = MemberUpdate | PayloadRecord;

export type Body =
  | { readonly kind: 'ping'; readonly sequence: number }
  /** `target` is alive: the sender, or whom the sender asked for the receiver. */
  | { readonly kind: 'ack'; readonly sequence: number; readonly target: string }
  | {
      readonly kind: 'ping-request';
      readonly sequence: number;
      readonly target: string;
      readonly endpoint: Endpoint;
    }
  /** The sender cannot reach the target and asks the receiver to look for itself. */
  | { readonly kind: 'verify'; readonly target: string; readonly incarnation: number }
  | { readonly kind: 'gossip' }
  /** Hashes of what the sender holds, bucket by bucket; the receiver sends what differs. */
  | {
      readonly kind: 'digest';
      readonly members: Uint32Array;
      readonly payloads: Uint32Array;
      readonly wantsReply: boolean;
    }
  /** An answer to a digest. What the receiver knows better it sends back. */
  | { readonly kind: 'records' };

/** One datagram's content. */
export interface Packet {
  readonly from: string;
  readonly incarnation: number;
  /** Hash of everything the sender holds; equal hashes mean equal knowledge. */
  readonly summary: number;
  readonly body: Body;
  readonly updates: readonly Update[];
}
