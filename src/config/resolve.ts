/** From the document's shape to the typed Config: values read, defaults filled in, references and overlaps judged. */
import {
  formatIp,
  formatRange,
  type IpRange,
  parseIp,
  prefixesOfRange,
  rangesOverlap,
} from '../address/index.ts';
import type { Result } from '../result.ts';
import type {
  BgpAdvertisement,
  Config,
  LabelSelector,
  LargeCommunity,
  Layer2Advertisement,
  PeerConfig,
  PoolConfig,
} from './config.ts';
import type { RawBgpAdvertisement, RawConfig, RawPeer, RawPool, RawSelector } from './schema.ts';
import {
  type Community,
  readCommunity,
  readDurationSeconds,
  readPeerAddress,
  readRange,
  wellKnownCommunities,
} from './values.ts';

type Path = readonly (string | number)[];
/** Takes a complaint about the value at a path. */
export type Complain = (path: Path, message: string) => void;

const defaults = { port: 179, holdTimeSeconds: 90, connectTimeSeconds: 5, multihop: 255 } as const;

/** The configuration; meaningless when anything was complained of. */
export function resolveConfig(raw: RawConfig, complain: Complain): Config {
  const aliases = new Map<string, Community>();
  for (const [name, value] of Object.entries(wellKnownCommunities))
    aliases.set(name, { kind: 'standard', value });
  for (const [name, text] of Object.entries(raw['bgp-communities'] ?? {})) {
    const path = ['bgp-communities', name];
    if (name in wellKnownCommunities)
      complain(path, `${name} is a well-known community and keeps its meaning`);
    const community = take(readCommunity(String(text)), path, complain);
    if (community) aliases.set(name, community);
  }
  const peers = (raw.peers ?? []).flatMap((peer, i) => resolvePeer(peer, ['peers', i], complain) ?? []);
  complainOfTwins(
    raw.peers ?? [],
    peers.map(({ name }) => name),
    (i) => ['peers', i],
    (name) => `there is another peer ${name}; give the two different names`,
    complain,
  );
  complainOfTwins(
    raw.peers ?? [],
    peers.map(({ address, interface: zone, port, sourceAddress }) =>
      [formatIp(address), zone, port, sourceAddress && formatIp(sourceAddress)].join(' '),
    ),
    (i) => ['peers', i, 'peer-address'],
    () => 'there is another peer with this address and port: it would be the same session',
    complain,
  );
  const known = new Set(peers.map(({ name }) => name));
  const pools = (raw['address-pools'] ?? []).map((pool, i) =>
    resolvePool(pool, ['address-pools', i], { aliases, peers: known }, complain),
  );
  complainOfTwins(
    raw['address-pools'] ?? [],
    pools.map(({ name }) => name),
    (i) => ['address-pools', i, 'name'],
    (name) => `there is another pool ${name}`,
    complain,
  );
  complainOfOverlaps(raw, complain);
  return { peers, pools };
}

function take<T>(result: Result<T, string>, path: Path, complain: Complain): T | undefined {
  if (result.ok) return result.value;
  complain(path, result.error);
  return undefined;
}

function complainOfTwins(
  items: readonly unknown[],
  names: readonly string[],
  pathOf: (index: number) => Path,
  message: (name: string) => string,
  complain: Complain,
): void {
  if (names.length !== items.length) return;
  const seen = new Set<string>();
  names.forEach((name, i) => {
    if (seen.has(name)) complain(pathOf(i), message(name));
    seen.add(name);
  });
}

