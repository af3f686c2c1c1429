/**
 * Converts generated sources. The gate accepts each result, and no address is lost. A source always gives the same result, and converting
 * the result again changes nothing. Any text at all gets a result or faults, and never raises an exception.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IpRange } from '../../../src/address/index.ts';
import { judge, printRange } from '../../../src/config/index.ts';
import {
  type Conversion,
  convert,
  formatFault,
  objectsIn,
  readObjects,
  type SourceName,
  type SourceObject,
} from '../../../src/convert/index.ts';
import { readRange, subtract, union } from '../../../src/convert/ranges.ts';

interface GeneratedSource {
  readonly from: SourceName;
  readonly objects: readonly SourceObject[];
  /** The addresses that the source may assign. */
  readonly ranges: readonly IpRange[];
}

const word = fc.stringMatching(/^[a-z]([-a-z0-9]{0,6}[a-z0-9])?$/);
const names = (max: number) => fc.uniqueArray(word, { minLength: 1, maxLength: max });
const labels = fc.dictionary(word, word, { maxKeys: 2, noNullPrototype: true });
const selector = fc.record(
  {
    matchLabels: labels,
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({
          key: word,
          operator: fc.constantFrom('In', 'NotIn'),
          values: fc.array(word, { minLength: 1, maxLength: 2 }),
        }),
        fc.record({ key: word, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
      ),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: [] },
);
const selectors = fc.array(selector, { maxLength: 2 });
/** An object with any of the keys of `model`, or with none. */
const some = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { requiredKeys: [] });

/** The text of range number `i`, as a prefix or as `first-last`. Ranges with different numbers do not overlap. */
const rangeText = (i: number) =>
  fc.oneof(
    fc.integer({ min: 24, max: 31 }).map((length) => `10.${i >> 8}.${i & 255}.0/${length}`),
    fc
      .tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }))
      .map(([a, b]) => `10.${i >> 8}.${i & 255}.${Math.min(a, b)}-10.${i >> 8}.${i & 255}.${Math.max(a, b)}`),
    fc.integer({ min: 112, max: 127 }).map((length) => `2001:db8:${i.toString(16)}::/${length}`),
  );
/** A list of ranges for each pool. No two ranges overlap. */
const disjoint = (pools: number) =>
  fc.array(fc.nat({ max: 2 }), { minLength: pools, maxLength: pools }).chain((extra) => {
    let next = 0;
    return fc.tuple(
      ...extra.map((more) => fc.tuple(...Array.from({ length: more + 1 }, () => rangeText(next++)))),
    );
  });

function object(
  apiVersion: string,
  kind: string,
  name: string,
  spec: unknown,
  metadata: object = {},
): unknown {
  return { apiVersion, kind, metadata: { name, ...metadata }, spec };
}

function generated(from: SourceName, values: readonly unknown[], texts: readonly string[]): GeneratedSource {
  const objects = values.flatMap((value) => {
    // Values pass through JSON, as they do between a server and its client.
    const read = objectsIn(JSON.parse(JSON.stringify(value)));
    assert.ok(read.ok, read.ok ? '' : read.error);
    return read.value;
  });
  return { from, objects, ranges: texts.flatMap((text) => readRange(text) ?? []) };
}

