/** One burst of faults. All faults begin within two seconds and may overlap. When the last one has ended, the cluster must recover. */
import type { Lab } from '../../lab/lab.ts';
import type { Random } from '../fuzz/random.ts';
import { patienceMs } from '../support/eventually.ts';
import { type Fault, pickFaults } from './faults.ts';
import { bugsLogged, logLengths, type Picture, takePicture, violations } from './invariants.ts';

const settleDeadlineMs = patienceMs;

export interface BurstResult {
  readonly faults: readonly string[];
  readonly settledAfterMs: number;
  /** One line for each violation; empty when every invariant held. */
  readonly violations: readonly string[];
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function strike(fault: Fault, delayMs: number, lastsMs: number): Promise<void> {
  await pause(delayMs);
  await fault.begin();
  await pause(lastsMs);
  await fault.end();
}

/** Waits until every invariant holds. Resolves to the violations that remain at the deadline. */
async function settle(lab: Lab): Promise<string[]> {
  const end = performance.now() + settleDeadlineMs;
  for (;;) {
    const wrong = await violations(lab).catch((error: unknown) => [
      `the cluster cannot be inspected: ${error}`,
    ]);
    if (wrong.length === 0 || performance.now() > end) return wrong;
    await pause(250);
  }
}

/**
 * Addresses that moved without a cause: no fault has their earlier owner as its victim, and no fault leaves their Service without a node that can
 * announce it (`Fault.darkens`).
 */
function unaskedMoves(before: Picture, after: Picture, faults: readonly Fault[]): string[] {
  const victims = new Set(faults.flatMap(({ victim }) => victim?.name ?? []));
  const darkened = new Set(faults.flatMap(({ darkens = [] }) => darkens));
  return [...before.owners].flatMap(([address, [owner = '']]) => {
    const [now] = after.owners.get(address) ?? [];
    const service = before.services.get(address) ?? '';
    if (now === owner || victims.has(owner) || darkened.has(service)) return [];
    return [`${address} of ${service} moved from ${owner} to ${now}`];
  });
}

/** BGP Services whose address has changed. No fault is a reason for that. */
function changedAddresses(before: Picture, after: Picture): string[] {
  return [...before.routed].flatMap(([service, address]) => {
    const now = after.routed.get(service) ?? 'none';
    return now === address ? [] : [`the address of ${service} changed from ${address} to ${now}`];
  });
}

/** New NodeUnassigned events of Services that no fault darkens. */
function falseEvents(before: Picture, after: Picture, faults: readonly Fault[]): string[] {
  const darkened = new Set(faults.flatMap(({ darkens = [] }) => darkens));
  return [...after.unassigned].flatMap(([service, count]) =>
    count > (before.unassigned.get(service) ?? 0) && !darkened.has(service)
      ? [`an event says that no node answers for ${service}`]
      : [],
  );
}

/** Runs one burst on a settled cluster. */
export async function runBurst(lab: Lab, random: Random): Promise<BurstResult> {
  const faults = pickFaults(lab, random);
  const timing = faults.map(() => ({ delayMs: random.below(2000), lastsMs: 300 + random.below(8000) }));
  const before = await takePicture(lab);
  const lengths = logLengths(lab);
  const names = faults.map(
    ({ name }, i) => `${name} after ${timing[i]?.delayMs} ms for ${timing[i]?.lastsMs} ms`,
  );
  await Promise.all(
    faults.map((fault, i) => strike(fault, timing[i]?.delayMs ?? 0, timing[i]?.lastsMs ?? 0)),
  );
  const ended = performance.now();
  const wrong = await settle(lab);
  const settledAfterMs = Math.round(performance.now() - ended);
  if (wrong.length > 0)
    return { faults: names, settledAfterMs, violations: [...wrong, ...bugsLogged(lab, lengths)] };
  const after = await takePicture(lab);
  const found = [
    ...unaskedMoves(before, after, faults),
    ...changedAddresses(before, after),
    ...falseEvents(before, after, faults),
    ...bugsLogged(lab, lengths),
  ];
  return { faults: names, settledAfterMs, violations: found };
}
