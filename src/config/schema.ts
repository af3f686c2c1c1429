/**
 * The shape of the ConfigMap's YAML: one definition for the parser and for the JSON Schema that editors use. It knows types, bounds
 * and the names of keys; what needs more than one value at once (references, overlaps) is judged in `resolve.ts`.
 */
import { z } from 'zod';

const asn = z
  .int('an AS number is a whole number')
  .min(1, 'an AS number is 1 to 4294967295')
  .max(4294967295, 'an AS number is 1 to 4294967295');
const port = z
  .int('a port is a whole number')
  .min(1, 'a port is 1 to 65535')
  .max(65535, 'a port is 1 to 65535');
const name = z.string('a name is text').min(1, 'a name must not be empty');
const duration = z.union([z.string(), z.number()], 'a duration is written like 90s or 1m30s');
const labels = z.record(
  z.string(),
  z.string('a label value is text: quote it'),
  'labels are key: value pairs',
);
const uint32 = z
  .int('expected a whole number')
  .min(0, 'expected 0 to 4294967295')
  .max(4294967295, 'expected 0 to 4294967295');

export const selectorSchema = z
  .strictObject({
    'match-labels': labels.optional().describe('Labels that must be there with these values.'),
    'match-expressions': z
      .array(
        z.strictObject({
          key: name,
          operator: z.enum(
            ['In', 'NotIn', 'Exists', 'DoesNotExist'],
            'one of In, NotIn, Exists, DoesNotExist',
          ),
          values: z.array(z.string('a label value is text: quote it')).optional(),
        }),
        'a list of requirements',
      )
      .optional()
      .describe('Requirements that must all hold.'),
  })
  .describe('A label selector, as Kubernetes defines it.');
const selectors = z.array(selectorSchema, 'a list of selectors');

export const peerSchema = z.strictObject({
  name: name.optional().describe('Unique name; the address when absent.'),
  'my-asn': asn.describe('Our AS number.'),
  'local-asn': asn.optional().describe('AS number shown to this peer instead of my-asn.'),
  'peer-asn': z
    .union([asn, z.enum(['internal', 'external'])], 'an AS number, internal or external')
    .describe("The peer's AS number, or internal (ours) or external (any but ours)."),
  'peer-address': z.string('an address is text').describe('IPv4, IPv6, or link-local with %interface.'),
  'peer-port': port.optional().describe('TCP port of the peer, 179 by default.'),
  'source-address': z.string('an address is text').optional().describe('Local address of the session.'),
  interface: name.optional().describe('Interface the session is bound to.'),
  'hold-time': duration.optional().describe('90s by default; 0 or at least 3s.'),
  'keepalive-time': duration.optional().describe('A third of hold-time by default.'),
  'connect-time': duration.optional().describe('Time between attempts to connect, 5s by default.'),
  'router-id': z
    .string('a router id is written like an IPv4 address')
    .optional()
    .describe("BGP Identifier, the node's IPv4 address by default."),
  password: z
    .string('a password is text: quote it')
    .max(80, 'TCP MD5 takes at most 80 characters')
    .optional()
    .describe('TCP MD5 password in the clear.'),
  'password-secret': z
    .strictObject({ name, key: name.optional() })
    .optional()
    .describe('Secret in the same namespace that holds the TCP MD5 password; key is password by default.'),
  'ebgp-multihop': z
    .union([z.boolean(), z.int().min(1).max(255)], 'true, false, or a number of hops from 1 to 255')
    .optional()
    .describe('The eBGP peer is not directly connected; a number limits the hops.'),
  'ttl-security': z
    .boolean('true or false')
    .optional()
    .describe('RFC 5082: accept packets with TTL 255 only.'),
  passive: z.boolean('true or false').optional().describe('Wait for the peer to connect.'),
  'graceful-restart': z
    .union(
      [z.boolean(), z.strictObject({ 'restart-time': duration.optional() })],
      'true, false, or restart-time',
    )
    .optional()
    .describe('RFC 4724: the peer keeps our routes while the speaker restarts.'),
  'bfd-profile': z.string().optional().describe('Not supported yet.'),
  'node-selectors': selectors.optional().describe('Nodes that have this session; all by default.'),
});