const metallb = fc
  .tuple(names(4), names(3), names(3))
  .chain(([pools, peers, adverts]) =>
    fc.record({
      pools: disjoint(pools.length).chain((ranges) =>
        fc.tuple(
          ...pools.map((name, i) =>
            some({
              autoAssign: fc.boolean(),
              avoidBuggyIPs: fc.boolean(),
              serviceAllocation: some({
                priority: fc.nat({ max: 9 }),
                namespaces: names(2),
                namespaceSelectors: selectors,
                serviceSelectors: selectors,
              }),
            }).map((rest) => ({ name, spec: { addresses: ranges[i] ?? [], ...rest } })),
          ),
        ),
      ),
      labels: fc.array(labels, { minLength: pools.length, maxLength: pools.length }),
      peers: fc.tuple(
        ...peers.map((name, i) =>
          fc
            .tuple(
              fc.record({
                myASN: fc.integer({ min: 1, max: 4294967295 }),
                peerASN: fc.integer({ min: 1, max: 4294967295 }),
                peerAddress: fc.constant(`192.0.2.${i + 1}`),
              }),
              some({
                peerPort: fc.integer({ min: 1, max: 16384 }),
                holdTime: fc.constantFrom('0s', '9s', '1m30s'),
                keepaliveTime: fc.constant('0s'),
                routerID: fc.constant('10.9.9.9'),
                ebgpMultiHop: fc.boolean(),
                enableGracefulRestart: fc.boolean(),
                nodeSelectors: selectors,
                password: word,
                vrf: word.map((text) => text.slice(0, 5)),
                disableMP: fc.boolean(),
              }),
              fc.constantFrom('metallb.io/v1beta1', 'metallb.io/v1beta2'),
            )
            .map(([needed, rest, version]) => ({ name, version, spec: { ...needed, ...rest } })),
        ),
      ),
      bgp: fc.array(
        some({
          ipAddressPools: fc.subarray(pools, { minLength: 1 }),
          ipAddressPoolSelectors: selectors,
          aggregationLength: fc.constant(32),
          localPref: fc.nat({ max: 500 }),
          asPathPrepend: fc.integer({ min: 1, max: 10 }),
          communities: fc.uniqueArray(fc.constantFrom('gold', '64512:1', 'large:1:2:3')),
          peers: fc.subarray(peers),
          nodeSelectors: selectors,
          serviceSelectors: selectors,
        }),
        { maxLength: 3 },
      ),
      layer2: fc.array(
        some({
          ipAddressPools: fc.subarray(pools, { minLength: 1 }),
          interfaces: names(2).map((list) => list.map((text) => text.slice(0, 8))),
          nodeSelectors: selectors,
          serviceSelectors: selectors,
        }),
        { maxLength: 3 },
      ),
      adverts: fc.constant(adverts),
    }),
  )
  .map((source) =>
    generated(
      'metallb',
      [
        object('metallb.io/v1beta1', 'Community', 'aliases', {
          communities: [{ name: 'gold', value: '64512:100' }],
        }),
        ...source.pools.map(({ name, spec }, i) =>
          object('metallb.io/v1beta1', 'IPAddressPool', name, spec, { labels: source.labels[i] }),
        ),
        ...source.peers.map(({ name, version, spec }) => object(version, 'BGPPeer', name, spec)),
        ...source.bgp.map((spec, i) => object('metallb.io/v1beta1', 'BGPAdvertisement', `bgp-${i}`, spec)),
        ...source.layer2.map((spec, i) => object('metallb.io/v1beta1', 'L2Advertisement', `l2-${i}`, spec)),
      ],
      source.pools.flatMap(({ spec }) => spec.addresses),
    ),
  );

const purelb = names(4).chain((groups) =>
  fc
    .tuple(
      disjoint(groups.length),
      fc.array(
        fc.record({
          kind: fc.constantFrom('local', 'remote'),
          aggregation: fc.constantFrom('default', '/32', '/24', ''),
          namespaces: names(2),
        }),
        { minLength: groups.length, maxLength: groups.length },
      ),
    )
    .map(([ranges, options]) =>
      generated(
        'purelb',
        [
          ...groups.map((name, i) => {
            const option = options[i];
            const pools = (ranges[i] ?? []).map((pool) => ({
              pool,
              subnet: pool.includes(':') ? '2001:db8::/32' : '10.0.0.0/8',
              aggregation: option?.aggregation,
            }));
            return object('purelb.io/v2', 'ServiceGroup', name, {
              [option?.kind ?? 'local']: {
                v4pools: pools.filter(({ pool }) => !pool.includes(':')),
                v6pools: pools.filter(({ pool }) => pool.includes(':')),
              },
              namespaces: option?.namespaces,
            });
          }),
          object('purelb.io/v2', 'LBNodeAgent', 'agent', { local: { localInterface: 'eth0' } }),
        ],
        ranges.flat(),
      ),
    ),
);

