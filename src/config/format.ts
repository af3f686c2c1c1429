import { dump } from 'js-yaml';
import { formatIp, isLinkLocal } from '../address/index.ts';
import type {
  BfdProfile,
  BgpAdvertisement,
  Config,
  DeadNodesConfig,
  DrainConfig,
  GracefulRestartConfig,
  LabelSelector,
  PeerBfd,
  PeerConfig,
  PoolConfig,
  Protocol,
} from './config.ts';
import { printRange } from './resolve/index.ts';

/** YAML that parses to the same configuration, with most defaults written out. */
export function formatConfig({ peers, pools, bfdProfiles, ...rest }: Config): string {
  const plain = {
    ...(peers.length > 0 ? { peers: peers.map(plainPeer) } : {}),
    ...(pools.length > 0 ? { 'address-pools': pools.map(plainPool) } : {}),
    ...(bfdProfiles.length > 0 ? { 'bfd-profiles': bfdProfiles.map(plainBfdProfile) } : {}),
    'ignore-excluded-nodes': rest.ignoreExcludedNodes,
    ...(rest.leaveOnTaints.length > 0 ? { 'leave-on-taints': rest.leaveOnTaints } : {}),
    'min-announcers': rest.minAnnouncers,
    'drain-delay': `${rest.drain.delaySeconds}s`,
    drain: plainDrain(rest.drain),
    'announce-delay': `${rest.announceDelaySeconds}s`,
    ...(rest.deadNodes ? { 'dead-nodes': plainDeadNodes(rest.deadNodes) } : {}),
  };
  return dump(plain, { noRefs: true, lineWidth: -1, seqNoIndent: true });
}

function plainDeadNodes({ maxNodes }: DeadNodesConfig): object {
  return {
    'mark-pods-not-ready': true,
    'max-nodes': maxNodes.kind === 'number' ? maxNodes.nodes : `${maxNodes.percent}%`,
  };
}

function plainPeer(peer: PeerConfig): object {
  const { address, sourceAddress, interface: zone, routerId, gracefulRestart, passwordSecret } = peer;
  const isZoned = isLinkLocal(address) && zone !== undefined;
  return {
    name: peer.name,
    'my-asn': peer.myAsn,
    ...(peer.localAsn === undefined ? {} : { 'local-asn': peer.localAsn }),
    'peer-asn': peer.peerAsn,
    'peer-address': formatIp(address) + (isZoned ? `%${zone}` : ''),
    'peer-port': peer.port,
    ...(sourceAddress ? { 'source-address': formatIp(sourceAddress) } : {}),
    ...(zone !== undefined && !isZoned ? { interface: zone } : {}),
    'hold-time': `${peer.holdTimeSeconds}s`,
    'keepalive-time': `${peer.keepaliveTimeSeconds}s`,
    'connect-time': `${peer.connectTimeSeconds}s`,
    ...(routerId === undefined ? {} : { 'router-id': formatIp({ family: 4, value: BigInt(routerId) }) }),
    ...(peer.password === undefined ? {} : { password: peer.password }),
    ...(passwordSecret ? { 'password-secret': { ...passwordSecret } } : {}),
    ...(peer.ebgpMultihop === undefined
      ? {}
      : { 'ebgp-multihop': peer.ebgpMultihop === 1 ? false : peer.ebgpMultihop }),
    'ttl-security': peer.ttlSecurity,
    passive: peer.passive,
    ...(gracefulRestart ? { 'graceful-restart': plainGracefulRestart(gracefulRestart) } : {}),
    ...(peer.bfd ? plainBfd(peer.bfd) : {}),
    ...(peer.families ? { families: peer.families.map((family) => `ipv${family}`) } : {}),
    ...plainSelectors('node-selectors', peer.nodeSelectors),
  };
}

function plainBfd({ profile, strict, holdDownSeconds }: PeerBfd): object {
  return {
    'bfd-profile': profile,
    'bfd-strict': strict,
    ...(holdDownSeconds === 0 ? {} : { 'bfd-hold-down': `${holdDownSeconds}s` }),
  };
}

function plainBfdProfile({ authentication, ...profile }: BfdProfile): object {
  return {
    name: profile.name,
    'receive-interval': profile.receiveIntervalMs,
    'transmit-interval': profile.transmitIntervalMs,
    'detect-multiplier': profile.detectMultiplier,
    'echo-interval': profile.echoIntervalMs,
    'echo-mode': profile.echoMode,
    'passive-mode': profile.passiveMode,
    'minimum-ttl': profile.minimumTtl,
    ...(authentication
      ? {
          authentication: {
            type: authentication.type,
            'key-secret': authentication.keySecret,
            'key-id': authentication.keyId,
          },
        }
      : {}),
  };
}

