import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice } from '../../../../src/kubernetes/model.ts';
import { joinCandidates } from '../../../../src/layer2/address-entry.ts';
import { CandidateSets } from '../../../../src/layer2/candidate-sets.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';
import { CandidateSetTable } from '../../../../src/speaker/plan/candidate-set-table.ts';
import { mayLeave } from '../../../../src/speaker/plan/floor.ts';
import { type Leaving, leavingOf } from '../../../../src/speaker/plan/leaving.ts';
import { planService } from '../../../../src/speaker/plan/plan.ts';
import { config, node, pool, service, slice } from '../fixtures.ts';

const names = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];
const cases: readonly (readonly [
  candidates: number,
  leaving: number,
  minAnnouncers: number,
  may: boolean,
])[] = [
  [3, 1, 1, true],
  [3, 2, 1, true],
  [3, 3, 1, false],
  [3, 1, 2, true],
  [3, 2, 2, false],
  [2, 1, 2, false],
  [1, 1, 1, false],
  [3, 0, 5, true],
  [3, 1, 5, false],
  [0, 0, 1, true],
];
for (const [candidates, leaving, minAnnouncers, may] of cases)
  test(`mayLeave() is ${may} with min-announcers ${minAnnouncers} when ${leaving} of ${candidates} candidates leave`, () => {
    const gone = new Set(names.slice(0, leaving));
    assert.equal(
      mayLeave(names.slice(0, candidates), (name) => gone.has(name), minAnnouncers),
      may,
    );
  });

test('mayLeave() looks at no more candidates than it needs', () => {
  function* endless() {
    for (let i = 0; ; i++) yield `node-${i}`;
  }
  assert.equal(
    mayLeave(endless(), (name) => name === 'node-0', 2),
    true,
  );
});

const rules = { leavesWhenCordoned: true, ignoresExcludeLabel: false, leaveOnTaints: [] };
const world = fc.record({
  nodes: fc.array(fc.record({ ready: fc.boolean(), leaves: fc.boolean() }), { minLength: 1, maxLength: 5 }),
  endpoints: fc.array(fc.record({ node: fc.nat({ max: 4 }), terminating: fc.boolean() }), { maxLength: 6 }),
  policy: fc.constantFrom('Cluster' as const, 'Local' as const),
  protocol: fc.constantFrom('bgp' as const, 'layer2' as const),
  minAnnouncers: fc.integer({ min: 1, max: 4 }),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** The plans of all nodes for one Service, each made by the node itself. */
function plansOf({ nodes: flags, endpoints, policy, protocol, minAnnouncers }: World, leave: boolean) {
  const list = flags.map(({ ready, leaves }, i) =>
    node(names[i] ?? '', { ready, unschedulable: leave && leaves }),
  );
  const nodes = new Map(list.map((each) => [each.name, each]));
  const leaving = new Map<string, Leaving>();
  for (const each of list) {
    const found = leavingOf(each, rules);
    if (found) leaving.set(each.name, found);
  }
  const whole = slice(
    'web',
    endpoints.map((each) => names[each.node] ?? ''),
  );
  const slices: EndpointSlice[] = [
    {
      ...whole,
      endpoints: whole.endpoints.map((each, i) => {
        const terminating = endpoints[i]?.terminating ?? false;
        return { ...each, terminating, ready: !terminating };
      }),
    },
  ];
  const web = service('web', ['198.51.100.7'], { externalTrafficPolicy: policy });
  const settings = {
    ...config([pool('public', ['198.51.100.0/24'], { protocols: [protocol] })]),
    minAnnouncers,
  };
  return list.map(({ name }) => {
    const candidateSets = new CandidateSetTable(nodes, rules);
    const context = {
      config: settings,
      nodeName: name,
      nodes,
      candidateSets,
      isOurs: () => true,
      leaving,
      fresh: () => undefined,
      isAnnounced: () => true,
      isAnswering: () => true,
      isDrainOver: () => true,
      ...rules,
    };
    return { name, plan: planService(web, slices, context), candidateSets };
  });
}

const announcersByBgp = (plans: ReturnType<typeof plansOf>) =>
  plans.filter(({ plan }) => plan.routes.length > 0).map(({ name }) => name);

test('no matter which nodes leave, at least min-announcers of the candidates announce by BGP, or all of them if there are fewer', () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const input = { ...drawn, protocol: 'bgp' as const };
      const candidates = announcersByBgp(plansOf(input, false));
      const announcers = announcersByBgp(plansOf(input, true));
      assert.ok(announcers.length >= Math.min(input.minAnnouncers, candidates.length));
      assert.ok(announcers.every((name) => candidates.includes(name)));
      // Leaving nodes announce only while too few nodes stay, and then all of them do.
      const staying = candidates.filter((name) => !input.nodes[names.indexOf(name)]?.leaves);
      const isHeld = staying.length < Math.min(input.minAnnouncers, candidates.length);
      assert.deepEqual(announcers, isHeld ? candidates : staying);
      for (const { name, plan } of plansOf(input, true))
        assert.equal(
          plan.heldByFloor.length > 0,
          isHeld && candidates.includes(name) && !staying.includes(name),
        );
    }),
    { numRuns: 300 },
  );
});

/** The candidates with the greatest preference among those that the layer-2 process gets. */
function layer2Owners({ plan, candidateSets }: ReturnType<typeof plansOf>[number]): readonly string[] {
  const upsert = plan.layer2.map((entry) => ({ ...entry, observedVersion: 0 }));
  const sets = candidateSets.all();
  const [entry] = complete(new CandidateSets().resolve({ kind: 'table', sets, upsert, remove: [] })).upsert;
  const preference = (name: string) => entry?.preferences?.[name] ?? 0;
  const best = Math.max(...(entry?.candidates ?? []).map(preference));
  return (entry?.candidates ?? []).filter((name) => preference(name) === best);
}

test('no matter which nodes leave, all nodes elect the layer-2 owner from the same nodes: those that stay, or all candidates if none stays', () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const input = { ...drawn, protocol: 'layer2' as const };
      const [before] = plansOf(input, false).map(layer2Owners);
      const plans = plansOf(input, true);
      const candidates = before ?? [];
      const staying = candidates.filter((name) => !input.nodes[names.indexOf(name)]?.leaves);
      for (const each of plans)
        assert.deepEqual(layer2Owners(each), staying.length > 0 ? staying : candidates);
      for (const { name, plan } of plans)
        assert.equal(plan.heldByFloor.length > 0, candidates.includes(name) && staying.length === 0);
    }),
    { numRuns: 300 },
  );
});

test('joinCandidates() gives a node the greatest of its preferences, even when all of them are below zero', () => {
  const one = { candidates: ['a', 'b'], interfaces: [], preferences: { a: -5 } };
  const other = { candidates: ['a'], interfaces: [], preferences: { a: -3 } };
  assert.deepEqual(joinCandidates([one, other]).preferences, { a: -3 });
});
