import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatPrefix, hostPrefix } from '../../../src/address/index.ts';
import { formatAnnouncing, parseAnnouncing, recordAnnouncing } from '../../../src/cluster/announcing.ts';
import { AddressTable } from '../../../src/speaker/address-table.ts';
import { routerIdOf } from '../../../src/speaker/peers/router-id.ts';
import type { PeerRoute } from '../../../src/speaker/plan/peer-routes.ts';
import { mergeAttributes, RouteTable, type WantedRoute } from '../../../src/speaker/route-table.ts';
import { ip, prefix } from '../../support/addresses.ts';
import { node } from './fixtures.ts';

const plain = { asPathPrepend: 0, communities: [], largeCommunities: [] };

/** A table of routes that remembers the routes of each Service, as the speaker does. */
function routeTable() {
  const table = new RouteTable();
  const routesOf = new Map<string, readonly WantedRoute[]>();
  return {
    table,
    update(service: string, wanted: readonly PeerRoute[]) {
      const { routes, changes } = table.update(routesOf.get(service) ?? [], wanted);
      routesOf.set(service, routes);
      return changes;
    },
  };
}

test('RouteTable keeps a shared prefix until its last Service goes', () => {
  const { table, update } = routeTable();
  const route = { peer: 'router', prefix: prefix('198.51.100.0/24'), attributes: plain };
  assert.equal(update('a', [route]).length, 1);
  assert.deepEqual(update('b', [route]), []);
  assert.deepEqual(update('a', []), []);
  assert.deepEqual(update('b', []), [{ peer: 'router', prefix: route.prefix }]);
  assert.equal(table.size, 0);
});

test('RouteTable returns no change for an unchanged route', () => {
  const { update } = routeTable();
  const route = { peer: 'router', prefix: prefix('198.51.100.7/32'), attributes: plain };
  update('a', [route]);
  assert.deepEqual(update('a', [{ ...route, attributes: { ...plain } }]), []);
  assert.deepEqual(update('a', [{ ...route, attributes: { ...plain, med: 5 } }]), [
    { ...route, attributes: { ...plain, med: 5 } },
  ]);
});

test('mergeAttributes() keeps the strongest preference and all communities', () => {
  assert.deepEqual(
    mergeAttributes([
      { localPref: 50, med: 9, asPathPrepend: 2, communities: [7, 1], largeCommunities: [[1, 2, 3]] },
      {
        localPref: 90,
        med: 12,
        asPathPrepend: 1,
        communities: [1],
        largeCommunities: [
          [1, 2, 3],
          [1, 1, 1],
        ],
      },
    ]),
    {
      localPref: 90,
      med: 9,
      asPathPrepend: 1,
      communities: [1, 7],
      largeCommunities: [
        [1, 1, 1],
        [1, 2, 3],
      ],
    },
  );
});

test('mergeAttributes() treats an absent LOCAL_PREF as 100 and an absent MED as the lowest, as routers do', () => {
  const backup = { ...plain, localPref: 50, med: 100 };
  assert.deepEqual(mergeAttributes([backup, plain]), { ...plain, localPref: 100 });
  assert.deepEqual(mergeAttributes([plain, { ...plain, localPref: 200, med: 0 }]), {
    ...plain,
    localPref: 200,
  });
  assert.deepEqual(mergeAttributes([plain, { ...plain, asPathPrepend: 1 }]), plain);
  assert.deepEqual(mergeAttributes([backup, { ...backup, med: 7 }]), { ...backup, med: 7 });
});