function plainPool(pool: PoolConfig): object {
  const ofBgp = pool.bgpAdvertisements.map(plainBgpAdvertisement);
  const ofLayer2 = pool.l2Advertisements.map(
    ({ interfaces, nodeSelectors, serviceSelectors, preferredNodes }) => ({
      ...(interfaces.length > 0 ? { interfaces } : {}),
      ...plainSelectors('node-selectors', nodeSelectors),
      ...plainSelectors('service-selectors', serviceSelectors),
      ...(preferredNodes.length > 0
        ? {
            'preferred-node-selectors': preferredNodes.map(({ weight, selector }) => ({
              weight,
              preference: plainSelector(selector),
            })),
          }
        : {}),
    }),
  );
  return {
    name: pool.name,
    protocol: plainProtocol(pool.protocols),
    addresses: pool.ranges.map(printRange),
    'auto-assign': pool.autoAssign,
    'avoid-buggy-ips': pool.avoidBuggyIps,
    draining: pool.draining,
    ...(pool.priority === undefined ? {} : { priority: pool.priority }),
    ...(pool.namespaces.length > 0 ? { namespaces: pool.namespaces } : {}),
    ...plainSelectors('namespace-selectors', pool.namespaceSelectors),
    ...plainSelectors('service-selectors', pool.serviceSelectors),
    ...(pool.limitPerNamespace === undefined ? {} : { 'limit-per-namespace': pool.limitPerNamespace }),
    ...(pool.shareAcrossNamespaces ? { 'share-across-namespaces': true } : {}),
    ...(ofBgp.length > 0 ? { 'bgp-advertisements': ofBgp } : {}),
    ...(ofLayer2.length > 0 ? { 'l2-advertisements': ofLayer2 } : {}),
  };
}

function plainProtocol(protocols: readonly Protocol[]): string | readonly Protocol[] {
  const [only, second] = protocols;
  return second === undefined ? (only ?? 'none') : protocols;
}

function plainGracefulRestart(restart: GracefulRestartConfig): object {
  const { restartTimeSeconds, longLivedStaleTimeSeconds } = restart;
  return {
    'restart-time': `${restartTimeSeconds}s`,
    ...(longLivedStaleTimeSeconds === undefined
      ? {}
      : { 'long-lived-stale-time': `${longLivedStaleTimeSeconds}s` }),
  };
}

function plainDrain(drain: DrainConfig): object {
  const [community] = plainCommunities(drain);
  return {
    community,
    ...(drain.med === undefined ? {} : { med: drain.med }),
    'as-path-prepend': drain.asPathPrepend,
  };
}

function plainCommunities({
  communities,
  largeCommunities,
}: Pick<BgpAdvertisement, 'communities' | 'largeCommunities'>): string[] {
  return [
    ...communities.map((value) => `${value >>> 16}:${value & 0xffff}`),
    ...largeCommunities.map((value) => value.join(':')),
  ];
}

function plainBgpAdvertisement(advertisement: BgpAdvertisement): object {
  const communities = plainCommunities(advertisement);
  return {
    'aggregation-length': advertisement.aggregationLength,
    'aggregation-length-v6': advertisement.aggregationLengthV6,
    ...(advertisement.localPref === undefined ? {} : { localpref: advertisement.localPref }),
    ...(advertisement.med === undefined ? {} : { med: advertisement.med }),
    'as-path-prepend': advertisement.asPathPrepend,
    ...(communities.length > 0 ? { communities } : {}),
    ...(advertisement.peers.length > 0 ? { peers: advertisement.peers } : {}),
    ...plainSelectors('node-selectors', advertisement.nodeSelectors),
    ...plainSelectors('service-selectors', advertisement.serviceSelectors),
  };
}

function plainSelectors(key: string, selectors: readonly LabelSelector[]): object {
  if (selectors.length === 0) return {};
  return { [key]: selectors.map(plainSelector) };
}

function plainSelector({ matchLabels, matchExpressions }: LabelSelector): object {
  return {
    ...(Object.keys(matchLabels).length > 0 ? { 'match-labels': matchLabels } : {}),
    ...(matchExpressions.length > 0
      ? {
          'match-expressions': matchExpressions.map(({ key: label, operator, values }) => ({
            key: label,
            operator,
            ...(values.length > 0 ? { values } : {}),
          })),
        }
      : {}),
  };
}
