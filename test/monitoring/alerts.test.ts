/**
 * Every alert that is shipped fires and resolves, as `promtool test rules` evaluates it. Each row gives the samples of some series, one a minute:
 * `0x5 1x10` means six zeros and eleven ones. `make monitoring` installs promtool, which comes with Prometheus.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { alertsPath, shippedAlerts } from './shipped-alerts.ts';

interface Row {
  readonly series: Readonly<Record<string, string>>;
  /** Minutes at which the alert does not fire yet, fires, and no longer fires. */
  readonly quietAt: number;
  readonly firesAt: number;
  readonly resolvedAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

const a = 'instance="a"';
const b = 'instance="b"';

const rows: Readonly<Record<string, Row | readonly Row[]>> = {
  BellmanConfigStale: {
    series: { [`bellman_config_stale{${a}}`]: '0x5 1x10 0x10' },
    ...{ quietAt: 6, firesAt: 8, resolvedAt: 20, labels: { instance: 'a' } },
    description:
      'The controller a rejects the text of the ConfigMap. Edits have no effect until the text is corrected.',
  },
  BellmanConfigMissing: {
    series: {
      [`bellman_k8s_client_config_loaded_bool{${a}}`]: '0x10 1x10',
      [`bellman_controller_leader_bool{${a}}`]: '1x20',
      // A replica that does not lead has no configuration.
      [`bellman_k8s_client_config_loaded_bool{${b}}`]: '0x20',
      [`bellman_controller_leader_bool{${b}}`]: '0x20',
    },
    ...{ quietAt: 1, firesAt: 3, resolvedAt: 15, labels: { instance: 'a' } },
    description: 'The leading controller a has no accepted configuration, so it assigns no addresses.',
  },
  BellmanConfigBehind: {
    series: {
      [`bellman_config_generation{${a}}`]: '3x5 4x20',
      [`bellman_config_generation{${b}}`]: '3x15 4x10',
    },
    ...{ quietAt: 10, firesAt: 12, resolvedAt: 20, labels: { instance: 'b' } },
    description: 'The process b still uses generation 3 of the configuration.',
  },
  BellmanPoolExhausted: {
    series: {
      'bellman_allocator_addresses_free{pool="office",family="ipv4"}': '1x5 0x10 1x10',
      'bellman_allocator_addresses_total{pool="office",family="ipv4"}': '16x25',
      'bellman_allocator_addresses_free{pool="single",family="ipv4"}': '0x25',
      'bellman_allocator_addresses_total{pool="single",family="ipv4"}': '1x25',
    },
    ...{ quietAt: 6, firesAt: 8, resolvedAt: 20, labels: { pool: 'office', family: 'ipv4' } },
    description: 'All addresses of the pool office (ipv4) are in use.',
  },
  BellmanPoolUsageHigh: {
    series: {
      'bellman_allocator_addresses_in_use_total{pool="office",family="ipv4"}': '9x20 7x10',
      'bellman_allocator_addresses_total{pool="office",family="ipv4"}': '10x30',
      'bellman_allocator_addresses_free{pool="office",family="ipv4"}': '1x20 3x10',
    },
    ...{ quietAt: 9, firesAt: 11, resolvedAt: 25, labels: { pool: 'office', family: 'ipv4' } },
    description: '90% of the addresses of the pool office (ipv4) are in use.',
  },
  BellmanServicesWaiting: {
    series: { 'bellman_controller_services_waiting{cause="pool-exhausted"}': '2x10 0x10' },
    ...{ quietAt: 4, firesAt: 6, resolvedAt: 15, labels: { cause: 'pool-exhausted' } },
    description: '2 Services lack an address. Cause: pool-exhausted.',
  },
  BellmanAddressNotAnnounced: {
    series: {
      [`bellman_allocator_address_assigned{service="default/web",ip="192.0.2.1",pool="office",${a}}`]: '1x30',
      'bellman_speaker_announced{service="default/web",protocol="bgp",node="node-1",ip="192.0.2.1"}':
        '1x5 0x10 1x15',
      // A Service without endpoints.
      [`bellman_allocator_address_assigned{service="default/idle",ip="192.0.2.2",pool="office",${a}}`]:
        '1x30',
      'bellman_speaker_without_endpoints{service="default/idle",node="node-1",ip="192.0.2.2"}': '1x30',
      // A Service of a pool with the protocol none.
      [`bellman_allocator_address_assigned{service="default/silent",ip="192.0.2.3",pool="silent",${a}}`]:
        '1x30',
      'bellman_speaker_not_to_announce{service="default/silent",node="node-1",ip="192.0.2.3"}': '1x30',
    },
    ...{ quietAt: 10, firesAt: 12, resolvedAt: 20 },
    labels: { service: 'default/web', ip: '192.0.2.1', pool: 'office' },
    description:
      'No node announces 192.0.2.1 of the Service default/web, although the Service has a ready endpoint.',
  },
  BellmanAddressAnnouncedTwice: {
    series: {
      'bellman_speaker_announced{service="default/web",protocol="layer2",node="node-1",ip="192.0.2.1"}':
        '1x30',
      'bellman_speaker_announced{service="default/web",protocol="layer2",node="node-2",ip="192.0.2.1"}':
        '_x5 1x10 stale',
      // By BGP, several nodes may announce the same address.
      'bellman_speaker_announced{service="default/api",protocol="bgp",node="node-1",ip="192.0.2.2"}': '1x30',
      'bellman_speaker_announced{service="default/api",protocol="bgp",node="node-2",ip="192.0.2.2"}': '1x30',
      // During a rollout, the old and the new Pod of a node share an address and a port, so both targets return the metrics of one process.
      'bellman_speaker_announced{service="default/dns",protocol="layer2",node="node-1",ip="192.0.2.3",pod="old"}':
        '1x30',
      'bellman_speaker_announced{service="default/dns",protocol="layer2",node="node-1",ip="192.0.2.3",pod="new"}':
        '1x30',
    },
    ...{ quietAt: 6, firesAt: 10, resolvedAt: 20, labels: { service: 'default/web', ip: '192.0.2.1' } },
    description: '2 nodes answer for 192.0.2.1 of the Service default/web.',
  },
  BellmanAddressConflict: [
    {
      series: { 'bellman_speaker_in_conflict{node="node-1",ip="192.0.2.1"}': '_x5 1x5 stale' },
      ...{ quietAt: 5, firesAt: 8, resolvedAt: 20, labels: { node: 'node-1', ip: '192.0.2.1' } },
      description: 'Another host uses 192.0.2.1.',
    },
    {
      // The owner defends the address, so it goes on answering and reports no `bellman_speaker_in_conflict`.
      series: { [`bellman_layer2_conflicts_total{ip="192.0.2.1",${a}}`]: '0x5 1x30' },
      ...{ quietAt: 5, firesAt: 8, resolvedAt: 20, labels: { ip: '192.0.2.1' } },
      description: 'Another host uses 192.0.2.1.',
    },
  ],
  BellmanAddressNotVerified: {
    series: { [`bellman_layer2_addresses_unverified{${a}}`]: '0x5 2x10 0x10' },
    ...{ quietAt: 6, firesAt: 8, resolvedAt: 20, labels: { instance: 'a' } },
    description:
      'The node a answers for 2 addresses in layer 2, but no answer reaches the speakers that ask for them.',
  },
  BellmanBgpSessionDown: {
    series: { [`bellman_bgp_session_up{peer="router",${a}}`]: '1x5 0x10 1x10' },
    ...{ quietAt: 7, firesAt: 9, resolvedAt: 20, labels: { instance: 'a', peer: 'router' } },
    description: 'The session of a with the peer router is not Established.',
  },
  BellmanBgpSessionFlapping: {
    series: { [`bellman_bgp_established_transitions_total{peer="router",${a}}`]: '1x5 2+1x10 12x30' },
    ...{ quietAt: 5, firesAt: 15, resolvedAt: 40, labels: { instance: 'a', peer: 'router' } },
    description: 'The session of a with the peer router came up 10 times in 15 minutes.',
  },
  BellmanBgpRoutesRejected: ['code="6",subcode="1"', 'code="3",subcode="1"'].map((error) => ({
    series: {
      [`process_start_time_seconds{${a}}`]: '0x50',
      [`bellman_bgp_notifications_total{peer="router",direction="received",${error},${a}}`]: '_x20 1x30',
      // Prometheus did not scrape this speaker for some minutes. The sample after the gap is not a new NOTIFICATION.
      [`process_start_time_seconds{${b}}`]: '0x10 _x10 0x30',
      [`bellman_bgp_notifications_total{peer="router",direction="received",${error},${b}}`]: '1x10 _x10 1x30',
      // The alert ignores an Administrative Shutdown by a peer, and a NOTIFICATION that the speaker sends.
      [`bellman_bgp_notifications_total{peer="other",direction="received",code="6",subcode="2",${a}}`]:
        '_x20 1x30',
      [`bellman_bgp_notifications_total{peer="other",direction="sent",code="3",subcode="1",${a}}`]:
        '_x20 1x30',
    },
    ...{ quietAt: 19, firesAt: 33, resolvedAt: 45 },
    labels: { instance: 'a', peer: 'router', direction: 'received' },
    description: 'The peer router ended the session with a because of the routes that it received.',
  })),
  BellmanBgpRoutesNotSent: {
    series: {
      [`bellman_bgp_announced_prefixes_total{peer="router",${a}}`]: '3x5 2x10 3x10',
      [`bellman_bgp_pending_prefixes_total{peer="router",${a}}`]: '3x25',
      [`bellman_bgp_session_up{peer="router",${a}}`]: '1x25',
    },
    ...{ quietAt: 10, firesAt: 12, resolvedAt: 20, labels: { instance: 'a', peer: 'router' } },
    description:
      'The session of a with the peer router carries 2 routes, which is not the number that it should carry.',
  },
  BellmanBfdSessionDown: {
    series: { [`bellman_bfd_session_up{peer="router",${a}}`]: '1x5 0x10 1x10' },
    ...{ quietAt: 7, firesAt: 9, resolvedAt: 20, labels: { instance: 'a', peer: 'router' } },
    description: 'The BFD session of a with the peer router is not Up.',
  },
  BellmanBfdNotRealtime: {
    series: {
      [`bellman_bfd_profile_in_force{peer="fast",${a}}`]: '0x10 1x10',
      [`bellman_bfd_profile_in_force{peer="slow",${a}}`]: '1x20',
      [`bellman_bfd_realtime{${a}}`]: '0x20',
    },
    ...{ quietAt: 4, firesAt: 6, resolvedAt: 15, labels: { instance: 'a', peer: 'fast' } },
    description:
      'The BFD session of a with the peer fast runs with longer intervals than its profile asks for.',
  },
  BellmanControllerAbsent: {
    series: {
      [`bellman_controller_leader_bool{${a}}`]: '1x5 0x20',
      [`bellman_controller_leader_bool{${b}}`]: '0x15 1x10',
    },
    ...{ quietAt: 7, firesAt: 9, resolvedAt: 20, labels: {} },
    description:
      'No replica of the controller leads, so no Service gets an address. Addresses that are announced already stay announced.',
  },
  BellmanSpeakerMissing: {
    series: {
      [`bellman_speaker_in_sync{node="node-1",${a}}`]: '1x5 stale _x10 1x10',
      [`bellman_speaker_in_sync{node="node-2",${b}}`]: '1x30',
    },
    ...{ quietAt: 9, firesAt: 12, resolvedAt: 20, labels: { node: 'node-1' } },
    description: 'The speaker of the node node-1 served metrics within the last hour, but no longer does.',
  },
  BellmanSpeakerNotInSync: {
    series: { [`bellman_speaker_in_sync{node="node-1",${a}}`]: '0x10 1x10' },
    ...{ quietAt: 4, firesAt: 6, resolvedAt: 15, labels: { node: 'node-1', instance: 'a' } },
    description:
      'The speaker of the node node-1 announces nothing, because it has not read all objects that it needs.',
  },
  BellmanNodeLeavingLong: {
    series: { 'bellman_node_leaving{node="node-1",reason="maintenance"}': '_x5 1x270 stale' },
    ...{ quietAt: 240, firesAt: 250, resolvedAt: 285, labels: { node: 'node-1', reason: 'maintenance' } },
    description: 'The node node-1 has been leaving for four hours. Reason: maintenance.',
  },
  BellmanDrainBlocked: {
    series: {
      'bellman_node_leaving{node="node-1",reason="maintenance"}': '1x40',
      'bellman_speaker_announced{service="default/web",protocol="bgp",node="node-1",ip="192.0.2.1"}':
        '1x20 stale',
      // node-2 leaves too, but has withdrawn its routes.
      'bellman_node_leaving{node="node-2",reason="maintenance"}': '1x40',
      'bellman_speaker_announced{service="default/web",protocol="bgp",node="node-3",ip="192.0.2.1"}': '1x40',
    },
    ...{ quietAt: 9, firesAt: 12, resolvedAt: 30, labels: { node: 'node-1', reason: 'maintenance' } },
    description:
      'The node node-1 leaves but still announces addresses, because too few other nodes can announce them.',
  },
  BellmanMembershipPartitioned: {
    series: { [`bellman_membership_unreachable{${a}}`]: '0x5 2x10 0x10' },
    ...{ quietAt: 7, firesAt: 9, resolvedAt: 20, labels: { instance: 'a' } },
    description: 'The speaker a does not hear 2 speakers that should be reachable.',
  },
  BellmanApiServerAway: {
    series: { [`bellman_kubernetes_api_up{${a}}`]: '1x5 0x10 1x10' },
    ...{ quietAt: 7, firesAt: 9, resolvedAt: 20, labels: { instance: 'a' } },
    description: 'The process a does not reach the API server.',
  },
  BellmanAnswersLate: {
    series: {
      [`bellman_layer2_requests_dropped_total{protocol="arp",reason="late",${a}}`]: '0x5 1+1x10 11x30',
      [`bellman_layer2_requests_dropped_total{protocol="arp",reason="unknown-address",${a}}`]: '0+5x45',
    },
    ...{ quietAt: 10, firesAt: 16, resolvedAt: 40, labels: { instance: 'a', reason: 'late' } },
    description: 'The speaker a dropped 10 requests in 10 minutes, because it read them too late.',
  },
  BellmanInputFailures: [
    {
      [`process_start_time_seconds{${a}}`]: '0x50',
      [`bellman_input_failures_total{entrance="bgp",kind="TypeError",${a}}`]: '_x20 1x30',
      // Prometheus did not scrape this process for some minutes. The sample after the gap is not a new failure.
      [`process_start_time_seconds{${b}}`]: '0x10 _x10 0x30',
      [`bellman_input_failures_total{entrance="bgp",kind="TypeError",${b}}`]: '1x10 _x10 1x30',
    },
    {
      // The process starts at minute 20 (1200 s) and fails within the first minute.
      [`process_start_time_seconds{${a}}`]: '_x20 1200x30',
      [`bellman_input_failures_total{entrance="bgp",kind="TypeError",${a}}`]: '_x20 1x30',
    },
  ].map((series) => ({
    series,
    ...{ quietAt: 19, firesAt: 33, resolvedAt: 45 },
    labels: { instance: 'a', entrance: 'bgp', kind: 'TypeError' },
    description: 'The process a failed to handle an input of the kind bgp (TypeError).',
  })),
};

