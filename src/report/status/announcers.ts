import { familyOfText, parseIp } from '../../address/index.ts';
import { parseAnnouncing } from '../../cluster/announcing.ts';
import { carriesRoutesOf, type RefusalCause, type SpeakerStatus } from '../../cluster/status.ts';
import type { PoolIndex, Protocol } from '../../config/index.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { significanceOf } from './significance.ts';
import type { ClusterView, SpeakerView } from './view.ts';
import { namedItems, shortList } from './words.ts';

/** The nodes that announce an address, or the reason why none does. */
export interface Announcers {
  readonly text: string;
  /**
   * False when the address should be announced and is not, or when its state is unknown. Also false when several nodes answer for it, or when
   * witnesses get no answer. An address whose Service has no ready endpoint, or whose pool has the protocol none, should not be announced.
   */
  readonly isAsDesired: boolean;
}

interface NodeStatus {
  readonly node: string;
  readonly status: SpeakerStatus;
}

/** The addresses of a Service, each with the nodes that announce it. */
export function addressFindings(
  service: Service,
  { speakers }: Pick<ClusterView, 'speakers'>,
  index: PoolIndex | undefined,
): readonly (Announcers & { readonly address: string })[] {
  return service.ingress.map(({ ip }) => {
    const address = parseIp(ip);
    const protocols = (address && index?.poolOf(address)?.protocols) ?? [];
    return { address: ip, ...announcersOf(service, ip, speakers, protocols) };
  });
}

/**
 * The reports of the speakers come first. The announcing record decides only when it names a node whose speaker was not reached. An address of a
 * pool with two protocols is as desired only when both protocols announce it.
 */
function announcersOf(
  service: Service,
  address: string,
  speakers: readonly SpeakerView[],
  protocols: readonly Protocol[],
): Announcers {
  const reached = speakers.flatMap(({ node, status }) => (status.ok ? [{ node, status: status.value }] : []));
  const unreached = speakers.flatMap(({ node, status }) => (status.ok ? [] : [node]));
  const inLayer2 = layer2Announcers(service, address, reached);
  const byBgp = bgpAnnouncers(address, reached);
  if (protocols.length > 1 && (inLayer2 || byBgp))
    return bothAnnouncers(
      inLayer2 ??
        recordedAnnouncer(service, address, unreached) ??
        missingAnnouncers('in layer 2', unreached),
      byBgp ?? missingAnnouncers('by BGP', unreached),
    );
  return (
    inLayer2 ??
    byBgp ??
    recordedAnnouncer(service, address, unreached) ??
    unknownAnnouncers(unreached) ??
    noAnnouncers(service, address, reached)
  );
}

function bothAnnouncers(inLayer2: Announcers, byBgp: Announcers): Announcers {
  return {
    text: `${inLayer2.text}; ${byBgp.text}`,
    isAsDesired: inLayer2.isAsDesired && byBgp.isAsDesired,
  };
}

function layer2Announcers(
  service: Service,
  address: string,
  reached: readonly NodeStatus[],
): Announcers | undefined {
  const recorded = parseAnnouncing(service).get(address);
  const answering = reached.filter(({ status }) => status.announcing[address] !== undefined);
  const [first] = answering;
  if (first) {
    if (answering.length > 1) {
      const nodes = answering.map(({ node }) => node).join(' and ');
      return { text: `${nodes}: more than one node answers`, isAsDesired: false };
    }
    const witnesses = first.status.unverified[address];
    if (witnesses !== undefined)
      return { text: `${first.node}: no answer from it reaches ${witnesses}`, isAsDesired: false };
    const where = recorded?.node === first.node ? ` on ${recorded.interfaces.join(', ')}` : '';
    return { text: `${first.node}${where}`, isAsDesired: true };
  }
  const inUse = reached.find(({ status }) => status.inUse[address] !== undefined);
  if (!inUse) return undefined;
  const text = `none: ${inUse.node} sees another host use it: ${inUse.status.inUse[address]}`;
  return { text, isAsDesired: false };
}

function bgpAnnouncers(address: string, reached: readonly NodeStatus[]): Announcers | undefined {
  const announcing = reached.filter(({ status }) => isAnnouncedByBgp(status, address));
  if (announcing.length === 0) return undefined;
  return { text: `${shortList(announcing.map(({ node }) => node))} by BGP`, isAsDesired: true };
}

