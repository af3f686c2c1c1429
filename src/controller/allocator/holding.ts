import { type IpAddress, sameIp } from '../../address/index.ts';
import { type Sharer, sameTerms } from './sharing.ts';

/** An address that a Service has. */
export interface Assigned {
  readonly address: IpAddress;
  /** The pool that holds the address now; empty when no pool does. */
  readonly pool: string;
  /**
   * The pool's name as recorded on the Service. It may be the former name of a pool that was split or renamed. A Service that asks for the
   * former name keeps its address.
   */
  readonly allocatedFrom: string;
}

export interface Held extends Assigned {
  /** A Service with a lower number has held the address for longer. */
  readonly seniority: number;
}

/** Everything that a Service holds. */
export interface Holding extends Sharer {
  readonly assigned: readonly Held[];
}

/** Seniority of a Service that does not hold the address yet. */
export const newcomer = Number.POSITIVE_INFINITY;

export function seniorityOn({ assigned }: Holding, address: IpAddress): number {
  return assigned.find((held) => sameIp(held.address, address))?.seniority ?? newcomer;
}

export function includesIp(assigned: readonly Assigned[], address: IpAddress): boolean {
  return assigned.some((held) => sameIp(held.address, address));
}

export function sameHolding(a: Holding, b: Holding): boolean {
  return (
    sameTerms(a.terms, b.terms) &&
    a.assigned.length === b.assigned.length &&
    a.assigned.every((held, i) => sameHeld(held, b.assigned[i]))
  );
}

function sameHeld(a: Held, b: Held | undefined): boolean {
  return (
    b !== undefined &&
    sameIp(a.address, b.address) &&
    a.pool === b.pool &&
    a.allocatedFrom === b.allocatedFrom &&
    a.seniority === b.seniority
  );
}