function resolvePeer(raw: RawPeer, path: Path, complain: Complain): PeerConfig | undefined {
  const at = (key: string): Path => [...path, key];
  const seconds = (key: 'hold-time' | 'keepalive-time' | 'connect-time') => {
    const value = raw[key];
    return value === undefined ? undefined : take(readDurationSeconds(value), at(key), complain);
  };
  const holdTimeSeconds = seconds('hold-time') ?? defaults.holdTimeSeconds;
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2 || holdTimeSeconds > 65535)
    complain(at('hold-time'), `${holdTimeSeconds}s is not allowed: 0, or 3s to 65535s (RFC 4271)`);
  const keepaliveTimeSeconds = seconds('keepalive-time') ?? Math.floor(holdTimeSeconds / 3);
  if (keepaliveTimeSeconds > holdTimeSeconds)
    complain(
      at('keepalive-time'),
      `${keepaliveTimeSeconds}s is longer than the hold time of ${holdTimeSeconds}s`,
    );
  const connectTimeSeconds = seconds('connect-time') ?? defaults.connectTimeSeconds;
  if (connectTimeSeconds < 1) complain(at('connect-time'), 'expected at least 1s');

  const peerAddress = take(readPeerAddress(raw['peer-address']), at('peer-address'), complain);
  const source = raw['source-address'] === undefined ? undefined : parseIp(raw['source-address']);
  if (raw['source-address'] !== undefined && !source)
    complain(at('source-address'), `${raw['source-address']} is not an address`);
  if (source && peerAddress && source.family !== peerAddress.address.family)
    complain(at('source-address'), `${formatIp(source)} is not of the family of the peer's address`);
  const routerIdAddress = raw['router-id'] === undefined ? undefined : parseIp(raw['router-id']);
  if (raw['router-id'] !== undefined && (routerIdAddress?.family !== 4 || routerIdAddress.value === 0n))
    complain(
      at('router-id'),
      `${raw['router-id']} is not a router id: four octets like 10.0.0.1, not all zero`,
    );
  const zone = peerAddress?.zone;
  if (zone !== undefined && raw.interface !== undefined && zone !== raw.interface)
    complain(at('interface'), `${raw.interface} is not the interface of the address, ${zone}`);
  const interfaceName = zone ?? raw.interface;
  if (raw.password !== undefined && raw['password-secret'])
    complain(at('password-secret'), 'password and password-secret exclude each other');
  if (raw['bfd-profile'] !== undefined && raw['bfd-profile'] !== '')
    complain(at('bfd-profile'), 'BFD is not supported yet');

  const localAsn = raw['local-asn'] ?? raw['my-asn'];
  const internal = raw['peer-asn'] === 'internal' || raw['peer-asn'] === localAsn;
  const multihop = raw['ebgp-multihop'];
  if (internal && multihop !== undefined && multihop !== false)
    complain(at('ebgp-multihop'), 'the peer has our AS number: multihop is for eBGP only');
  if (multihop !== undefined && multihop !== false && multihop !== 1 && raw['ttl-security'])
    complain(at('ttl-security'), 'ttl-security is for directly connected peers: it excludes ebgp-multihop');
  if (!peerAddress) return undefined;
  const restart = raw['graceful-restart'];
  const restartTime =
    typeof restart === 'object' && restart['restart-time'] !== undefined
      ? take(
          readDurationSeconds(restart['restart-time']),
          [...at('graceful-restart'), 'restart-time'],
          complain,
        )
      : undefined;
  if (restartTime !== undefined && (restartTime < 1 || restartTime > 4095))
    complain([...at('graceful-restart'), 'restart-time'], 'expected 1s to 4095s (RFC 4724)');
  const port = raw['peer-port'] ?? defaults.port;
  return {
    name: raw.name ?? (port === defaults.port ? raw['peer-address'] : `${raw['peer-address']}:${port}`),
    myAsn: raw['my-asn'],
    ...(raw['local-asn'] === undefined ? {} : { localAsn: raw['local-asn'] }),
    peerAsn: raw['peer-asn'],
    address: peerAddress.address,
    ...(interfaceName === undefined ? {} : { interface: interfaceName }),
    ...(source ? { sourceAddress: source } : {}),
    port,
    holdTimeSeconds,
    keepaliveTimeSeconds,
    connectTimeSeconds,
    ...(routerIdAddress ? { routerId: Number(routerIdAddress.value) } : {}),
    ...(raw.password ? { password: raw.password } : {}),
    ...(raw['password-secret']
      ? {
          passwordSecret: {
            name: raw['password-secret'].name,
            key: raw['password-secret'].key ?? 'password',
          },
        }
      : {}),
    ebgpMultihop:
      multihop === undefined || multihop === false ? 1 : multihop === true ? defaults.multihop : multihop,
    ttlSecurity: raw['ttl-security'] ?? false,
    passive: raw.passive ?? false,
    ...(restart === undefined || restart === false
      ? {}
      : {
          gracefulRestart: {
            restartTimeSeconds: restartTime ?? Math.min(4095, holdTimeSeconds || defaults.holdTimeSeconds),
          },
        }),
    nodeSelectors: resolveSelectors(raw['node-selectors'], at('node-selectors'), complain),
  };
}

