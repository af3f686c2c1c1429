import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { statusReport } from '../../../src/cli/status/report.ts';
import { configHash } from '../../../src/cluster/accepted-config.ts';
import type { ControllerStatus, RefusalCause, SpeakerStatus } from '../../../src/cluster/status.ts';
import type { Service } from '../../../src/kubernetes/model.ts';
import { problemsOf } from '../../../src/report/status/problems.ts';
import type { ClusterView } from '../../../src/report/status/view.ts';
import { fail, ok } from '../../../src/result.ts';
import { service } from '../speaker/fixtures.ts';
import { acceptedConfigMap, speakerStatus } from './fixtures.ts';

const text =
  'address-pools:\n- {name: p, protocol: layer2, addresses: [192.0.2.0/30, 2001:db8::/127]}\n- {name: b, protocol: bgp, addresses: [198.51.100.0/24]}\n';

const configMap = (annotations: Readonly<Record<string, string>> = {}) =>
  acceptedConfigMap(text, annotations);

function router(state: string): SpeakerStatus['peers'][number] {
  return { name: 'router', state, since: '2026-01-02T03:04:05.000Z', routesSent: 1, warnings: [] };
}

function view(
  services: readonly Service[],
  speakers: Readonly<Record<string, SpeakerStatus | undefined>>,
  over: Partial<ClusterView> = {},
): ClusterView {
  return {
    namespace: 'bellman-system',
    configMap: configMap(),
    acceptedCopy: undefined,
    services,
    lease: { holder: 'bellman-0_uuid', ageMs: 2000, durationMs: 10_000 },
    controller: undefined,
    failures: new Map(),
    speakers: Object.entries(speakers).map(([node, status]) => ({
      node,
      status: status ? ok(status) : fail('ECONNREFUSED'),
    })),
    ...over,
  };
}

/** Columns of the first line that starts with the word. */
function line(report: { text: string }, word: string): string[] {
  const found = report.text.split('\n').find((each) => each.startsWith(word));
  assert.ok(found, `${word} in\n${report.text}`);
  return found.split(/ {3,}/);
}

const web = service('web', ['192.0.2.1'], {
  annotations: {
    'bellman.dev/ip-allocated-from-pool': 'p',
    'bellman.dev/announcing': '192.0.2.1=node-1/eth0',
  },
});
const refusal = (reason: string, cause: RefusalCause = 'no-endpoint') => [
  { service: 'default/web', address: '192.0.2.1', reason, cause },
];

