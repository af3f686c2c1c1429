import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AddressFacts, NodeFacts, TakeoverFacts } from '../../../src/cli/takeover/facts.ts';
import { nextStep } from '../../../src/cli/takeover/next-step.ts';
import {
  avoidingPatch,
  avoidsNodes,
  type DaemonSetFacts,
  restoringPatch,
} from '../../../src/cli/takeover/node-affinity.ts';
import { formatTakeover } from '../../../src/cli/takeover/report.ts';
import type { SpeakerStatus } from '../../../src/cluster/status.ts';
import { fail, ok } from '../../../src/result.ts';
import { speakerStatus } from './fixtures.ts';

type Adoption = NonNullable<SpeakerStatus['adoption']>;

const adoption = (over: Partial<Adoption> = {}): Adoption => ({
  ...{ bgp: 'held', otherSessions: ['router'], pools: [], held: [] },
  ...over,
});
const held = (address: string, over: Partial<Adoption['held'][number]> = {}) => ({
  ...{ service: 'default/printer', address, pool: 'office', protocol: 'layer2', peers: [] },
  ...{ isAdmitted: false, isCandidate: true, seenOn: 'node-1', seenMac: '02:00:00:00:00:01' },
  ...over,
});
const router = (over: object = {}) => ({
  ...{ name: 'router', state: 'Established', since: '', routesSent: 1, warnings: [] },
  ...over,
});
const node = (
  name: string,
  over: Partial<NodeFacts> = {},
  status: Partial<SpeakerStatus> = {},
): NodeFacts => ({
  ...{ name, hasMetalLb: true, isAdmitted: false, hasSpeaker: true },
  speaker: ok(speakerStatus({ adoption: adoption(), ...status })),
  ...over,
});
const office = ['192.0.2.150', '192.0.2.151'].map((address, i) => ({
  ...{ address, namespace: 'default', service: `printer-${i}`, isAdmitted: false, recordedNode: undefined },
}));
/** The pool office, with these fields of its addresses replaced. */
const officePool = (...over: readonly Partial<AddressFacts>[]) => ({
  ...{ name: 'office', protocols: ['layer2'] as const },
  addresses: office.map((each, i) => ({ ...each, ...over[i] })),
});
const refused = (...indices: readonly number[]) => ({
  notAnnounced: indices.map((i) => ({
    ...{ service: `default/printer-${i}`, address: `192.0.2.15${i}` },
    ...{ reason: 'no endpoint of this address family is ready', cause: 'no-endpoint' as const },
  })),
});
const withoutSpeaker = { hasSpeaker: false, hasMetalLb: false, speaker: fail('connection refused') };
const answering = { announcing: { '192.0.2.150': '', '192.0.2.151': '' } };

const facts = (over: Partial<TakeoverFacts> = {}): TakeoverFacts => ({
  namespace: 'bellman-system',
  metalLb: {
    ...{ namespace: 'metallb-system', controllers: 1 },
    ...{ deployment: 'controller', daemonSet: { name: 'speaker' } },
  },
  controller: { adoptOnly: true, addresses: 2, conflicts: [] },
  configProblem: undefined,
  nodes: [node('node-1'), node('node-2')],
  pools: [{ name: 'office', protocols: ['layer2'], addresses: office }],
  admittedPools: [],
  ...over,
});
const stopped = { ...facts().metalLb, controllers: 0 };
const assigning = { adoptOnly: false, addresses: 2, conflicts: [] };
/** The facts when the controller of MetalLB has stopped and the controller of Bellman assigns. */
const inLayer2 = (over: Partial<TakeoverFacts> = {}) =>
  facts({ metalLb: stopped, controller: assigning, ...over });
/** The facts of `inLayer2`, with these nodes and with pool office admitted. */
const inNodes = (nodes: readonly NodeFacts[], daemonSet: DaemonSetFacts | undefined = undefined) =>
  inLayer2({ admittedPools: ['office'], nodes, metalLb: { ...stopped, daemonSet } });
/** The affinity that lets the Pods of MetalLB run only on nodes that match one of these terms. */
const required = (...nodeSelectorTerms: readonly object[]) => ({
  nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
});
const avoiding = { matchExpressions: [{ key: 'bellman.dev/takeover', operator: 'DoesNotExist' }] };
const live = (name: string, over: Partial<NodeFacts> = {}, status: Partial<SpeakerStatus> = {}) =>
  node(
    name,
    { hasMetalLb: false, isAdmitted: true, ...over },
    { ...answering, adoption: adoption({ bgp: 'live' }), peers: [router()], ...status },
  );