/** The node of the announcing record, when its speaker was not reached. */
function recordedAnnouncer(
  service: Service,
  address: string,
  unreached: readonly string[],
): Announcers | undefined {
  const recorded = parseAnnouncing(service).get(address);
  if (!recorded || !unreached.includes(recorded.node)) return undefined;
  const text = `${recorded.node} on ${recorded.interfaces.join(', ')} according to the announcing record; its speaker was not reached`;
  return { text, isAsDesired: false };
}

function unknownAnnouncers(unreached: readonly string[], how = ''): Announcers | undefined {
  if (unreached.length === 0) return undefined;
  return { text: `unknown${how}: ${shortList(unreached)} not reached`, isAsDesired: false };
}

/** One of two protocols announces the address, and no speaker says that the other protocol does. */
function missingAnnouncers(how: string, unreached: readonly string[]): Announcers {
  return unknownAnnouncers(unreached, ` ${how}`) ?? { text: `none ${how}`, isAsDesired: false };
}

function noAnnouncers(service: Service, address: string, reached: readonly NodeStatus[]): Announcers {
  const sessions = reached.flatMap(({ status }) => bgpSessionsOf(status, address));
  if (sessions.some(({ state }) => state === 'Established')) {
    const text = `none: every BGP session that would announce it is down or carries no IPv${familyOfText(address)} routes`;
    return { text, isAsDesired: false };
  }
  if (reached.some(({ status }) => status.advertised[address] !== undefined))
    return { text: 'none: every BGP session that would announce it is down', isAsDesired: false };
  const refusals = refusalsOf(objectKey(service), address, reached);
  const [first] = refusals;
  if (!first) {
    const text =
      'none: the address was just added, or the speakers allowed to announce it have no link for it';
    return { text, isAsDesired: false };
  }
  const isAsDesired = refusals.every(({ cause }) => cause === 'no-endpoint' || cause === 'no-protocol');
  return { text: `none: ${refusalText(refusals)}`, isAsDesired };
}

interface NodeRefusal {
  readonly node: string;
  readonly cause: RefusalCause | undefined;
  readonly reason: string;
}

/** Refusals of all nodes, the most significant ones first. */
function refusalsOf(service: string, address: string, reached: readonly NodeStatus[]): NodeRefusal[] {
  return reached
    .flatMap(({ node, status }) =>
      refusalsBy(status, address)
        .filter((each) => each.service === service)
        .map(({ cause, reason }) => ({ node, cause, reason })),
    )
    .sort((a, b) => significanceOf(a.cause) - significanceOf(b.cause));
}

/** Refusals of a speaker by address. A speaker may refuse all addresses of the cluster, so each list is indexed once. */
const refusalIndexes = new WeakMap<SpeakerStatus, ReadonlyMap<string, SpeakerStatus['notAnnounced']>>();

function refusalsBy(status: SpeakerStatus, address: string): SpeakerStatus['notAnnounced'] {
  const index = refusalIndexes.get(status) ?? Map.groupBy(status.notAnnounced, (each) => each.address);
  refusalIndexes.set(status, index);
  return index.get(address) ?? [];
}

/** Gives the reasons of the most significant cause, and the number of nodes with other causes. */
function refusalText(refusals: readonly NodeRefusal[]): string {
  const significant = refusals.filter(({ cause }) => cause === refusals[0]?.cause);
  const reasons = [...new Set(significant.map(({ reason }) => reason))];
  const shown = reasons.slice(0, namedItems).join('; ');
  const hidden = reasons.length > namedItems ? `; and ${reasons.length - namedItems} more` : '';
  const others = refusals.length - significant.length;
  const rest =
    others === 0 ? '' : `; ${others} other ${others === 1 ? 'node gives' : 'nodes give'} another reason`;
  return `${shown}${hidden}${rest}`;
}

/** Whether the speaker announces the address over a session that carries it. */
export function isAnnouncedByBgp(status: SpeakerStatus, address: string): boolean {
  return bgpSessionsOf(status, address).some((peer) => carriesRoutesOf(peer, address));
}

/** The sessions with the peers that should receive the address. */
function bgpSessionsOf({ peers, advertised }: SpeakerStatus, address: string): SpeakerStatus['peers'] {
  const names = advertised[address];
  return names ? peers.filter(({ name }) => names.includes(name)) : [];
}