test('RouteTable gives a peer the union of the routes of all Services, whatever the order of updates', () => {
  const anUpdate = fc.record({
    service: fc.constantFrom('a', 'b', 'c'),
    hosts: fc.uniqueArray(fc.integer({ min: 1, max: 5 })),
  });
  fc.assert(
    fc.property(fc.array(anUpdate, { maxLength: 60, size: 'max' }), (updates) => {
      const { table, update } = routeTable();
      const atPeer = new Set<string>();
      const wanted = new Map<string, number[]>();
      for (const { service, hosts } of updates) {
        wanted.set(service, hosts);
        const routes = hosts.map((host) => ({
          peer: 'router',
          prefix: hostPrefix(ip(`198.51.100.${host}`)),
          attributes: plain,
        }));
        for (const change of update(service, routes)) {
          const key = formatPrefix(change.prefix);
          if (change.attributes) atPeer.add(key);
          else assert.ok(atPeer.delete(key), 'a prefix is withdrawn only after it was announced');
        }
        const union = new Set([...wanted.values()].flat().map((host) => `198.51.100.${host}/32`));
        assert.deepEqual([...atPeer].sort(), [...union].sort());
        assert.equal(table.size, union.size);
      }
    }),
  );
});

test('RouteTable merges the attributes that all Services want for a prefix, whatever the order of updates', () => {
  const sets = [1, 2, 3].map((med) => ({ ...plain, med, communities: [med] }));
  const anUpdate = fc.record({
    service: fc.constantFrom('a', 'b', 'c', 'd'),
    indexes: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(anUpdate, { maxLength: 60, size: 'max' }), (updates) => {
      const { update } = routeTable();
      const wanted = new Map<string, number[]>();
      let atPeer: unknown;
      for (const { service, indexes } of updates) {
        wanted.set(service, indexes);
        const routes = indexes.map((i) => ({
          peer: 'router',
          prefix: prefix('198.51.100.0/24'),
          attributes: sets[i] ?? plain,
        }));
        for (const change of update(service, routes)) atPeer = change.attributes;
        const all = [...wanted.values()].flat().map((i) => sets[i] ?? plain);
        assert.deepEqual(atPeer, all.length > 0 ? mergeAttributes(all) : undefined);
      }
    }),
  );
});

const entry = { address: '192.0.2.241', sources: [1], group: 'a' };

test('AddressTable merges the entries of Services that share an address', () => {
  const table = new AddressTable();
  const second = { ...entry, sources: [2], group: 'b' };
  assert.deepEqual(table.update('a', [entry], 7), { upsert: [{ ...entry, observedVersion: 7 }], remove: [] });
  assert.deepEqual(table.update('b', [second], 9).upsert, [
    { ...entry, sources: [1, 2], observedVersion: 9 },
  ]);
  assert.deepEqual(table.update('b', [second], 10).upsert, []);
  assert.equal(table.entries()[0]?.observedVersion, 9, 'the version of the last change');
  assert.deepEqual(table.servicesOf('192.0.2.241').toSorted(), ['a', 'b']);
  assert.deepEqual([table.names(1), table.names(2), table.names(3)], [true, true, false]);
  assert.deepEqual(table.update('a', [], 11).upsert, [{ ...second, observedVersion: 11 }]);
  assert.deepEqual([table.names(1), table.names(2)], [false, true]);
  assert.deepEqual(table.update('b', [], 12), {
    upsert: [],
    remove: [{ address: '192.0.2.241', observedVersion: 12 }],
  });
  assert.deepEqual([table.entries(), table.names(2)], [[], false]);
});

test('AddressTable keeps the two addresses of a dual-stack Service in one group when another Service shares one of them', () => {
  for (const [ipv4, ipv6] of [
    ['34.1.2.3', '2a00::1'],
    ['192.0.2.3', '2a00::1'],
  ] as const)
    for (const pair of [
      [ipv4, ipv6],
      [ipv6, ipv4],
    ])
      for (const shared of [[ipv4], [ipv6], [ipv4, ipv6], [ipv6, ipv4]])
        for (const services of [
          [pair, shared],
          [shared, pair],
        ]) {
          const table = new AddressTable();
          for (const [i, addresses] of services.entries())
            table.update(
              String(i),
              addresses.map((address) => ({ address, sources: [1], group: addresses[0] ?? '' })),
              7,
            );
          assert.deepEqual(
            table
              .entries()
              .map(({ address, group }) => [address, group])
              .sort(),
            [
              [ipv4, ipv4],
              [ipv6, ipv4],
            ].sort(),
            JSON.stringify(services),
          );
        }
});

