import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from 'js-yaml';
import { answerOf, serviceFilter } from '../../../src/cli/status/run.ts';
import { clusterWarnings } from '../../../src/cli/status/warnings.ts';
import type { SpeakerStatus } from '../../../src/cluster/status.ts';
import { problemsOf } from '../../../src/report/status/problems.ts';
import type { ClusterView } from '../../../src/report/status/view.ts';
import { fail, ok } from '../../../src/result.ts';
import { service } from '../speaker/fixtures.ts';
import { acceptedConfigMap, decodedStatus } from './fixtures.ts';

const text = 'address-pools:\n- {name: b, protocol: bgp, addresses: [198.51.100.0/24, "2001:db8::/64"]}\n';
const since = '2026-01-02T03:04:05.000Z';

const router = (state: string, over: object = {}) => ({
  name: 'router',
  state,
  since,
  routesSent: 1,
  ...over,
});
const web = service('web', ['198.51.100.1']);
const other = service('web', ['198.51.100.2'], { namespace: 'shop' });
const announces = (state: string, over: object = {}) =>
  decodedStatus({
    advertised: { '198.51.100.1': ['router'], '198.51.100.2': ['router'] },
    peers: [router(state, over)],
  });

function view(
  speakers: Readonly<Record<string, SpeakerStatus | undefined>>,
  over: Partial<ClusterView> = {},
): ClusterView {
  return {
    namespace: 'bellman-system',
    configMap: acceptedConfigMap(text),
    acceptedCopy: undefined,
    services: [web, other],
    lease: { holder: 'c_u', ageMs: 1000, durationMs: 10_000 },
    controller: undefined,
    failures: new Map(),
    speakers: Object.entries(speakers).map(([node, status]) => ({
      node,
      status: status ? ok(status) : fail('ECONNREFUSED'),
    })),
    ...over,
  };
}

const all = () => true;
const healthy = view({ 'node-1': announces('Established') });
const halfDown = view({
  'node-1': announces('Established'),
  'node-2': announces('Active', { lastError: 'connection refused' }),
  'node-3': announces('Active', { lastError: 'connection refused' }),
});

test('answerOf() is healthy while one node announces each address, but not with --problems, which also counts sessions that are down', () => {
  assert.equal(answerOf(halfDown, all, { output: 'text', problems: false }).healthy, true);
  const { text: shown, healthy: isHealthy } = answerOf(halfDown, all, { output: 'text', problems: true });
  assert.equal(isHealthy, false);
  assert.match(
    shown,
    /^PROBLEM +OBJECT +DETAIL\nsession +router +peer router at node-2, node-3: the session is not up: connection refused\n$/,
  );
});

test('answerOf() says that there are no problems', () => {
  assert.deepEqual(answerOf(healthy, all, { output: 'text', problems: true }), {
    text: 'no problems\n',
    healthy: true,
  });
});

test('answerOf() writes the same value as JSON and as YAML', () => {
  for (const problems of [true, false]) {
    const json: unknown = JSON.parse(answerOf(halfDown, all, { output: 'json', problems }).text);
    assert.deepEqual(load(answerOf(halfDown, all, { output: 'yaml', problems }).text), json);
  }
  const value = JSON.parse(answerOf(halfDown, all, { output: 'json', problems: false }).text);
  assert.deepEqual(
    [value.version, value.healthy, value.addresses[0].address, value.nodes[1].peers[0].state],
    [1, true, '198.51.100.1', 'Active'],
  );
  assert.deepEqual(value.pools[1], {
    ...{ pool: 'b', protocol: 'bgp', family: 'IPv6', addresses: String(2n ** 64n), inUse: '0' },
    ...{ free: String(2n ** 64n), draining: false },
  });
});

test('answerOf() adds columns when the output is wide', () => {
  assert.match(
    answerOf(healthy, all, { output: 'wide', problems: false }).text,
    /^SERVICE +ADDRESS +POOL +POLICY +AS DESIRED +ANNOUNCED BY\ndefault\/web +198\.51\.100\.1 +Cluster +yes +node-1 by BGP$/m,
  );
});

test('serviceFilter() selects by namespace, name and address', () => {
  const selected = (argument: string | undefined, namespace?: string) =>
    [web, other].filter(serviceFilter(argument, namespace)).map((each) => each.namespace);
  assert.deepEqual(selected(undefined), ['default', 'shop']);
  assert.deepEqual(selected('web'), ['default', 'shop']);
  assert.deepEqual(selected('web', 'shop'), ['shop']);
  assert.deepEqual(selected('shop/web'), ['shop']);
  assert.deepEqual(selected('198.51.100.1'), ['default']);
  assert.deepEqual(selected('mail'), []);
  assert.throws(() => serviceFilter('We b', undefined), /neither an address nor the name of a Service/);
});