type Speakers = Readonly<Record<string, SpeakerStatus | undefined>>;
/** Name of the case, the speakers, the expected column of announcers, and the exit code. */
const rows: readonly (readonly [string, Speakers, string, 0 | 1])[] = [
  [
    'an owner whose answers reach no witness',
    {
      'node-1': speakerStatus(),
      'node-2': speakerStatus({
        announcing: { '192.0.2.1': '2026-07-30T12:00:00Z' },
        unverified: { '192.0.2.1': 'node-1 and node-3' },
      }),
    },
    'node-2: no answer from it reaches node-1 and node-3',
    1,
  ],
  [
    'another host that uses the address',
    {
      'node-1': speakerStatus(),
      'node-2': speakerStatus({ inUse: { '192.0.2.1': '02:00:00:00:00:09 on eth0' } }),
    },
    'none: node-2 sees another host use it: 02:00:00:00:00:09 on eth0',
    1,
  ],
  [
    'the node that answers',
    { 'node-1': speakerStatus({ announcing: { '192.0.2.1': 'x' } }) },
    'node-1 on eth0',
    0,
  ],
  [
    'the node that answers, even when the record names another node',
    { 'node-1': speakerStatus(), 'node-2': speakerStatus({ announcing: { '192.0.2.1': 'x' } }) },
    'node-2',
    0,
  ],
  [
    'two nodes that answer',
    {
      'node-1': speakerStatus({ announcing: { '192.0.2.1': 'x' } }),
      'node-2': speakerStatus({ announcing: { '192.0.2.1': 'x' } }),
    },
    'node-1 and node-2: more than one node answers',
    1,
  ],
  [
    'that no node answers, although the record names one; this is healthy while no endpoint is ready',
    { 'node-1': speakerStatus({ notAnnounced: refusal('no endpoint is ready') }) },
    'none: no endpoint is ready',
    0,
  ],
  [
    'the reason of the node that has the endpoint',
    {
      'node-1': speakerStatus({ notAnnounced: refusal('node-1 has no endpoint', 'no-local-endpoint') }),
      'node-2': speakerStatus({ notAnnounced: refusal('node-2 is not Ready', 'node') }),
      'node-3': speakerStatus({ notAnnounced: refusal('node-3 has no endpoint', 'no-local-endpoint') }),
    },
    'none: node-2 is not Ready; 2 other nodes give another reason',
    1,
  ],
  [
    'only one copy of a reason that several nodes give',
    {
      'node-1': speakerStatus({ notAnnounced: refusal('not selected', 'not-selected') }),
      'node-2': speakerStatus({ notAnnounced: refusal('not selected', 'not-selected') }),
    },
    'none: not selected',
    1,
  ],
  [
    'the recorded node when its speaker was not reached',
    { 'node-1': undefined },
    'node-1 on eth0 according to the announcing record; its speaker was not reached',
    1,
  ],
  [
    'that the announcers are unknown when a speaker was not reached',
    { 'node-1': speakerStatus(), 'node-2': undefined },
    'unknown: node-2 not reached',
    1,
  ],
  [
    'only the nodes whose BGP session is up',
    {
      'node-1': speakerStatus({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Established')] }),
      'node-2': speakerStatus({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Active')] }),
    },
    'node-1 by BGP',
    0,
  ],
  [
    'that no node announces by BGP while all sessions are down',
    { 'node-1': speakerStatus({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Active')] }) },
    'none: every BGP session that would announce it is down',
    1,
  ],
  [
    'only the nodes whose BGP session carries routes of the family of the address',
    {
      'node-1': speakerStatus({
        advertised: { '192.0.2.1': ['router'] },
        peers: [{ ...router('Established'), families: ['ipv6-unicast'] }],
      }),
      'node-2': speakerStatus({
        advertised: { '192.0.2.1': ['router'] },
        peers: [{ ...router('Established'), families: ['ipv4-unicast'] }],
      }),
    },
    'node-2 by BGP',
    0,
  ],
];

test('statusReport() shows that no BGP session carries routes of the family of an address', () => {
  const speakers = {
    'node-1': speakerStatus({
      advertised: { '2001:db8::1': ['router', 'other'] },
      peers: [
        { ...router('Established'), families: ['ipv4-unicast'] },
        { ...router('Active'), name: 'other', families: [] },
      ],
    }),
  };
  const report = statusReport(view([service('web', ['2001:db8::1'])], speakers));
  assert.equal(
    line(report, 'default/web').at(-1),
    'none: every BGP session that would announce it is down or carries no IPv6 routes',
  );
  assert.equal(report.healthy, false);
});

test('statusReport() shows the BFD sessions, and the sub-state of a session that waits for BFD', () => {
  const end = { desiredTransmitIntervalMs: 300, requiredReceiveIntervalMs: 300, detectMultiplier: 3 };
  const bfd = {
    state: 'Down',
    remoteState: 'Down',
    since: '2026-01-02T03:04:05.000Z',
    diagnostic: 'control detection time expired',
    remoteDiagnostic: 'no diagnostic',
    localDiscriminator: 1,
    remoteDiscriminator: 0,
    transmitIntervalMs: 1000,
    detectionTimeMs: 0,
    local: end,
    remote: end,
    sent: 9,
    received: 0,
    downs: 2,
    dropped: {},
    warnings: ['no real-time scheduling: not permitted'],
    problem: 'we send, and nothing returns',
  };
  const peers = [{ ...router('OpenSent'), subState: 'OpenSentBfdUpPending', bfd }];
  const { text } = statusReport(view([], { 'node-1': speakerStatus({ peers }) }));
  assert.match(text, /^node-1 +router +OpenSentBfdUpPending /m);
  assert.match(
    text,
    /^node-1 +router +Down +2026-01-02T03:04:05\.000Z +1000 ms +2 +we send, and nothing returns; no real-time scheduling: not permitted; control detection time expired \(peer: Down, no diagnostic\)$/m,
  );
  assert.doesNotMatch(statusReport(view([], { 'node-1': speakerStatus() })).text, / bfd /);
});

for (const [name, speakers, announcers, code] of rows) {
  test(`statusReport() shows ${name}`, () => {
    const report = statusReport(view([web], speakers));
    assert.equal(line(report, 'default/web')[3], announcers);
    assert.equal(report.healthy, code === 0);
  });
}

test('statusReport() counts nodes that it does not name', () => {
  const speakers = Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [
      `node-${i}`,
      speakerStatus({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Established')] }),
    ]),
  );
  const [, , , announcers] = line(statusReport(view([web], speakers)), 'default/web');
  assert.equal(announcers, 'node-0, node-1, node-2 and 6 more by BGP');
});

test('statusReport() counts the used addresses of each pool by family, and counts a shared address once', () => {
  const other = service('other', ['192.0.2.1', '2001:db8::1']);
  const report = statusReport(view([web, other], {}));
  assert.deepEqual(line(report, 'p  '), ['p', 'layer2', 'IPv4', '4', '1', '3']);
  assert.match(report.text, /^p +layer2 +IPv6 +2 +1 +1$/m);
  assert.match(report.text, /^b +bgp +IPv4 +256 +0 +256$/m);
});

test('statusReport() limits the length of what a user writes into annotations of a Service, and prints no escape sequence from them', () => {
  const sequence = '\u001b]0;x\u0007\u009b2J\u202e\u2066';
  const edited = (announcing: string) =>
    service('web', ['192.0.2.1'], {
      annotations: {
        'bellman.dev/ip-allocated-from-pool': `p${sequence}${'y'.repeat(100_000)}`,
        'bellman.dev/announcing': announcing,
      },
    });
  const answering = speakerStatus({ announcing: { '192.0.2.1': 'x' } });
  for (const interfaces of [`eth0${sequence}`, 'eth0+'.repeat(20_000)])
    for (const status of [answering, undefined]) {
      const { text } = statusReport(view([edited(`192.0.2.1=node-1/${interfaces}`)], { 'node-1': status }));
      assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      assert.ok(text.length < 4000, `${text.length} characters`);
    }
});

const answered = { 'node-1': speakerStatus({ announcing: { '192.0.2.1': 'x' } }) };

test('statusReport() is healthy when the configuration is in force and each address is announced', () => {
  assert.equal(statusReport(view([web], answered)).healthy, true);
  assert.equal(statusReport(view([web, service('later', [])], answered)).healthy, false);
  const stale = configMap({
    'bellman.dev/config-status': 'stale',
    'bellman.dev/config-error': 'line 1: no\nline 2: no \u001b[31m',
  });
  const report = statusReport(view([web], answered, { configMap: stale }));
  assert.equal(report.healthy, false);
  assert.match(
    report.text,
    /^configuration: stale \(accepted \w+ at .*\)\n {2}line 1: no\n {2}line 2: no {2}\[31m\n/,
  );
});

test('statusReport() prints no escape sequence from the annotations of the ConfigMap', () => {
  const marked = configMap({
    'bellman.dev/config-status': 'stale\u001b[2J',
    'bellman.dev/accepted-at': 'now\u001b[2J',
  });
  const { text: printed } = statusReport(view([web], answered, { configMap: marked }));
  assert.match(printed, /^configuration: stale \[2J /);
  assert.doesNotMatch(printed.replaceAll('\n', ''), /\p{Cc}/u);
});

test('statusReport() shows warnings of the configuration, which leave the cluster healthy', () => {
  const warned = configMap({
    'bellman.dev/config-status': 'active',
    'bellman.dev/config-warnings': 'line 3: host bits set',
  });
  const report = statusReport(view([web], answered, { configMap: warned }));
  assert.match(report.text, /^configuration: active \(accepted .*\)\n {2}warning: line 3: host bits set\n/);
  assert.equal(report.healthy, true);
});

test('statusReport() says that an edited text is not judged yet', () => {
  const edited = { ...configMap(), data: { config: `${text}# more\n` } };
  const report = statusReport(view([web], answered, { configMap: edited }));
  assert.match(report.text, /^configuration: not judged yet \(accepted \w+ at /);
  assert.equal(report.healthy, false);
});

for (const [name, lease, expected, healthy] of [
  ['a leader', { holder: 'a_1', ageMs: 2000, durationMs: 10_000 }, 'a_1 leads, Lease renewed 2 s ago', true],
  [
    'a leader that no longer renews its Lease',
    { holder: 'a_1', ageMs: 34_000, durationMs: 10_000 },
    'no replica leads: a_1 last renewed its Lease 34 s ago',
    false,
  ],
  [
    'a Lease that was given back',
    { holder: '', ageMs: 0, durationMs: 10_000 },
    'no replica leads: the Lease was given back',
    false,
  ],
  ['that no Lease was read', undefined, 'unknown: there is no Lease, or you may not read it', true],
] as const)
  test(`statusReport() shows ${name}`, () => {
    const report = statusReport(view([web], answered, { lease }));
    assert.match(report.text, new RegExp(`^controller: ${expected}$`, 'm'));
    assert.equal(report.healthy, healthy);
  });

test('statusReport() believes a replica that says that it leads, even if its Lease seems old because our clock runs ahead', () => {
  const lease = { holder: 'a_1', ageMs: 34_000, durationMs: 10_000 };
  const controller = {
    ...{ version: 1, identity: 'a_1', leading: true, adoptOnly: false },
    ...{ waitingFor: [], pools: [], services: [] },
  };
  const report = statusReport(view([web], answered, { lease, controller }));
  assert.match(report.text, /^controller: a_1 leads, /m);
  assert.equal(report.healthy, true);
});

test('statusReport() takes the reason why a Service waits from the leader, or from the last event when the leader gives none', () => {
  const later = service('later', []);
  const failures = new Map([['default/later', 'from the event']]);
  assert.equal(line(statusReport(view([later], {}, { failures })), 'default/later').at(-1), 'from the event');
  const controller = {
    version: 1,
    identity: 'a',
    leading: true,
    adoptOnly: false,
    waitingFor: [],
    services: [
      { service: 'default/later', addresses: [], refusal: { cause: 'exhausted', message: 'pool p is full' } },
    ],
  };
  const report = statusReport(view([later], {}, { failures, controller }));
  assert.equal(line(report, 'default/later').at(-1), 'pool p is full');
});

test('statusReport() and problemsOf() report a Service that has one address and lacks a second one', () => {
  const message = 'no pool has a free IPv6 address';
  const controller = {
    version: 1,
    identity: 'a',
    leading: true,
    adoptOnly: false,
    waitingFor: [],
    services: [
      {
        service: 'default/web',
        addresses: [{ ip: '192.0.2.1', pool: 'p' }],
        refusal: { cause: 'exhausted', message },
      },
    ],
  };
  const speakers = { 'node-1': speakerStatus({ announcing: { '192.0.2.1': '2026-07-30T12:00:00Z' } }) };
  // An event tells of the past. The Service may have got its address since.
  const failures = new Map([['default/web', message]]);
  assert.equal(statusReport(view([web], speakers, { failures })).healthy, true);
  const state = view([web], speakers, { controller });
  const report = statusReport(state);
  assert.match(report.text, /^default\/web +192\.0\.2\.1 +p +node-1 on eth0$/m);
  assert.match(report.text, new RegExp(`^default/web +<pending> +${message}$`, 'm'));
  assert.equal(report.healthy, false);
  assert.deepEqual(
    problemsOf(state).map(({ kind, object, text: found }) => [kind, object, found]),
    [
      [
        'service',
        'default/web',
        `Service default/web lacks an address that it needs or asks for: ${message}`,
      ],
    ],
  );
});

test('statusReport() names speakers that run another configuration, or cannot reach the API server', () => {
  const config = { hash: 'abc', acceptedAt: '2026-01-01T00:00:00Z' };
  const report = statusReport(
    view([], { 'node-1': speakerStatus({ config, apiServer: 'not reached', waitingFor: ['nodes'] }) }),
  );
  assert.match(
    report.text,
    /^node-1: it runs configuration abc, accepted at 2026-01-01T00:00:00Z, instead of [0-9a-f]{16}$/m,
  );
  assert.match(report.text, /^node-1: it cannot reach the API server$/m);
  assert.match(report.text, /^node-1: not in sync: it waits for nodes$/m);
  assert.equal(report.healthy, false);
});

test('statusReport() shows that a draining pool has no free addresses, and how many routes are sent', () => {
  const drained = text.replace('name: p,', 'name: p, draining: true,');
  const report = statusReport(
    view(
      [],
      { 'node-1': speakerStatus({ peers: [{ ...router('Established'), routesDesired: 2 }] }) },
      {
        configMap: {
          ...configMap({
            'bellman.dev/accepted-config': drained,
            'bellman.dev/accepted-hash': configHash(drained),
          }),
          data: { config: drained },
        },
      },
    ),
  );
  assert.deepEqual(line(report, 'p  '), ['p', 'layer2', 'IPv4', '4', '0', '0, draining']);
  assert.equal(line(report, 'node-1')[4], '1 of 2');
});

test('statusReport() shows the configuration that stays in force when the ConfigMap is deleted', () => {
  const acceptedCopy = { ...configMap(), name: 'bellman-accepted-config' };
  const gone = statusReport(view([web], {}, { configMap: undefined, acceptedCopy }));
  assert.equal(gone.healthy, false);
  assert.match(
    gone.text,
    /^configuration: ConfigMap bellman-system\/config does not exist; the configuration accepted as \w+ at 2026-01-02T03:04:05Z stays in force \(kept on bellman-accepted-config\)\n/,
  );
  assert.match(
    statusReport(view([], {}, { configMap: undefined })).text,
    /^configuration: .* does not exist\n/,
  );
});

test('statusReport() shows the time of the last error of a session, and the warnings of the session', () => {
  const peers = [
    {
      ...router('Idle'),
      warnings: ['no IPv6'],
      lastError: 'Secret a/b does not exist',
      lastErrorAt: '2026-01-02T03:04:05.000Z',
    },
  ];
  const report = statusReport(view([], { 'node-1': speakerStatus({ peers }) }));
  assert.match(report.text, /no IPv6; 2026-01-02T03:04:05.000Z Secret a\/b does not exist/);
});

test('statusReport() counts members that are alive and names the others', () => {
  const members = ['c', 'b', 'a', 'd'].map((node) => ({ node, state: node === 'b' ? 'dead' : 'alive' }));
  const report = statusReport(view([], { 'node-1': speakerStatus({ members }) }));
  assert.match(report.text, /^node-1 +3 alive, b dead$/m);
});

test('statusReport() says that a speaker has no members because layer 2 is not used', () => {
  const members = (usesLayer2?: boolean) =>
    statusReport(view([], { 'node-1': speakerStatus({ usesLayer2 }) })).text.match(/^node-1 +(.*)$/m)?.[1];
  assert.deepEqual([members(false), members(true), members()], ['layer 2 is not used', '0 alive', '0 alive']);
});

const pools =
  'address-pools:\n- {name: p, protocol: [bgp, layer2], addresses: [192.0.2.0/30]}\n- {name: n, protocol: none, addresses: [192.0.2.8/30]}\n';
const configured = {
  configMap: {
    ...configMap({ 'bellman.dev/accepted-config': pools, 'bellman.dev/accepted-hash': configHash(pools) }),
    data: { config: pools },
  },
};

test('statusReport() shows the announcers of an address for each of its two protocols, and is healthy only if both announce it', () => {
  const both = service('both', ['192.0.2.1']);
  const announced = { announcing: { '192.0.2.1': 'eth0' }, advertised: { '192.0.2.1': ['router'] } };
  const report = (over: Partial<SpeakerStatus>) =>
    statusReport(view([both], { 'node-1': speakerStatus(over) }, configured));
  const works = report({ ...announced, peers: [router('Established')] });
  assert.deepEqual(line(works, 'default/both').at(-1), 'node-1; node-1 by BGP');
  assert.equal(works.healthy, true);
  const half = report({ ...announced, peers: [router('Idle')] });
  assert.deepEqual(line(half, 'default/both').at(-1), 'node-1; none by BGP');
  assert.equal(half.healthy, false);
  assert.deepEqual(line(works, 'p ').slice(0, 2), ['p', 'bgp, layer2']);
});

test('problemsOf() names an address with two protocols when only one of them is known to announce it', () => {
  const announced = { '192.0.2.1': 'eth0' };
  const advertised = { advertised: { '192.0.2.1': ['router'] }, peers: [router('Established')] };
  const record = { annotations: { 'bellman.dev/announcing': '192.0.2.1=node-2/eth0' } };
  const found = (status: Partial<SpeakerStatus>, more: Partial<Service> = {}) =>
    problemsOf(
      view(
        [service('both', ['192.0.2.1'], more)],
        { 'node-1': speakerStatus(status), 'node-2': undefined },
        configured,
      ),
    ).flatMap(({ kind, text }) => (kind === 'address' ? text.replace(/^.*default\/both: /, '') : []));
  assert.deepEqual(found({ announcing: announced }), ['node-1; unknown by BGP: node-2 not reached']);
  assert.deepEqual(found(advertised), ['unknown in layer 2: node-2 not reached; node-1 by BGP']);
  assert.deepEqual(found(advertised, record), [
    'node-2 on eth0 according to the announcing record; its speaker was not reached; node-1 by BGP',
  ]);
  assert.deepEqual(found({ ...advertised, announcing: announced }), []);
});

test('statusReport() is healthy when an address of a pool with the protocol none is not announced', () => {
  const reason = 'pool n has the protocol none';
  const report = statusReport(
    view(
      [service('silent', ['192.0.2.9'])],
      {
        'node-1': speakerStatus({
          notAnnounced: [{ service: 'default/silent', address: '192.0.2.9', cause: 'no-protocol', reason }],
        }),
      },
      configured,
    ),
  );
  assert.deepEqual(line(report, 'default/silent').at(-1), `none: ${reason}`);
  assert.equal(report.healthy, true);
  assert.deepEqual(line(report, 'n ').slice(0, 2), ['n', 'none']);
});

test('statusReport() shows the nodes that leave, with the reason, the time and the addresses', () => {
  const leaving = {
    cause: 'taint',
    reason: 'is tainted reboot:NoSchedule',
    since: '2026-01-02T03:04:05Z',
    draining: ['198.51.100.1', '198.51.100.2'],
    heldByFloor: ['192.0.2.1'],
  };
  const report = statusReport(view([], { 'node-1': speakerStatus({ leaving }), 'node-2': speakerStatus() }));
  assert.equal(report.healthy, true);
  assert.match(report.text, /^NODE +LEAVING +SINCE +ADDRESSES +REASON$/m);
  assert.deepEqual(line(report, 'node-1'), [
    'node-1',
    'taint',
    '2026-01-02T03:04:05Z',
    'drains 2, keeps 1: too few other nodes',
    'it is tainted reboot:NoSchedule',
  ]);
  assert.doesNotMatch(statusReport(view([], { 'node-1': speakerStatus() })).text, /LEAVING/);
});

test('problemsOf() lists the addresses that the floor keeps on a leaving node', () => {
  const leaving = { cause: 'taint', reason: '', since: '', draining: [], heldByFloor: ['192.0.2.1'] };
  const [problem] = problemsOf(view([], { 'node-1': speakerStatus({ leaving }) }));
  assert.match(problem?.text ?? '', /node-1: it leaves, but keeps announcing 192\.0\.2\.1/);
  assert.deepEqual(problem?.nodes, ['node-1']);
  const held = { ...leaving, heldByFloor: [] };
  assert.deepEqual(problemsOf(view([], { 'node-1': speakerStatus({ leaving: held }) })), []);
});

describe('dead nodes', () => {
  const controller = (deadNodes: ControllerStatus['deadNodes']): Partial<ClusterView> => ({
    controller: {
      version: 1,
      identity: 'bellman-0',
      leading: true,
      adoptOnly: false,
      waitingFor: [],
      services: [],
      deadNodes,
    },
  });
  const node = (state: string, reason = '') => ({ node: 'node-3', state, reports: 3, speakers: 5, reason });
  const nothing = { missingRights: [], withoutReport: [], nodes: [] };
  const rows: readonly (readonly [string, ControllerStatus['deadNodes'], string])[] = [
    [
      'a node whose Pods are marked',
      { ...nothing, nodes: [node('marked')] },
      'node node-3 is dead: 3 of 5 speakers get no answer from it, and its Pods are set to not ready',
    ],
    [
      'a node that a rule protects',
      { ...nothing, nodes: [node('held', 'is a control-plane node')] },
      'node node-3 is reported dead by 3 of 5 speakers, but its Pods are not marked: it is a control-plane node',
    ],
    [
      'a missing right',
      { ...nothing, missingRights: ['patch pods/status'] },
      'the configuration has dead-nodes, but the controller may not patch pods/status: apply manifests/dead-nodes/',
    ],
    [
      'a speaker that has written no death report',
      { ...nothing, withoutReport: ['node-2'] },
      'no death report has arrived from node-2',
    ],
  ];
  for (const [name, deadNodes, expected] of rows)
    test(`statusReport() and problemsOf() report ${name}`, () => {
      const cluster = view([web], { 'node-1': speakerStatus() }, controller(deadNodes));
      const report = statusReport(cluster);
      assert.ok(report.text.split('\n').includes(expected), report.text);
      assert.equal(report.healthy, false);
      const problems = problemsOf(cluster).filter(({ kind }) => kind === 'node');
      assert.deepEqual(
        problems.map(({ text }) => text),
        [expected],
      );
    });

  test('problemsOf() lists no node in a cluster without dead nodes', () => {
    const cluster = view([web], { 'node-1': speakerStatus() }, controller(nothing));
    assert.deepEqual(
      problemsOf(cluster).filter(({ kind }) => kind === 'node'),
      [],
    );
  });
});
