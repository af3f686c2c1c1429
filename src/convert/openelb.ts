/**
 * OpenELB: Eip, BgpConf, BgpPeer (v1alpha2, with the fields that v0.6 added to Eip).
 *
 * An Eip becomes a pool. BgpConf has the settings that all sessions share, so they are written into each peer. When BgpConf has an AS number for
 * each rack (`asPerRack`), a BgpPeer becomes one peer for each rack. A BgpPeer that selects a single rack of `asPerRack` becomes one peer.
 */
import type { RawPeer, RawPool } from '../config/index.ts';
import { addLayer2Advertisement, Draft, type PlacedPool } from './draft.ts';
import type { Field, Fields } from './fields.ts';
import { literalNames } from './interfaces.ts';
import { placeOf, type SourceObject, specOf } from './objects.ts';
import { withLength } from './ranges.ts';
import type { Report } from './report.ts';
import { isEmptySelector, partsOf, type Selector, selectorOf } from './selectors.ts';
import { customResource, groupOf, type Source } from './source.ts';
import { show } from './text.ts';

const group = 'network.kubesphere.io';
const version = ['v1alpha2'];
const defaultEipAnnotation = 'eip.openelb.kubesphere.io/is-default-eip';
const rackLabel = 'openelb.kubesphere.io/rack';
const kinds = ['Eip', 'BgpConf', 'BgpPeer'];

export const openelb: Source = {
  name: 'openelb',
  title: 'OpenELB',
  reads: (object) => groupOf(object) === group,
  lists: [
    customResource(group, version, 'Eip', 'eips'),
    customResource(group, version, 'BgpConf', 'bgpconfs'),
    customResource(group, version, 'BgpPeer', 'bgppeers'),
  ],
  convert(objects, report) {
    const draft = new Draft();
    const ofKind = (kind: string) => objects.filter((object) => object.kind === kind);
    for (const object of ofKind('Eip')) convertEip(object, draft, report);
    const [conf, second] = ofKind('BgpConf');
    if (second)
      report.refuse(placeOf(second), 'there is another BgpConf; OpenELB reads only the one named default');
    const peers = ofKind('BgpPeer');
    const [firstPeer] = peers;
    if (conf) convertConf(conf, peers, draft, report);
    else if (firstPeer)
      report.refuse(
        placeOf(firstPeer),
        'there is no BgpConf, which holds our AS number; convert it together with the peers',
      );
    for (const object of objects)
      if (!kinds.includes(object.kind))
        report.row(placeOf(object), 'not carried', 'Bellman has nothing like this kind');
    return { kind: 'draft', draft };
  },
};

function convertEip(object: SourceObject, draft: Draft, report: Report): void {
  const spec = specOf(object, report);
  const at = draft.nextPool;
  report.cameFrom(at, placeOf(object));
  const address = spec.text('address');
  if (!address) spec.lacks('address', 'an address, a prefix or a range');
  const protocol = spec.text('protocol');
  const value: RawPool = {
    name: object.name,
    protocol: protocolOf(protocol, `${at}.protocol`),
    addresses: [],
    draining: spec.boolean('disable')?.carried(`${at}.draining`),
  };
  if (address) {
    const written = withLength(address.value);
    value.addresses = [written];
    if (written === address.value) address.carried(`${at}.addresses`);
    else address.changed(`${at}.addresses`, `written as ${written}`);
  }
  const pool = draft.addPool(value);
  convertNamespaces(spec, pool, object, report);
  convertInterface(spec.text('interface'), pool);
  spec.boolean('usingKnownIPs')?.dropped('Bellman assigns every address of a pool');
  spec.dropOthers('Bellman knows no such setting of a pool');
}

function protocolOf(protocol: Field<string> | undefined, to: string): RawPool['protocol'] {
  switch (protocol?.value) {
    case undefined:
    case 'bgp':
      protocol?.carried(to);
      return 'bgp';
    case 'layer2':
      protocol.carried(to);
      return 'layer2';
    case 'vip':
      protocol.changed(to, 'layer2; Bellman answers for the address itself and needs no keepalived');
      return 'layer2';
    default:
      protocol?.refuse(`expected bgp, layer2 or vip, not ${show(protocol.value)}`);
      return 'bgp';
  }
}

/** An Eip without namespaces serves only Services that name it. The default Eip also serves Services that name no Eip. */
function convertNamespaces(
  spec: Fields,
  { at, value: pool }: PlacedPool,
  object: SourceObject,
  report: Report,
): void {
  const namespaces = spec.texts('namespaces');
  const labels = spec.labels('namespaceSelector');
  const boundary =
    'only these namespaces may use the pool; in OpenELB, Services of other namespaces may name it';
  pool.namespaces = namespaces?.changed(`${at}.namespaces`, boundary);
  if (labels)
    pool['namespace-selectors'] = [selectorOf(labels.changed(`${at}.namespace-selectors`, boundary), [])];
  const priority = spec.number('priority');
  pool.priority = priority?.carried(`${at}.priority`);
  const annotation = object.annotations[defaultEipAnnotation];
  const place = placeOf(object, `metadata.annotations[${defaultEipAnnotation}]`);
  if (annotation === 'true') report.row(place, 'carried', `${at}.auto-assign`);
  else if (!namespaces && !labels) {
    pool['auto-assign'] = false;
    const why = 'because the Eip is neither the default one nor bound to namespaces';
    report.row(
      annotation === undefined ? placeOf(object) : place,
      'changed',
      `${at}.auto-assign: false, ${why}`,
    );
  } else if (annotation !== undefined) report.row(place, 'changed', 'left out; the namespaces decide');
}