/** Name of the case, the view, and the problems as `kind object`. */
const rows: readonly (readonly [string, ClusterView, ...string[]])[] = [
  ['nothing for a healthy cluster', healthy],
  [
    'the lack of a leader, and a ConfigMap that was deleted',
    view(
      { 'node-1': announces('Established') },
      {
        lease: { holder: 'c_u', ageMs: 60_000, durationMs: 10_000 },
        configMap: undefined,
      },
    ),
    'configuration bellman-system/config',
    'controller bellman-system',
  ],
  [
    'a Service without an address',
    view({ 'node-1': announces('Established') }, { services: [service('new', [])] }),
    'service default/new',
  ],
  [
    'a speaker that was not reached, without a second problem for its membership',
    view({
      'node-1': decodedStatus({ ...announces('Established'), members: [{ node: 'node-2', state: 'dead' }] }),
      'node-2': undefined,
    }),
    'speaker node-2',
  ],
  [
    'a speaker that runs and that others do not hear',
    view({
      'node-1': decodedStatus({ ...announces('Established'), members: [{ node: 'node-2', state: 'dead' }] }),
      'node-2': announces('Established'),
    }),
    'membership node-2',
  ],
  [
    'routes that are not sent',
    view({ 'node-1': announces('Established', { routesDesired: 2 }) }),
    'session router',
  ],
  [
    'an address that no node announces',
    view({ 'node-1': decodedStatus() }, { services: [web] }),
    'address 198.51.100.1',
  ],
  [
    'a speaker that cannot reach the API server',
    view({ 'node-1': { ...announces('Established'), apiServer: 'not reached' } }),
    'speaker node-1',
  ],
];
for (const [name, cluster, ...expected] of rows)
  test(`problemsOf() lists ${name}`, () => {
    assert.deepEqual(
      problemsOf(cluster).map(({ kind, object }) => `${kind} ${object}`),
      expected,
    );
  });

test('problemsOf() names the membership port, or --membership-port when the speaker does not report its port', () => {
  const text = (membershipPort: number | undefined) =>
    problemsOf(
      view({
        'node-1': decodedStatus({
          ...announces('Established'),
          members: [{ node: 'node-2', state: 'dead' }],
        }),
        'node-2': { ...announces('Established'), membershipPort },
      }),
    )[0]?.text;
  assert.match(text(7956) ?? '', /; UDP port 7956 must be open between all nodes$/);
  assert.match(text(undefined) ?? '', /; the UDP port of --membership-port must be open between all nodes$/);
});

test('answerOf() prints warnings of the configuration at the end, and is healthy in spite of them', () => {
  const warned = { ...healthy, warnings: ['peers[0].node-selectors: no node of the cluster matches'] };
  for (const problems of [false, true]) {
    const answer = answerOf(warned, all, { output: 'text', problems });
    assert.equal(answer.healthy, true);
    assert.match(answer.text, /\n\nwarning: peers\[0\]\.node-selectors: no node of the cluster matches\n$/);
    const { warnings } = JSON.parse(answerOf(warned, all, { output: 'json', problems }).text);
    assert.deepEqual(warnings, warned.warnings);
  }
});

test('clusterWarnings() adds the warnings of the controller about places for which the command itself has none', () => {
  const judged = [{ path: 'peers[0].node-selectors', message: 'no node of the cluster matches' }];
  const known = acceptedConfigMap(text);
  const configMap = {
    ...known,
    annotations: {
      ...known.annotations,
      'bellman.dev/cluster-warnings':
        'peers[0].node-selectors: older\naddress-pools[0].namespaces[0]: there is no namespace x\u001b[31m',
    },
  };
  const own = 'peers[0].node-selectors: no node of the cluster matches';
  assert.deepEqual(clusterWarnings(judged, configMap), [
    own,
    'address-pools[0].namespaces[0]: there is no namespace x [31m',
  ]);
  assert.deepEqual(clusterWarnings(judged, undefined), [own]);
  assert.deepEqual(clusterWarnings([], known), []);
});

for (const [hidden, own, expected] of [
  [3, 0, ['peers[0].x: listed', 'and 3 more']],
  [3, 2, ['own[0]: found', 'own[1]: found', 'peers[0].x: listed', 'and 1 more']],
  [2, 2, ['own[0]: found', 'own[1]: found', 'peers[0].x: listed']],
  [1, 2, ['own[0]: found', 'own[1]: found', 'peers[0].x: listed']],
] as const)
  test(`clusterWarnings() lowers the annotation’s count of ${hidden} unlisted warnings by the ${own} unlisted ones that it has itself found`, () => {
    const known = acceptedConfigMap(text);
    const lines = `peers[0].x: listed\nand ${hidden} more`;
    const configMap = { ...known, annotations: { 'bellman.dev/cluster-warnings': lines } };
    const judged = Array.from({ length: own }, (_, i) => ({ path: `own[${i}]`, message: 'found' }));
    assert.deepEqual(clusterWarnings(judged, configMap), expected);
  });

test('clusterWarnings() does not count a warning of its own that the annotation lists', () => {
  const configMap = {
    ...acceptedConfigMap(text),
    annotations: { 'bellman.dev/cluster-warnings': 'peers[0].x: listed\nand 1 more' },
  };
  const judged = [{ path: 'peers[0].x', message: 'listed' }];
  assert.deepEqual(clusterWarnings(judged, configMap), ['peers[0].x: listed', 'and 1 more']);
});
