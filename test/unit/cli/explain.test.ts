import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatExplanation } from '../../../src/cli/explain/text.ts';
import type { SpeakerStatus } from '../../../src/cluster/status.ts';
import type { EndpointSlice, Node, Service } from '../../../src/kubernetes/model.ts';
import { withoutApiServer, withoutToken } from '../../../src/report/daemon-faults.ts';
import { explain } from '../../../src/report/explain/explain.ts';
import type { ExplainFacts } from '../../../src/report/explain/facts.ts';
import type { ClusterView } from '../../../src/report/status/view.ts';
import { parseSubject } from '../../../src/report/subject.ts';
import { fail, ok } from '../../../src/result.ts';
import { node, service, slice } from '../speaker/fixtures.ts';
import { acceptedConfigMap, speakerStatus } from './fixtures.ts';

const since = '2026-01-02T03:04:05.000Z';
const exclude = 'node.kubernetes.io/exclude-from-external-load-balancers';

const configText = `
peers:
- {name: router, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
address-pools:
- {name: office, protocol: layer2, addresses: [192.0.2.240/28]}
- name: rack
  protocol: layer2
  addresses: [192.0.2.128/28]
  l2-advertisements: [{node-selectors: [{match-labels: {rack: a}}]}]
- name: public
  protocol: bgp
  addresses: [198.51.100.0/24, 2001:db8:100::/120]
  bgp-advertisements: [{localpref: 200, med: 5, communities: [64512:7]}]
- name: both
  protocol: [bgp, layer2]
  addresses: [203.0.113.0/24]
- {name: silent, protocol: none, addresses: [100.64.0.0/24]}
`;

const configMap = (annotations: Readonly<Record<string, string>> = {}) =>
  acceptedConfigMap(configText, annotations);

function speaker(over: Partial<SpeakerStatus> = {}): SpeakerStatus {
  return speakerStatus({
    nodeRules: { leavesWhenCordoned: false, ignoresExcludeLabel: false },
    links: [{ name: 'eth0', subnets: ['192.0.2.0/24', '203.0.113.0/24'] }],
    ...over,
  });
}

function router(state: string, over: Partial<SpeakerStatus['peers'][number]> = {}) {
  return { name: 'router', state, since, routesSent: 1, routesDesired: 1, warnings: [], ...over };
}

type Speakers = Readonly<Record<string, SpeakerStatus | string>>;

interface Over {
  readonly service?: Service | undefined;
  readonly slices?: readonly EndpointSlice[] | undefined;
  readonly nodes?: readonly Node[];
  readonly speakers?: Speakers;
  readonly cluster?: Partial<ClusterView>;
  readonly address?: string;
  readonly events?: ExplainFacts['events'];
}

const office = service('web', ['192.0.2.241']);
const everywhere = [slice('web', ['node-1', 'node-2'])];

function facts(over: Over = {}): ExplainFacts {
  const subject = 'service' in over ? over.service : office;
  return {
    subject: over.address ?? 'default/web',
    address: over.address,
    service: subject,
    slices: 'slices' in over ? over.slices : everywhere,
    nodes: over.nodes ?? [node('node-1'), node('node-2')],
    loadBalancerClass: undefined,
    events: over.events ?? [],
    cluster: {
      namespace: 'bellman-system',
      configMap: configMap(),
      acceptedCopy: undefined,
      services: subject ? [subject] : [],
      lease: { holder: 'controller-0_uuid', ageMs: 2000, durationMs: 10_000 },
      controller: undefined,
      failures: new Map(),
      speakers: Object.entries(over.speakers ?? { 'node-1': speaker(), 'node-2': speaker() }).map(
        ([name, status]) => ({ node: name, status: typeof status === 'string' ? fail(status) : ok(status) }),
      ),
      ...over.cluster,
    },
  };
}

