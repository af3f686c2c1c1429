/**
 * The shape of the configuration: one definition for the parser and for the JSON Schema that editors use. It holds the names of the
 * keys, their types and their bounds. The next stage reads values with a syntax of their own, such as addresses and durations, and judges
 * references and overlaps. The message of each schema is a noun for the expected value. The text of an error contains this noun.
 */
import * as z from 'zod';

const uint32Max = 4294967295;

const wholeNumber = (min: number, max: number, noun: string) => z.int(noun).min(min, noun).max(max, noun);
const text = (noun: string, maxLength = 1024) => z.string(noun).min(1, noun).max(maxLength, noun);
const list = <T extends z.ZodType>(element: T, noun: string) => z.array(element, noun);
const flag = () => z.boolean('true or false');
/** An optional key with its description. `byDefault` only documents the default in the JSON Schema. The code in `resolve/` sets the default. */
const key = <T extends z.ZodType>(schema: T, description: string, byDefault?: unknown) =>
  schema.meta({ description, ...(byDefault === undefined ? {} : { default: byDefault }) }).optional();

const asn = wholeNumber(1, uint32Max, `an AS number (1 to ${uint32Max})`);
const uint32 = wholeNumber(0, uint32Max, `a number from 0 to ${uint32Max}`);
/**
 * A duration in Go's notation. As in MetalLB, the empty text counts as absent. The pattern is for editors and Helm, and differs from the
 * parser. It refuses some durations that the parser accepts, such as `1500ms`, because it knows no unit below the second. It accepts some
 * totals of less than a second, such as `0.001m` and `0m0.5s`, which the parser rejects. It has no lookahead, because Helm cannot read a
 * lookahead.
 */
const duration = (description: string, byDefault?: string) =>
  key(
    z.string('a duration like 90s or 1m30s').meta({
      pattern: '^(0|(\\d+(\\.\\d+)?[hm])+(\\d+(\\.\\d+)?s)?|(\\d+|\\d*[1-9]\\d*\\.\\d+)s|)$',
      examples: ['90s', '1m30s'],
    }),
    description,
    byDefault,
  );
const hops = 'true, false, or a number of hops from 1 to 255';
const labelKey = text('a label key');
const labelValue = z.string('a label value');

export const selectorSchema = z
  .strictObject(
    {
      'match-labels': key(
        z.record(z.string(), labelValue, 'labels (key: value)'),
        'Labels that must have these values.',
      ),
      'match-expressions': key(
        list(
          z.strictObject(
            {
              key: labelKey.meta({ description: 'The label.' }),
              operator: z
                .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'], 'In, NotIn, Exists or DoesNotExist')
                .meta({ description: 'NotIn also holds where the label is missing.' }),
              values: key(
                list(labelValue, 'a list of label values'),
                'Values for In and NotIn. The other operators take none.',
              ),
            },
            'a requirement with key and operator',
          ),
          'a list of requirements',
        ),
        'Requirements that must all hold.',
      ),
    },
    'a selector with match-labels or match-expressions',
  )
  .meta({ description: 'A label selector of Kubernetes. An empty one matches everything.' });
const selectors = list(selectorSchema, 'a list of selectors');

