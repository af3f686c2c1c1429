/**
 * OpenELB: Eip, BgpConf, BgpPeer (v1alpha2, with the fields that v0.6 added to Eip).
 *
 * An Eip becomes a pool. BgpConf has the settings that all sessions share, so they are written into each peer. When BgpConf has an AS number for
 * each rack (`asPerRack`), a BgpPeer becomes one peer for each rack that it may select. With `as`, it also becomes a peer for the nodes of no rack
 * and of other racks, because OpenELB gives these nodes the AS number `as`.
 */
import type { RawPeer, RawPool } from '../config/index.ts';
import { addLayer2Advertisement, Draft, type PlacedPool } from './draft.ts';
import type { Field, Fields } from './fields.ts';
import { literalNames } from './interfaces.ts';
import { placeOf, type SourceObject, specOf } from './objects.ts';
import { withLength } from './ranges.ts';
import type { Report } from './report.ts';
import { isEmptySelector, partsOf, type Selector, selectorOf, selects } from './selectors.ts';
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
  const written = peers.flatMap((peer) => convertPeer(peer, shared, restartTime, draft, report));
  const to = (key: string, isMeant: (peer: WrittenPeer) => boolean) =>
    written.flatMap((peer) => (isMeant(peer) ? `${peer.at}.${key}` : []));
  const spread = (
    field: Field<unknown> | undefined,
    places: readonly string[],
    how: string,
    none: string,
  ) => {
    if (written.length === 0) field?.dropped('there is no BgpPeer');
    else field?.changed(places, places.length === 0 ? `left out; ${none}` : how);
  };
  const each = shared.asnByRack
    ? 'written into each peer for other nodes than those of asPerRack'
    : 'written into each peer';
  const onlyRacks = 'each BgpPeer selects only racks of asPerRack';
  spread(
    shared.asn,
    to('my-asn', ({ ofRack }) => !ofRack),
    each,
    onlyRacks,
  );
  spread(
    shared.asnByRack,
    to('my-asn', ({ ofRack }) => ofRack),
    `one peer for each rack, for the nodes with the label ${rackLabel}`,
    'no BgpPeer selects a rack of it',
  );
  const ownId = `${onlyRacks}, and OpenELB gives each node of a rack an ID of its own`;
  spread(
    shared.routerId,
    to('router-id', ({ ofRack }) => !ofRack),
    each,
    ownId,
  );
  const restarting = to('graceful-restart', ({ sharesRestart }) => sharesRestart);
  reportRestart(shared.restart, restarting, restartTime !== undefined && written.length > 0);
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

/** A peer of the configuration, and the settings of BgpConf that it has. */
interface WrittenPeer {
  readonly at: string;
  /** Whether its nodes are those of a rack in `asPerRack`. */
  readonly ofRack: boolean;
  /** Whether it has the graceful restart of BgpConf, because its BgpPeer has none of its own. */
  readonly sharesRestart: boolean;
}

function convertPeer(
  object: SourceObject,
  shared: Shared,
  sharedRestart: number | undefined,
  draft: Draft,
  report: Report,
): WrittenPeer[] {
  const spec = specOf(object, report);
  const conf = spec.object('conf');
  const address = conf?.text('neighborAddress');
  const asn = conf?.number('peerAs');
  const lacks = (name: string, expected: string): [] => {
    if (conf) conf.lacks(name, expected);
    else spec.lacks(`conf.${name}`, expected);
    return [];
  };
  if (!address) return lacks('neighborAddress', 'the address of the router');
  if (!asn) return lacks('peerAs', "the router's AS number");
  const nodes = spec.selector('nodeSelector');
  const racks = racksOf(nodes?.value, shared);
  if (racks.length === 0)
    nodes?.refuse('it selects no rack of asPerRack, and BgpConf has no AS number (as) for other nodes');
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
  const multihopPlaces: string[] = [];
  for (const { rack, ourAsn, ofRack, selector } of racks) {
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
      'router-id': ofRack ? undefined : shared.routerId?.value,
      password: password?.value,
      passive: passive?.value,
      'node-selectors': selector && !isEmptySelector(selector) ? [selector] : undefined,
    };
    if (isMultihop?.value && asn.value !== (localAs?.value ?? ourAsn)) {
      peer['ebgp-multihop'] = ttl?.value ?? true;
      multihopPlaces.push(`${at}.ebgp-multihop`);
    }
    if (restartTime !== undefined)
      peer['graceful-restart'] = restartTime === 0 ? true : { 'restart-time': `${restartTime}s` };
    draft.addPeer(peer);
  }
  const to = (key: string) => places.map((place) => `${place}.${key}`);
  address.carried(to('peer-address'));
  asn.carried(to('peer-asn'));
  localAs?.carried(to('local-asn'));
  password?.carried(to('password'));
  if (nodes && isEmptySelector(nodes.value)) nodes.changed('', 'left out; it selects all nodes');
  else if (racks.every(({ selector }) => selector === nodes?.value)) nodes?.carried(to('node-selectors'));
  else nodes?.changed(to('node-selectors'), `together with the label ${rackLabel}`);
  port?.carried(to('peer-port'));
  passive?.carried(to('passive'));
  times.report(to);
  if (isMultihop?.value && multihopPlaces.length === 0) {
    isMultihop.changed('', 'left out; the peer has our AS number');
    ttl?.changed('', 'left out; the peer has our AS number');
  } else if (isMultihop?.value) {
    isMultihop.carried(multihopPlaces);
    ttl?.carried(multihopPlaces);
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
  return racks.map(({ ofRack }, i) => ({ at: places[i] ?? '', ofRack, sharesRestart: !isOwn }));
}

interface RackPeer {
  /**
   * The rack whose name is added to the name of the peer. `undefined` when the BgpPeer selects one rack, and in the peer for the nodes outside the
   * racks of `asPerRack`.
   */
  readonly rack: string | undefined;
  readonly ofRack: boolean;
  readonly ourAsn: number;
  readonly selector: Selector | undefined;
}

/**
 * The peers that a BgpPeer becomes: one for each rack of `asPerRack` that it may select, and with `as`, one for the other nodes that it may select. A
 * selector that needs no addition stays as it is.
 */
function racksOf(nodes: Selector | undefined, { asn, asnByRack }: Shared): RackPeer[] {
  const others = { rack: undefined, ofRack: false, ourAsn: asn?.value ?? 0 };
  if (!asnByRack) return [{ ...others, selector: nodes }];
  const { labels, requirements } = partsOf(nodes ?? {});
  const only = labels[rackLabel];
  const onRack = requirements.filter(({ key }) => key === rackLabel);
  const racks = [...asnByRack.value].filter(
    ([rack]) => (only ?? rack) === rack && selects(selectorOf({}, onRack), { [rackLabel]: rack }),
  );
  const isListed = (rack: string) => asnByRack.value.has(rack);
  const selectsOthers =
    only === undefined
      ? !onRack.some(({ operator, values }) => operator === 'In' && values.every(isListed))
      : !isListed(only);
  const ofRacks = racks.map(([rack, ourAsn]) => ({
    ...{ rack: only === undefined ? rack : undefined, ofRack: true, ourAsn },
    selector: only === undefined ? selectorOf({ ...labels, [rackLabel]: rack }, requirements) : nodes,
  }));
  if (!asn || !selectsOthers) return ofRacks;
  const notIn = { key: rackLabel, operator: 'NotIn', values: [...asnByRack.value.keys()] } as const;
  const selector = racks.length === 0 ? nodes : selectorOf(labels, [...requirements, notIn]);
  return [...ofRacks, { ...others, selector }];
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