const annotate = 'kubectl -n bellman-system annotate --overwrite configmap config bellman.dev/takeover';

const rows: readonly (readonly [
  name: string,
  facts: TakeoverFacts,
  kind: string,
  text: RegExp,
  command?: string,
  back?: string,
])[] = [
  [
    'a speaker that is not reached',
    facts({ nodes: [node('node-1', { speaker: fail('connection refused') })] }),
    'repair',
    /speaker of node-1 was not reached: connection refused/,
  ],
  [
    'a node without a speaker and with a Pod of MetalLB',
    facts({ nodes: [node('node-1', { ...withoutSpeaker, hasMetalLb: true })] }),
    'repair',
    /speaker of node-1 was not reached/,
  ],
  [
    'an admitted node that has lost its speaker',
    facts({ nodes: [node('node-1', { ...withoutSpeaker, isAdmitted: true })] }),
    'repair',
    /speaker of node-1 was not reached/,
  ],
  [
    'a speaker that is not in sync',
    facts({ nodes: [node('node-1', {}, { waitingFor: ['config'] })] }),
    'wait',
    /still reads: config/,
  ],
  ['no leader', facts({ controller: undefined }), 'wait', /no controller of Bellman leads/],
  ['no configuration', facts({ configProblem: 'write it' }), 'repair', /^write it$/],
  [
    'conflicts',
    facts({
      controller: { adoptOnly: true, addresses: 2, conflicts: ['Service a/b: no', 'Service c/d: no'] },
    }),
    'repair',
    /^Service a\/b: no; and 1 other Service$/,
  ],
  [
    'a record of an earlier takeover',
    inLayer2({
      pools: [
        {
          ...{ name: 'office', protocols: ['layer2'] },
          addresses: office.map((each, i) => ({ ...each, recordedNode: i === 1 ? 'node-2' : undefined })),
        },
      ],
    }),
    'wait',
    /^the record of 192\.0\.2\.151 names node-2, which no longer answers/,
  ],
  [
    'two controllers, of which one assigns',
    facts(),
    'run',
    /stop the controller of MetalLB/,
    'kubectl -n metallb-system scale deployment controller --replicas=0',
    'kubectl -n metallb-system scale deployment controller --replicas=1',
  ],
  ['two controllers that assign', facts({ controller: assigning }), 'repair', /both assign/],
  [
    'no controller that assigns',
    facts({ metalLb: stopped }),
    'run',
    /let the controller of Bellman assign/,
    'kubectl -n bellman-system set env deployment/controller BELLMAN_ADOPT_ONLY-',
    'kubectl -n bellman-system set env deployment/controller BELLMAN_ADOPT_ONLY=true',
  ],
  [
    'layer 2, nothing admitted',
    inLayer2(),
    'run',
    /try it with one Service: let Bellman answer for 192.0.2.150/,
    'kubectl -n default annotate --overwrite service printer-0 bellman.dev/takeover=true',
    'kubectl -n default annotate service printer-0 bellman.dev/takeover-',
  ],
  [
    'layer 2, one Service admitted, no speaker of Bellman answers yet',
    inLayer2({
      pools: [
        {
          name: 'office',
          protocols: ['layer2'],
          addresses: office.map((each, i) => ({ ...each, isAdmitted: i === 0 })),
        },
      ],
    }),
    'wait',
    /Bellman answers for 0 of 2 addresses/,
  ],
  [
    'layer 2, Bellman answers for the one admitted Service',
    inLayer2({
      nodes: [node('node-1', {}, { announcing: { '192.0.2.150': '' } })],
      pools: [
        {
          name: 'office',
          protocols: ['layer2'],
          addresses: office.map((each, i) => ({ ...each, isAdmitted: i === 0 })),
        },
      ],
    }),
    'run',
    /all addresses of pool office/,
    `${annotate}=office`,
    `${annotate}-`,
  ],
  [
    'layer 2, a second pool',
    inLayer2({
      admittedPools: ['office'],
      nodes: [node('node-1', {}, answering)],
      pools: [
        { name: 'office', protocols: ['layer2'], addresses: office },
        {
          name: 'lab',
          protocols: ['bgp', 'layer2'],
          addresses: [
            {
              address: '192.0.2.200',
              namespace: 'a',
              service: 'b',
              isAdmitted: false,
              recordedNode: undefined,
            },
          ],
        },
      ],
    }),
    'run',
    /all addresses of pool lab/,
    `${annotate}=office,lab`,
    `${annotate}=office`,
  ],
  ['layer 2, all pools admitted, no answers', inLayer2({ admittedPools: ['*'] }), 'wait', /0 of 2 addresses/],
  [
    'layer 2, a foreign host answers',
    inLayer2({
      nodes: [node('node-1', {}, { adoption: adoption({ held: [held('192.0.2.151', { seenOn: '' })] }) })],
    }),
    'repair',
    /a host without a speaker of Bellman answers for 192.0.2.151 \(no node, 02:00:00:00:00:01\)/,
  ],
  [
    'layer 2, a foreign host and a node answer for the same address',
    inLayer2({
      nodes: [
        node('node-1', {}, { adoption: adoption({ held: [held('192.0.2.151')] }) }),
        node(
          'node-2',
          {},
          {
            adoption: adoption({ held: [held('192.0.2.151', { seenOn: '', seenMac: '02:00:00:00:00:99' })] }),
          },
        ),
      ],
    }),
    'repair',
    /answers for 192.0.2.151 \(no node, 02:00:00:00:00:99\)/,
  ],
  [
    'layer 2, a speaker does not know yet the node of a MAC that another speaker knows',
    inLayer2({
      nodes: [
        node('node-1', {}, { adoption: adoption({ held: [held('192.0.2.151')] }) }),
        node('node-2', {}, { adoption: adoption({ held: [held('192.0.2.150', { seenOn: '' })] }) }),
      ],
    }),
    'run',
    /try it with one Service/,
  ],
  [
    'layer 2, the first owner has written its line and does not answer yet',
    inLayer2({ pools: [officePool({ isAdmitted: true, recordedNode: 'node-1' })] }),
    'wait',
    /Bellman answers for 0 of 2 addresses/,
  ],
  [
    'layer 2, the first Service has no ready endpoint',
    inLayer2({ nodes: [node('node-1', {}, refused(0))] }),
    'run',
    /let Bellman answer for 192.0.2.151/,
  ],
  [
    'layer 2, the admitted Service has no ready endpoint',
    inLayer2({ nodes: [node('node-1', {}, refused(0))], pools: [officePool({ isAdmitted: true })] }),
    'run',
    /let Bellman answer for 192.0.2.151/,
  ],
  [
    'layer 2, no Service has a ready endpoint',
    inLayer2({ nodes: [node('node-1', {}, refused(0, 1))] }),
    'run',
    /all addresses of pool office/,
    `${annotate}=office`,
  ],
  [
    'layer 2, pool admitted, one Service without a ready endpoint',
    inLayer2({
      admittedPools: ['office'],
      nodes: [node('node-1', {}, { ...refused(1), announcing: { '192.0.2.150': '' } })],
    }),
    'run',
    /MetalLB avoid nodes/,
  ],
  [
    'an admitted pool, while one speaker does not know yet that a Service has a ready endpoint',
    inLayer2({
      admittedPools: ['office'],
      pools: [officePool({ isAdmitted: true }, { isAdmitted: true })],
      nodes: [
        node('node-1', {}, { ...refused(1), announcing: { '192.0.2.150': '' } }),
        node('node-2', {}, { adoption: adoption({ held: [held('192.0.2.151')] }) }),
      ],
    }),
    'wait',
    /office/,
  ],
  [
    'layer 2, pool admitted, no answer for a Service with a ready endpoint',
    inLayer2({ admittedPools: ['office'], nodes: [node('node-1', {}, refused(1))] }),
    'wait',
    /Bellman answers for 0 of 2 addresses; 1 has no ready endpoint$/,
  ],
  [
    'layer 2, a pool whose name has a space',
    inLayer2({
      nodes: [node('node-1', {}, refused(0, 1))],
      pools: [{ ...officePool(), name: "the boss's" }],
    }),
    'run',
    /all addresses of pool the boss's/,
    `${annotate}='the boss'\\''s'`,
  ],
  [
    'layer 2, a pool whose name has a comma',
    inLayer2({ nodes: [node('node-1', {}, refused(0, 1))], pools: [{ ...officePool(), name: 'a,b' }] }),
    'run',
    /all addresses of all pools, because the annotation cannot name pool a,b$/,
    `${annotate}='*'`,
  ],
  [
    'nodes, DaemonSet not prepared',
    inNodes([node('node-1', {}, answering)], { name: 'speaker' }),
    'run',
    /no Pod restarts/,
    `kubectl -n metallb-system patch daemonset speaker --type merge -p '{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null},"template":{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"bellman.dev/takeover","operator":"DoesNotExist"}]}]}}}}}}}'`,
    `kubectl -n metallb-system patch daemonset speaker --type merge -p '{"spec":{"updateStrategy":{"type":"RollingUpdate"},"template":{"spec":{"affinity":null}}}}'`,
  ],
  [
    'nodes, DaemonSet prepared',
    inNodes([node('node-1', {}, answering)], { name: 'speaker', affinity: required(avoiding) }),
    'run',
    /end MetalLB on node-1/,
  ],
  [
    'nodes, none admitted',
    inNodes([node('node-1', {}, answering), node('node-2')]),
    'run',
    /end MetalLB on node-1/,
    'kubectl label --overwrite node node-1 bellman.dev/takeover=true',
    'kubectl label node node-1 bellman.dev/takeover-',
  ],
  [
    'a node whose Pod of MetalLB runs',
    inNodes([live('node-1', { hasMetalLb: true }), node('node-2')]),
    'wait',
    /^node-1: the Pod of MetalLB is not gone yet$/,
  ],
  [
    'a node that waits until the session of another program ends',
    inNodes([live('node-1', {}, { adoption: adoption({ bgp: 'waiting' }) })]),
    'wait',
    /^node-1: another program still has a session with router$/,
  ],
  [
    'an admitted node whose speaker has not seen the label yet',
    inNodes([live('node-1', {}, { peers: [], adoption: adoption({ bgp: 'held' }) }), node('node-2')]),
    'wait',
    /^node-1: its speaker does not know yet that the node is admitted$/,
  ],
  [
    'an admitted node whose speaker has not opened its sessions yet',
    inNodes([
      live(
        'node-1',
        {},
        {
          peers: [],
          adoption: adoption({ bgp: 'live', held: [held('198.51.100.7', { protocol: 'bgp' })] }),
        },
      ),
      node('node-2'),
    ]),
    'wait',
    /^node-1: its speaker has not opened its BGP sessions yet$/,
  ],
  [
    'a node whose session is down',
    inNodes([live('node-1', {}, { peers: [router({ state: 'Active' })] })]),
    'wait',
    /in state Active/,
  ],
  [
    'a node that has not sent all routes',
    inNodes([live('node-1', {}, { peers: [router({ routesDesired: 3 })] })]),
    'wait',
    /has 1 of 3 routes/,
  ],
  [
    'the next node',
    inNodes([live('node-1'), node('node-2')]),
    'run',
    /end MetalLB on node-2/,
    'kubectl label --overwrite node node-2 bellman.dev/takeover=true',
    'kubectl label node node-2 bellman.dev/takeover-',
  ],
  [
    'a node without a speaker and without MetalLB',
    inNodes([node('node-0', withoutSpeaker), live('node-1'), node('node-2')]),
    'run',
    /end MetalLB on node-2/,
  ],
  [
    'all nodes live, and a node without a speaker',
    inNodes([live('node-1'), node('node-2', withoutSpeaker)]),
    'run',
    /end the takeover/,
  ],
  [
    'all nodes live',
    inNodes([live('node-1'), live('node-2')]),
    'run',
    /end the takeover/,
    'kubectl -n bellman-system set env daemonset/speaker BELLMAN_ADOPT_ONLY-',
    'kubectl -n bellman-system set env daemonset/speaker BELLMAN_ADOPT_ONLY=true',
  ],
  [
    'two speakers, of which one has restarted without --adopt-only',
    inNodes([live('node-1', { speaker: ok(speakerStatus(answering)) }), live('node-2')]),
    'wait',
    /^1 of 2 speakers have ended/,
  ],
  [
    'a speaker without --adopt-only beside MetalLB',
    inNodes([node('node-1', { speaker: ok(speakerStatus()) })]),
    'repair',
    /^node-1: a Pod of MetalLB runs beside Bellman/,
  ],
  [
    'everything done',
    inNodes([live('node-1', { speaker: ok(speakerStatus(answering)) })]),
    'done',
    /Bellman announces all addresses/,
  ],
];

