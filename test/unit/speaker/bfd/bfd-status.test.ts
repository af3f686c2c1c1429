import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from 'prom-client';
import type { BfdProcessStatus, BfdSessionStatus } from '../../../../src/bfd/messages.ts';
import { BfdDowns, bfdProcessMetrics, registerBfdMetrics } from '../../../../src/speaker/bfd/bfd-metrics.ts';
import { peerBfd, problemOf } from '../../../../src/speaker/bfd/bfd-status.ts';

const session = (over: Partial<BfdSessionStatus> = {}): BfdSessionStatus => ({
  id: 'router',
  name: 'router',
  peerAddress: '10.0.0.1',
  state: 'Down',
  remoteState: 'Down',
  diagnostic: 0,
  remoteDiagnostic: 0,
  sinceEpochMs: 1000,
  remoteControlPlaneIndependent: false,
  localDiscriminator: 17,
  remoteDiscriminator: 0,
  desiredTransmitIntervalMs: 1000,
  requiredReceiveIntervalMs: 300,
  detectMultiplier: 3,
  remoteDesiredTransmitIntervalMs: 0,
  remoteRequiredReceiveIntervalMs: 0,
  remoteDetectMultiplier: 0,
  remoteDemandMode: false,
  transmitIntervalMs: 1000,
  detectionTimeMs: 0,
  passive: false,
  isPolling: false,
  sent: 0,
  received: 0,
  ups: 0,
  downs: 0,
  dropped: {},
  ...over,
});
const processStatus: BfdProcessStatus = {
  scheduling: 'fifo',
  minimumIntervalMs: 10,
  minimumDetectMultiplier: 1,
  lateness: { boundsMs: [1, 5], counts: [7, 2, 1], sumMs: 30, maxMs: 12 },
  dropped: { malformed: 4 },
  inputFailures: { RangeError: 2 },
  lostLogLines: 1,
};

describe('problemOf(): why a session is not Up', () => {
  const heard = { lastReceivedAgoMs: 200, received: 9, sent: 9, detectionTimeMs: 3000 };
  const cases: readonly (readonly [string, Partial<BfdSessionStatus>, string | undefined])[] = [
    ['Up', { state: 'Up' }, undefined],
    ['AdminDown', { state: 'AdminDown' }, undefined],
    ['just started', { sent: 2 }, undefined],
    ['the socket cannot be opened', { fault: 'UDP port 3784 is in use' }, 'UDP port 3784 is in use'],
    [
      'no answer at all',
      { sent: 9 },
      'we send, and nothing returns: the peer has no BFD session with this address, or a firewall drops the packets',
    ],
    [
      'no answer any more',
      { sent: 9, received: 5, lastReceivedAgoMs: 60_000 },
      'we send, and nothing returns any more',
    ],
    [
      'both ends are passive',
      { passive: true },
      'this end is passive and waits for the peer, which sends nothing; one end must not be passive',
    ],
    [
      'a passive end whose packets are not answered',
      { passive: true, remoteDiscriminator: 7, sent: 9, received: 5, lastReceivedAgoMs: 60_000 },
      'we send, and nothing returns any more',
    ],
    [
      'dropped packets',
      {
        sent: 9,
        dropped: { sequence: 5, authentication: 1 },
        lastDropped: { reason: 'authentication', agoMs: 900 },
      },
      'packets arrive and are dropped: authentication',
    ],
    [
      'packets that were dropped long ago',
      {
        ...{ sent: 9, received: 5, lastReceivedAgoMs: 60_000 },
        ...{ dropped: { authentication: 5 }, lastDropped: { reason: 'authentication', agoMs: 3_600_000 } },
      },
      'we send, and nothing returns any more',
    ],
    [
      'AdminDown of the peer',
      { ...heard, remoteState: 'AdminDown' },
      'the peer has shut its BFD session down',
    ],
    ['Init for a moment', { ...heard, state: 'Init', sinceEpochMs: 59_000 }, undefined],
    [
      'Init for some seconds, with intervals of ten seconds',
      { ...heard, detectionTimeMs: 30_000, state: 'Init', sinceEpochMs: 52_000 },
      undefined,
    ],
    [
      'Init for long',
      { ...heard, state: 'Init' },
      'packets of the peer arrive, but the peer does not receive ours',
    ],
  ];
  for (const [name, over, problem] of cases)
    test(name, () => assert.equal(problemOf(session(over), 60_000), problem));
});