function convertInterface(link: Field<string> | undefined, pool: PlacedPool): void {
  if (!link) return;
  const onSubnet = 'Bellman answers on every link whose subnet holds the address';
  if (pool.value.protocol !== 'layer2') return link.dropped('it has no meaning for BGP');
  if (link.value.startsWith('can_reach:'))
    return void link.changed(
      '',
      `left out; ${onSubnet}. Write interfaces if the address must be answered on another link`,
    );
  const names = literalNames(link.value);
  if (names === undefined) return link.dropped(`it is not the name of an interface; ${onSubnet}`);
  const place = addLayer2Advertisement(pool, { interfaces: names });
  link.carried(`${place}.interfaces`);
}

/** Settings of BgpConf that each peer gets. */
interface Shared {
  readonly asn: Field<number> | undefined;
  readonly asnByRack: Field<ReadonlyMap<string, number>> | undefined;
  readonly routerId: Field<string> | undefined;
  readonly restart: Fields | undefined;
}

function convertConf(conf: SourceObject, peers: readonly SourceObject[], draft: Draft, report: Report): void {
  const spec = specOf(conf, report);
  const shared: Shared = {
    asn: spec.number('as'),
    asnByRack: spec.numbersByText('asPerRack'),
    routerId: spec.text('routerId'),
    restart: spec.object('gracefulRestart'),
  };
  if (!shared.asn && !shared.asnByRack) spec.lacks('as', 'our AS number, or asPerRack');
  const restartTime = readRestart(shared.restart);
  for (const peer of peers) convertPeer(peer, shared, restartTime, draft, report);
  const to = (key: string) => draft.peers.map(({ at }) => `${at}.${key}`);
  const noPeer = 'there is no BgpPeer';
  const spread = (field: Field<unknown> | undefined, key: string, how: string) => {
    if (draft.peers.length === 0) field?.dropped(noPeer);
    else field?.changed(to(key), how);
  };
  if (shared.asnByRack) shared.asn?.changed('', 'left out; asPerRack has the AS number of each rack');
  else spread(shared.asn, 'my-asn', 'written into each peer');
  spread(shared.asnByRack, 'my-asn', `one peer for each rack, for the nodes with the label ${rackLabel}`);
  spread(shared.routerId, 'router-id', 'written into each peer');
  reportRestart(shared.restart, to('graceful-restart'), restartTime !== undefined && draft.peers.length > 0);
  spec
    .number('listenPort')
    ?.dropped('Bellman connects to the routers, and listens on port 179 only for passive peers');
  spec
    .texts('listenAddresses')
    ?.dropped('Bellman connects to the routers, and listens only for passive peers');
  spec.texts('families')?.dropped('Bellman offers both families in every session');
  spec.boolean('useMultiplePaths')?.dropped('Bellman takes no routes from its peers');
  spec.text('policy')?.dropped('Bellman has no policies; an advertisement of a pool sets attributes');
  spec.dropOthers('Bellman knows no such setting of BGP');
}

/** How long the peer keeps the routes, in seconds; 0 for the default, `undefined` when graceful restart is off. */
function readRestart(restart: Fields | undefined): number | undefined {
  if (restart?.boolean('enabled')?.value !== true) return undefined;
  return restart.number('restartTime')?.value ?? 0;
}

function reportRestart(restart: Fields | undefined, to: readonly string[], isCarried: boolean): void {
  if (!restart) return;
  const [enabled, time] = [restart.boolean('enabled'), restart.number('restartTime')];
  if (isCarried) {
    enabled?.carried(to);
    time?.carried(to.map((place) => `${place}.restart-time`));
  } else {
    enabled?.changed('', 'left out; graceful restart is off by default');
    time?.dropped('graceful restart is off');
  }
  restart.dropOthers('Bellman has only the restart time');
}