describe('nextStep()', () => {
  for (const [name, input, kind, text, command, back] of rows)
    test(`for ${name}`, () => {
      const step = nextStep(input);
      assert.equal(step.kind, kind, step.text);
      assert.match(step.text, text);
      if (command !== undefined) assert.equal(step.command, command);
      if (back !== undefined) assert.equal(step.back, back);
      if (kind === 'run') assert.ok(step.command && step.back);
    });
});

describe('the patches of the DaemonSet', () => {
  const linux = { matchExpressions: [{ key: 'os', operator: 'In', values: ['linux'] }] };
  const here = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1'] }] };
  const podAntiAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [] };
  const preferred = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: linux }] };
  const rolling = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
  const affinities: readonly (readonly [string, object | undefined, object])[] = [
    ['without an affinity', undefined, required(avoiding)],
    ['with an empty affinity', {}, required(avoiding)],
    ['with another affinity', { podAntiAffinity }, { podAntiAffinity, ...required(avoiding) }],
    [
      'with preferred nodes',
      { nodeAffinity: preferred },
      { nodeAffinity: { ...preferred, ...required(avoiding).nodeAffinity } },
    ],
    [
      'with required nodes',
      required(linux, here),
      required(
        { matchExpressions: [...linux.matchExpressions, ...avoiding.matchExpressions] },
        { ...here, ...avoiding },
      ),
    ],
  ];
  for (const [name, affinity, expected] of affinities)
    test(`add the required affinity to a DaemonSet ${name}, and restore its earlier spec`, () => {
      const spec = { updateStrategy: rolling, template: { spec: affinity ? { affinity } : {} } };
      const daemonSet = { name: 'speaker', updateStrategy: rolling, affinity };
      const avoided = mergePatch({ spec }, avoidingPatch(daemonSet)) as { spec: typeof spec };
      assert.deepEqual(avoided.spec.template.spec.affinity, expected);
      assert.deepEqual(avoided.spec.updateStrategy, { type: 'OnDelete' });
      assert.equal(avoidsNodes(daemonSet), false);
      assert.equal(avoidsNodes({ name: 'speaker', affinity: expected }), true);
      assert.deepEqual(mergePatch(avoided, restoringPatch(daemonSet)), { spec });
    });

  test('restore the update strategy OnDelete', () => {
    const spec = { updateStrategy: { type: 'OnDelete' }, template: { spec: {} } };
    const daemonSet = { name: 'speaker', updateStrategy: spec.updateStrategy };
    const avoided = mergePatch({ spec }, avoidingPatch(daemonSet));
    assert.deepEqual(mergePatch(avoided, restoringPatch(daemonSet)), { spec });
  });

  test('are in force only if each term of the affinity avoids the admitted nodes', () => {
    assert.equal(avoidsNodes({ name: 'speaker', affinity: required(avoiding, linux) }), false);
  });
});

