import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { formatPrefix } from '../../../src/address/index.ts';
import type { BgpSpeaker } from '../../../src/bgp/index.ts';
import type { Clock } from '../../../src/clock.ts';
import type { Node, Service } from '../../../src/kubernetes/model.ts';
import type { AddressEntry } from '../../../src/layer2/address-entry.ts';
import { CandidateSets, type ResolvedEntries } from '../../../src/layer2/candidate-sets.ts';
import { MessageAssembler, splitMessage } from '../../../src/layer2/message-parts.ts';
import type { EntriesChange } from '../../../src/layer2/messages.ts';
import { complete } from '../../../src/layer2/ownership/steps.ts';
import { NodeSpeaker } from '../../../src/speaker/node-speaker.ts';
import type { KeptSlice } from '../../../src/speaker/plan/kept-objects.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { Turns } from '../../../src/turns.ts';
import { SlicingClock } from '../../support/slicing-clock.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { advertisement, config, node, peer, pool, service, slice } from './fixtures.ts';

const logger = pino({ level: 'silent' });

/** Keeps the BGP routes and the layer-2 entries that result from the calls of a NodeSpeaker. */
class Announcer {
  readonly speaker: NodeSpeaker;
  readonly routes = new Map<string, unknown>();
  readonly entries = new Map<string, AddressEntry>();
  readonly #turns: Turns;
  readonly #sets = new CandidateSets();
  readonly #assembler = new MessageAssembler();

  constructor(clock: Clock) {
    this.#turns = new Turns(clock);
    const bgp: BgpSpeaker = {
      setPeers: () => {},
      announce: (name, prefix, attributes) =>
        void this.routes.set(`${name} ${formatPrefix(prefix)}`, attributes),
      withdraw: (name, prefix) => void this.routes.delete(`${name} ${formatPrefix(prefix)}`),
      synced: () => {},
      bfdChanged: () => {},
      interfacesChanged: () => {},
      status: () => [],
      stop: () => Promise.resolve(),
    };
    this.speaker = new NodeSpeaker({
      nodeName: 'node-1',
      namespace: 'bellman-system',
      isOurs: () => true,
      isOnLink: () => true,
      leavesWhenCordoned: true,
      ignoresExcludeLabel: false,
      bgp,
      bfd: { setSessions: () => {} },
      layer2: {
        use: () => {},
        table: (all) => this.#receive('table', all),
        change: (change) => this.#receive('change', change),
      },
      onPeerTrouble: () => {},
      onLeaving: () => {},
      clock,
      logger,
      guard: new Guard({ logger }),
      turns: this.#turns,
    });
  }

  /** Whether plans are being made. */
  get isPlanning(): boolean {
    return this.#turns.status().length > 0;
  }

  #receive(kind: 'table' | 'change', change: EntriesChange): void {
    for (const part of splitMessage({ kind, ...change })) {
      const whole = this.#assembler.take(JSON.parse(JSON.stringify(part)));
      if (whole) this.#apply(complete(this.#sets.resolve(whole)));
    }
  }

  #apply({ kind, upsert, remove }: ResolvedEntries): void {
    if (kind === 'table') this.entries.clear();
    for (const entry of upsert) this.entries.set(entry.address, { ...entry, observedVersion: 0 });
    for (const { address } of remove) this.entries.delete(address);
  }

  state() {
    const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      routes: sorted(this.routes),
      entries: sorted(this.entries),
      refusals: this.speaker.results
        .refusals()
        .map((each) => JSON.stringify(each))
        .sort(),
      advertised: sorted(this.speaker.results.advertised()),
    };
  }
}

