import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BfdAuthenticationConfig,
  type Config,
  formatConfig,
  type LabelSelector,
  type PeerBfd,
  parseConfig,
  type Toleration,
} from '../../../src/config/index.ts';
import { documentCases } from './cases.ts';

const documents = documentCases().map(({ text }) => text);

/**
 * Asserts that the parser returns a result, that each error is located inside the text, and that a valid configuration survives a round
 * trip.
 */
function holdsFor(text: string): void {
  const result = parseConfig(text);
  if (result.ok) {
    const printed = parseConfig(formatConfig(result.value));
    assert.deepEqual(printed.ok ? printed.value : printed.error, result.value);
    return;
  }
  assert.ok(result.error.length > 0);
  const lines = text.split(/\r\n|\r|\n/);
  for (const { line, column, message } of result.error) {
    assert.ok(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}`);
    assert.ok(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 2, `column ${column}`);
    assert.notEqual(message, '');
  }
}

const yamlScraps = fc.constantFrom(
  ...[
    '- ',
    '  ',
    '\n',
    ': ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '"',
    "'",
    '|',
    '>',
    '&a ',
    '*a',
    '!!str ',
    '<<',
    '---\n',
    '#',
    '\t',
    '? ',
  ],
  ...[
    'peers',
    'address-pools',
    'bgp-communities',
    'bfd-profiles',
    'name',
    'addresses',
    'protocol',
    'bgp',
    'my-asn',
  ],
  ...[
    '10.0.0.0/8',
    '64512:1',
    '90s',
    'true',
    'no',
    '0',
    '-1',
    '~',
    '\uFEFF',
    '\0',
    '\r\n',
    '__proto__',
    '\u2028',
    '\ud800',
  ],
);

test('parseConfig() never throws on any text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200, size: 'max' }), holdsFor), {
    numRuns: 300,
  });
});

test('parseConfig() never throws on any sequence of YAML fragments', () => {
  const scraps = fc.array(yamlScraps, { maxLength: 40, size: 'max' }).map((parts) => parts.join(''));
  fc.assert(fc.property(scraps, holdsFor), { numRuns: 1000 });
});

test('parseConfig() never throws on a document with a piece removed or inserted', () => {
  const edited = fc
    .tuple(
      fc.constantFrom(...documents),
      fc.nat(),
      fc.nat({ max: 12 }),
      fc.oneof(yamlScraps, fc.string({ maxLength: 8 })),
    )
    .map(([text, at, cut, piece]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + piece + text.slice(start + cut);
    });
  fc.assert(fc.property(edited, holdsFor), { numRuns: 1500 });
});

test('parseConfig() never throws on a document with values from other documents', () => {
  const value = /(?<=: )[^\n{}[\],]+/g;
  const values = documents.flatMap((text) => text.match(value) ?? []);
  const swapped = fc
    .tuple(
      fc.constantFrom(...documents),
      fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 8 }),
      fc.nat(),
    )
    .map(([text, others, seed]) => {
      let count = seed;
      return text.replace(value, (own) => (++count % 3 === 0 ? (others[count % others.length] ?? own) : own));
    });
  fc.assert(fc.property(swapped, holdsFor), { numRuns: 1000 });
});

/** Generates records that have a prototype, as the parser's records do, because `deepEqual` compares prototypes. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });

const asn = fc.integer({ min: 1, max: 4294967295 });
const uint32 = fc.nat({ max: 4294967295 });
const word = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/);
const anyName = fc.string({ minLength: 1, maxLength: 20, size: 'max' }).filter((name) => name.isWellFormed());
const selector: fc.Arbitrary<LabelSelector> = record({
  matchLabels: fc.dictionary(word, fc.oneof(word, fc.constant('')), { maxKeys: 3, noNullPrototype: true }),
  matchExpressions: fc.array(
    fc.oneof(
      record({
        key: word,
        operator: fc.constantFrom('In' as const, 'NotIn' as const),
        values: fc.array(word, { minLength: 1, maxLength: 3 }),
      }),
      record({
        key: word,
        operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
        values: fc.constant<string[]>([]),
      }),
    ),
    { maxLength: 2 },
  ),
});
const selectors = fc.array(selector, { maxLength: 2 });

const bfdProfile = record({
  receiveIntervalMs: fc.integer({ min: 10, max: 60_000 }),
  transmitIntervalMs: fc.integer({ min: 10, max: 60_000 }),
  detectMultiplier: fc.integer({ min: 2, max: 255 }),
  echoIntervalMs: fc.integer({ min: 10, max: 60_000 }),
  echoMode: fc.boolean(),
  passiveMode: fc.boolean(),
  minimumTtl: fc.integer({ min: 1, max: 254 }),
  authentication: record({
    type: fc.constantFrom<BfdAuthenticationConfig['type']>(
      'keyed-md5',
      'meticulous-md5',
      'keyed-sha1',
      'meticulous-sha1',
    ),
    keySecret: word,
    keyId: fc.nat({ max: 255 }),
  }),
});
const bfdStrict = fc.constantFrom<PeerBfd['strict']>('off', 'negotiate', 'local');

const peer = fc
  .record({
    myAsn: asn,
    peerAsn: fc.oneof(asn, fc.constantFrom('internal' as const, 'external' as const)),
    port: fc.integer({ min: 1, max: 65535 }),
    holdTimeSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 65535 })),
    connectTimeSeconds: fc.integer({ min: 1, max: 65535 }),
    ttlSecurity: fc.boolean(),
    passive: fc.boolean(),
    nodeSelectors: selectors,
    address: fc.constantFrom('ipv4' as const, 'ipv6' as const, 'link-local' as const),
    zone: word,
    keepaliveThousandths: fc.nat({ max: 1000 }),
    bfdStrict: fc.option(bfdStrict, { nil: undefined }),
    optional: fc.record(
      {
        families: fc.subarray([4 as const, 6 as const], { minLength: 1 }),
        localAsn: asn,
        ebgpMultihop: fc.integer({ min: 1, max: 255 }),
        passwordSecret: record({ name: word, key: word }),
        sourceHost: fc.integer({ min: 1, max: 255 }),
        routerId: fc.integer({ min: 1, max: 4294967295 }),
        password: fc
          .string({ minLength: 1, maxLength: 20, size: 'max' })
          .filter((text) => text.isWellFormed()),
        gracefulRestart: fc.record(
          {
            restartTimeSeconds: fc.integer({ min: 1, max: 4095 }),
            longLivedStaleTimeSeconds: fc.integer({ min: 1, max: 4660 * 3600 }),
          },
          { requiredKeys: ['restartTimeSeconds'], noNullPrototype: true },
        ),
        interface: word,
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ address, zone, keepaliveThousandths, bfdStrict, optional, ...rest }) => {
    const { ebgpMultihop, password, passwordSecret, sourceHost, ...others } = optional;
    const family = address === 'ipv4' ? (4 as const) : (6 as const);
    const mayBeFar =
      rest.peerAsn !== 'internal' && rest.peerAsn !== (optional.localAsn ?? rest.myAsn) && !rest.ttlSecurity;
    const source = (family === 6 ? 0x20010db8_0001n << 80n : 0x0a010000n) + BigInt(sourceHost ?? 0);
    return {
      network: { ipv4: 0x0a000001n, ipv6: 0x20010db8n << 96n, 'link-local': 0xfe80n << 112n }[address],
      family,
      keepaliveThousandths,
      bfdStrict,
      optional: {
        ...others,
        ...(address === 'link-local' ? { interface: zone } : {}),
        ...(ebgpMultihop === undefined ? {} : { ebgpMultihop: mayBeFar ? ebgpMultihop : 1 }),
        ...(passwordSecret ? { passwordSecret } : password === undefined ? {} : { password }),
        ...(sourceHost === undefined ? {} : { sourceAddress: { family, value: source } }),
      },
      rest,
    };
  });

const pool = fc.record({
  protocols: fc.subarray(['bgp' as const, 'layer2' as const]),
  sizes: fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 4 }),
  isIpv6: fc.boolean(),
  flags: fc.record({
    autoAssign: fc.boolean(),
    avoidBuggyIps: fc.boolean(),
    draining: fc.boolean(),
    shareAcrossNamespaces: fc.boolean(),
  }),
  limits: fc.record(
    { priority: fc.nat(), limitPerNamespace: fc.integer({ min: 1, max: 1000 }) },
    { requiredKeys: [] },
  ),
  namespaces: fc.array(word, { maxLength: 3 }),
  namespaceSelectors: selectors,
  serviceSelectors: selectors,
  advertisements: fc.array(
    fc.record({
      localPref: uint32,
      med: uint32,
      asPathPrepend: fc.nat({ max: 10 }),
      communities: fc.uniqueArray(uint32, { maxLength: 3 }),
      large: fc.uniqueArray(uint32, { maxLength: 2 }),
      nodeSelectors: selectors,
      serviceSelectors: selectors,
      shorterBits: fc.nat({ max: 10 }),
    }),
    { maxLength: 3 },
  ),
  interfaces: fc.array(word, { maxLength: 2 }),
});

/** A hold-down is shorter than the hold time, and needs a strict mode. */
function bfdOf(profile: string, strict: PeerBfd['strict'], holdTimeSeconds: number): PeerBfd {
  return { profile, strict, holdDownSeconds: strict === 'off' ? 0 : Math.floor(holdTimeSeconds / 2) };
}

/** Each range holds an aligned block with this many host bits. */
function hostBits(sizes: readonly number[]): number {
  return Math.max(0, Math.floor(Math.log2(Math.min(...sizes) + 1)) - 1);
}

const effect = fc.constantFrom('NoSchedule' as const, 'NoExecute' as const);
const toleration: fc.Arbitrary<Toleration> = fc.oneof(
  record({ key: word, operator: fc.constant('Equal' as const), value: word, effect }),
  record({ operator: fc.constant('Exists' as const), value: fc.constant('') }),
);

/** The top-level keys about excluded, leaving and dead nodes, and `announce-delay`. */
const leaving = fc.record({
  ignoreExcludedNodes: fc.boolean(),
  leaveOnTaints: fc.array(
    fc.oneof(
      record({ key: word, value: word, tolerations: fc.array(toleration, { maxLength: 2 }) }),
      record({ effect, tolerations: fc.array(toleration, { minLength: 1, maxLength: 2 }) }),
    ),
    { maxLength: 2 },
  ),
  minAnnouncers: fc.integer({ min: 1, max: 1000 }),
  drain: record({
    delaySeconds: fc.nat({ max: 3600 }),
    communities: fc.tuple(uint32).map((values): readonly number[] => values),
    largeCommunities: fc.constant([]),
    med: uint32,
    asPathPrepend: fc.nat({ max: 10 }),
  }),
  announceDelaySeconds: fc.nat({ max: 300 }),
  deadNodes: record({
    maxNodes: fc.oneof(
      record({ kind: fc.constant('number' as const), nodes: fc.integer({ min: 1, max: 1000 }) }),
      record({ kind: fc.constant('percentage' as const), percent: fc.integer({ min: 1, max: 50 }) }),
    ),
  }),
});

/** A valid configuration as the parser returns it: unique names, disjoint ranges, sorted lists. */
const config: fc.Arbitrary<Config> = fc
  .tuple(
    fc.array(peer, { maxLength: 4 }),
    fc.array(pool, { maxLength: 4 }),
    fc.uniqueArray(anyName, { minLength: 8, maxLength: 8 }),
    bfdProfile,
    leaving,
  )
  .map(([peers, pools, names, profile, rest]): Config => {
    const bfdProfiles = [{ ...profile, name: names[0] ?? '' }];
    let next = 0x0a000000n;
    return {
      peers: peers.map(({ network, family, keepaliveThousandths, bfdStrict, optional, rest }, i) => ({
        ...rest,
        ...optional,
        ...(bfdStrict === undefined ? {} : { bfd: bfdOf(names[0] ?? '', bfdStrict, rest.holdTimeSeconds) }),
        name: names[i] ?? '',
        address: { family, value: network + BigInt(i) },
        keepaliveTimeSeconds: Math.floor((rest.holdTimeSeconds * keepaliveThousandths) / 1000),
      })),
      pools: pools.map(
        ({ sizes, isIpv6, flags, limits, advertisements, interfaces, protocols, ...rest }, i) => ({
          ...rest,
          ...flags,
          ...limits,
          protocols,
          name: (names[4 + i] ?? '').replaceAll(',', ';'),
          ranges: sizes.map((size) => {
            const first = (isIpv6 ? 0x20010db8n << 96n : 0n) + next;
            next += BigInt(size) + 1n;
            return { family: isIpv6 ? (6 as const) : (4 as const), first, last: first + BigInt(size) };
          }),
          bgpAdvertisements: !protocols.includes('bgp')
            ? []
            : [
                ...advertisements.map(({ communities, large, shorterBits, ...each }, n) => ({
                  ...each,
                  aggregationLength: 32 - Math.min(shorterBits, hostBits(sizes)),
                  aggregationLengthV6: 128 - Math.min(shorterBits, hostBits(sizes)),
                  communities: [...communities].sort((a, b) => a - b),
                  largeCommunities: [...large].sort((a, b) => a - b).map((value) => [value, n, i] as const),
                  peers: peers.length > 0 ? [names[0] ?? ''] : [],
                })),
                {
                  aggregationLength: 32,
                  aggregationLengthV6: 128,
                  asPathPrepend: 0,
                  communities: [],
                  largeCommunities: [],
                  peers: [],
                  nodeSelectors: [],
                  serviceSelectors: [],
                },
              ],
          l2Advertisements:
            protocols.includes('layer2') && interfaces.length > 0
              ? [
                  {
                    interfaces,
                    nodeSelectors: rest.serviceSelectors,
                    serviceSelectors: rest.namespaceSelectors,
                    preferredNodes: rest.serviceSelectors.map((each, n) => ({
                      weight: n + 1,
                      selector: each,
                    })),
                  },
                ]
              : [],
        }),
      ),
      bfdProfiles,
      ...rest,
    };
  })
  .filter(({ pools }) => new Set(pools.map(({ name }) => name)).size === pools.length);

test('formatConfig() and parseConfig() round-trip any configuration', () => {
  fc.assert(
    fc.property(config, (written) => {
      const parsed = parseConfig(formatConfig(written));
      assert.deepEqual(parsed.ok ? parsed.value : parsed.error, written);
    }),
    { numRuns: 500 },
  );
});
