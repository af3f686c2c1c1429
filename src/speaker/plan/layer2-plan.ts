/** The plan of an address in layer 2: exactly one of the candidates answers. The layer-2 processes elect it. */
import { parseAnnouncing } from '../../cluster/announcing.ts';
import { objectKey } from '../../kubernetes/model.ts';
import type { CandidateNodes, UnversionedEntry } from '../../layer2/address-entry.ts';
import { type HeldAddress, isServiceAdmitted } from './adoption.ts';
import { type Layer2Candidates, layer2Candidates } from './layer2-candidates.ts';
import { behindOthers, fields, refusalOf, unselected } from './refusals.ts';
import { emptyPlan, type PlanContext, type PlannedAddress, type ServicePlan } from './service-plan.ts';

/** More than the sum of all weights that a node can get by `preferred-node-selectors`. */
const firstOwnerPreference = 1_000_000_000;

/** The plan of an address in layer 2. */
export function planLayer2(planned: PlannedAddress, context: PlanContext): ServicePlan {
  const { service, address, pool, endpoints } = planned;
  const candidates = layer2Candidates(service, pool, endpoints, context);
  const recordedOwner = parseAnnouncing(service).get(address)?.node;
  const entry: UnversionedEntry = {
    address,
    sources: candidates.sources,
    group: service.ingress[0]?.ip ?? objectKey(service),
    ...(recordedOwner === undefined ? {} : { recordedOwner }),
  };
  const held = heldInLayer2(planned, recordedOwner, context);
  if (held && !candidates.isEmpty) {
    const mayAnswer = (node: string) => candidates.has(node);
    const reason = held.isAdmitted
      ? 'adopt-only: the announcing record names no first owner of the address yet'
      : `adopt-only: ${mayAnswer(context.nodeName) ? `node ${context.nodeName}` : 'another node'} would answer for it`;
    return {
      ...emptyPlan,
      layer2: [{ ...entry, sources: [], heldSources: entry.sources }],
      refusals: [{ address, cause: 'adopt-only', reason, field: fields.adoptedService }],
      held: [{ ...held, mayAnswer }],
      notToAnnounce: held.isAdmitted ? [] : [address],
    };
  }
  const adopted = firstOwnerSource(planned, recordedOwner, candidates, context);
  const plan = {
    ...emptyPlan,
    // A held address has no sources even while it has no candidate, because its candidate set may get nodes before the next plan.
    layer2: [{ ...entry, sources: held ? [] : [...entry.sources, ...(adopted ? [adopted] : [])] }],
    // The preference for the recorded owner ends when that node leaves, and begins when it is a candidate again.
    dependsOn: context.adoption && recordedOwner !== undefined ? [recordedOwner] : [],
  };
  if (candidates.has(context.nodeName)) {
    const isLeaving = context.leaving.has(context.nodeName);
    const isHeld = isLeaving && candidates.allLeave && context.isAnswering(address);
    return { ...plan, ...(isHeld ? { heldByFloor: [address] } : {}) };
  }
  const refusal = unselected('layer 2', pool.l2Advertisements, planned) ??
    refusalOf(planned, context) ??
    behindOthers(planned, (name) => candidates.has(name), context.nodeName) ?? {
      address,
      cause: 'not-selected',
      reason: 'no layer 2 advertisement selects this node',
      field: fields.layer2Nodes,
    };
  return { ...plan, refusals: [refusal] };
}

/** The address, if `--adopt-only` holds it back in layer 2. */
function heldInLayer2(
  { service, address, pool: { name } }: PlannedAddress,
  recordedOwner: string | undefined,
  { adoption }: PlanContext,
): Omit<HeldAddress, 'mayAnswer'> | undefined {
  if (!adoption) return undefined;
  const isAdmitted = isServiceAdmitted(service, name, adoption.pools);
  if (isAdmitted && (recordedOwner !== undefined || adoption.wasLive(address))) return undefined;
  return { address, pool: name, protocol: 'layer2', peers: [], isAdmitted };
}

/**
 * In an adoption, prefers the recorded owner to all other candidates. One node may be recorded for many addresses. Without the preference, the
 * election would spread these addresses over other nodes, and neighbours would have to learn another MAC for each address that moves.
 */
function firstOwnerSource(
  { service: { labels }, pool }: PlannedAddress,
  owner: string | undefined,
  candidates: Layer2Candidates,
  { adoption, candidateSets }: PlanContext,
): CandidateNodes | undefined {
  if (!adoption || owner === undefined || !candidates.has(owner)) return undefined;
  const nodes = candidateSets.candidatesOf(candidateSets.setFor(pool, labels), [owner]);
  const isLeaving = (nodes.preferences?.[owner] ?? 0) < 0;
  return isLeaving ? undefined : { ...nodes, preferences: { [owner]: firstOwnerPreference } };
}
