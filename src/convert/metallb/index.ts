/**
 * MetalLB v0.13 and newer: IPAddressPool, L2Advertisement, BGPAdvertisement, BGPPeer (v1beta1, v1beta2), BFDProfile, Community. MetalLB
 * before v0.13: its ConfigMap (`config-map.ts`). Bellman's own format is an extension of that ConfigMap's format.
 *
 * In MetalLB, an advertisement names its pools. In the configuration, a pool holds its advertisements. Each advertisement is therefore
 * written into each pool that it selects.
 */
import { Draft } from '../draft.ts';
import { placeOf, type SourceObject } from '../objects.ts';
import { canPlaceAll, settleProtocols } from '../protocols.ts';
import type { Report } from '../report.ts';
import { configMap, customResource, groupOf, type Source, type SourceResult } from '../source.ts';
import { convertBgpAdvertisement, convertCommunities, convertLayer2Advertisement } from './advertisements.ts';
import { convertConfigMap, isConfigMap } from './config-map.ts';
import { convertBfdProfile, convertPeer } from './peers.ts';
import { convertPool } from './pools.ts';

const group = 'metallb.io';

export const metallb: Source = {
  name: 'metallb',
  title: 'MetalLB',
  reads: (object) => groupOf(object) === group || isConfigMap(object),
  lists: [
    customResource(group, ['v1beta1'], 'IPAddressPool', 'ipaddresspools'),
    customResource(group, ['v1beta1'], 'L2Advertisement', 'l2advertisements'),
    customResource(group, ['v1beta1'], 'BGPAdvertisement', 'bgpadvertisements'),
    customResource(group, ['v1beta2', 'v1beta1'], 'BGPPeer', 'bgppeers'),
    customResource(group, ['v1beta1'], 'BFDProfile', 'bfdprofiles'),
    customResource(group, ['v1beta1'], 'Community', 'communities'),
    customResource(group, ['v1beta1', 'v1alpha1'], 'AddressPool', 'addresspools'),
    configMap('metallb-system', 'config'),
  ],
  convert(objects, report): SourceResult {
    const configMaps = objects.filter(isConfigMap);
    const resources = objects.filter((object) => !isConfigMap(object));
    if (resources.length === 0) return convertConfigMap(configMaps, report);
    for (const object of configMaps)
      report.row(
        placeOf(object, 'data.config'),
        'not carried',
        'MetalLB ignores its ConfigMap when it has custom resources',
      );
    return { kind: 'draft', draft: convertResources(resources, report) };
  },
};

function convertResources(objects: readonly SourceObject[], report: Report): Draft {
  const draft = new Draft();
  const ofKind = (kind: string) => objects.filter((object) => object.kind === kind);
  for (const object of ofKind('BFDProfile')) convertBfdProfile(object, draft, report);
  const profiles = new Set(ofKind('BFDProfile').map(({ name }) => name));
  const leftOut = new Set<string>();
  for (const object of ofKind('BGPPeer'))
    if (!convertPeer(object, profiles, draft, report)) leftOut.add(object.name);
  for (const object of ofKind('Community')) convertCommunities(object, draft, report);
  const pools = ofKind('IPAddressPool').map((object) => convertPool(object, draft, report));
  const [inLayer2, byBgp] = [ofKind('L2Advertisement'), ofKind('BGPAdvertisement')];
  if (!canPlaceAll(pools.length, inLayer2.length + byBgp.length, report)) return draft;
  for (const object of inLayer2) convertLayer2Advertisement(object, pools, report);
  const peers = new Set(draft.peers.flatMap(({ value }) => value.name ?? []));
  for (const object of byBgp)
    convertBgpAdvertisement(object, pools, { peers, leftOut, communities: draft.communities }, report);
  settleProtocols(pools, report);
  for (const object of objects)
    if (!converted.has(object.kind)) report.row(placeOf(object), 'not carried', otherKinds(object.kind));
  return draft;
}

const converted: ReadonlySet<string> = new Set([
  'IPAddressPool',
  'L2Advertisement',
  'BGPAdvertisement',
  'BGPPeer',
  'BFDProfile',
  'Community',
]);

function otherKinds(kind: string): string {
  if (kind === 'AddressPool')
    return 'MetalLB removed this kind in v0.14; write an IPAddressPool and an advertisement first';
  if (/Stat(e|us)$/.test(kind)) return 'a report of MetalLB, not a setting';
  return 'Bellman has nothing like this kind';
}