const rack = (name: string) => ({ matchLabels: { rack: name }, matchExpressions: [] });
const l2 = (interfaces: string[], nodes: string[], services: string[] = []) => ({
  interfaces,
  nodeSelectors: nodes.map(rack),
  serviceSelectors: services.map(rack),
  preferredNodes: [{ weight: 5, selector: rack('a') }],
});
const configs = [
  config([pool('public', ['198.51.100.0/24']), pool('office', ['192.0.2.0/24'], { protocols: ['layer2'] })]),
  config([
    pool('public', ['198.51.100.0/24'], {
      bgpAdvertisements: [
        advertisement({ aggregationLength: 28, localPref: 50 }),
        advertisement({ serviceSelectors: [rack('a')], med: 7 }),
      ],
    }),
    pool('office', ['192.0.2.0/24'], {
      protocols: ['bgp', 'layer2'],
      l2Advertisements: [l2(['eth0'], ['a']), l2(['eth1'], ['a', 'b'], ['b'])],
    }),
  ]),
  config([pool('small', ['192.0.2.0/29'], { protocols: ['layer2'] })], [peer('router'), peer('spine')]),
] as const;

const nodeNames = ['node-1', 'node-2', 'node-3', 'node-4'] as const;
const racks = fc.constantFrom('a', 'b', 'c');
const change = fc.oneof(
  fc.record({
    kind: fc.constant('service' as const),
    name: fc.constantFrom('s1', 's2', 's3', 's4', 's5', 's6'),
    isGone: fc.boolean(),
    addresses: fc.uniqueArray(
      fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.9', '198.51.100.1', '198.51.100.2'),
      { maxLength: 2 },
    ),
    policy: fc.constantFrom('Cluster' as const, 'Local' as const),
    rack: racks,
  }),
  fc.record({
    kind: fc.constant('slice' as const),
    name: fc.constantFrom('s1', 's2', 's3', 's4', 's5', 's6'),
    nodes: fc.uniqueArray(fc.constantFrom(...nodeNames), { maxLength: 3 }),
    terminating: fc.subarray([...nodeNames]),
  }),
  fc.record({
    kind: fc.constant('node' as const),
    name: fc.constantFrom(...nodeNames),
    isGone: fc.boolean(),
    ready: fc.boolean(),
    rack: racks,
  }),
  fc.record({ kind: fc.constant('config' as const), which: fc.constantFrom(0, 1, 2) }),
  fc.record({ kind: fc.constant('turns' as const), turns: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ kind: fc.constant('start' as const) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** The objects of the cluster after the changes so far. */
class World {
  readonly services = new Map<string, Service>();
  readonly slices = new Map<string, KeptSlice>();
  readonly nodes = new Map<string, Node>();
  which = 0;

  apply(step: Change, { speaker }: Announcer): void {
    switch (step.kind) {
      case 'service': {
        const object = service(step.name, step.addresses, {
          externalTrafficPolicy: step.policy,
          labels: { rack: step.rack },
        });
        if (step.isGone) this.services.delete(step.name);
        else this.services.set(step.name, object);
        return speaker.setService(`default/${step.name}`, this.services.get(step.name));
      }
      case 'slice': {
        const whole = slice(step.name, step.nodes);
        const endpoints = whole.endpoints.map((endpoint, i) => {
          const terminating = step.terminating.includes(step.nodes[i] ?? 'node-1');
          return { ...endpoint, terminating, ready: !terminating };
        });
        this.slices.set(step.name, { ...whole, endpoints });
        return speaker.setEndpointSlice(`default/${step.name}-1`, this.slices.get(step.name));
      }
      case 'node':
        if (step.isGone) this.nodes.delete(step.name);
        else this.nodes.set(step.name, node(step.name, { ready: step.ready, labels: { rack: step.rack } }));
        return speaker.setNode(step.name, this.nodes.get(step.name));
      case 'config':
        this.which = step.which;
        return speaker.setConfig(configs[step.which] ?? configs[0]);
      case 'start':
        return speaker.start();
      case 'turns':
        return;
    }
  }

  /** The announcements of a speaker that reads all objects first, and then makes all plans in one slice. */
  expected(): ReturnType<Announcer['state']> {
    const announcer = new Announcer(new VirtualClock());
    const { speaker } = announcer;
    speaker.setConfig(configs[this.which] ?? configs[0]);
    for (const [name, each] of this.nodes) speaker.setNode(name, each);
    for (const [name, each] of this.slices) speaker.setEndpointSlice(`default/${name}-1`, each);
    for (const [name, each] of this.services) speaker.setService(`default/${name}`, each);
    speaker.start();
    return announcer.state();
  }
}

test('NodeSpeaker makes the same announcements whether events arrive while it makes plans in slices or before it makes the first', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 5, maxLength: 60, size: 'max' }), (steps) => {
      const clock = new SlicingClock();
      const sliced = new Announcer(clock);
      const world = new World();
      sliced.speaker.setConfig(configs[0]);
      for (const step of steps) {
        world.apply(step, sliced);
        if (step.kind === 'turns') clock.run(step.turns);
      }
      sliced.speaker.start();
      while (clock.run(1));
      assert.deepEqual(sliced.state(), world.expected());
    }),
    { numRuns: 200 },
  );
});