const openelb = names(4).chain((eips) =>
  fc
    .tuple(
      fc.tuple(...eips.map((_, i) => rangeText(i))),
      fc.array(
        some({
          protocol: fc.constantFrom('bgp', 'layer2', 'vip'),
          interface: fc.constantFrom('eth0', 'can_reach:10.0.0.1'),
          disable: fc.boolean(),
          priority: fc.nat({ max: 9 }),
          namespaces: names(2),
          namespaceSelector: labels,
        }),
        { minLength: eips.length, maxLength: eips.length },
      ),
      fc.option(fc.dictionary(word, fc.integer({ min: 1, max: 65535 }), { minKeys: 1, maxKeys: 3 })),
    )
    .map(([ranges, options, racks]) =>
      generated(
        'openelb',
        [
          ...eips.map((name, i) =>
            object('network.kubesphere.io/v1alpha2', 'Eip', name, { address: ranges[i], ...options[i] }),
          ),
          object(
            'network.kubesphere.io/v1alpha2',
            'BgpConf',
            'default',
            racks ? { asPerRack: racks } : { as: 64512 },
          ),
          object('network.kubesphere.io/v1alpha2', 'BgpPeer', 'spine', {
            conf: { peerAs: 64501, neighborAddress: '192.0.2.1' },
          }),
        ],
        ranges,
      ),
    ),
);

/** Ranges of kube-vip may overlap. */
const kubeVip = fc
  .uniqueArray(fc.tuple(fc.constantFrom('cidr', 'range'), fc.constantFrom('global', 'default', 'team')), {
    minLength: 1,
    selector: (key) => key.join('-'),
  })
  .chain((keys) =>
    fc.tuple(
      ...keys.map(([kind, namespace]) =>
        fc
          .array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 20 }), fc.integer({ min: 26, max: 32 })), {
            minLength: 1,
            maxLength: 3,
          })
          .map((parts) => ({
            key: `${kind}-${namespace}`,
            parts: parts.map(([first, more, length]) =>
              kind === 'cidr' ? `192.0.2.${first}/${length}` : `192.0.2.${first}-192.0.2.${first + more}`,
            ),
          })),
      ),
    ),
  )
  .map((entries) =>
    generated(
      'kube-vip',
      [
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'kubevip', namespace: 'kube-system' },
          data: {
            ...Object.fromEntries(entries.map(({ key, parts }) => [key, parts.join(',')])),
            'interface-global': 'eth0',
          },
        },
      ],
      entries.flatMap(({ parts }) => parts),
    ),
  );

const cilium = names(4).chain((pools) =>
  fc
    .record({
      ranges: disjoint(pools.length),
      selectors: fc.array(selector, { minLength: pools.length, maxLength: pools.length }),
      policy: some({
        nodeSelector: selector,
        serviceSelector: selector,
        interfaces: fc.subarray(['^eth0$', 'bond0', '^eth[0-9]+']),
        loadBalancerIPs: fc.boolean(),
        externalIPs: fc.boolean(),
      }),
      aggregation: fc.integer({ min: 8, max: 31 }),
      isReceived: fc.boolean(),
      asn: fc.constantFrom(0, 64501, 64512),
    })
    .map(({ ranges, selectors: chosen, policy, aggregation, isReceived, asn }) =>
      generated(
        'cilium',
        [
          ...pools.map((name, i) =>
            object('cilium.io/v2', 'CiliumLoadBalancerIPPool', name, {
              blocks: (ranges[i] ?? []).map((text) => {
                const [start, stop] = text.split('-');
                return stop === undefined ? { cidr: text } : { start, stop };
              }),
              serviceSelector: chosen[i],
            }),
          ),
          object('cilium.io/v2alpha1', 'CiliumL2AnnouncementPolicy', 'policy', policy),
          object('cilium.io/v2', 'CiliumBGPPeerConfig', 'peers', {
            ebgpMultihop: 3,
            families: [
              {
                afi: 'ipv4',
                safi: 'unicast',
                advertisements: { matchLabels: { a: isReceived ? 'b' : 'c' } },
              },
            ],
          }),
          object('cilium.io/v2', 'CiliumBGPClusterConfig', 'cluster', {
            bgpInstances: [
              {
                name: 'i',
                localASN: 64512,
                peers: [
                  { name: 'p', peerASN: asn, peerAddress: '192.0.2.1', peerConfigRef: { name: 'peers' } },
                ],
              },
            ],
          }),
          object(
            'cilium.io/v2',
            'CiliumBGPAdvertisement',
            'routes',
            {
              advertisements: [
                {
                  advertisementType: 'Service',
                  service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: aggregation },
                  selector: {},
                },
              ],
            },
            { labels: { a: 'b' } },
          ),
        ],
        ranges.flat(),
      ),
    ),
);