export const bgpAdvertisementSchema = z.strictObject({
  'aggregation-length': z
    .int()
    .min(0, 'expected 0 to 32')
    .max(32, 'expected 0 to 32')
    .optional()
    .describe('Prefix length announced for IPv4, 32 by default.'),
  'aggregation-length-v6': z
    .int()
    .min(0, 'expected 0 to 128')
    .max(128, 'expected 0 to 128')
    .optional()
    .describe('Prefix length announced for IPv6, 128 by default.'),
  localpref: uint32.optional().describe('LOCAL_PREF to iBGP peers.'),
  med: uint32.optional().describe('MULTI_EXIT_DISC.'),
  'as-path-prepend': z
    .int()
    .min(0, 'expected 0 to 10')
    .max(10, 'expected 0 to 10')
    .optional()
    .describe('How often our AS number is repeated, 0 by default.'),
  communities: z
    .array(z.union([z.string(), z.number()]), 'a list of communities')
    .optional()
    .describe('a:b, large a:b:c, a well-known name, or an alias.'),
  peers: z.array(name, 'a list of peer names').optional().describe('Peers that hear of it; all by default.'),
  'node-selectors': selectors.optional().describe('Nodes that announce it; all by default.'),
});

export const l2AdvertisementSchema = z.strictObject({
  interfaces: z
    .array(name, 'a list of interface names')
    .optional()
    .describe('Interfaces to answer on; by default those whose subnet holds the address.'),
  'node-selectors': selectors.optional().describe('Nodes that may answer; all by default.'),
});

export const poolSchema = z.strictObject({
  name: name.describe('Unique name.'),
  protocol: z
    .enum(['bgp', 'layer2'], 'the protocol is bgp or layer2')
    .describe('How its addresses are announced.'),
  addresses: z
    .array(z.string('an address range is text'), 'a list of prefixes or ranges')
    .min(1, 'at least one prefix or range')
    .describe('CIDR prefixes or first-last ranges.'),
  'auto-assign': z
    .boolean('true or false')
    .optional()
    .describe('Used for Services that name no pool, true by default.'),
  'avoid-buggy-ips': z
    .boolean('true or false')
    .optional()
    .describe('Hands out no IPv4 address ending in .0 or .255, false by default.'),
  draining: z
    .boolean('true or false')
    .optional()
    .describe('Keeps what is assigned, hands out nothing new; false by default.'),
  priority: z
    .int('a priority is a whole number')
    .min(0, 'a priority is 0 or more')
    .optional()
    .describe('Lower is tried first; pools without one come last.'),
  namespaces: z
    .array(name, 'a list of namespaces')
    .optional()
    .describe('Namespaces that may use it; all by default.'),
  'namespace-selectors': selectors.optional().describe('Namespaces that may use it, by label.'),
  'service-selectors': selectors.optional().describe('Services that may use it, by label.'),
  'limit-per-namespace': z
    .int('a limit is a whole number')
    .min(1, 'a limit is at least 1')
    .optional()
    .describe('Most addresses that one namespace may hold.'),
  'bgp-advertisements': z
    .array(bgpAdvertisementSchema, 'a list of advertisements')
    .optional()
    .describe('How its prefixes are announced; one host route without attributes by default.'),
  'l2-advertisements': z
    .array(l2AdvertisementSchema, 'a list of advertisements')
    .optional()
    .describe('Where its addresses are answered.'),
});

export const configSchema = z
  .strictObject({
    peers: z.array(peerSchema, 'a list of peers').nullish().describe('Routers to peer with.'),
    'bgp-communities': z
      .record(z.string(), z.union([z.string(), z.number()]), 'name: community pairs')
      .nullish()
      .describe('Names for communities.'),
    'address-pools': z.array(poolSchema, 'a list of pools').nullish().describe('Where addresses come from.'),
    'bfd-profiles': z
      .array(z.unknown())
      .max(0, 'BFD is not supported yet')
      .nullish()
      .describe('Not supported yet.'),
  })
  .describe("Bellman's configuration.");

export type RawConfig = z.infer<typeof configSchema>;
export type RawPeer = z.infer<typeof peerSchema>;
export type RawPool = z.infer<typeof poolSchema>;
export type RawBgpAdvertisement = z.infer<typeof bgpAdvertisementSchema>;
export type RawSelector = z.infer<typeof selectorSchema>;
