/**
 * The conditions that the controller shows on a Service. Pure.
 *
 * AddressAssigned follows from the decision of the allocator. Announced follows from the announcing record, in which the speakers name the
 * node that answers for each address in layer 2. No object says which nodes announce an address by BGP, because each node would have to write
 * that on each Service. When BGP may announce one of the addresses, Announced is therefore Unknown, unless there is a reason for False.
 */
import { formatIp } from '../../address/index.ts';
import { parseAnnouncing } from '../../cluster/announcing.ts';
import { anySelectorMatches, type Labels, type PoolConfig, type Protocol } from '../../config/index.ts';
import type { Service, ServiceCondition, ServiceConditionType } from '../../kubernetes/model.ts';
import type { Assigned } from '../allocator/holding.ts';
import type { Refusal } from '../allocator/refusals.ts';

type Judgement = Pick<ServiceCondition, 'status' | 'reason' | 'message'>;

/** The facts about one of our Services from which its conditions follow. */
export interface JudgedService {
  readonly service: Pick<Service, 'annotations'>;
  readonly assigned: readonly Assigned[];
  readonly refusal: Refusal | undefined;
  /** The protocols that may announce an assigned address. */
  readonly protocolsOf: (assigned: Assigned) => readonly Protocol[];
}

/**
 * The protocols of a pool that may announce a Service with these labels. A protocol whose advertisements are all for other Services is left out.
 * If that leaves no protocol, the result holds all protocols of the pool.
 */
export function announcingProtocols(
  { protocols, bgpAdvertisements, l2Advertisements }: PoolConfig,
  labels: Labels,
): readonly Protocol[] {
  const selecting = protocols.filter((protocol) => {
    const advertisements = protocol === 'bgp' ? bgpAdvertisements : l2Advertisements;
    return (
      advertisements.length === 0 ||
      advertisements.some(({ serviceSelectors }) => anySelectorMatches(serviceSelectors, labels))
    );
  });
  return selecting.length > 0 ? selecting : protocols;
}

/** The conditions to show, or `undefined` when the Service shows them already. */
export function changedConditions(
  shown: readonly ServiceCondition[],
  judged: JudgedService | undefined,
  now: string,
): ServiceCondition[] | undefined {
  const wanted = judged ? conditionsOf(judged) : [];
  const conditions = wanted.map(([type, judgement]): ServiceCondition => {
    const before = shown.find((each) => each.type === type);
    const lastTransitionTime = before?.status === judgement.status ? before.lastTransitionTime : now;
    return { type, ...judgement, lastTransitionTime };
  });
  const isShown =
    conditions.length === shown.length &&
    conditions.every((each) => {
      const before = shown.find(({ type }) => type === each.type);
      return (
        before?.status === each.status && before.reason === each.reason && before.message === each.message
      );
    });
  return isShown ? undefined : conditions;
}

function conditionsOf(judged: JudgedService): (readonly [ServiceConditionType, Judgement])[] {
  return [
    ['bellman.dev/AddressAssigned', addressAssigned(judged)],
    ['bellman.dev/Announced', announced(judged)],
  ];
}

function addressAssigned({ assigned, refusal }: JudgedService): Judgement {
  if (refusal) return { status: 'False', reason: camelCase(refusal.cause), message: refusal.message };
  return assigned.length > 0
    ? { status: 'True', reason: 'Assigned', message: 'The Service has its addresses.' }
    : { status: 'False', reason: 'NotDecided', message: 'The controller has not decided yet.' };
}

function announced({ service, assigned, protocolsOf }: JudgedService): Judgement {
  if (assigned.length === 0)
    return { status: 'False', reason: 'NoAddress', message: 'The Service has no address.' };
  const byProtocols = assigned.map((each) => ({ each, protocols: protocolsOf(each) }));
  const record = parseAnnouncing(service);
  const silent = byProtocols.flatMap(({ each: { address }, protocols }) => {
    const text = formatIp(address);
    return protocols.includes('layer2') && !record.has(text) ? [text] : [];
  });
  if (silent.length > 0)
    return {
      status: 'False',
      reason: 'NoNodeAnswers',
      message: `No node answers for ${silent.join(', ')} in layer 2.`,
    };
  if (byProtocols.some(({ protocols }) => protocols.length === 0))
    return { status: 'False', reason: 'ProtocolNone', message: 'A pool has the protocol none.' };
  if (byProtocols.some(({ protocols }) => protocols.includes('bgp')))
    return {
      status: 'Unknown',
      reason: 'AnnouncedByBGP',
      message: 'Each node knows only of its own BGP sessions; bellman explain asks all nodes.',
    };
  return { status: 'True', reason: 'Answered', message: 'A node answers for each address in layer 2.' };
}

/** Turns a cause such as `pool-exhausted` into the form that the API requires of a reason: `PoolExhausted`. */
function camelCase(cause: string): string {
  return cause
    .split('-')
    .map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`)
    .join('');
}