interface References {
  readonly aliases: ReadonlyMap<string, Community>;
  readonly peers: ReadonlySet<string>;
}

function resolvePool(raw: RawPool, path: Path, references: References, complain: Complain): PoolConfig {
  const at = (key: string): Path => [...path, key];
  const ranges = raw.addresses.flatMap(
    (text, i) => take(readRange(text), [...at('addresses'), i], complain) ?? [],
  );
  if (raw.protocol === 'bgp' && raw['l2-advertisements']?.length)
    complain(
      at('l2-advertisements'),
      'the pool is announced by bgp; l2-advertisements are for protocol layer2',
    );
  if (raw.protocol === 'layer2' && raw['bgp-advertisements']?.length)
    complain(
      at('bgp-advertisements'),
      'the pool is announced in layer2; bgp-advertisements are for protocol bgp',
    );
  const advertisements = (raw['bgp-advertisements'] ?? []).map((each, i) =>
    resolveBgpAdvertisement(each, [...at('bgp-advertisements'), i], ranges, references, complain),
  );
  complainOfTwins(
    raw['bgp-advertisements'] ?? [],
    advertisements.map((each) => JSON.stringify(each)),
    (i) => [...at('bgp-advertisements'), i],
    () => 'this advertisement stands here twice',
    complain,
  );
  const fallback: BgpAdvertisement = {
    aggregationLength: 32,
    aggregationLengthV6: 128,
    asPathPrepend: 0,
    communities: [],
    largeCommunities: [],
    peers: [],
    nodeSelectors: [],
  };
  return {
    name: raw.name,
    protocol: raw.protocol,
    ranges,
    autoAssign: raw['auto-assign'] ?? true,
    avoidBuggyIps: raw['avoid-buggy-ips'] ?? false,
    draining: raw.draining ?? false,
    ...(raw.priority === undefined ? {} : { priority: raw.priority }),
    namespaces: raw.namespaces ?? [],
    namespaceSelectors: resolveSelectors(raw['namespace-selectors'], at('namespace-selectors'), complain),
    serviceSelectors: resolveSelectors(raw['service-selectors'], at('service-selectors'), complain),
    ...(raw['limit-per-namespace'] === undefined ? {} : { limitPerNamespace: raw['limit-per-namespace'] }),
    bgpAdvertisements: raw.protocol === 'bgp' && advertisements.length === 0 ? [fallback] : advertisements,
    l2Advertisements: (raw['l2-advertisements'] ?? []).map(
      (each, i): Layer2Advertisement => ({
        interfaces: each.interfaces ?? [],
        nodeSelectors: resolveSelectors(
          each['node-selectors'],
          [...at('l2-advertisements'), i, 'node-selectors'],
          complain,
        ),
      }),
    ),
  };
}

