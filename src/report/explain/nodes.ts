/** One node in the explanation of an address: what it may do, what it does, and what it reports. Pure. */
import { formatPrefix, type IpAddress } from '../../address/index.ts';
import { carriesRoutesOf, type SpeakerStatus } from '../../cluster/status.ts';
import type { Protocol } from '../../config/index.ts';
import type { PeerRoute } from '../../speaker/plan/peer-routes.ts';
import type { SpeakerView } from '../status/view.ts';
import type {
  BgpExplanation,
  Layer2Explanation,
  NodeExplanation,
  NodeRefusalExplanation,
  PeerExplanation,
  RouteExplanation,
} from './explanation.ts';
import { type AddressPlanner, carryingLinks, type ProtocolPlan } from './node-plan.ts';

export interface ExplainedAddress {
  readonly service: string;
  readonly text: string;
  readonly ip: IpAddress;
  /** One planner for each protocol of the pool. Empty when the endpoints are not known. */
  readonly planners: ReadonlyMap<Protocol, AddressPlanner>;
  readonly protocols: readonly Protocol[];
}

export function explainNode({ node, status }: SpeakerView, address: ExplainedAddress): NodeExplanation {
  const reported = status.ok ? status.value : undefined;
  const planOf = (protocol: Protocol) =>
    address.planners.get(protocol)?.plan(node, {
      ...(reported?.nodeRules ? { rules: reported.nodeRules } : {}),
      isAdvertised: reported?.advertised[address.text] !== undefined,
    });
  return {
    node,
    ...(status.ok ? {} : { notReached: status.error }),
    ...(address.protocols.includes('layer2')
      ? { layer2: explainLayer2(planOf('layer2'), reported, address) }
      : {}),
    ...(address.protocols.includes('bgp') ? { bgp: explainBgp(planOf('bgp'), reported, address) } : {}),
  };
}

function explainLayer2(
  plan: ProtocolPlan | undefined,
  reported: SpeakerStatus | undefined,
  address: ExplainedAddress,
): Layer2Explanation {
  const ownerSince = reported?.announcing[address.text];
  const usedBy = reported?.inUse[address.text];
  const unverifiedBy = reported?.unverified[address.text];
  const links = carryingLinks(reported?.links, address.ip, plan?.interfaces ?? []);
  const refusal = refusalOf(plan, reported, address) ?? linkRefusal(links, plan?.interfaces ?? [], reported);
  return {
    eligible: ownerSince !== undefined || refusal === undefined,
    ...(refusal && ownerSince === undefined ? { refusal } : {}),
    ...(links ? { links } : {}),
    ...(ownerSince === undefined ? {} : { ownerSince }),
    ...(unverifiedBy === undefined ? {} : { unverifiedBy }),
    ...(usedBy === undefined ? {} : { usedBy }),
  };
}

function linkRefusal(
  links: readonly string[] | undefined,
  interfaces: readonly string[],
  reported: SpeakerStatus | undefined,
): NodeRefusalExplanation | undefined {
  if (links === undefined || links.length > 0) return undefined;
  if (interfaces.length > 0)
    return {
      cause: 'no-link',
      reason: `the node has no usable interface ${interfaces.join(', ')}`,
      field: 'ConfigMap address-pools[].l2-advertisements[].interfaces',
    };
  const subnets = reported?.links?.flatMap((link) => link.subnets) ?? [];
  return {
    cause: 'no-link',
    reason: `no link of the node has a subnet with the address (its subnets: ${subnets.join(', ') || 'none'})`,
    field: 'ConfigMap address-pools[].addresses',
  };
}

function explainBgp(
  plan: ProtocolPlan | undefined,
  reported: SpeakerStatus | undefined,
  address: ExplainedAddress,
): BgpExplanation {
  const advertised = reported?.advertised[address.text];
  const refusal = advertised ? undefined : refusalOf(plan, reported, address);
  // The report overrides the plan: a speaker with an older state than ours, such as an older configuration, may announce to other peers.
  const peers = reported ? (advertised ?? []) : [...new Set((plan?.routes ?? []).map(({ peer }) => peer))];
  return {
    eligible: refusal === undefined,
    ...(refusal ? { refusal } : {}),
    peers: refusal ? [] : peers.map((peer) => explainPeer(peer, plan?.routes ?? [], reported, address)),
  };
}

/**
 * Why the node does not announce the address. If the speaker was reached, its report overrides the plan. A report has only one
 * refusal for a pool with two protocols, so for such a pool the plan gives the reason of each protocol.
 */
function refusalOf(
  plan: ProtocolPlan | undefined,
  reported: SpeakerStatus | undefined,
  { service, text, protocols }: ExplainedAddress,
): NodeRefusalExplanation | undefined {
  const planned = plan?.refusal && withoutAddress(plan.refusal);
  if (protocols.length > 1 && planned) return planned;
  if (!reported) return planned;
  const own = reported.notAnnounced.find((each) => each.service === service && each.address === text);
  if (!own) return undefined;
  const field = own.field ?? (planned?.reason === own.reason ? planned.field : undefined);
  return { cause: own.cause ?? 'unknown', reason: own.reason, ...(field === undefined ? {} : { field }) };
}

function withoutAddress({ cause, reason, field }: NonNullable<ProtocolPlan['refusal']>) {
  return { cause, reason, field };
}

function explainPeer(
  name: string,
  routes: readonly PeerRoute[],
  reported: SpeakerStatus | undefined,
  { text }: ExplainedAddress,
): PeerExplanation {
  const peer = reported?.peers.find((each) => each.name === name);
  const explained = routes.filter((route) => route.peer === name).map(explainRoute);
  if (!peer)
    return {
      ...{ peer: name, announced: false, carried: false, state: 'unknown' },
      ...{ routes: explained, warnings: [] },
    };
  const { state, subState, since, routesSent, routesDesired, lastError, lastErrorAt, warnings, bfd } = peer;
  return {
    peer: name,
    announced: state === 'Established' && routesSent >= (routesDesired ?? 0),
    carried: carriesRoutesOf(peer, text),
    state: subState ?? state,
    since,
    routes: explained,
    routesSent,
    ...(routesDesired === undefined ? {} : { routesDesired }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(lastErrorAt === undefined ? {} : { lastErrorAt }),
    warnings,
    ...(bfd
      ? {
          bfd: {
            state: bfd.state,
            since: bfd.since,
            ...(bfd.problem === undefined ? {} : { problem: bfd.problem }),
          },
        }
      : {}),
  };
}

function explainRoute({ prefix, attributes }: PeerRoute): RouteExplanation {
  const { localPref, med, asPathPrepend, communities, largeCommunities } = attributes;
  return {
    prefix: formatPrefix(prefix),
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    ...(asPathPrepend === 0 ? {} : { asPathPrepend }),
    ...(communities.length === 0
      ? {}
      : { communities: communities.map((value) => `${value >>> 16}:${value & 0xffff}`) }),
    ...(largeCommunities.length === 0
      ? {}
      : { largeCommunities: largeCommunities.map((parts) => parts.join(':')) }),
  };
}