test('peerBfd() shows diagnostics in words, the intervals of this end, and a warning when real-time scheduling is missing', () => {
  const shown = peerBfd(
    session({
      state: 'Up',
      diagnostic: 1,
      remoteDiagnostic: 3,
      warning: 'the interval is 100 ms instead of 50 ms',
    }),
    { ...processStatus, scheduling: 'nice', schedulingFault: 'not permitted' },
    0,
  );
  assert.equal(shown.diagnostic, 'control detection time expired');
  assert.equal(shown.remoteDiagnostic, 'neighbor signaled session down');
  assert.equal(shown.since, '1970-01-01T00:00:01.000Z');
  assert.equal(shown.local.desiredTransmitIntervalMs, 1000);
  assert.deepEqual(shown.warnings, [
    'the interval is 100 ms instead of 50 ms',
    'no real-time scheduling: not permitted',
  ]);
});

describe('registerBfdMetrics()', () => {
  const metricsOf = async (sessions: readonly BfdSessionStatus[], process?: BfdProcessStatus) => {
    const registry = new Registry();
    const downs = new BfdDowns();
    downs.count('router', 1, 'local');
    registerBfdMetrics(registry, { status: () => sessions, processStatus: () => process }, downs);
    const text = await registry.metrics();
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  };

  test('shows the last report of the process', async () => {
    const lines = await metricsOf(
      [
        session({
          state: 'Up',
          sent: 5,
          received: 4,
          ups: 2,
          downs: 1,
          detectionTimeMs: 900,
          dropped: { ttl: 3 },
        }),
      ],
      processStatus,
    );
    for (const line of [
      'bellman_bfd_session_up{peer="router"} 1',
      'bellman_bfd_control_packet_input{peer="router"} 4',
      'bellman_bfd_control_packet_output{peer="router"} 5',
      'bellman_bfd_echo_packet_input{peer="router"} 0',
      'bellman_bfd_session_up_events{peer="router"} 2',
      'bellman_bfd_session_down_events{peer="router"} 1',
      'bellman_bfd_transmit_interval_seconds{peer="router"} 1',
      'bellman_bfd_detection_time_seconds{peer="router"} 0.9',
      'bellman_bfd_down_total{peer="router",diag="1",side="local"} 1',
      'bellman_bfd_dropped_total{peer="router",reason="ttl"} 3',
      'bellman_bfd_dropped_total{peer="",reason="malformed"} 4',
      'bellman_bfd_realtime 1',
      'bellman_bfd_lateness_seconds_bucket{le="0.001"} 7',
      'bellman_bfd_lateness_seconds_bucket{le="0.005"} 9',
      'bellman_bfd_lateness_seconds_bucket{le="+Inf"} 10',
      'bellman_bfd_lateness_seconds_sum 0.03',
      'bellman_bfd_lateness_seconds_count 10',
    ])
      assert.ok(lines.includes(line), `${line}\n in \n${lines.join('\n')}`);
  });

  test('shows only the counted downs while the process does not run', async () => {
    assert.deepEqual(await metricsOf([]), ['bellman_bfd_down_total{peer="router",diag="1",side="local"} 1']);
  });

  test('bfdProcessMetrics() returns the counters that every process of Bellman has', () => {
    assert.deepEqual(bfdProcessMetrics(undefined), []);
    assert.deepEqual(
      bfdProcessMetrics(processStatus).map((metric) => 'values' in metric && metric.values),
      [[{ labels: { entrance: 'bfd', kind: 'RangeError' }, value: 2 }], [{ labels: {}, value: 1 }]],
    );
  });
});