function resolveBgpAdvertisement(
  raw: RawBgpAdvertisement,
  path: Path,
  ranges: readonly IpRange[],
  references: References,
  complain: Complain,
): BgpAdvertisement {
  const at = (key: string): Path => [...path, key];
  for (const [key, family] of [
    ['aggregation-length', 4],
    ['aggregation-length-v6', 6],
  ] as const) {
    const length = raw[key];
    const range = ranges.find(
      (each) => each.family === family && length !== undefined && !allowsAggregation(each, length),
    );
    if (range)
      complain(
        at(key),
        `/${length} is shorter than the pool's range ${formatRange(range)}: it would announce addresses that are not in it`,
      );
  }
  const standard = new Set<number>();
  const large = new Map<string, LargeCommunity>();
  (raw.communities ?? []).forEach((written, i) => {
    const text = String(written);
    const alias = references.aliases.get(text);
    const community = alias ?? take(readCommunity(text), [...at('communities'), i], complain);
    if (!community) return;
    const seen =
      community.kind === 'standard' ? standard.has(community.value) : large.has(community.value.join(':'));
    if (seen) complain([...at('communities'), i], `${text} stands here twice`);
    if (community.kind === 'standard') standard.add(community.value);
    else large.set(community.value.join(':'), community.value);
  });
  (raw.peers ?? []).forEach((name, i) => {
    if (!references.peers.has(name))
      complain(
        [...at('peers'), i],
        `there is no peer ${name}; known: ${[...references.peers].join(', ') || 'none'}`,
      );
  });
  return {
    aggregationLength: raw['aggregation-length'] ?? 32,
    aggregationLengthV6: raw['aggregation-length-v6'] ?? 128,
    ...(raw.localpref === undefined ? {} : { localPref: raw.localpref }),
    ...(raw.med === undefined ? {} : { med: raw.med }),
    asPathPrepend: raw['as-path-prepend'] ?? 0,
    communities: [...standard].sort((a, b) => a - b),
    largeCommunities: [...large.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
    peers: raw.peers ?? [],
    nodeSelectors: resolveSelectors(raw['node-selectors'], at('node-selectors'), complain),
  };
}

/** MetalLB's rule: the aggregate may not be shorter than the largest prefix inside the range. */
function allowsAggregation(range: IpRange, length: number): boolean {
  return length >= Math.min(...prefixesOfRange(range).map((prefix) => prefix.length));
}

function resolveSelectors(
  raw: readonly RawSelector[] | undefined,
  path: Path,
  complain: Complain,
): LabelSelector[] {
  return (raw ?? []).map((selector, i) => ({
    matchLabels: selector['match-labels'] ?? {},
    matchExpressions: (selector['match-expressions'] ?? []).map(({ key, operator, values = [] }, j) => {
      const at = [...path, i, 'match-expressions', j, 'values'];
      const takesValues = operator === 'In' || operator === 'NotIn';
      if (takesValues && values.length === 0) complain(at, `${operator} needs at least one value`);
      if (!takesValues && values.length > 0) complain(at, `${operator} takes no values`);
      return { key, operator, values };
    }),
  }));
}

/** Sorted by first address, only neighbours can overlap first: n log n, and each range is named with one it meets. */
function complainOfOverlaps(raw: RawConfig, complain: Complain): void {
  const all = (raw['address-pools'] ?? []).flatMap((pool, i) =>
    pool.addresses.flatMap((text, j) => {
      const range = readRange(text);
      return range.ok
        ? [
            {
              range: range.value,
              text,
              pool: pool.name,
              path: ['address-pools', i, 'addresses', j],
              order: i * 1e6 + j,
            },
          ]
        : [];
    }),
  );
  all.sort(
    (a, b) =>
      a.range.family - b.range.family ||
      (a.range.first < b.range.first ? -1 : a.range.first > b.range.first ? 1 : a.order - b.order),
  );
  let widest = all[0];
  for (const each of all.slice(1)) {
    if (widest && rangesOverlap(widest.range, each.range)) {
      const [earlier, later] = widest.order < each.order ? [widest, each] : [each, widest];
      complain(later.path, `${later.text} overlaps ${earlier.text} of pool ${earlier.pool}`);
    }
    if (!widest || each.range.family !== widest.range.family || each.range.last > widest.range.last)
      widest = each;
  }
}