const refused = (cause: SpeakerStatus['notAnnounced'][number]['cause'], reason: string, field: string) => ({
  notAnnounced: ['192.0.2.241', '192.0.2.129', '198.51.100.7', '203.0.113.7', '100.64.0.1'].map(
    (address) => ({
      service: 'default/web',
      address,
      cause,
      reason,
      field,
    }),
  ),
});
const bgpService = service('web', ['198.51.100.7']);
const advertising = { advertised: { '198.51.100.7': ['router'] } };

/** Name of the case, the facts, the verdict, and the first lines of the text. */
const rows: readonly (readonly [string, Over, 'announced' | 'not announced' | 'unknown', ...RegExp[]])[] = [
  [
    'a Service that does not exist',
    { service: undefined },
    'not announced',
    /^default\/web: not announced: Service default\/web does not exist$/,
  ],
  [
    'an address that no Service has',
    { service: undefined, address: '192.0.2.250' },
    'not announced',
    /no Service has the address 192\.0\.2\.250; pool office holds it/,
  ],
  [
    'a Service of another type',
    { service: { ...office, type: 'ClusterIP' } },
    'not announced',
    /the type ClusterIP; .* \(Service spec\.type\)/,
  ],
  [
    'a Service with a load balancer class that Bellman does not serve',
    { service: { ...office, loadBalancerClass: 'other' } },
    'not announced',
    /has the class other; Bellman serves only Services without a class \(Service spec\.loadBalancerClass\)/,
  ],
  [
    'a Service that is being deleted',
    { service: { ...office, deleting: true } },
    'not announced',
    /the Service is being deleted/,
  ],
  [
    'a full pool',
    { service: service('web', []), cluster: { failures: new Map([['default/web', 'pool office is full']]) } },
    'not announced',
    /^default\/web: not announced: pool office is full/,
  ],
  [
    'a Service without an address, and no leader',
    {
      service: service('web', []),
      cluster: { lease: { holder: 'controller-0_uuid', ageMs: 60_000, durationMs: 10_000 } },
    },
    'not announced',
    /no replica leads: controller-0_uuid last renewed its Lease 60 s ago \(Lease spec\.renewTime\)/,
  ],
  [
    'a Service without an address after a rejected edit',
    {
      service: service('web', []),
      cluster: {
        failures: new Map([['default/web', 'there is no pool new']]),
        configMap: configMap({
          'bellman.dev/config-status': 'stale',
          'bellman.dev/config-error': 'line 3: bad',
        }),
      },
    },
    'not announced',
    /there is no pool new/,
    /stale .*line 3: bad/,
  ],
  [
    'an address that no pool holds',
    { service: service('web', ['192.0.2.1']) },
    'not announced',
    /^192\.0\.2\.1: not announced: no pool of the accepted configuration holds it/,
  ],
  [
    'an address before a configuration is accepted',
    { cluster: { configMap: undefined } },
    'not announced',
    /no configuration has been accepted yet/,
    /ConfigMap bellman-system\/config does not exist/,
  ],
  [
    'a pool with the protocol none',
    { service: service('web', ['100.64.0.1']) },
    'not announced',
    /pool silent has the protocol none \(ConfigMap address-pools\[\]\.protocol\)/,
  ],
  [
    'no endpoints',
    {
      slices: [],
      speakers: {
        'node-1': speaker(
          refused('no-endpoint', 'no endpoint is ready', 'EndpointSlice endpoints[].conditions'),
        ),
      },
    },
    'not announced',
    /no endpoint is ready \(node-1\) \(EndpointSlice endpoints\[\]\.conditions\)/,
  ],
  [
    'the node with the endpoint is excluded, and the other has no endpoint',
    {
      service: { ...office, externalTrafficPolicy: 'Local' },
      nodes: [node('node-1', { labels: { [exclude]: '' } }), node('node-2')],
      speakers: {
        'node-1': speaker(
          refused('node', `node node-1 is labelled ${exclude}`, `Node metadata.labels[${exclude}]`),
        ),
        'node-2': speaker(
          refused('no-local-endpoint', 'node-2 has no ready endpoint', 'Service spec.externalTrafficPolicy'),
        ),
      },
    },
    'not announced',
    /node node-1 is labelled .* \(Node metadata\.labels/,
    /node-2 has no ready endpoint \(Service spec\.externalTrafficPolicy\)/,
  ],
  [
    'the node waits for announce-delay',
    {
      speakers: {
        'node-1': speaker(
          refused(
            'announce-delay',
            'node node-1 waits until 2026-01-01T00:00:05.000Z for announce-delay',
            'ConfigMap announce-delay',
          ),
        ),
      },
    },
    'not announced',
    /node node-1 waits until 2026-01-01T00:00:05\.000Z for announce-delay \(ConfigMap announce-delay\)/,
  ],
  [
    'the reason of node-1 names only node-10, so the name node-1 is added',
    {
      speakers: { 'node-1': speaker(refused('no-endpoint', 'node-10 has no ready endpoint', 'f')) },
    },
    'not announced',
    /node-10 has no ready endpoint \(node-1\)/,
  ],
  [
    'no node matches the node selectors',
    {
      service: service('web', ['192.0.2.129']),
      speakers: {
        'node-1': speaker(refused('not-selected', 'no layer 2 advertisement selects this node', 'f')),
      },
    },
    'not announced',
    /no layer 2 advertisement selects this node \(node-1\)/,
  ],
  [
    'no node has a link for the address',
    { speakers: { 'node-1': speaker({ links: [{ name: 'eth0', subnets: ['10.0.0.0/24'] }] }) } },
    'not announced',
    /no link of the node has a subnet with the address \(its subnets: 10\.0\.0\.0\/24\) \(node-1\)/,
  ],
  [
    'a foreign host uses the address',
    {
      speakers: {
        'node-1': speaker({ inUse: { '192.0.2.241': '02:00:00:00:00:09 on eth0' } }),
        'node-2': speaker(),
      },
    },
    'not announced',
    /another host uses the address: 02:00:00:00:00:09 on eth0 of node node-1/,
  ],
  [
    'every session is down',
    {
      service: bgpService,
      speakers: {
        'node-1': speaker({ ...advertising, peers: [router('Active', { lastError: 'Bad Peer AS' })] }),
      },
    },
    'not announced',
    /peer router at node-1: the session is not up: Bad Peer AS \(ConfigMap peers\[\]\)/,
  ],
  [
    'the session is up, but carries no routes of the family of the address',
    {
      service: service('web', ['2001:db8:100::7']),
      slices: [slice('web', ['node-1'], { family: 'IPv6' })],
      speakers: {
        'node-1': speaker({
          advertised: { '2001:db8:100::7': ['router'] },
          peers: [
            router('Established', {
              routesDesired: 2,
              families: ['ipv4-unicast'],
              warnings: ['ipv6-unicast is not sent: the peer did not offer it'],
            }),
          ],
        }),
      },
    },
    'not announced',
    /peer router at node-1: only 1 of 2 routes are sent; ipv6-unicast is not sent: the peer did not offer it \(ConfigMap peers\[\]\)/,
  ],
  [
    'of two sessions that are up, one carries routes of the family of the address',
    {
      service: bgpService,
      speakers: {
        'node-1': speaker({
          ...advertising,
          peers: [router('Established', { routesSent: 0, families: ['ipv6-unicast'] })],
        }),
        'node-2': speaker({
          ...advertising,
          peers: [router('Established', { families: ['ipv4-unicast'] })],
        }),
      },
    },
    'announced',
    /^198\.51\.100\.7: announced by node-2 by BGP$/,
    /peer router at node-1: only 0 of 1 routes are sent/,
  ],
  [
    'the session is up, but the speaker does not announce the address, because it runs an older configuration',
    {
      service: bgpService,
      speakers: {
        'node-1': speaker({
          peers: [router('Established')],
          config: { hash: 'old', acceptedAt: since },
        }),
      },
    },
    'not announced',
    /^198\.51\.100\.7: not announced: node-1 may announce it but does not yet: its speaker has not seen the newest state/,
    /node node-1: it runs configuration old, accepted at .*, instead of/,
  ],
  [
    'two nodes announce a Service with session affinity by BGP',
    {
      service: { ...bgpService, sessionAffinity: 'ClientIP' },
      speakers: {
        'node-1': speaker({ ...advertising, peers: [router('Established')] }),
        'node-2': speaker({ ...advertising, peers: [router('Established')] }),
      },
    },
    'announced',
    /announced by node-1, node-2 by BGP/,
    /2 nodes announce it by BGP, so a client keeps its Pod only if .* \(Service spec\.sessionAffinity\)/,
  ],
  [
    'BFD keeps the session down',
    {
      service: bgpService,
      speakers: {
        'node-1': speaker({
          ...advertising,
          peers: [router('Idle', { bfd: bfd('Down', 'we send, and nothing returns') })],
        }),
      },
    },
    'not announced',
    /peer router at node-1: the session is not up/,
    /BFD is Down: we send, and nothing returns/,
  ],
  [
    'the Secret with the membership keys of the speaker does not exist',
    { speakers: { 'node-1': speaker({ troubles: ['layer 2: Secret bellman-membership does not exist'] }) } },
    'not announced',
    /node node-1: layer 2: Secret bellman-membership does not exist/,
  ],
  [
    'a speaker that may announce was not reached',
    { speakers: { 'node-1': 'ECONNREFUSED', 'node-2': speaker() } },
    'unknown',
    /^192\.0\.2\.241: unknown: the speakers of nodes that may announce it were not reached: node-1 \(ECONNREFUSED\)/,
  ],
  [
    'a speaker that may announce cannot reach the API server',
    { speakers: { 'node-1': withoutApiServer, 'node-2': speaker() } },
    'unknown',
    /^192\.0\.2\.241: unknown: node-1 cannot reach the API server: its speaker runs, but cannot check our token/,
  ],
  [
    'a speaker that cannot reach the API server, while another node announces',
    {
      speakers: {
        'node-1': withoutApiServer,
        'node-2': speaker({ announcing: { '192.0.2.241': since } }),
      },
    },
    'announced',
    /announced by node-2/,
    /^ {2}node node-1 cannot reach the API server; its speaker runs, but cannot check our token/,
  ],
  [
    'this command gets no token',
    { speakers: { 'node-1': withoutToken }, cluster: { viewerProblem: 'the request for a token failed' } },
    'unknown',
    /^192\.0\.2\.241: unknown: the request for a token failed$/,
    /pool office/,
  ],
  [
    'the ServiceAccount viewer may not get /status',
    { speakers: { 'node-1': 'HTTP status 403: RBAC does not allow this user to get /status' } },
    'unknown',
    /were not reached: node-1 \(HTTP status 403: RBAC does not allow this user to get \/status\)/,
  ],
  [
    'a speaker was not reached, but its node may not announce',
    {
      nodes: [node('node-1', { ready: false }), node('node-2')],
      speakers: {
        'node-1': 'ECONNREFUSED',
        'node-2': speaker(refused('node', 'node node-2 is cordoned', 'Node spec.unschedulable')),
      },
    },
    'not announced',
    /node node-1 is not Ready/,
    /node node-2 is cordoned/,
  ],
  [
    'an owner',
    { speakers: { 'node-1': speaker({ announcing: { '192.0.2.241': since } }), 'node-2': speaker() } },
    'announced',
    /^192\.0\.2\.241: announced by node-1 on eth0 since 2026-01-02T03:04:05\.000Z in layer 2$/,
    / {2}pool office, layer2/,
  ],
  [
    'an owner whose answers reach no witness',
    {
      speakers: {
        'node-1': speaker({
          announcing: { '192.0.2.241': since },
          unverified: { '192.0.2.241': 'node-2 and node-3' },
        }),
        'node-2': speaker(),
      },
    },
    'announced',
    /announced by node-1/,
    /node node-1 answers for it, but no answer reaches node-2 and node-3/,
  ],
  [
    'two owners in a partition',
    {
      speakers: {
        'node-1': speaker({
          announcing: { '192.0.2.241': since },
          members: [{ node: 'node-2', state: 'dead' }],
          membershipPort: 7956,
        }),
        'node-2': speaker({ announcing: { '192.0.2.241': since }, membershipPort: 7956 }),
      },
    },
    'announced',
    /announced by node-1 .* and node-2/,
    /node-1, node-2 answer for it at the same time, because their speakers do not hear each other/,
    /UDP port 7956 must be open between all nodes/,
  ],
  [
    'an owner that cannot reach the API server',
    { speakers: { 'node-1': speaker({ announcing: { '192.0.2.241': since }, apiServer: 'not reached' }) } },
    'announced',
    /announced by node-1/,
    /node node-1: it cannot reach the API server/,
  ],
  [
    'a Service with an address lacks another one',
    {
      speakers: { 'node-1': speaker({ announcing: { '192.0.2.241': since } }) },
      cluster: {
        controller: {
          ...{ version: 1, identity: 'a', leading: true, adoptOnly: false, waitingFor: [] },
          services: [
            {
              service: 'default/web',
              addresses: [{ ip: '192.0.2.241', pool: 'office' }],
              refusal: { cause: 'exhausted', message: 'pool office is full' },
            },
          ],
        },
      },
    },
    'announced',
    /announced by node-1/,
    /Service default\/web lacks an address that it needs or asks for: pool office is full/,
  ],
  [
    'the session of one node is down while another node announces',
    {
      service: bgpService,
      speakers: {
        'node-1': speaker({ ...advertising, peers: [router('Established')] }),
        'node-2': speaker({ ...advertising, peers: [router('Active', { lastError: 'connection refused' })] }),
      },
    },
    'announced',
    /^198\.51\.100\.7: announced by node-1 by BGP$/,
    /peer router at node-2: the session is not up: connection refused/,
  ],
];

function bfd(state: string, problem: string): NonNullable<SpeakerStatus['peers'][number]['bfd']> {
  const end = { desiredTransmitIntervalMs: 50, requiredReceiveIntervalMs: 50, detectMultiplier: 3 };
  return {
    ...{
      state,
      since,
      problem,
      remoteState: 'Down',
      diagnostic: 'none',
      remoteDiagnostic: 'none',
      warnings: [],
    },
    ...{ localDiscriminator: 1, remoteDiscriminator: 0, transmitIntervalMs: 1000, detectionTimeMs: 0 },
    ...{ local: end, remote: end, sent: 3, received: 0, downs: 0, dropped: {} },
  };
}

describe('explain()', () => {
  for (const [name, over, verdict, ...patterns] of rows)
    test(`gives the verdict and the cause in the first lines: ${name}`, () => {
      const explanation = explain(facts(over));
      assert.equal(explanation.verdict, verdict);
      const lines = formatExplanation(explanation).split('\n');
      for (const [i, pattern] of patterns.entries()) assert.match(lines[i] ?? '', pattern, lines.join('\n'));
    });

  test('takes the refusal of a node from the plan that its speaker would compute, when that speaker was not reached', () => {
    const [address] = explain(
      facts({ nodes: [node('node-1', { ready: false })], speakers: { 'node-1': 'ECONNREFUSED' } }),
    ).addresses;
    assert.deepEqual(address?.nodes[0]?.layer2?.refusal, {
      cause: 'node',
      reason: 'node node-1 is not Ready',
      field: 'Node status.conditions[type=Ready]',
    });
  });

  test('names the membership port when an address has two owners, or --membership-port when the speaker does not report its port', () => {
    const remedies = (membershipPort: number | undefined) => {
      const owner = speaker({ announcing: { '192.0.2.241': since }, membershipPort });
      return formatExplanation(explain(facts({ speakers: { 'node-1': owner, 'node-2': owner } })));
    };
    assert.match(remedies(7956), /- open UDP port 7956 between all nodes, and look at/);
    assert.match(
      remedies(undefined),
      /- open the UDP port of --membership-port between all nodes, and look at/,
    );
  });

  test('judges each node by the flags of its own speaker', () => {
    const excluded = [node('node-1', { labels: { [exclude]: '' } })];
    const eligible = (ignoresExcludeLabel: boolean) =>
      explain(
        facts({
          service: service('web', ['203.0.113.7']),
          nodes: excluded,
          speakers: { 'node-1': speaker({ nodeRules: { leavesWhenCordoned: false, ignoresExcludeLabel } }) },
        }),
      ).addresses[0]?.nodes[0]?.layer2?.eligible;
    assert.deepEqual([eligible(false), eligible(true)], [false, true]);
  });

  test('shows the attributes of each route, and the state and the last error of the session', () => {
    const text = formatExplanation(
      explain(
        facts({
          service: bgpService,
          speakers: {
            'node-1': speaker({
              ...advertising,
              peers: [router('Established', { lastError: 'Hold Timer Expired', lastErrorAt: since })],
            }),
          },
        }),
      ),
    );
    assert.match(
      text,
      /peer router: Established since .*, 1 of 1 routes of all Services sent; last error .* Hold Timer Expired/,
    );
    assert.match(
      text,
      /sends 198\.51\.100\.7\/32, LOCAL_PREF 200 \(internal peers\), MED 5, communities 64512:7/,
    );
  });

  test('lists the last five changes of the address and of the sessions', () => {
    const event = (at: number, machine: string, actions: readonly unknown[]) => ({
      ...{ node: 'node-1', machine, at, state: 's', event: { kind: 'tick' }, actions },
    });
    const [address] = explain(
      facts({
        events: [
          event(0, 'address 192.0.2.241', [{ kind: 'answer', reason: 'first', from: '' }]),
          event(1, 'address 192.0.2.241', [{ kind: 'answer', reason: 'failover', from: 'node-2' }]),
          event(2, 'address 192.0.2.242', [{ kind: 'answer', reason: 'first', from: '' }]),
          event(3, 'address 192.0.2.241', [{ kind: 'claim' }, { kind: 'silence', reason: 'lost' }]),
          event(4, 'peer router', [{ kind: 'session-up', connection: 1 }]),
          event(5, 'peer router', [{ kind: 'session-down', cause: { kind: 'hold-timer' } }]),
          event(6, 'peer router', ['…']),
          event(7, 'peer router', [{ kind: 'session-up', connection: 2 }]),
        ],
      }),
    ).addresses;
    assert.deepEqual(
      address?.transitions.map(({ text }) => text),
      [
        'starts to answer (failover from node-2)',
        'stops answering (lost)',
        'the session is up',
        'the session ends: hold-timer',
        'the session is up',
      ],
    );
  });

  test('says what an operator can do', () => {
    const text = formatExplanation(explain(facts({ service: { ...office, type: 'ClusterIP' } })));
    assert.match(text, / {2}what would change this:\n {4}- set type: LoadBalancer\n$/);
  });

  test('uses what the speakers report when it could not read the endpoints', () => {
    const { verdict, addresses } = explain(
      facts({ slices: undefined, speakers: { 'node-1': speaker({ announcing: { '192.0.2.241': since } }) } }),
    );
    assert.equal(verdict, 'announced');
    assert.deepEqual(addresses[0]?.causes, []);
  });
});

test('parseSubject() reads an address, a name, and a name with its namespace', () => {
  assert.deepEqual(parseSubject('2001:DB8::1', 'x'), { kind: 'address', address: '2001:db8::1' });
  assert.deepEqual(parseSubject('web', 'x'), { kind: 'service', namespace: 'x', name: 'web' });
  assert.deepEqual(parseSubject('a/web', 'x'), { kind: 'service', namespace: 'a', name: 'web' });
  for (const text of ['a/b/c', 'Web?', '../x', '', 'a/'])
    assert.throws(() => parseSubject(text, 'x'), /is neither an address nor the name of a Service/, text);
});
