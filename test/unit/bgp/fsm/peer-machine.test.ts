import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BfdReport } from '../../../../src/bgp/fsm/bfd-watch.ts';
import { silentConnectionMs } from '../../../../src/bgp/fsm/contender-policy.ts';
import type { PeerAction, PeerEvent } from '../../../../src/bgp/fsm/peer-events.ts';
import { stepPeer } from '../../../../src/bgp/fsm/peer-machine.ts';
import {
  describePeerState,
  initialPeerState,
  type PeerMachineSettings,
  type PeerState,
} from '../../../../src/bgp/fsm/peer-state.ts';
import type { OpenMessage } from '../../../../src/bgp/message.ts';

const ourRouterId = 0xc0000201;

function settings(changes: Partial<PeerMachineSettings> = {}, passive = false): PeerMachineSettings {
  return {
    mayStart: true,
    fsm: {
      passive,
      connectRetryMs: 5000,
      delayOpenMs: passive ? 1000 : 0,
      idleHoldMs: 1000,
      idleHoldMaximumMs: 120_000,
      lastingMs: 60_000,
      sendHoldMs: 480_000,
    },
    localEnd: {
      asn: 64512,
      peerAsn: 64500,
      routerId: ourRouterId,
      holdTimeSeconds: 90,
      keepaliveTimeSeconds: 30,
      hostName: 'node-1',
      overIpv6: false,
    },
    restartTimeSeconds: 120,
    bfd: { strict: 'off', holdDownMs: 0 },
    ...changes,
  };
}

