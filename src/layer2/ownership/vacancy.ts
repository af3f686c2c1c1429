import type { IpAddress } from '../../address/index.ts';
import type { AddressEntry } from '../address-entry.ts';
import type { VacantAddress } from './election.ts';
import type { Eligibility } from './eligibility.ts';
import type { TrackedEntry } from './entry-table.ts';

/** State of one vacant address. */
export interface Vacancy {
  readonly sinceMs: number;
  /** Nodes that did not claim in time. */
  readonly passedOver: Set<string>;
  /** The node that was elected last. */
  elected: string | undefined;
  /** Whether the vacancy waits for the elected node and takes part in no election. */
  isSettled: boolean;
  /** The node whose claim is awaited. It is never this node. */
  awaited: string | undefined;
  wakeAtMs: number;
}

/** An entry with this node's decision about its address. */
export interface OwnedAddress extends TrackedEntry {
  /** Whether this node answers for the address, or would answer for it if no other host used it. */
  isAnswering: boolean;
  /** Whether another host uses the address, as far as this node has found out since it began to answer. */
  inConflict: boolean | undefined;
  vacancy: Vacancy | undefined;
}

export function newVacancy(nowMs: number): Vacancy {
  return {
    sinceMs: nowMs,
    passedOver: new Set(),
    elected: undefined,
    isSettled: false,
    awaited: undefined,
    wakeAtMs: Number.POSITIVE_INFINITY,
  };
}

export interface SuccessorInput {
  readonly self: string;
  readonly address: IpAddress;
  readonly entry: AddressEntry;
  readonly vacancy: Vacancy;
  /** The owner according to the claims, if there is one. */
  readonly owner: string | undefined;
}

/**
 * The nodes that the election chooses from: the most preferred of the eligible nodes that were not passed over. When all preferred nodes were
 * passed over, less preferred nodes follow. The exception is an address whose owner still answers: that owner goes on waiting for a preferred node.
 * `placeable` leaves out the nodes that the entry avoids. An avoided node may still get the address if it is the recorded owner, or if it owns
 * another address of the group. `recordedOwner` is present if the address has no claim, and its recorded owner is one of the nodes to choose from
 * and was not passed over.
 */
export function successors(
  { self, address, entry, vacancy: { passedOver }, owner }: SuccessorInput,
  eligibility: Eligibility,
): Pick<VacantAddress, 'eligible' | 'placeable' | 'recordedOwner'> {
  const all = eligibility.eligible(address, entry);
  // A first placement can wait until nodes that start together are ready. An address that has lost its owner cannot wait, so only ready
  // nodes may take it.
  const eligible = owner === undefined ? all : eligibility.ready(all, self);
  const ownerAnswers = owner !== undefined && eligible.includes(owner);
  const among = ownerAnswers ? eligibility.preferred(eligible, entry) : eligible;
  const remaining = passedOver.size === 0 ? among : among.filter((node) => !passedOver.has(node));
  const chosen = eligibility.preferred(remaining.length > 0 ? remaining : eligible, entry);
  const { recordedOwner } = entry;
  const isRecordedNext =
    owner === undefined &&
    recordedOwner !== undefined &&
    remaining.length > 0 &&
    chosen.includes(recordedOwner);
  const placeable = eligibility.placeable(chosen, entry);
  return {
    eligible: chosen,
    ...(placeable === chosen ? {} : { placeable }),
    ...(isRecordedNext ? { recordedOwner } : {}),
  };
}