export const peerSchema = z.strictObject(
  {
    name: key(
      text('a name of up to 253 characters', 253),
      'Unique name of the peer. By default its address, with :port when the port is not 179.',
    ),
    'my-asn': asn.meta({ description: 'Our AS number.' }),
    'local-asn': key(asn, 'AS number shown to this peer in place of my-asn (RFC 7705).'),
    'peer-asn': z
      .union(
        [asn, z.enum(['internal', 'external'])],
        `an AS number (1 to ${uint32Max}), internal or external`,
      )
      .meta({
        description:
          "The peer's AS number, or internal for our AS number, or external for any other AS number.",
      }),
    'peer-address': text('an address').meta({ description: 'IPv4, IPv6, or link-local with %interface.' }),
    'peer-port': key(wholeNumber(0, 65535, 'a port (1 to 65535)'), 'TCP port of the peer. 0 means 179.', 179),
    'source-address': key(
      z.string('an address'),
      'Local address of the session. By default the kernel chooses it.',
    ),
    interface: key(
      text('an interface name of up to 15 characters', 15),
      'Interface that the session is bound to.',
    ),
    'hold-time': duration(
      'The session ends when the peer is silent for this long, 3s to 65535s. 0 turns the timer off.',
      '90s',
    ),
    'keepalive-time': duration(
      'Time between keepalives, at most hold-time. By default a third of hold-time.',
    ),
    'connect-time': duration('Time between attempts to connect, 1s to 65535s.', '5s'),
    'router-id': key(
      z.string('a router id like 10.0.0.1'),
      "BGP Identifier. By default the node's IPv4 address.",
    ),
    password: key(z.string('a password of up to 80 octets'), 'TCP MD5 password (RFC 2385) in the clear.'),
    'password-secret': key(
      z.strictObject(
        {
          name: text('the name of a Secret', 253).meta({ description: 'Name of the Secret.' }),
          key: key(text('a key of a Secret', 253), 'Key inside the Secret.', 'password'),
        },
        'a reference with name and key',
      ),
      'Secret in the namespace of Bellman that holds the TCP MD5 password.',
    ),
    'ebgp-multihop': key(
      z.union([flag(), wholeNumber(1, 255, hops)], hops),
      'Largest number of hops to an eBGP peer. true allows any number, false one hop. By default packets have the TTL of the system.',
    ),
    'ttl-security': key(flag(), 'Accept only packets that crossed no router (RFC 5082).', false),
    passive: key(flag(), 'Wait for the peer to connect.', false),
    'graceful-restart': key(
      z.union(
        [
          flag(),
          z.strictObject({
            'restart-time': duration('How long the peer keeps the routes, 1s to 4095s.'),
            'long-lived-stale-time': duration(
              'How long the peer keeps the routes after that, as the last choice (RFC 9494), 0s to 4660h.',
              '0s',
            ),
          }),
        ],
        'true, false, or restart-time and long-lived-stale-time',
      ),
      'Makes the peer keep the routes while the speaker restarts (RFC 4724), by default for hold-time.',
      false,
    ),
    families: key(
      list(z.enum(['ipv4', 'ipv6'], 'ipv4 or ipv6'), 'a list of ipv4 and ipv6'),
      'Address families that the session carries. By default all that the peer speaks.',
    ),
    'bfd-profile': key(
      z.string('the name of a profile'),
      'Name of the profile in bfd-profiles by which BFD watches the peer. By default no BFD.',
    ),
    'bfd-strict': key(
      z.enum(['off', 'negotiate', 'local'], 'off, negotiate or local'),
      'off: the session does not wait for BFD. negotiate: if the peer agrees in its OPEN, the session waits until BFD is Up. local: TCP connects only when BFD is Up, or after 30 s.',
      'off',
    ),
    'bfd-hold-down': duration(
      'How long BFD must be Up before the session comes up. Shorter than hold-time. Needs bfd-strict.',
    ),
    'node-selectors': key(
      selectors,
      'Nodes that have this session. One match is enough. By default all nodes.',
    ),
  },
  'a peer with my-asn, peer-asn and peer-address',
);

const bfdInterval = (noun: string) => wholeNumber(10, 60_000, `${noun} in milliseconds (10 to 60000)`);