test('AddressTable compares the lists of candidates when entries name no candidate set', () => {
  const table = new AddressTable();
  const listed = (...candidates: string[]) => ({ ...entry, sources: [{ candidates, interfaces: [] }] });
  table.update('a', [listed('node-1')], 7);
  assert.deepEqual(table.update('a', [listed('node-1')], 8).upsert, []);
  assert.deepEqual(table.update('b', [listed('node-1')], 9).upsert, []);
  assert.deepEqual(table.update('b', [listed('node-2')], 10).upsert, [
    { ...entry, sources: [...listed('node-1').sources, ...listed('node-2').sources], observedVersion: 10 },
  ]);
});

test('AddressTable merges entries that are held back, and knows which candidate sets they name', () => {
  const table = new AddressTable();
  const held = (source: number) => ({ ...entry, sources: [], heldSources: [source] });
  table.update('a', [held(1)], 7);
  assert.deepEqual(table.update('a', [held(1)], 8).upsert, []);
  assert.deepEqual(table.update('b', [held(2)], 9).upsert, [
    { ...entry, sources: [], heldSources: [1, 2], observedVersion: 9 },
  ]);
  assert.deepEqual([table.names(1), table.names(2)], [true, true]);
  table.update('b', [], 10);
  assert.deepEqual(table.update('a', [{ ...entry, sources: [1] }], 11).upsert, [
    { ...entry, sources: [1], observedVersion: 11 },
  ]);
  assert.deepEqual([table.names(1), table.names(2)], [true, false]);
});

test('AddressTable returns no change for an unchanged entry', () => {
  const table = new AddressTable();
  table.update('a', [entry], 7);
  assert.deepEqual(table.update('a', [{ ...entry }], 7), { upsert: [], remove: [] });
});

test('parseAnnouncing() reads the output of formatAnnouncing() and skips invalid lines', () => {
  const record = new Map([
    ['192.0.2.241', { node: 'node-1', interfaces: ['eth0'] }],
    ['2001:db8::1', { node: 'node-2', interfaces: ['eth0', 'eth1'] }],
  ]);
  const text = formatAnnouncing(record);
  assert.equal(text, '192.0.2.241=node-1/eth0,2001:db8::1=node-2/eth0+eth1');
  assert.deepEqual(parseAnnouncing({ annotations: { 'bellman.dev/announcing': text } }), record);
  assert.equal(parseAnnouncing({ annotations: { 'bellman.dev/announcing': 'x=y/z,,nonsense' } }).size, 0);
  assert.equal(parseAnnouncing({ annotations: {} }).size, 0);
});

test('recordAnnouncing() keeps the lines of other nodes and drops addresses that the Service no longer has', () => {
  const service = {
    annotations: { 'bellman.dev/announcing': '192.0.2.241=node-1/eth0,192.0.2.9=node-1/eth0' },
    ingress: [{ ip: '192.0.2.241' }, { ip: '2001:db8::1' }],
  };
  const taken = new Map([['2001:db8::1', { node: 'node-2', interfaces: ['eth0'] }]]);
  const text = recordAnnouncing(service, taken);
  assert.equal(text, '192.0.2.241=node-1/eth0,2001:db8::1=node-2/eth0');
  assert.equal(
    recordAnnouncing({ ...service, annotations: { 'bellman.dev/announcing': text ?? '' } }, taken),
    undefined,
  );
});

test('routerIdOf() uses the IPv4 InternalIP, or a stable hash of the node name when the node has no such address', () => {
  assert.equal(routerIdOf('n', node('n', { internalIPs: ['2001:db8::1', '192.0.2.1'] })), 0xc0000201);
  const hashed = routerIdOf('n', node('n', { internalIPs: ['2001:db8::1'] }));
  assert.equal(hashed, routerIdOf('n', undefined));
  assert.notEqual(hashed, routerIdOf('m', undefined));
  assert.ok(hashed > 0 && hashed <= 0xffffffff);
});