/** Applies a JSON merge patch (RFC 7396) as the API server does. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const merged: Record<string, unknown> = { ...(isObject ? target : {}) };
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  return merged;
}

test('formatTakeover() shows the controllers, the pools in layer 2, the nodes and the step', () => {
  const input = inLayer2({
    nodes: [
      node(
        'node-1',
        {},
        {
          adoption: adoption({ held: [held('192.0.2.151'), held('198.51.100.1', { protocol: 'bgp' })] }),
          announcing: { '192.0.2.150': '' },
        },
      ),
      live('node-2', {}, { advertised: { '198.51.100.1': ['router'] } }),
      node('node-3', { speaker: fail('no route') }),
    ],
    pools: [
      {
        name: 'office',
        protocols: ['layer2'],
        addresses: office.map((each, i) => ({ ...each, isAdmitted: i === 0 })),
      },
    ],
  });
  assert.equal(
    formatTakeover(input, { kind: 'run', text: 'go on', command: 'kubectl x', back: 'kubectl y' }),
    `             METALLB   BELLMAN
controller   stopped   assigns addresses: 2 addresses in the books

POOL IN LAYER 2   ADDRESSES   ANSWERED BY OTHERS   ANSWERED BY BELLMAN   ADMITTED
office            2           0                    2                     Service default/printer-0

NODE     METALLB   BELLMAN                 BGP                                                            LAYER 2
node-1   runs      adopts only             ready: 1 address held back, another program speaks to router   answers for 1, 1 held back
node-2   gone      adopts only             speaks: 1 address, 1 of 1 session                              answers for 2, 0 held back
node-3   runs      not reached: no route

NEXT   go on
  kubectl x
BACK
  kubectl y
`,
  );
});
