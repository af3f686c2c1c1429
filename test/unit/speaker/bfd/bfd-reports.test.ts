import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BfdChange } from '../../../../src/bfd/messages.ts';
import type { BfdSessionSettings } from '../../../../src/bfd/session-settings.ts';
import { BfdDowns } from '../../../../src/speaker/bfd/bfd-metrics.ts';
import { BfdReports } from '../../../../src/speaker/bfd/bfd-reports.ts';
import { node } from '../fixtures.ts';

const change = (over: Partial<BfdChange>): BfdChange => ({
  id: 'session',
  state: 'Down',
  remoteState: 'Down',
  diagnostic: 0,
  remoteDiagnostic: 0,
  sinceEpochMs: 0,
  remoteControlPlaneIndependent: false,
  ...over,
});
const up = change({ state: 'Up', remoteState: 'Up' });
const session: BfdSessionSettings = {
  id: 'session',
  name: 'router',
  peerAddress: '10.0.0.1',
  mode: { kind: 'single-hop' },
  transmitIntervalMs: 300,
  receiveIntervalMs: 300,
  detectMultiplier: 3,
  passive: false,
};

function fixture(names: readonly string[] = ['router']) {
  const toBgp: string[] = [];
  const events: string[] = [];
  const downs = new BfdDowns();
  const reports = new BfdReports({
    bgp: { bfdChanged: (id, { state }) => void toBgp.push(`${id} ${state}`) },
    events: {
      record: ({ regarding, type, reason, message }) =>
        void events.push(`${regarding.kind} ${regarding.name} ${type} ${reason}: ${message}`),
    },
    downs,
    peersOf: () => names.map((name) => ({ id: `id-${name}`, name })),
    node: () => node('node-1'),
  });
  return { reports, downs, take: () => events.splice(0), toBgp };
}

const counted = (downs: BfdDowns) =>
  [...downs.all()].map(({ labels, count }) => [...Object.values(labels), count].join(' '));

test('BfdReports passes each change of a session to BGP, once for every peer that the session watches', () => {
  const { reports, toBgp } = fixture(['a', 'b']);
  reports.handle(change({ state: 'Init' }));
  reports.handle(up);
  assert.deepEqual(toBgp, ['id-a Init', 'id-b Init', 'id-a Up', 'id-b Up']);
});

test('BfdReports passes the last change of a session to BGP for a peer that joins the session', () => {
  const { reports, toBgp } = fixture(['a', 'b']);
  reports.handle(up);
  toBgp.length = 0;
  reports.configured([session], ['id-b']);
  assert.deepEqual(toBgp, ['id-b Up']);
  reports.configured([], []);
  reports.configured([session], ['id-a', 'id-b']);
  assert.deepEqual(toBgp, ['id-b Up'], 'the new session has reported no change yet');
});

test('BfdReports records an event when a session comes up and when it then goes down, and counts the downs by diagnostic', () => {
  const { reports, downs, take } = fixture();
  reports.handle(change({ diagnostic: 1 }));
  assert.deepEqual(take(), []);
  reports.handle(up);
  assert.deepEqual(take(), ['Node node-1 Normal BfdUp: BFD session with peer router is up']);
  reports.handle(change({ diagnostic: 1 }));
  reports.handle(change({ state: 'Init', diagnostic: 1 }));
  assert.deepEqual(take(), [
    'Node node-1 Warning BfdDown: BFD session with peer router went down: control detection time expired',
  ]);
  reports.handle(up);
  reports.handle(change({ diagnostic: 3, remoteDiagnostic: 1 }));
  assert.match(
    take().at(-1) ?? '',
    /neighbor signaled session down \(the peer says: control detection time expired\)$/,
  );
  reports.handle(up);
  reports.handle(change({ diagnostic: 3, remoteState: 'AdminDown', remoteDiagnostic: 7 }));
  assert.match(take().at(-1) ?? '', /the peer has shut it down \(the peer says: administratively down\)$/);
  assert.deepEqual(counted(downs), ['router 1 local 1', 'router 3 remote 2']);
});

test('BfdReports records nothing when a session ends on purpose, is replaced, or is configured again', () => {
  const { reports, take } = fixture();
  reports.handle(up);
  take();
  reports.handle(change({ state: 'AdminDown' }));
  assert.deepEqual(take(), []);
  reports.handle(up);
  take();
  reports.handle(change({ state: 'Init' }));
  assert.deepEqual(take(), []);
  reports.handle(up);
  take();
  reports.configured([], []);
  assert.deepEqual(take(), []);
  reports.configured([session], []);
  reports.handle(change({ diagnostic: 1 }));
  assert.deepEqual(take(), []);
});