function convertPeer(
  object: SourceObject,
  shared: Shared,
  sharedRestart: number | undefined,
  draft: Draft,
  report: Report,
): void {
  const spec = specOf(object, report);
  const conf = spec.object('conf');
  const address = conf?.text('neighborAddress');
  const asn = conf?.number('peerAs');
  const lacks = (name: string, expected: string) =>
    conf ? conf.lacks(name, expected) : spec.lacks(`conf.${name}`, expected);
  if (!address) return lacks('neighborAddress', 'the address of the router');
  if (!asn) return lacks('peerAs', "the router's AS number");
  const nodes = spec.selector('nodeSelector');
  const racks = racksOf(nodes?.value, shared);
  const restart = spec.object('gracefulRestart');
  const isOwn = restart?.boolean('enabled') !== undefined;
  const restartTime = isOwn ? readRestart(restart) : sharedRestart;
  const times = timesOf(spec.object('timers')?.object('config'));
  const transport = spec.object('transport');
  const [port, passive] = [transport?.number('remotePort'), transport?.boolean('passiveMode')];
  const multihop = spec.object('ebgpMultihop');
  const [isMultihop, ttl] = [multihop?.boolean('enabled'), multihop?.number('multihopTtl')];
  const [localAs, password] = [conf?.number('localAs'), conf?.text('authPassword')];
  const places: string[] = [];
  for (const { rack, ourAsn, selector } of racks) {
    const at = draft.nextPeer;
    report.cameFrom(at, placeOf(object));
    places.push(at);
    const peer: RawPeer = {
      name: draft.freePeerName(rack === undefined ? [object.name] : [`${object.name}-${rack}`]),
      'my-asn': ourAsn,
      'local-asn': localAs?.value,
      'peer-asn': asn.value,
      'peer-address': address.value,
      'peer-port': port?.value,
      ...times.values,
      'router-id': shared.routerId?.value,
      password: password?.value,
      passive: passive?.value,
      'node-selectors': selector && !isEmptySelector(selector) ? [selector] : undefined,
    };
    if (isMultihop?.value && asn.value !== (localAs?.value ?? ourAsn))
      peer['ebgp-multihop'] = ttl?.value ?? true;
    if (restartTime !== undefined)
      peer['graceful-restart'] = restartTime === 0 ? true : { 'restart-time': `${restartTime}s` };
    draft.addPeer(peer);
  }
  const to = (key: string) => places.map((place) => `${place}.${key}`);
  address.carried(to('peer-address'));
  asn.carried(to('peer-asn'));
  localAs?.carried(to('local-asn'));
  password?.carried(to('password'));
  nodes?.carried(to('node-selectors'));
  port?.carried(to('peer-port'));
  passive?.carried(to('passive'));
  times.report(to);
  if (isMultihop?.value && asn.value === (localAs?.value ?? racks[0]?.ourAsn)) {
    isMultihop.changed('', 'left out; the peer has our AS number');
    ttl?.changed('', 'left out; the peer has our AS number');
  } else if (isMultihop?.value) {
    isMultihop.carried(to('ebgp-multihop'));
    ttl?.carried(to('ebgp-multihop'));
  } else {
    isMultihop?.changed('', 'left out; it is the default');
    ttl?.changed('', 'left out; ebgpMultihop is not enabled');
  }
  reportRestart(restart, to('graceful-restart'), readRestart(restart) !== undefined);
  if (spec.has('afiSafis'))
    for (const family of spec.objects('afiSafis'))
      family.dropOthers('Bellman offers both families in every session, and one path for each route');
  conf?.text('description')?.dropped('a peer has no description; write a comment');
  spec.dropOthers('Bellman knows no such setting of a peer');
}

interface RackPeer {
  readonly rack: string | undefined;
  readonly ourAsn: number;
  readonly selector: Selector | undefined;
}

/**
 * The peers that a BgpPeer becomes: one for each rack of `asPerRack`. Without `asPerRack`, a BgpPeer becomes one peer. It also becomes one peer
 * when it selects a single rack that `asPerRack` lists.
 */
function racksOf(nodes: Selector | undefined, { asn, asnByRack }: Shared): RackPeer[] {
  if (!asnByRack) return [{ rack: undefined, ourAsn: asn?.value ?? 0, selector: nodes }];
  const { labels, requirements } = partsOf(nodes ?? {});
  const only = labels[rackLabel];
  const ofOnly = only === undefined ? undefined : asnByRack.value.get(only);
  if (ofOnly !== undefined) return [{ rack: undefined, ourAsn: ofOnly, selector: nodes }];
  return Array.from(asnByRack.value, ([rack, ourAsn]) => ({
    rack,
    ourAsn,
    selector: selectorOf({ ...labels, [rackLabel]: rack }, requirements),
  }));
}

interface Times {
  readonly values: Pick<RawPeer, 'hold-time' | 'keepalive-time' | 'connect-time'>;
  report(to: (key: string) => string[]): void;
}

const timeKeys = [
  ['holdTime', 'hold-time'],
  ['keepaliveInterval', 'keepalive-time'],
  ['connectRetry', 'connect-time'],
] as const;

/** OpenELB writes times as seconds without a unit. */
function timesOf(config: Fields | undefined): Times {
  const read = timeKeys.flatMap(([name, key]) => {
    const field = config?.text(name);
    return field ? [{ field, key, text: /^\d+$/.test(field.value) ? `${field.value}s` : field.value }] : [];
  });
  config?.text('minimumAdvertisementInterval')?.dropped('Bellman sends a change at once');
  return {
    values: Object.fromEntries(read.map(({ key, text }) => [key, text])),
    report(to) {
      for (const { field, key, text } of read)
        if (text === field.value) field.carried(to(key));
        else field.changed(to(key), `written as ${text}`);
    },
  };
}