let scratch = '';
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'bellman-alerts-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

function promtool(...args: string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { encoding: 'utf8' });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

test('promtool check rules accepts the alerts', () => {
  const { status, output } = promtool('check', 'rules', alertsPath);
  assert.equal(status, 0, output);
});

const rules = shippedAlerts().groups.flatMap((group) => group.rules);

test('each alert has a row, and each row an alert', () => {
  assert.deepEqual(Object.keys(rows).toSorted(), rules.map(({ alert }) => alert).toSorted());
});

for (const { alert, labels, annotations } of rules)
  test(`${alert} fires and resolves`, () => {
    const cases = [rows[alert] ?? []].flat();
    const file = join(scratch, `${alert}.json`);
    const tests = cases.map((row) => {
      const firing = {
        exp_labels: { ...row.labels, ...labels },
        exp_annotations: { ...annotations, description: row.description },
      };
      const evaluations = [
        [row.quietAt, []],
        [row.firesAt, [firing]],
        [row.resolvedAt, []],
      ] as const;
      return {
        interval: '1m',
        input_series: Object.entries(row.series).map(([series, values]) => ({ series, values })),
        alert_rule_test: evaluations.map(([minutes, alerts]) => ({
          ...{ eval_time: `${minutes}m`, alertname: alert, exp_alerts: alerts },
        })),
      };
    });
    assert.ok(tests.length > 0);
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ rule_files: [alertsPath], evaluation_interval: '1m', tests }));
    const { status, output } = promtool('test', 'rules', file);
    assert.equal(status, 0, output);
  });