export const bfdProfileSchema = z.strictObject(
  {
    name: text('a name of up to 253 characters', 253).meta({ description: 'Unique name.' }),
    'receive-interval': key(
      bfdInterval('an interval'),
      'Shortest interval at which the peer may send, in milliseconds.',
      300,
    ),
    'transmit-interval': key(
      bfdInterval('an interval'),
      'Interval at which we want to send packets, in milliseconds.',
      300,
    ),
    'detect-multiplier': key(
      wholeNumber(2, 255, 'a multiplier (2 to 255)'),
      'Number of our packets in a row that the peer must miss before it declares the session down.',
      3,
    ),
    'echo-interval': key(
      bfdInterval('an interval'),
      'Interval of echo packets, in milliseconds. Only with echo-mode.',
      50,
    ),
    'echo-mode': key(
      flag(),
      'Sends echo packets, which the peer forwards back. Only for peers that are one hop away.',
      false,
    ),
    'passive-mode': key(flag(), 'Sends nothing before the peer does.', false),
    'minimum-ttl': key(
      wholeNumber(1, 254, 'a TTL (1 to 254)'),
      'Packets with a smaller TTL are dropped. Only for multihop sessions.',
      254,
    ),
    authentication: key(
      z.strictObject(
        {
          type: z
            .enum(
              ['keyed-md5', 'meticulous-md5', 'keyed-sha1', 'meticulous-sha1'],
              'keyed-md5, meticulous-md5, keyed-sha1 or meticulous-sha1',
            )
            .meta({ description: 'Type of authentication (RFC 5880 section 4).' }),
          'key-secret': text('the name of a Secret', 253).meta({
            description:
              'Name of the Secret. Each of its keys is a key id (0 to 255), with the BFD key as value.',
          }),
          'key-id': key(wholeNumber(0, 255, 'a key id (0 to 255)'), 'Id of the key that we send with.', 1),
        },
        'authentication with type and key-secret',
      ),
      'Authentication of all packets (RFC 5880 section 6.7). By default none.',
    ),
  },
  'a profile with a name',
);

export const bgpAdvertisementSchema = z.strictObject(
  {
    'aggregation-length': key(
      wholeNumber(0, 32, 'a prefix length (0 to 32)'),
      'Length of the announced IPv4 prefix.',
      32,
    ),
    'aggregation-length-v6': key(
      wholeNumber(0, 128, 'a prefix length (0 to 128)'),
      'Length of the announced IPv6 prefix.',
      128,
    ),
    localpref: key(uint32, 'LOCAL_PREF towards iBGP peers.'),
    med: key(uint32, 'MULTI_EXIT_DISC.'),
    'as-path-prepend': key(
      wholeNumber(0, 10, 'a number from 0 to 10'),
      'Number of additional times that our AS number is prepended towards eBGP peers.',
      0,
    ),
    communities: key(
      list(text('a community'), 'a list of communities'),
      'Communities as a:b, as a:b:c (large), or by a well-known name or a name from bgp-communities.',
    ),
    peers: key(
      list(text('the name of a peer'), 'a list of peer names'),
      'Names of the peers that receive the routes. By default all peers.',
    ),
    'node-selectors': key(
      selectors,
      'Nodes that announce the routes. One match is enough. By default all nodes.',
    ),
    'service-selectors': key(
      selectors,
      'Services whose addresses are announced. One match is enough. By default all Services.',
    ),
  },
  'an advertisement',
);

export const l2AdvertisementSchema = z.strictObject(
  {
    interfaces: key(
      list(text('an interface name of up to 15 characters', 15), 'a list of interface names'),
      'Interfaces to answer on. By default the interfaces whose subnet holds the address.',
    ),
    'node-selectors': key(selectors, 'Nodes that may answer. One match is enough. By default all nodes.'),
    'service-selectors': key(
      selectors,
      'Services for whose addresses the nodes answer. One match is enough. By default all Services.',
    ),
    'preferred-node-selectors': key(
      list(
        z.strictObject(
          {
            weight: wholeNumber(1, 100, 'a weight (1 to 100)').meta({
              description: 'Is added to the preference of each node that the selector matches.',
            }),
            preference: selectorSchema,
          },
          'weight and preference',
        ),
        'a list of weights and preferences',
      ),
      'Nodes to prefer. Of the nodes that could answer, one with the greatest sum of weights answers.',
    ),
  },
  'an advertisement',
);