function open(changes: Partial<OpenMessage> = {}): OpenMessage {
  return {
    kind: 'open',
    version: 4,
    myAs: 64500,
    holdTimeSeconds: 90,
    routerId: 0xc0000202,
    capabilities: [
      { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
      { kind: 'four-octet-as', asn: 64500 },
    ],
    ...changes,
  };
}

const restartable = open({
  capabilities: [
    ...open().capabilities,
    {
      kind: 'graceful-restart',
      restarting: false,
      notification: true,
      restartTimeSeconds: 60,
      families: [],
    },
  ],
});
const strictOpen = open({ capabilities: [...open().capabilities, { kind: 'bfd-strict' }] });
const lowerId = open({ routerId: 0x01000000 });
const wrongAs = open({ myAs: 64999, capabilities: [] });
const badPeerAs = { code: 2, subcode: 2, data: new Uint8Array(0) };

const start: PeerEvent = { kind: 'start', settings: settings(), restarting: false };
const startPassive: PeerEvent = { kind: 'start', settings: settings({}, true), restarting: false };
const incoming: PeerEvent = { kind: 'incoming' };
const on = (connection: number) => ({
  connected: { kind: 'tcp-connected', connection } as const,
  closed: { kind: 'tcp-failed', connection, reason: 'connection closed by the peer' } as const,
  open: (message = open()) => ({ kind: 'open', connection, open: message }) as const,
  keepalive: { kind: 'keepalive', connection } as const,
  update: { kind: 'update', connection } as const,
  notification: { kind: 'notification', connection, error: badPeerAs } as const,
  refresh: { kind: 'route-refresh', connection, family: 4, subtype: 0 } as const,
  broken: { kind: 'internal-error', connection, reason: 'RangeError' } as const,
  idleHold: { kind: 'timer', connection, timer: 'idle-hold' } as const,
  hold: { kind: 'timer', connection, timer: 'hold' } as const,
});
const first = on(1);
const second = on(2);
const bfdReport = (report: Partial<BfdReport>): PeerEvent => ({
  kind: 'bfd',
  report: {
    state: 'Down',
    remoteState: 'Down',
    diagnostic: 0,
    remoteControlPlaneIndependent: false,
    ...report,
  },
});
const bfdUp = bfdReport({ state: 'Up', remoteState: 'Up' });
const bfdLost = bfdReport({ diagnostic: 1 });

/**
 * Runs one event per millisecond, from the initial state on. A number is a pause in milliseconds. Returns the state after the last event and
 * the actions of that event.
 */
function run(...events: readonly (PeerEvent | number)[]): {
  state: PeerState;
  actions: readonly PeerAction[];
} {
  let now = 0;
  let last: { state: PeerState; actions: readonly PeerAction[] } = { state: initialPeerState, actions: [] };
  for (const event of events) {
    if (typeof event === 'number') now += event;
    else last = stepPeer(last.state, event, ++now);
  }
  return last;
}

/** An action in short: `2N6/7` sends Cease/Connection Collision Resolution on connection 2. Timers and state changes are left out. */
function short(action: PeerAction): string[] {
  switch (action.kind) {
    case 'start-timer':
    case 'stop-timer':
    case 'state-changed':
      return [];
    case 'send-notification':
      return [`${action.connection}N${action.error.code}/${action.error.subcode}`];
    case 'send-open':
      return [`${action.connection}open`];
    case 'send-keepalive':
      return [`${action.connection}keepalive`];
    case 'reject':
      return [`reject:${action.reason}`];
    case 'session-down':
    case 'attempt-failed':
    case 'connection-lost':
      return [`${action.kind}:${action.cause.kind}`];
    case 'capabilities-refused':
    case 'no-answer':
    case 'no-bfd':
    case 'bfd-damping':
    case 'bfd-loss-ignored':
    case 'bfd-damping-over':
    case 'refresh':
      return [action.kind];
    default:
      return [`${action.connection}${action.kind}`];
  }
}

function outcome(...events: readonly (PeerEvent | number)[]): string {
  const { state, actions } = run(...events);
  return `${describePeerState(state)}: ${actions.flatMap(short).join(' ')}`.trim();
}

/** The events that lead to each state of a peer. */
const states = {
  Idle: [start, first.connected, first.notification],
  'Idle, may not start': [{ kind: 'start', settings: settings({ mayStart: false }), restarting: false }],
  Connect: [start],
  'Connect with contender': [start, incoming],
  Active: [startPassive],
  'Active with DelayOpen': [startPassive, incoming],
  OpenSent: [start, first.connected],
  'OpenSent with contender': [start, first.connected, incoming],
  OpenConfirm: [start, first.connected, first.open()],
  'OpenConfirm with contender': [start, first.connected, incoming, first.open()],
  'contender in OpenConfirm': [start, first.connected, incoming, second.open()],
  Established: [start, first.connected, first.open(), first.keepalive],
  'Established, restartable': [start, first.connected, first.open(restartable), first.keepalive],
  'Established, restartable, with contender': [
    start,
    first.connected,
    first.open(restartable),
    first.keepalive,
    incoming,
  ],
} as const satisfies Record<string, readonly PeerEvent[]>;

const events = {
  incoming,
  'incoming after silence': [silentConnectionMs, incoming],
  'shutdown with Cease': { kind: 'shutdown', error: { code: 6, subcode: 2, data: new Uint8Array(0) } },
  'silent shutdown': { kind: 'shutdown' },
  'BFD lost': [bfdUp, bfdLost],
  'link-down': { kind: 'link-down', interface: 'eth0' },
  'address-lost': { kind: 'address-lost', address: '192.0.2.1' },
  'edit that restarts': { kind: 'configure', settings: settings(), restart: true },
  'edit of passive': { kind: 'configure', settings: settings({}, true), restart: false },
  'OPEN on 1': first.open(),
  'OPEN of a lower identifier on 1': first.open(lowerId),
  'OPEN of another AS on 1': first.open(wrongAs),
  'OPEN on 2': second.open(),
  'OPEN of a lower identifier on 2': second.open(lowerId),
  'KEEPALIVE on 1': first.keepalive,
  'KEEPALIVE on 2': second.keepalive,
  'NOTIFICATION on 1': first.notification,
  'NOTIFICATION on 2': second.notification,
  'ROUTE-REFRESH on 1': first.refresh,
  'closed 1': first.closed,
  'closed 2': second.closed,
  'internal error on 1': first.broken,
} as const satisfies Record<string, PeerEvent | readonly (PeerEvent | number)[]>;

type StateName = keyof typeof states;
type EventName = keyof typeof events;

const establishedAlone = {
  incoming: 'Established: reject:established',
  'incoming after silence': 'Established: reject:established',
  'silent shutdown': 'Idle: 1drop session-down:stopped',
  'BFD lost': 'Idle: 1N6/10 1drop session-down:reset',
  'link-down': 'Idle: 1drop session-down:reset',
  'address-lost': 'Idle: 1drop session-down:reset',
  'edit that restarts': 'Connect: 1N6/6 1drop session-down:stopped 1connect',
  'edit of passive': 'Established: 1apply-socket-rules',
  'OPEN on 1': 'Idle: 1N5/3 1drop session-down:sent',
  'OPEN of a lower identifier on 1': 'Idle: 1N5/3 1drop session-down:sent',
  'OPEN of another AS on 1': 'Idle: 1N5/3 1drop session-down:sent',
  'KEEPALIVE on 1': 'Established:',
  'NOTIFICATION on 1': 'Idle: 1drop session-down:received',
  'ROUTE-REFRESH on 1': 'Established: refresh',
  'closed 1': 'Idle: 1drop session-down:tcp',
  'internal error on 1': 'Idle: 1N6/0 1drop session-down:reset',
} as const;

/** An absent cell means that the state stays and that no action follows, except that `edit of passive` applies the socket rules. */
const table: Record<StateName, Partial<Record<EventName, string>>> = {
  Idle: {
    incoming: 'Idle: reject:idle',
    'incoming after silence': 'Idle: reject:idle',
    'edit that restarts': 'Connect: 1connect',
    'edit of passive': 'Active: 1apply-socket-rules',
  },
  'Idle, may not start': {
    incoming: 'Idle: reject:idle',
    'incoming after silence': 'Idle: reject:idle',
    'edit that restarts': 'Connect: 1connect',
    'edit of passive': 'Active: 1apply-socket-rules',
  },
  Connect: {
    incoming: 'Connect, contender OpenSent: 2accept 2open',
    'incoming after silence': 'Connect, contender OpenSent: 2accept 2open',
    'shutdown with Cease': 'Idle: 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'Active: 1drop attempt-failed:stopped 1apply-socket-rules',
    'OPEN on 1': 'Idle: 1drop attempt-failed:tcp',
    'OPEN of a lower identifier on 1': 'Idle: 1drop attempt-failed:tcp',
    'OPEN of another AS on 1': 'Idle: 1drop attempt-failed:tcp',
    'KEEPALIVE on 1': 'Idle: 1drop attempt-failed:tcp',
    'NOTIFICATION on 1': 'Idle: 1drop attempt-failed:received',
    'ROUTE-REFRESH on 1': 'Idle: 1drop attempt-failed:tcp',
    'closed 1': 'Idle: 1drop attempt-failed:tcp',
    'internal error on 1': 'Idle: 1drop attempt-failed:reset',
  },
  'Connect with contender': {
    incoming: 'Connect, contender OpenSent: reject:occupied',
    'incoming after silence':
      'Connect, contender OpenSent: 2N6/7 2drop connection-lost:sent 2discard 3accept 3open',
    'shutdown with Cease': 'Idle: 2discard 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 2discard 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 2discard 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'Active: 2discard 1drop attempt-failed:stopped 1apply-socket-rules',
    'OPEN on 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'OPEN of a lower identifier on 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'OPEN of another AS on 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'OPEN on 2': 'Connect, contender OpenConfirm: 2agree 2keepalive',
    'OPEN of a lower identifier on 2': 'Connect, contender OpenConfirm: 2agree 2keepalive',
    'KEEPALIVE on 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'KEEPALIVE on 2': 'Connect: 2N5/1 2drop connection-lost:sent 2discard',
    'NOTIFICATION on 1': 'OpenSent: 1drop connection-lost:received 1discard',
    'NOTIFICATION on 2': 'Connect: 2drop connection-lost:received 2discard',
    'ROUTE-REFRESH on 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'closed 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'closed 2': 'Connect: 2drop connection-lost:tcp 2discard',
    'internal error on 1': 'OpenSent: 1drop connection-lost:reset 1discard',
  },
  Active: {
    incoming: 'Active: 1accept',
    'incoming after silence': 'Active: 1accept',
    'shutdown with Cease': 'Idle: attempt-failed:stopped',
    'silent shutdown': 'Idle: attempt-failed:stopped',
    'edit that restarts': 'Connect: attempt-failed:stopped 1connect',
    'edit of passive': 'Active: 1apply-socket-rules',
    'OPEN on 1': 'Idle: attempt-failed:tcp',
    'OPEN of a lower identifier on 1': 'Idle: attempt-failed:tcp',
    'OPEN of another AS on 1': 'Idle: attempt-failed:tcp',
    'KEEPALIVE on 1': 'Idle: attempt-failed:tcp',
    'NOTIFICATION on 1': 'Idle: attempt-failed:received',
    'ROUTE-REFRESH on 1': 'Idle: attempt-failed:tcp',
    'closed 1': 'Idle: attempt-failed:tcp',
    'internal error on 1': 'Idle: attempt-failed:reset',
  },
  'Active with DelayOpen': {
    incoming: 'Active, contender OpenSent: 2accept 2open',
    'incoming after silence': 'Active, contender OpenSent: 2accept 2open',
    'shutdown with Cease': 'Idle: 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'Active: 1apply-socket-rules',
    'OPEN on 1': 'OpenConfirm: 1agree 1open 1keepalive',
    'OPEN of a lower identifier on 1': 'OpenConfirm: 1agree 1open 1keepalive',
    'OPEN of another AS on 1': 'Idle: 1N2/2 1drop attempt-failed:sent',
    'KEEPALIVE on 1': 'Idle: 1drop attempt-failed:tcp',
    'NOTIFICATION on 1': 'Idle: 1drop attempt-failed:received',
    'ROUTE-REFRESH on 1': 'Idle: 1drop attempt-failed:tcp',
    'closed 1': 'Idle: 1drop attempt-failed:tcp',
    'internal error on 1': 'Idle: 1drop attempt-failed:reset',
  },
  OpenSent: {
    incoming: 'OpenSent, contender OpenSent: 2accept 2open',
    'incoming after silence': 'OpenSent, contender OpenSent: 2accept 2open',
    'shutdown with Cease': 'Idle: 1N6/2 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 1N6/6 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'OpenSent: 1apply-socket-rules',
    'OPEN on 1': 'OpenConfirm: 1agree 1keepalive',
    'OPEN of a lower identifier on 1': 'OpenConfirm: 1agree 1keepalive',
    'OPEN of another AS on 1': 'Idle: 1N2/2 1drop attempt-failed:sent',
    'KEEPALIVE on 1': 'Idle: 1N5/1 1drop attempt-failed:sent',
    'NOTIFICATION on 1': 'Idle: 1drop attempt-failed:received',
    'ROUTE-REFRESH on 1': 'Idle: 1N5/1 1drop attempt-failed:sent',
    'closed 1': 'Idle: 1drop attempt-failed:tcp',
    'internal error on 1': 'Idle: 1N6/0 1drop attempt-failed:reset',
  },
  'OpenSent with contender': {
    incoming: 'OpenSent, contender OpenSent: reject:occupied',
    'incoming after silence':
      'OpenSent, contender OpenSent: 2N6/7 2drop connection-lost:sent 2discard 3accept 3open',
    'shutdown with Cease': 'Idle: 2discard 1N6/2 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 2discard 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 2discard 1N6/6 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'OpenSent, contender OpenSent: 1apply-socket-rules',
    'OPEN on 1': 'OpenConfirm, contender OpenSent: 1agree 1keepalive',
    'OPEN of a lower identifier on 1': 'OpenConfirm, contender OpenSent: 1agree 1keepalive',
    'OPEN of another AS on 1': 'OpenSent: 1N2/2 1drop connection-lost:sent 1discard',
    'OPEN on 2': 'OpenSent, contender OpenConfirm: 2agree 2keepalive',
    'OPEN of a lower identifier on 2': 'OpenSent, contender OpenConfirm: 2agree 2keepalive',
    'KEEPALIVE on 1': 'OpenSent: 1N5/1 1drop connection-lost:sent 1discard',
    'KEEPALIVE on 2': 'OpenSent: 2N5/1 2drop connection-lost:sent 2discard',
    'NOTIFICATION on 1': 'OpenSent: 1drop connection-lost:received 1discard',
    'NOTIFICATION on 2': 'OpenSent: 2drop connection-lost:received 2discard',
    'ROUTE-REFRESH on 1': 'OpenSent: 1N5/1 1drop connection-lost:sent 1discard',
    'closed 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'closed 2': 'OpenSent: 2drop connection-lost:tcp 2discard',
    'internal error on 1': 'OpenSent: 1N6/0 1drop connection-lost:reset 1discard',
  },
  OpenConfirm: {
    'BFD lost': 'Idle: 1N6/10 1drop attempt-failed:reset',
    incoming: 'OpenConfirm, contender OpenSent: 2accept 2open',
    'incoming after silence': 'OpenConfirm, contender OpenSent: 2accept 2open',
    'shutdown with Cease': 'Idle: 1N6/2 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 1N6/6 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'OpenConfirm: 1apply-socket-rules',
    'OPEN on 1': 'Idle: 1N5/2 1drop attempt-failed:sent',
    'OPEN of a lower identifier on 1': 'Idle: 1N5/2 1drop attempt-failed:sent',
    'OPEN of another AS on 1': 'Idle: 1N5/2 1drop attempt-failed:sent',
    'KEEPALIVE on 1': 'Established: 1session-up',
    'NOTIFICATION on 1': 'Idle: 1drop attempt-failed:received',
    'ROUTE-REFRESH on 1': 'Idle: 1N5/2 1drop attempt-failed:sent',
    'closed 1': 'Idle: 1drop attempt-failed:tcp',
    'internal error on 1': 'Idle: 1N6/0 1drop attempt-failed:reset',
  },
  'OpenConfirm with contender': {
    'BFD lost': 'OpenSent: 1N6/10 1drop connection-lost:reset 1discard',
    incoming: 'OpenConfirm, contender OpenSent: reject:occupied',
    'incoming after silence':
      'OpenConfirm, contender OpenSent: 2N6/7 2drop connection-lost:sent 2discard 3accept 3open',
    'shutdown with Cease': 'Idle: 2discard 1N6/2 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 2discard 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 2discard 1N6/6 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'OpenConfirm, contender OpenSent: 1apply-socket-rules',
    'OPEN on 1': 'OpenSent: 1N5/2 1drop connection-lost:sent 1discard',
    'OPEN of a lower identifier on 1': 'OpenSent: 1N5/2 1drop connection-lost:sent 1discard',
    'OPEN of another AS on 1': 'OpenSent: 1N5/2 1drop connection-lost:sent 1discard',
    'OPEN on 2': 'OpenConfirm: 1N6/7 1drop connection-lost:sent 1discard 2agree 2keepalive',
    'OPEN of a lower identifier on 2': 'OpenConfirm: 2N6/7 2drop connection-lost:sent 2discard',
    'KEEPALIVE on 1': 'Established: 2N6/7 2drop connection-lost:sent 2discard 1session-up',
    'KEEPALIVE on 2': 'OpenConfirm: 2N5/1 2drop connection-lost:sent 2discard',
    'NOTIFICATION on 1': 'OpenSent: 1drop connection-lost:received 1discard',
    'NOTIFICATION on 2': 'OpenConfirm: 2drop connection-lost:received 2discard',
    'ROUTE-REFRESH on 1': 'OpenSent: 1N5/2 1drop connection-lost:sent 1discard',
    'closed 1': 'OpenSent: 1drop connection-lost:tcp 1discard',
    'closed 2': 'OpenConfirm: 2drop connection-lost:tcp 2discard',
    'internal error on 1': 'OpenSent: 1N6/0 1drop connection-lost:reset 1discard',
  },
  'contender in OpenConfirm': {
    'BFD lost': 'OpenSent: 2N6/10 2drop connection-lost:reset 2discard',
    incoming: 'OpenSent, contender OpenConfirm: reject:occupied',
    'incoming after silence':
      'OpenConfirm, contender OpenSent: 1N6/7 1drop connection-lost:sent 1discard 3accept 3open',
    'shutdown with Cease': 'Idle: 2discard 1N6/2 1drop attempt-failed:stopped',
    'silent shutdown': 'Idle: 2discard 1drop attempt-failed:stopped',
    'edit that restarts': 'Connect: 2discard 1N6/6 1drop attempt-failed:stopped 1connect',
    'edit of passive': 'OpenSent, contender OpenConfirm: 1apply-socket-rules',
    'OPEN on 1': 'OpenConfirm: 1N6/7 1drop connection-lost:sent 1discard',
    'OPEN of a lower identifier on 1':
      'OpenConfirm: 2N6/7 2drop connection-lost:sent 2discard 1agree 1keepalive',
    'OPEN of another AS on 1': 'OpenConfirm: 1N2/2 1drop connection-lost:sent 1discard',
    'OPEN on 2': 'OpenSent: 2N5/2 2drop connection-lost:sent 2discard',
    'OPEN of a lower identifier on 2': 'OpenSent: 2N5/2 2drop connection-lost:sent 2discard',
    'KEEPALIVE on 1': 'OpenConfirm: 1N5/1 1drop connection-lost:sent 1discard',
    'KEEPALIVE on 2': 'Established: 1N6/7 1drop connection-lost:sent 1discard 2session-up',
    'NOTIFICATION on 1': 'OpenConfirm: 1drop connection-lost:received 1discard',
    'NOTIFICATION on 2': 'OpenSent: 2drop connection-lost:received 2discard',
    'ROUTE-REFRESH on 1': 'OpenConfirm: 1N5/1 1drop connection-lost:sent 1discard',
    'closed 1': 'OpenConfirm: 1drop connection-lost:tcp 1discard',
    'closed 2': 'OpenSent: 2drop connection-lost:tcp 2discard',
    'internal error on 1': 'OpenConfirm: 1N6/0 1drop connection-lost:reset 1discard',
  },
  Established: {
    ...establishedAlone,
    'shutdown with Cease': 'Idle: 1N6/2 1drop session-down:stopped',
  },
  'Established, restartable': {
    ...establishedAlone,
    incoming: 'Established, contender OpenSent: 2accept 2open',
    'incoming after silence': 'Established, contender OpenSent: 2accept 2open',
    // The NOTIFICATION is a Hard Reset (RFC 8538 section 3.1).
    'shutdown with Cease': 'Idle: 1N6/9 1drop session-down:stopped',
  },
  'Established, restartable, with contender': {
    incoming: 'Established, contender OpenSent: reject:occupied',
    'incoming after silence':
      'Established, contender OpenSent: 2N6/7 2drop connection-lost:sent 2discard 3accept 3open',
    'shutdown with Cease': 'Idle: 2discard 1N6/9 1drop session-down:stopped',
    'silent shutdown': 'Idle: 2discard 1drop session-down:stopped',
    'BFD lost': 'OpenSent: 1N6/10 1drop session-down:reset 1discard',
    'link-down': 'OpenSent: 1drop session-down:reset 1discard',
    'address-lost': 'OpenSent: 1drop session-down:reset 1discard',
    'edit that restarts': 'Connect: 2discard 1N6/6 1drop session-down:stopped 1connect',
    'edit of passive': 'Established, contender OpenSent: 1apply-socket-rules',
    'OPEN on 1': 'OpenSent: 1N5/3 1drop session-down:sent 1discard',
    'OPEN of a lower identifier on 1': 'OpenSent: 1N5/3 1drop session-down:sent 1discard',
    'OPEN of another AS on 1': 'OpenSent: 1N5/3 1drop session-down:sent 1discard',
    // The peer has restarted, so its old connection ends without a NOTIFICATION (RFC 4724 section 4.2).
    'OPEN on 2': 'OpenConfirm: 1drop session-down:reset 1discard 2agree 2keepalive',
    'OPEN of a lower identifier on 2': 'OpenConfirm: 1drop session-down:reset 1discard 2agree 2keepalive',
    'KEEPALIVE on 1': 'Established, contender OpenSent:',
    'KEEPALIVE on 2': 'Established: 2N5/1 2drop connection-lost:sent 2discard',
    'NOTIFICATION on 1': 'OpenSent: 1drop session-down:received 1discard',
    'NOTIFICATION on 2': 'Established: 2drop connection-lost:received 2discard',
    'ROUTE-REFRESH on 1': 'Established, contender OpenSent: refresh',
    'closed 1': 'OpenSent: 1drop session-down:tcp 1discard',
    'closed 2': 'Established: 2drop connection-lost:tcp 2discard',
    'internal error on 1': 'OpenSent: 1N6/0 1drop session-down:reset 1discard',
  },
};

describe('stepPeer(): the table of states and events', () => {
  for (const stateName of Object.keys(states) as StateName[])
    for (const eventName of Object.keys(events) as EventName[])
      test(`${stateName} × ${eventName}`, () => {
        const before = states[stateName];
        const event: PeerEvent | readonly (PeerEvent | number)[] = events[eventName];
        const unchanged = `${describePeerState(run(...before).state)}:${eventName === 'edit of passive' ? ' 1apply-socket-rules' : ''}`;
        const list = Array.isArray(event) ? event : [event as PeerEvent];
        assert.equal(outcome(...before, ...list), table[stateName][eventName] ?? unchanged);
      });
});

describe('stepPeer(): decisions over time', () => {
  test('after a contender has failed, the next contender is refused for five seconds and then accepted', () => {
    const failed = [...states['OpenSent with contender'], second.closed];
    assert.equal(outcome(...failed, incoming), 'OpenSent: reject:paused');
    assert.equal(outcome(...failed, 5000, incoming), 'OpenSent, contender OpenSent: 3accept 3open');
  });

  test('a silent connection that yields to a newer connection ends with a NOTIFICATION that says why', () => {
    const { actions } = run(...states['OpenSent with contender'], silentConnectionMs, incoming);
    const lost = actions.find(({ kind }) => kind === 'connection-lost');
    assert.ok(lost?.kind === 'connection-lost' && lost.cause.kind === 'sent');
    assert.equal(
      lost.cause.error.text,
      'it carried no OPEN for 5 s and yields to a newer connection of the peer',
    );
  });

  test('the NOTIFICATION about a ROUTE-REFRESH that comes too early carries its message type (RFC 6608 section 4)', () => {
    const { actions } = run(...states.OpenSent, first.refresh);
    const sent = actions.find(({ kind }) => kind === 'send-notification');
    assert.ok(sent?.kind === 'send-notification');
    assert.deepEqual([...sent.error.data], [5]);
  });

  test('two silent connections of a passive peer do not keep the peer out', () => {
    const silent = [
      startPassive,
      incoming,
      { kind: 'timer', connection: 1, timer: 'delay-open' },
      incoming,
    ] as const;
    assert.equal(
      outcome(...silent, 5000, incoming, on(3).open()),
      'OpenSent, contender OpenConfirm: 3agree 3keepalive',
    );
  });

  test('a young connection does not yield', () => {
    const before = [...states['OpenSent with contender'], silentConnectionMs - 100];
    // The primary is a millisecond older than the contender, and both are younger than the limit.
    assert.equal(outcome(...before, incoming), 'OpenSent, contender OpenSent: reject:occupied');
  });

  test('our OPENs leave out the capabilities that the peer refuses, until a session has come up and ended', () => {
    const refused: PeerEvent = {
      kind: 'notification',
      connection: 1,
      error: { code: 2, subcode: 4, data: new Uint8Array(0) },
    };
    const offered = (...more: readonly (PeerEvent | number)[]) => {
      const sent = run(...more).actions.find(({ kind }) => kind === 'send-open');
      assert.ok(sent?.kind === 'send-open');
      return sent.open.capabilities.length;
    };
    const again = [start, first.connected, refused, first.idleHold, first.connected] as const;
    assert.equal(offered(...again), 0);
    const sessionLater = [
      first.open(),
      first.keepalive,
      first.closed,
      first.idleHold,
      first.connected,
    ] as const;
    assert.ok(offered(...again, ...sessionLater) > 0);
  });

  test('a peer that refuses one capability on both of two connections gets an OPEN that lacks only that capability', () => {
    const refusal = (connection: number, ...codes: number[]): PeerEvent => ({
      kind: 'notification',
      connection,
      error: { code: 2, subcode: 7, data: Uint8Array.from(codes.flatMap((code) => [code, 0])) },
    });
    for (const [onFirst, onSecond, expected] of [
      [[73], [73], [73]],
      [[73], [6], [73, 6]],
      [[73, 6], [73], [73, 6]],
    ] as const) {
      const before = run(start, first.connected, incoming, refusal(1, ...onFirst)).state;
      const { state, actions } = stepPeer(before, refusal(2, ...onSecond), 10);
      assert.deepEqual(state.refusedCapabilities, new Set(expected));
      const isNew = actions.some(({ kind }) => kind === 'capabilities-refused');
      assert.equal(isNew, expected.length > onFirst.length, 'only new refusals are reported');
    }
  });

  test('a peer that requires a capability that our OPEN does not have gets the same OPEN again', () => {
    const multiprotocolIpv6 = [1, 4, 0, 2, 0, 1];
    const onlyIpv4 = settings({ localEnd: { ...settings().localEnd, families: [4] } });
    const { state } = run({ kind: 'start', settings: onlyIpv4, restarting: false }, first.connected, {
      kind: 'notification',
      connection: 1,
      error: { code: 2, subcode: 7, data: Uint8Array.from(multiprotocolIpv6) },
    });
    assert.deepEqual(state.refusedCapabilities, new Set());
  });

  test('an edit that moves the session to another router or source address ends the old session as the removal of the peer does', () => {
    const other: PeerEvent = { kind: 'configure', settings: settings(), restart: true, isOtherSession: true };
    const removal: PeerEvent = {
      kind: 'shutdown',
      error: { code: 6, subcode: 3, data: new Uint8Array(0) },
    };
    const sent = (...taken: readonly PeerEvent[]) =>
      run(...taken).actions.flatMap((action) => (action.kind === 'send-notification' ? [action.error] : []));
    for (const name of Object.keys(states) as StateName[])
      assert.deepEqual(sent(...states[name], other), sent(...states[name], removal), name);
    assert.equal(
      outcome(...states['Established, restartable'], other),
      'Connect: 1N6/9 1drop session-down:stopped 1connect',
    );
  });

  test('a contender that becomes the primary inherits the failure count of the failed primary', () => {
    const failing: PeerEvent[] = [start];
    for (let i = 0; i < 5; i++) failing.push(first.connected, first.notification, first.idleHold);
    const { state } = run(...failing, incoming, first.closed);
    assert.equal(state.primary.id, 2);
    assert.equal(state.primary.fsm.oscillations, 5);
  });

  test("the peer's OPEN is negotiated against the OPEN that we sent on the same connection, even after an edit", () => {
    const edited: PeerEvent = {
      kind: 'configure',
      settings: settings({ localEnd: { ...settings().localEnd, holdTimeSeconds: 30 } }),
      restart: false,
    };
    const { state } = run(start, first.connected, edited, first.open());
    assert.equal(state.primary.negotiated?.holdTimeSeconds, 90);
  });

  // An OPEN does not carry the keepalive time.
  test('an edit of the keepalive time applies to the session that comes up, whatever its connection has exchanged before', () => {
    const edited: PeerEvent = {
      kind: 'configure',
      settings: settings({ localEnd: { ...settings().localEnd, keepaliveTimeSeconds: 5 } }),
      restart: false,
    };
    const collision = [start, first.connected, incoming] as const;
    for (const [name, before, after] of [
      ['Connect', [start], [first.connected, first.open(), first.keepalive]],
      ['OpenSent', [start, first.connected], [first.open(), first.keepalive]],
      ['OpenConfirm', [start, first.connected, first.open()], [first.keepalive]],
      ['Established', [start, first.connected, first.open(), first.keepalive], []],
      ['contender in OpenSent', collision, [second.open(), second.keepalive]],
      ['contender in OpenConfirm', [...collision, second.open()], [second.keepalive]],
    ] as const) {
      const { primary }: PeerState = run(...before, edited, ...after).state;
      assert.equal(primary.fsm.name, 'Established', name);
      assert.equal(primary.fsm.keepaliveMs, 5000, name);
    }
  });

  test('events of an unknown connection change nothing', () => {
    const before = run(...states.OpenSent).state;
    for (const event of [second.connected, second.open(), second.keepalive, second.closed, second.broken])
      assert.deepEqual(stepPeer(before, event, 10), { state: before, actions: [] });
  });
});

test('stepPeer(): invariants over random sequences of events', () => {
  const eventsOf = (id: number): PeerEvent[] => {
    const { connected, closed, keepalive, update, notification, refresh, broken, idleHold, hold } = on(id);
    const opens = [open(), strictOpen, restartable, lowerId, wrongAs].map((message) => on(id).open(message));
    const delayOpen: PeerEvent = { kind: 'timer', connection: id, timer: 'delay-open' };
    const retry: PeerEvent = { kind: 'timer', connection: id, timer: 'connect-retry' };
    const bfdTimer: PeerEvent = { kind: 'timer', connection: id, timer: 'bfd' };
    // Events that lead to a session are frequent, so that sequences reach every state.
    return [
      ...[connected, connected, connected, keepalive, keepalive, keepalive, idleHold, idleHold, ...opens],
      ...[closed, update, notification, refresh, broken, hold, delayOpen, retry, bfdTimer],
    ];
  };
  const gone = 1000;
  const onConnection = fc
    .tuple(
      fc.constantFrom('primary', 'primary', 'contender', 'gone'),
      fc.nat({ max: eventsOf(gone).length - 1 }),
    )
    .map(([role, index]) => ({ primary, contender }: PeerState): PeerEvent => {
      const id = role === 'primary' ? primary.id : role === 'contender' ? contender?.id : undefined;
      return eventsOf(id ?? gone)[index] ?? incoming;
    });
  const onPeer = fc
    .constantFrom<PeerEvent>(
      incoming,
      incoming,
      incoming,
      bfdUp,
      bfdUp,
      bfdLost,
      bfdReport({ state: 'AdminDown' }),
      bfdReport({ remoteState: 'AdminDown' }),
      { kind: 'bfd-damping-expired' },
      { kind: 'link-down', interface: 'eth0' },
      { kind: 'configure', settings: settings(), restart: true },
      { kind: 'configure', settings: settings(), restart: true, isOtherSession: true },
      {
        kind: 'configure',
        settings: settings({ bfd: { strict: 'negotiate', holdDownMs: 1000 } }),
        restart: true,
      },
      {
        kind: 'configure',
        settings: settings({ bfd: { strict: 'local', holdDownMs: 1000 } }),
        restart: false,
      },
      { kind: 'configure', settings: settings({}, true), restart: false },
      { kind: 'configure', settings: settings({ mayStart: false }), restart: true },
    )
    .map((event) => () => event);
  const event = fc.oneof({ weight: 6, arbitrary: onConnection }, { weight: 1, arbitrary: onPeer });
  const pause = fc.constantFrom(1, 1000, 6000);
  const sequence = fc.array(fc.tuple(pause, event), { maxLength: 80, size: 'max' });
  fc.assert(
    fc.property(fc.boolean(), sequence, (passive, steps) => {
      let now = 0;
      let state = initialPeerState;
      let shown = 'Idle';
      let up = false;
      const sockets = new Map<number, 'connecting' | 'open'>();
      const discarded = new Set<number>();
      const take = (one: PeerEvent) => {
        if ('connection' in one && needsSocket(one)) {
          const socket = sockets.get(one.connection);
          // A socket reports nothing before it exists or after it is dropped.
          if (!socket || (socket === 'connecting') !== (one.kind === 'tcp-connected')) return;
          if (one.kind === 'tcp-failed') sockets.delete(one.connection);
          if (one.kind === 'tcp-connected') sockets.set(one.connection, 'open');
        }
        const step = stepPeer(state, one, now);
        for (const action of step.actions) {
          if ('connection' in action)
            assert.ok(!discarded.has(action.connection), 'nothing follows a discard');
          switch (action.kind) {
            case 'connect':
              sockets.set(action.connection, 'connecting');
              break;
            case 'accept':
              sockets.set(action.connection, 'open');
              break;
            case 'drop':
              sockets.delete(action.connection);
              break;
            case 'discard':
              sockets.delete(action.connection);
              discarded.add(action.connection);
              break;
            case 'send-open':
            case 'send-keepalive':
            case 'send-notification':
              assert.equal(sockets.get(action.connection), 'open', `${action.kind} needs a connection`);
              break;
            case 'state-changed':
              assert.equal(action.from, shown);
              shown = action.to;
              break;
            case 'session-up':
              assert.ok(!up);
              up = true;
              break;
            case 'session-down':
              assert.ok(up);
              up = false;
              break;
          }
        }
        const before = idsOf(state);
        state = step.state;
        assert.equal(shown, state.primary.fsm.name);
        assert.equal(up, state.primary.fsm.name === 'Established');
        assert.notEqual(state.contender?.fsm.name, 'Established', 'only the primary is Established');
        if (step.actions.some(({ kind }) => kind === 'session-up'))
          assert.equal(state.contender, undefined, 'a session has one connection');
        if (state.contender)
          assert.notEqual(state.primary.fsm.name, 'Idle', 'a contender takes the place of a failed primary');
        const known = idsOf(state);
        for (const id of before)
          assert.notEqual(
            known.includes(id),
            discarded.has(id),
            'each connection is either in the state of the peer or discarded',
          );
        for (const id of sockets.keys()) assert.ok(known.includes(id), 'each socket belongs to a connection');
        for (const connection of [state.primary, state.contender])
          if (connection) assert.equal(connection.fsm.tcp !== 'none', sockets.has(connection.id));
      };
      take(passive ? startPassive : start);
      for (const [ms, one] of steps) {
        now += ms;
        take(one(state));
      }
      take({ kind: 'shutdown' });
      assert.equal(describePeerState(state), 'Idle');
      assert.equal(sockets.size, 0);
    }),
    { numRuns: 1000 },
  );
});

function idsOf({ primary, contender }: PeerState): number[] {
  return [primary.id, ...(contender ? [contender.id] : [])];
}

/** Whether only a live socket can report the event. */
function needsSocket({ kind }: PeerEvent): boolean {
  return kind !== 'timer' && kind !== 'internal-error';
}
