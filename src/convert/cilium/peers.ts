import type { RawPeer } from '../../config/index.ts';
import type { Draft } from '../draft.ts';
import type { Field, Fields } from '../fields.ts';
import { type SourceObject, specOf } from '../objects.ts';
import type { Report } from '../report.ts';
import { isEmptySelector, type Selector } from '../selectors.ts';
import { show, showSome } from '../text.ts';
import { type PeerConfigSource, peerKeysOf } from './peer-configs.ts';

/** Converts a CiliumBGPClusterConfig: each peer of each instance becomes a peer for the nodes that the resource selects. */
export function convertClusterConfig(
  object: SourceObject,
  configs: ReadonlyMap<string, PeerConfigSource>,
  draft: Draft,
  report: Report,
): void {
  const spec = specOf(object, report);
  const nodes = spec.selector('nodeSelector');
  const selectors = nodes && !isEmptySelector(nodes.value) ? [nodes.value] : undefined;
  const before = draft.peers.length;
  const instances = spec.objects('bgpInstances');
  if (instances.length === 0) spec.lacks('bgpInstances', 'at least one instance');
  for (const instance of instances) {
    const instanceName = instance.text('name');
    const asn = instance.number('localASN');
    if (!asn) instance.lacks('localASN', 'our AS number');
    const first = draft.peers.length;
    for (const peer of instance.objects('peers'))
      convertPeer(peer, { object, instanceName, asn, selectors, configs }, draft);
    const places = draft.peers.slice(first).map(({ at }) => at);
    const to = (key: string) => places.map((place) => `${place}.${key}`);
    instanceName?.changed(
      '',
      'left out; Bellman has one BGP speaker on each node, and peers have our AS number',
    );
    if (places.length > 0) asn?.carried(to('my-asn'));
    else asn?.dropped('the instance has no peer that can be carried');
    instance.number('localPort')?.dropped('Bellman listens only for passive peers, on port 179');
  }
  const places = draft.peers.slice(before).map(({ at }) => `${at}.node-selectors`);
  if (selectors && places.length > 0) nodes?.carried(places);
  else if (selectors) nodes?.dropped('there is no peer that can be carried');
  else nodes?.changed('', 'left out; it selects every node');
  spec.dropOthers('Bellman knows no such setting of its peers');
}

interface Surroundings {
  readonly object: SourceObject;
  readonly instanceName: Field<string> | undefined;
  readonly asn: Field<number> | undefined;
  readonly selectors: Selector[] | undefined;
  readonly configs: ReadonlyMap<string, PeerConfigSource>;
}

function convertPeer(fields: Fields, around: Surroundings, draft: Draft): void {
  const address = fields.text('peerAddress');
  if (!address) {
    if (fields.has('autoDiscovery'))
      fields.dropOthers('Bellman needs the address of a peer; it cannot find the router itself');
    else fields.lacks('peerAddress', 'the address of the router');
    return;
  }
  const { object, instanceName, asn, selectors, configs } = around;
  const [name, peerAsn] = [fields.text('name'), fields.number('peerASN')];
  const reference = fields.object('peerConfigRef')?.text('name');
  const config = reference && configs.get(reference.value);
  if (reference && !config)
    reference.refuse(
      `there is no CiliumBGPPeerConfig ${show(reference.value)}; there are: ${showSome([...configs.keys()])}`,
    );
  const base = name?.value ?? address.value;
  const ofInstance = instanceName ? `${instanceName.value}-${base}` : base;
  const candidates = [base, ofInstance, `${object.name}-${ofInstance}`];
  const at = draft.nextPeer;
  const ourAsn = asn?.value ?? 0;
  const isKnown = peerAsn !== undefined && peerAsn.value !== 0;
  const peer: RawPeer = {
    name: draft.freePeerName(candidates),
    'my-asn': ourAsn,
    'peer-asn': isKnown ? peerAsn.carried(`${at}.peer-asn`) : 'external',
    'peer-address': address.carried(`${at}.peer-address`),
    interface: fields.text('peerInterface')?.carried(`${at}.interface`),
    ...(config ? peerKeysOf(config, isKnown && peerAsn.value === ourAsn) : {}),
    'node-selectors': selectors,
  };
  if (!isKnown)
    peerAsn?.changed(
      `${at}.peer-asn`,
      'external; Cilium accepts every AS number, and Bellman accepts every one except ours',
    );
  const placed = draft.addPeer(peer);
  if (peer.name === name?.value) name?.carried(`${at}.name`);
  else name?.changed(`${at}.name`, `${peer.name}, because another peer has this name`);
  if (config) {
    config.users.push(placed);
    reference.changed(at, 'the settings are written into the peer');
  }
  if (fields.has('autoDiscovery')) fields.object('autoDiscovery')?.dropOthers('the peer has an address');
}