const protocols = 'bgp, layer2 or none';
const protocol = z.enum(['bgp', 'layer2'], 'bgp or layer2');

export const poolSchema = z.strictObject(
  {
    name: text('a name of up to 253 characters', 253).meta({ description: 'Unique name.' }),
    protocol: z
      .union([z.enum(['bgp', 'layer2', 'none'], protocols), list(protocol, protocols)], protocols)
      .meta({
        description:
          'How the addresses of the pool are announced: by one protocol, by both as a list, or by none.',
      }),
    addresses: list(text('a prefix or a range'), 'a list of prefixes or ranges').meta({
      minItems: 1,
      description: 'CIDR prefixes and first-last ranges, IPv4 and IPv6. No two may overlap.',
      examples: [['192.0.2.0/24', '2001:db8::10-2001:db8::ff']],
    }),
    'auto-assign': key(flag(), 'Assigns addresses to Services that name no pool.', true),
    'avoid-buggy-ips': key(flag(), 'Assigns no IPv4 address that ends in .0 or .255.', false),
    draining: key(flag(), 'Keeps assigned addresses and assigns no new ones.', false),
    priority: key(
      wholeNumber(0, 2147483647, 'a priority (0 to 2147483647)'),
      'Pools with a lower number are tried first, pools without a number last.',
    ),
    namespaces: key(
      list(text('a namespace'), 'a list of namespaces'),
      'Namespaces that may use the pool. By default all.',
    ),
    'namespace-selectors': key(selectors, 'Namespaces that may use the pool, by label. One match is enough.'),
    'service-selectors': key(selectors, 'Services that may use the pool, by label. One match is enough.'),
    'limit-per-namespace': key(
      wholeNumber(1, 2147483647, 'a limit (1 to 2147483647)'),
      'Largest number of addresses of this pool that the Services of one namespace may hold. By default no limit.',
    ),
    'share-across-namespaces': key(
      flag(),
      'Lets Services of different namespaces share an address under one sharing key.',
      false,
    ),
    'bgp-advertisements': key(
      list(bgpAdvertisementSchema, 'a list of advertisements'),
      'How the prefixes of the pool are announced. By default as host routes without attributes. Only with the protocol bgp.',
    ),
    'l2-advertisements': key(
      list(l2AdvertisementSchema, 'a list of advertisements'),
      'Nodes and interfaces that answer for the addresses. Only with the protocol layer2.',
    ),
  },
  'a pool with name, protocol and addresses',
);

const taintEffect = z.enum(['NoSchedule', 'NoExecute'], 'NoSchedule or NoExecute');

export const tolerationSchema = z.strictObject(
  {
    key: key(
      labelKey,
      'Key of the taint. A toleration without a key tolerates every taint, and needs the operator Exists.',
    ),
    operator: key(
      z.enum(['Exists', 'Equal'], 'Exists or Equal'),
      'Equal compares the value as well.',
      'Equal',
    ),
    value: key(labelValue, 'Value of the taint, for Equal.'),
    effect: key(taintEffect, 'Effect of the taint. By default both.'),
  },
  'a toleration',
);

export const taintMatchSchema = z.strictObject(
  {
    key: key(labelKey, 'Key of the taint. By default every taint.'),
    value: key(labelValue, 'Value of the taint. By default any value.'),
    effect: key(
      taintEffect,
      'Effect of the taint. By default both. A taint with PreferNoSchedule never matches.',
    ),
    tolerations: key(
      list(tolerationSchema, 'a list of tolerations'),
      'Taints that match, but do not make the node leave. The notation is that of the tolerations of a Pod.',
    ),
  },
  'a match with key or effect',
);

