import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClusterView, type SpeakerStatus, statusReport } from '../../../src/cli/status/report.ts';
import { configHash } from '../../../src/cluster/accepted-config.ts';
import type { ConfigMap, Service } from '../../../src/kubernetes/model.ts';
import { service } from '../speaker/fixtures.ts';

const text =
  'address-pools:\n- {name: p, protocol: layer2, addresses: [192.0.2.0/30, 2001:db8::/127]}\n- {name: b, protocol: bgp, addresses: [198.51.100.0/24]}\n';

function configMap(over: Readonly<Record<string, string>> = {}): ConfigMap {
  return {
    namespace: 'bellman-system',
    name: 'config',
    uid: 'u',
    resourceVersion: '1',
    annotations: {
      'bellman.dev/accepted-config': text,
      'bellman.dev/accepted-hash': configHash(text),
      'bellman.dev/accepted-at': '2026-01-02T03:04:05Z',
      'bellman.dev/config-status': 'active',
      ...over,
    },
    data: { config: text },
  };
}

function speaker(over: Partial<SpeakerStatus> = {}): SpeakerStatus {
  return {
    peers: [],
    announcing: {},
    inUse: {},
    advertised: {},
    members: [],
    notAnnounced: [],
    troubles: [],
    ...over,
  };
}

function router(state: string): SpeakerStatus['peers'][number] {
  return { name: 'router', state, since: '2026-01-02T03:04:05.000Z', routesSent: 1 };
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
    speakers: Object.entries(speakers).map(([node, status]) => ({ node, status })),
    ...over,
  };
}

/** The columns of the line that begins with the word. */
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
const refusal = (reason: string) => [{ service: 'default/web', address: '192.0.2.1', reason }];

const rows: readonly (readonly [string, Readonly<Record<string, SpeakerStatus | undefined>>, string])[] = [
  [
    'that another host uses the address',
    { 'node-1': speaker(), 'node-2': speaker({ inUse: { '192.0.2.1': '02:00:00:00:00:09 on eth0' } }) },
    'nobody: another host uses it, as node-2 sees: 02:00:00:00:00:09 on eth0',
  ],
  ['who answers', { 'node-1': speaker({ announcing: { '192.0.2.1': 'x' } }) }, 'node-1 on eth0'],
  [
    'who answers where the record is behind',
    { 'node-1': speaker(), 'node-2': speaker({ announcing: { '192.0.2.1': 'x' } }) },
    'node-2',
  ],
  [
    'that two answer',
    {
      'node-1': speaker({ announcing: { '192.0.2.1': 'x' } }),
      'node-2': speaker({ announcing: { '192.0.2.1': 'x' } }),
    },
    'node-1 and node-2: more than one answers',
  ],
  [
    'that nobody answers, whatever the record says',
    { 'node-1': speaker({ notAnnounced: refusal('no endpoint is ready') }) },
    'nobody: no endpoint is ready',
  ],
  [
    'the reason of most nodes',
    {
      'node-1': speaker({ notAnnounced: refusal('one') }),
      'node-2': speaker({ notAnnounced: refusal('two') }),
      'node-3': speaker({ notAnnounced: refusal('two') }),
    },
    'nobody: two; the other nodes have reasons of their own',
  ],
  [
    'the record where its node was not reached',
    { 'node-1': undefined },
    'node-1 on eth0, as recorded: its speaker was not reached',
  ],
  ['what it does not know', { 'node-1': speaker(), 'node-2': undefined }, 'unknown: node-2 not reached'],
  [
    'BGP nodes with a session',
    {
      'node-1': speaker({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Established')] }),
      'node-2': speaker({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Active')] }),
    },
    'node-1 by BGP',
  ],
  [
    'BGP nodes without one',
    { 'node-1': speaker({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Active')] }) },
    'nobody: no BGP session to announce it to is up',
  ],
];
for (const [name, speakers, announcers] of rows) {
  test(`statusReport() says ${name}`, () => {
    assert.equal(line(statusReport(view([web], speakers)), 'default/web')[3], announcers);
  });
}

test('statusReport() counts nodes that it does not name', () => {
  const speakers = Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [
      `node-${i}`,
      speaker({ advertised: { '192.0.2.1': ['router'] }, peers: [router('Established')] }),
    ]),
  );
  const [, , , announcers] = line(statusReport(view([web], speakers)), 'default/web');
  assert.equal(announcers, 'node-0, node-1, node-2 and 6 more by BGP');
});

test('statusReport() lists pools by family with what is in use, a shared address once', () => {
  const other = service('other', ['192.0.2.1', '2001:db8::1']);
  const report = statusReport(view([web, other], {}));
  assert.deepEqual(line(report, 'p  '), ['p', 'layer2', 'IPv4', '4', '1', '3']);
  assert.match(report.text, /^p +layer2 +IPv6 +2 +1 +1$/m);
  assert.match(report.text, /^b +bgp +IPv4 +256 +0 +256$/m);
});

test('statusReport() is healthy when the configuration is in force and each Service has an address', () => {
  assert.equal(statusReport(view([web], {})).healthy, true);
  assert.equal(statusReport(view([web, service('later', [])], {})).healthy, false);
  const stale = configMap({
    'bellman.dev/config-status': 'stale',
    'bellman.dev/config-error': 'line 1: no\nline 2: no',
  });
  const report = statusReport(view([web], {}, { configMap: stale }));
  assert.equal(report.healthy, false);
  assert.match(report.text, /^configuration: stale \(accepted \w+ at .*\)\n {2}line 1: no\n {2}line 2: no\n/);
});

test('statusReport() says what stays in force when the ConfigMap is gone', () => {
  const acceptedCopy = { ...configMap(), name: 'bellman-accepted-config' };
  const gone = statusReport(view([web], {}, { configMap: undefined, acceptedCopy }));
  assert.equal(gone.healthy, false);
  assert.match(
    gone.text,
    /^configuration: ConfigMap bellman-system\/config does not exist; what was accepted as \w+ at 2026-01-02T03:04:05Z stays in force \(kept on bellman-accepted-config\)\n/,
  );
  assert.match(
    statusReport(view([], {}, { configMap: undefined })).text,
    /^configuration: .* does not exist\n/,
  );
});

test('statusReport() dates the last error and shows warnings of a session', () => {
  const peers = [
    {
      ...router('Idle'),
      warnings: ['no IPv6'],
      lastError: 'Secret a/b does not exist',
      lastErrorAt: '2026-01-02T03:04:05.000Z',
    },
  ];
  const report = statusReport(view([], { 'node-1': speaker({ peers }) }));
  assert.match(report.text, /no IPv6; 2026-01-02T03:04:05.000Z Secret a\/b does not exist/);
});

test('statusReport() counts members that are alive and names the others', () => {
  const members = ['c', 'b', 'a', 'd'].map((node) => ({ node, state: node === 'b' ? 'dead' : 'alive' }));
  const report = statusReport(view([], { 'node-1': speaker({ members }) }));
  assert.match(report.text, /^node-1 +3 alive, b dead$/m);
});