describe('NodeSpeaker, while the plans of all Services are made again', () => {
  const wide = config([
    pool('office', ['192.0.2.0/24', '10.0.0.0/8'], {
      protocols: ['layer2'],
      l2Advertisements: [l2([], ['a'])],
    }),
  ]);
  const narrow = config([
    pool('office', ['192.0.2.0/24', '10.0.0.0/8'], {
      protocols: ['layer2'],
      l2Advertisements: [l2(['eth1'], ['a'])],
    }),
  ]);
  const count = 300;
  const addressOf = (i: number) => `10.0.${i >> 8}.${i & 255}`;

  /** A speaker that has made some of the plans after an edit, and not yet all. */
  function planning() {
    const clock = new SlicingClock();
    const announcer = new Announcer(clock);
    const { speaker } = announcer;
    speaker.setConfig(wide);
    for (const name of nodeNames) speaker.setNode(name, node(name, { labels: { rack: 'a' } }));
    const make = (name: string, addresses: string[]) => {
      speaker.setEndpointSlice(`default/${name}-1`, slice(name, ['node-2']));
      speaker.setService(`default/${name}`, service(name, addresses));
    };
    for (let i = 0; i < count; i++) make(`s${i}`, [addressOf(i)]);
    speaker.start();
    while (clock.run(1));
    assert.equal(announcer.entries.size, count);
    speaker.setConfig(narrow);
    clock.run(3);
    assert.ok(announcer.isPlanning);
    return { announcer, speaker, clock, make };
  }

  const linksOf = ({ entries }: Announcer, address: string) => entries.get(address)?.interfaces.join();
  /** Runs two turns, in which only a small share of the plans can be made. */
  const soon = ({ clock, announcer }: ReturnType<typeof planning>) => {
    clock.run(2);
    assert.ok(announcer.isPlanning);
  };

  test('the layer-2 process learns of a new Service and of a deleted one at once', () => {
    const scene = planning();
    const { announcer, speaker, make } = scene;
    make('new', ['192.0.2.7']);
    speaker.setService(`default/s${count - 1}`, undefined);
    soon(scene);
    assert.equal(linksOf(announcer, '192.0.2.7'), 'eth1');
    assert.equal(announcer.entries.has(addressOf(count - 1)), false);
  });

  test('the layer-2 process learns at once that another node has changed', () => {
    const scene = planning();
    scene.speaker.setNode('node-3', node('node-3', { labels: { rack: 'a' }, ready: false }));
    soon(scene);
    const { candidates } = scene.announcer.entries.get(addressOf(count - 1)) ?? assert.fail();
    assert.deepEqual(candidates, ['node-1', 'node-2', 'node-4']);
  });

  test('the results of the edit take effect together, even when a new Service goes ahead of them', () => {
    const scene = planning();
    const { announcer, clock, make } = scene;
    const links = () => new Set(Array.from({ length: count }, (_, i) => linksOf(announcer, addressOf(i))));
    make('new', ['192.0.2.7']);
    while (announcer.isPlanning) {
      assert.deepEqual([...links()], ['']);
      if (!clock.run(1)) break;
    }
    assert.deepEqual([...links()], ['eth1']);
  });

  test('an address that Services share waits for all plans, because its entry would otherwise mix old and new candidates', () => {
    const scene = planning();
    const { announcer, clock, make } = scene;
    make('sharing', [addressOf(count - 1)]);
    soon(scene);
    assert.equal(linksOf(announcer, addressOf(count - 1)), '');
    while (clock.run(1));
    assert.equal(linksOf(announcer, addressOf(count - 1)), 'eth1');
  });
});
