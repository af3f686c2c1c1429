import type { Endpoint } from './endpoint.ts';
import type { PayloadRecord } from './payload.ts';

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left';

/**
 * A statement about a member, made by that member or by another. A greater incarnation is newer. Within an incarnation, the state that
 * comes later in `MemberState` wins.
 */
export interface MemberUpdate {
  readonly kind: 'member';
  readonly name: string;
  readonly state: MemberState;
  readonly incarnation: number;
  readonly endpoint: Endpoint;
  /** The member's description of itself, at most `maxMetadataOctets` long. The membership does not interpret it. */
  readonly metadata: string;
}

export const maxMetadataOctets = 1000;

export type Update = MemberUpdate | PayloadRecord;

export type Body =
  | { readonly kind: 'ping'; readonly sequence: number }
  /** States that `target` is alive. The target is the sender itself, or the member that the receiver asked the sender to ping. */
  | { readonly kind: 'ack'; readonly sequence: number; readonly target: string }
  /** Asks the receiver to ping the target and to pass the target's ack on. */
  | {
      readonly kind: 'ping-request';
      readonly sequence: number;
      readonly target: string;
      readonly endpoint: Endpoint;
    }
  /** The sender cannot reach the target and asks the receiver to probe the target too. */
  | { readonly kind: 'verify'; readonly target: string; readonly incarnation: number }
  | { readonly kind: 'gossip' }
  /**
   * Hashes of the sender's knowledge, bucket by bucket. For each bucket whose hash differs, the receiver answers with its own records in the
   * bucket, or with the bucket's branch if the bucket holds many records.
   */
  | {
      readonly kind: 'digest';
      readonly members: Uint32Array;
      readonly payloads: Uint32Array;
      /** Whether the receiver should send its own digest after its records. */
      readonly wantsReply: boolean;
    }
  /**
   * Hashes of single leaves, for buckets that differ. The receiver answers with its own records in the leaves whose hashes differ. Branches are
   * sent only to members whose packets say `readsBranches`.
   */
  | {
      readonly kind: 'branches';
      readonly branches: readonly Branch[];
      /** Whether the receiver should send its own hashes of these leaves too. */
      readonly wantsReply: boolean;
    }
  /** Part of the answer to a digest or to branches. */
  | { readonly kind: 'records' };

/** One bucket of a tree of hashes, with the hash of each of its leaves. */
export interface Branch {
  readonly tree: TreeName;
  readonly bucket: number;
  readonly leaves: Uint32Array;
}

export type TreeName = 'members' | 'payloads';

/** Maximum number of branches in one packet, so that the datagram stays below 1,400 octets. */
export const maxBranches = 4;

/** The content of one datagram. */
export interface Packet {
  readonly from: string;
  readonly incarnation: number;
  /**
   * One hash over the live members that the sender knows, and over their payload records. `Knowledge.summary` says which members count. Two
   * members with equal hashes hold the same records.
   */
  readonly summary: number;
  /** Whether the sender reads packets of the kind `branches`. Earlier releases drop them. The datagram around the packet carries this flag. */
  readonly readsBranches: boolean;
  readonly body: Body;
  readonly updates: readonly Update[];
}