const all: Readonly<Record<SourceName, fc.Arbitrary<GeneratedSource>>> = {
  metallb,
  purelb,
  openelb,
  'kube-vip': kubeVip,
  cilium,
};

for (const [name, source] of Object.entries(all)) {
  test(`${name}: the gate accepts every conversion, and no address is lost`, () => {
    fc.assert(
      fc.property(source, (generatedSource) => {
        const { text, config } = converted(generatedSource);
        assert.equal(judge(text).kind, 'accepted');
        const inPools = union(config.pools.flatMap(({ ranges }) => ranges));
        assert.deepEqual(inPools.map(printRange), union(generatedSource.ranges).map(printRange));
      }),
      { numRuns: 60 },
    );
  });

  test(`${name}: every field of the source has a row, and only one`, () => {
    fc.assert(
      fc.property(source, (generatedSource) => {
        const { rows } = converted(generatedSource);
        const places = rows.map(({ object: at, field }) => `${at} ${field}`);
        assert.equal(new Set(places).size, places.length, places.join('\n'));
        for (const row of rows) assert.notEqual(row.detail, '', JSON.stringify(row));
        for (const { kind, name: own, body } of generatedSource.objects)
          for (const field of Object.keys((body.spec ?? body.data ?? {}) as object)) {
            const value = ((body.spec ?? body.data) as Record<string, unknown>)[field];
            if (isEmpty(value)) continue;
            const at = rows.some(
              (row) =>
                row.object.startsWith(`${kind} `) &&
                row.object.endsWith(own) &&
                row.field.split('.')[1]?.split('[')[0] === field,
            );
            assert.ok(at, `${kind} ${own} ${field}: ${JSON.stringify(value)} is not in the table`);
          }
      }),
      { numRuns: 60 },
    );
  });

  test(`${name}: a conversion depends only on the source, and converting its result again changes nothing`, () => {
    fc.assert(
      fc.property(source, (generatedSource) => {
        const first = converted(generatedSource);
        const second = converted(generatedSource);
        assert.deepEqual([second.manifest, second.rows], [first.manifest, first.rows]);
        const read = readObjects('result', first.manifest);
        assert.ok(read.ok);
        const again = convert(read.value, { from: 'metallb' });
        assert.ok(again.ok, again.ok ? '' : again.error.map(formatFault).join('\n'));
        assert.equal(again.value.text, first.text);
        assert.ok(again.value.rows.every(({ outcome }) => outcome === 'carried'));
      }),
      { numRuns: 30 },
    );
  });
}

function converted({ from, objects }: GeneratedSource): Conversion {
  const result = convert(objects, { from });
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatFault).join('\n'));
  return result.value;
}

/** Whether a value is null, undefined, an empty text, an empty list, or a mapping that holds only such values. */
function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return value === null || value === '' || value === undefined;
  return Array.isArray(value) ? value.length === 0 : Object.values(value).every(isEmpty);
}

const folder = new URL('./sources/', import.meta.url);
const texts = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));

