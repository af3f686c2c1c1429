/**
 * Vacancies: addresses without an owner that may keep them, and how long to wait before and after the election of a successor.
 *
 * Before: addresses that never had an owner are placed together once no further one has come for 100 ms, because all nodes must elect from
 * the same set. After: an elected node that has not claimed within a second, because it has not heard of the address, is passed over.
 */
import type { IpAddress } from '../../address/index.ts';
import type { AddressEntry } from '../address-entry.ts';
import type { Claim } from './claim.ts';
import type { Eligibility } from './eligibility.ts';
import type { TrackedEntry } from './entry-table.ts';

/** The wait before a first placement, from the last new address, and its bound, from the oldest one. */
const settleMs = 100;
const longestSettleMs = 1000;
/** How long an elected node may take to claim. */
const patienceMs = 1000;

/** State of one vacant address. */
export interface Vacancy {
  readonly sinceMs: number;
  /** Nodes that did not claim in time. */
  readonly passedOver: Set<string>;
  /** The other node whose claim is awaited. */
  awaited: string | undefined;
  wakeAtMs: number;
}

/** An entry with what this node has decided about its address. */
export interface OwnedAddress extends TrackedEntry {
  /** This node answers for the address, or would if no other host used it. */
  isAnswering: boolean;
  vacancy: Vacancy | undefined;
}

export function newVacancy(nowMs: number): Vacancy {
  return {
    sinceMs: nowMs,
    passedOver: new Set(),
    awaited: undefined,
    wakeAtMs: Number.POSITIVE_INFINITY,
  };
}

/** Whether the address never had an owner, as far as this node knows. */
export function isFirstPlacement({ entry, isAnswering }: OwnedAddress, claim: Claim | undefined): boolean {
  return claim === undefined && entry.recordedOwner === undefined && !isAnswering;
}

/** When the vacancies of addresses that never had an owner are placed. */
export function firstPlacementAtMs(vacancies: Iterable<Vacancy>): number {
  let oldestMs = Number.POSITIVE_INFINITY;
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const { sinceMs } of vacancies) {
    oldestMs = Math.min(oldestMs, sinceMs);
    newestMs = Math.max(newestMs, sinceMs);
  }
  return Math.min(newestMs + settleMs, oldestMs + longestSettleMs);
}

/** Holds the vacancy until the first placement. */
export function settleUntil(vacancy: Vacancy, atMs: number): void {
  vacancy.wakeAtMs = atMs;
  vacancy.awaited = undefined;
}

/** Passes the awaited node over when its time is up. Returns true when it did. */
export function passOverLate(vacancy: Vacancy, nowMs: number): boolean {
  if (nowMs < vacancy.wakeAtMs || vacancy.awaited === undefined) return false;
  vacancy.passedOver.add(vacancy.awaited);
  vacancy.awaited = undefined;
  return true;
}

/** Awaits the claim of another node; `undefined` awaits none. The time runs from when that node was first awaited. */
export function awaitClaim(vacancy: Vacancy, node: string | undefined, nowMs: number): void {
  if (node === undefined) vacancy.wakeAtMs = Number.POSITIVE_INFINITY;
  else if (node !== vacancy.awaited) vacancy.wakeAtMs = nowMs + patienceMs;
  vacancy.awaited = node;
}

/** Gives all nodes their time again: silence in a minority means nothing. */
export function forgetSilence(vacancy: Vacancy): void {
  vacancy.passedOver.clear();
  vacancy.awaited = undefined;
}

export interface SuccessorInput {
  readonly self: string;
  readonly address: IpAddress;
  readonly entry: AddressEntry;
  readonly vacancy: Vacancy;
  /** The owner by the claims, if there is one. */
  readonly owner: string | undefined;
}

/**
 * Nodes among which the election chooses. An address without a claim goes to the recorded owner if that is eligible. Nodes that were passed over
 * are left out, unless all were.
 */
export function successors(
  { self, address, entry, vacancy: { passedOver }, owner }: SuccessorInput,
  eligibility: Eligibility,
): readonly string[] {
  const all = eligibility.eligible(address, entry);
  // A first placement can wait until nodes that start together are ready. An address that has lost its owner cannot.
  const eligible =
    owner === undefined ? all : all.filter((node) => node === self || eligibility.isReady(node));
  const { recordedOwner } = entry;
  const isRecordedNext =
    owner === undefined && recordedOwner !== undefined && eligible.includes(recordedOwner);
  if (isRecordedNext && !passedOver.has(recordedOwner)) return [recordedOwner];
  if (passedOver.size === 0) return eligible;
  const remaining = eligible.filter((node) => !passedOver.has(node));
  return remaining.length > 0 ? remaining : eligible;
}
