/**
 * Cilium: CiliumLoadBalancerIPPool, CiliumL2AnnouncementPolicy, and the resources of its BGP control plane (v2 and v2alpha1).
 *
 * In Cilium, policies and advertisements select Services and know nothing of pools. In the configuration of Bellman, a pool holds its advertisements.
 * Each policy and each advertisement is therefore written into each pool. Routes to Pods, to ClusterIPs and to externalIPs stay with Cilium.
 */
import { Draft } from '../draft.ts';
import { placeOf } from '../objects.ts';
import { canPlaceAll, settleProtocols } from '../protocols.ts';
import { customResource, groupOf, type Source } from '../source.ts';
import { advertisementsIn, convertAdvertisement } from './advertisements.ts';
import { convertPolicy } from './layer2.ts';
import { readPeerConfigs, reportPeerConfig } from './peer-configs.ts';
import { convertClusterConfig } from './peers.ts';
import { convertPool } from './pools.ts';

const group = 'cilium.io';
const versions = ['v2', 'v2alpha1'];

const kinds: ReadonlySet<string> = new Set([
  'CiliumLoadBalancerIPPool',
  'CiliumL2AnnouncementPolicy',
  'CiliumBGPClusterConfig',
  'CiliumBGPPeerConfig',
  'CiliumBGPAdvertisement',
]);
/** Kinds of Cilium's BGP control plane that are not converted, each with the reason or with what to do instead. */
const otherKinds: Readonly<Record<string, string>> = {
  CiliumBGPNodeConfigOverride: 'write a peer with node-selectors for the node',
  CiliumBGPNodeConfig: 'Cilium derives it from the CiliumBGPClusterConfig',
  CiliumBGPPeeringPolicy: 'Cilium replaced this kind by CiliumBGPClusterConfig; write one first',
};

export const cilium: Source = {
  name: 'cilium',
  title: 'Cilium',
  reads: (object) =>
    groupOf(object) === group && (kinds.has(object.kind) || Object.hasOwn(otherKinds, object.kind)),
  lists: [
    customResource(group, versions, 'CiliumLoadBalancerIPPool', 'ciliumloadbalancerippools'),
    customResource(group, versions, 'CiliumL2AnnouncementPolicy', 'ciliuml2announcementpolicies'),
    customResource(group, versions, 'CiliumBGPClusterConfig', 'ciliumbgpclusterconfigs'),
    customResource(group, versions, 'CiliumBGPPeerConfig', 'ciliumbgppeerconfigs'),
    customResource(group, versions, 'CiliumBGPAdvertisement', 'ciliumbgpadvertisements'),
    customResource(group, versions, 'CiliumBGPNodeConfigOverride', 'ciliumbgpnodeconfigoverrides'),
    customResource(group, ['v2alpha1'], 'CiliumBGPPeeringPolicy', 'ciliumbgppeeringpolicies'),
  ],
  convert(objects, report) {
    const draft = new Draft();
    const ofKind = (kind: string) => objects.filter((object) => object.kind === kind);
    const pools = ofKind('CiliumLoadBalancerIPPool').map((object) => convertPool(object, draft, report));
    const peerConfigs = readPeerConfigs(ofKind('CiliumBGPPeerConfig'), report);
    for (const object of ofKind('CiliumBGPClusterConfig'))
      convertClusterConfig(object, peerConfigs, draft, report);
    const [byBgp, inLayer2] = [ofKind('CiliumBGPAdvertisement'), ofKind('CiliumL2AnnouncementPolicy')];
    const entries = byBgp.reduce((sum, object) => sum + advertisementsIn(object), inLayer2.length);
    if (!canPlaceAll(pools.length, entries, report)) return { kind: 'draft', draft };
    for (const object of byBgp) convertAdvertisement(object, pools, peerConfigs, draft, report);
    for (const object of inLayer2) convertPolicy(object, pools, report);
    for (const config of peerConfigs.values()) reportPeerConfig(config);
    settleProtocols(pools, report);
    for (const object of objects) {
      const why = Object.hasOwn(otherKinds, object.kind) ? otherKinds[object.kind] : undefined;
      if (why !== undefined) report.row(placeOf(object), 'not carried', why);
    }
    return { kind: 'draft', draft };
  },
};