export const drainSchema = z.strictObject(
  {
    community: key(
      text('a community'),
      'Community that the routes of a leaving node carry, written as in an advertisement.',
      'graceful-shutdown',
    ),
    med: key(
      uint32,
      'MULTI_EXIT_DISC of those routes of a leaving node whose own value is smaller or missing. By default the value does not change.',
    ),
    'as-path-prepend': key(
      wholeNumber(0, 10, 'a number from 0 to 10'),
      'Number of additional times that our AS number is prepended towards eBGP peers.',
      0,
    ),
  },
  'community, med and as-path-prepend',
);

const nodeLimit = 'a number from 1 to 1000, or a percentage from 1% to 50%';

const deadNodesSchema = z.strictObject(
  {
    'mark-pods-not-ready': key(
      flag(),
      'Sets the Pods of a dead node to not ready within seconds. Needs the roles of manifests/dead-nodes/.',
      false,
    ),
    'max-nodes': key(
      z.union([wholeNumber(1, 1000, nodeLimit), text(nodeLimit)], nodeLimit),
      'Largest number of nodes whose Pods are set to not ready at once. When more nodes die together, Bellman leaves the Pods of all of them alone.',
      1,
    ),
  },
  'mark-pods-not-ready and max-nodes',
);

export const configSchema = z
  .strictObject(
    {
      peers: key(list(peerSchema, 'a list of peers'), 'Routers to peer with.'),
      'bgp-communities': key(
        z.record(z.string(), text('a community'), 'communities by name (name: a:b)'),
        'Names for communities, for use in advertisements.',
      ),
      'address-pools': key(list(poolSchema, 'a list of pools'), 'Pools of addresses for Services.'),
      'ignore-excluded-nodes': key(
        flag(),
        'Announces also from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers.',
        false,
      ),
      'leave-on-taints': key(
        list(taintMatchSchema, 'a list of taints'),
        'Taints that make a node leave: it stops announcing without a lost packet.',
      ),
      'min-announcers': key(
        wholeNumber(1, 1000, 'a number from 1 to 1000'),
        'A leaving node keeps announcing an address while fewer than this number of other nodes could announce it.',
        1,
      ),
      'drain-delay': duration('How long a leaving node still announces its routes, 0s to 3600s.', '10s'),
      drain: key(drainSchema, 'Attributes of the routes of a leaving node.'),
      'announce-delay': duration(
        'How long a node waits before it announces a Service whose first endpoint on this node has become ready, 0s to 300s. It waits only while another node serves.',
        '0s',
      ),
      'dead-nodes': key(deadNodesSchema, 'How the controller reports dead nodes to Kubernetes.'),
      'bfd-profiles': key(
        list(bfdProfileSchema, 'a list of profiles'),
        'Settings of BFD sessions, by name. Peers refer to them by bfd-profile.',
      ),
    },
    'peers, bgp-communities and address-pools',
  )
  .meta({ title: 'Bellman configuration', description: 'The text under the key `config` of the ConfigMap.' });

/** A document of the right shape. */
export type RawConfig = z.infer<typeof configSchema>;
export type RawPeer = z.infer<typeof peerSchema>;
export type RawBfdProfile = z.infer<typeof bfdProfileSchema>;
export type RawPool = z.infer<typeof poolSchema>;
export type RawBgpAdvertisement = z.infer<typeof bgpAdvertisementSchema>;
export type RawLayer2Advertisement = z.infer<typeof l2AdvertisementSchema>;
export type RawSelector = z.infer<typeof selectorSchema>;
export type RawTaintMatch = z.infer<typeof taintMatchSchema>;
export type RawToleration = z.infer<typeof tolerationSchema>;

/** A document from which the values of a wrong shape were removed. Each value that is left has the type of the schema. */
export type Sound<T> = T extends readonly (infer E)[]
  ? readonly (Sound<E> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Sound<T[K]> | undefined }
    : T;