/** Asserts that the text gives a configuration that the gate accepts, or faults. */
function holdsFor(text: string): void {
  const read = readObjects('f', text);
  if (!read.ok) return assert.ok(read.error.length > 0);
  const result = convert(read.value, { from: 'auto' });
  if (result.ok) assert.equal(judge(result.value.text).kind, 'accepted');
  else {
    assert.ok(result.error.length > 0);
    for (const { message } of result.error) assert.notEqual(message, '');
  }
}

test('a manifest with a piece removed or inserted gives a configuration that the gate accepts, or faults', () => {
  const scraps = fc.constantFrom(
    '- ',
    ': ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '|',
    '"',
    '\n',
    '---\n',
    'null',
    '-1',
    '1e9',
    '~',
    '\0',
    'spec:',
    '__proto__: {a: 1}\n',
    'constructor: 1\n',
    '999999999999999999999',
  );
  const edited = fc
    .tuple(
      fc.constantFrom(...texts),
      fc.nat(),
      fc.nat({ max: 12 }),
      fc.oneof(scraps, fc.string({ maxLength: 8 })),
    )
    .map(([text, at, cut, piece]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + piece + text.slice(start + cut);
    });
  fc.assert(fc.property(edited, holdsFor), { numRuns: 600 });
});

test('a manifest with values from other manifests gives a configuration that the gate accepts, or faults', () => {
  const value = /(?<=: )[^\n{}[\],]+/g;
  const values = texts.flatMap((text) => text.match(value) ?? []);
  const swapped = fc
    .tuple(
      fc.constantFrom(...texts),
      fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 8 }),
      fc.nat(),
    )
    .map(([text, others, seed]) => {
      let count = seed;
      return text.replace(value, (own) => (++count % 3 === 0 ? (others[count % others.length] ?? own) : own));
    });
  fc.assert(fc.property(swapped, holdsFor), { numRuns: 600 });
});

test('objects with a random value in place of one of their own give a configuration that the gate accepts, or faults', () => {
  const bases = texts.flatMap((text) => {
    const read = readObjects('f', text);
    return read.ok ? [read.value] : [];
  });
  const changed = fc.tuple(fc.constantFrom(...bases), fc.nat(), fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(changed, ([base, seed, value]) => {
      const objects = structuredClone(base) as SourceObject[];
      const places: [Record<string, unknown>, string][] = [];
      const visit = (holder: unknown) => {
        if (typeof holder !== 'object' || holder === null) return;
        for (const key of Object.keys(holder)) {
          places.push([holder as Record<string, unknown>, key]);
          visit((holder as Record<string, unknown>)[key]);
        }
      };
      for (const { body } of objects) visit(body);
      const [holder, key] = places[seed % places.length] ?? [{}, 'a'];
      holder[key] = value;
      const result = convert(objects, { from: 'auto' });
      if (result.ok) assert.equal(judge(result.value.text).kind, 'accepted');
      else assert.ok(result.error.length > 0);
    }),
    { numRuns: 1000 },
  );
});

test('subtract() leaves exactly the addresses that are not taken', () => {
  const range = fc
    .tuple(fc.nat({ max: 30 }), fc.nat({ max: 8 }))
    .map(([first, more]): IpRange => ({ family: 4, first: BigInt(first), last: BigInt(first + more) }));
  const members = (ranges: readonly IpRange[]) =>
    new Set(
      ranges.flatMap(({ first, last }) =>
        Array.from({ length: Number(last - first) + 1 }, (_, i) => Number(first) + i),
      ),
    );
  fc.assert(
    fc.property(fc.array(range, { maxLength: 5 }), fc.array(range, { maxLength: 5 }), (ranges, taken) => {
      const left = subtract(ranges, taken);
      assert.deepEqual(
        [...members(left)].sort((a, b) => a - b),
        [...members(ranges)].filter((each) => !members(taken).has(each)).sort((a, b) => a - b),
      );
      assert.deepEqual(union(left), left);
    }),
    { numRuns: 500 },
  );
});
