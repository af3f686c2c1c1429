import type { IpAddress } from '../../address/index.ts';
import type { AddressEntry, AddressRemoval } from '../address-entry.ts';
import type { Claim } from './claim.ts';
import type { NodeFacts } from './node-facts.ts';
import type { Claiming } from './quorum.ts';

/** The live nodes as this node sees them, and whether it may claim addresses. */
export interface OwnershipView {
  /** Live nodes by name, including this one. */
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly claiming: Claiming;
}

/** An input of the ownership machine. */
export type OwnershipEvent =
  /** Members and claims are known, so decisions begin. */
  | { readonly kind: 'started' }
  /** The whole table of entries, which replaces the earlier table. */
  | { readonly kind: 'table'; readonly entries: readonly AddressEntry[] }
  | {
      readonly kind: 'change';
      readonly upsert: readonly AddressEntry[];
      readonly remove: readonly AddressRemoval[];
    }
  | { readonly kind: 'view'; readonly view: OwnershipView }
  /** The claim store holds newer claims on these addresses. The claims count in the next decision, for instance on a `tick`. */
  | { readonly kind: 'claims-received'; readonly addresses: Iterable<string> }
  /** This node's own claims on these addresses were published. */
  | { readonly kind: 'claims-published'; readonly addresses: Iterable<string> }
  /** Another host has started or stopped using an address that this node owns. */
  | { readonly kind: 'conflict'; readonly address: string; readonly inConflict: boolean }
  /** Time has passed. The tick is due at `wakeAtMs()`, and is harmless at any other time. */
  | { readonly kind: 'tick' };

/** The events that may take effect between two steps of another event. */
export type NotedEvent = Extract<
  OwnershipEvent,
  { readonly kind: 'view' | 'claims-received' | 'claims-published' }
>;

/**
 * Why this node starts answering for an address:
 *
 * - `first`: the address never had an owner.
 * - `recorded`: the election gives the address to its last owner, which is this node. The claim on the address names the last owner. If there
 *   is no claim, the record of the Service names it.
 * - `failover`: the owner is gone. Also when this node answers again because its own claim still holds, for example after a restart.
 * - `handover`: the owner is alive and hands the address over.
 */
export type TakeoverReason = 'first' | 'recorded' | 'failover' | 'handover';

export interface AnswerAction {
  readonly kind: 'answer';
  readonly entry: AddressEntry;
  readonly address: IpAddress;
  readonly reason: TakeoverReason;
  /** The previous owner; empty when there was none. */
  readonly from: string;
  /** Another host may use the address, so this node must probe it before it answers. */
  readonly mustProbe: boolean;
}

/** This node answers for the address. Either the interfaces of the address have changed, or this node must announce the address again. */
export interface AdjustAction {
  readonly kind: 'adjust';
  readonly entry: AddressEntry;
  readonly address: IpAddress;
  /** Another node may have announced the address after this node did, so this node must announce it again. */
  readonly mustAnnounce: boolean;
}

export interface SilenceAction {
  readonly kind: 'silence';
  readonly address: IpAddress;
  readonly reason: string;
}

/** Always the last action, so that the previous owner sees the claim only after neighbours have seen the announcement. */
export interface ClaimAction {
  readonly kind: 'claim';
  readonly claims: readonly Claim[];
}

/** An output of the ownership machine. Outputs are run in order. */
export type OwnershipAction = AnswerAction | AdjustAction | SilenceAction | ClaimAction;
