import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openSentHoldMs } from '../../../../src/bgp/fsm/connecting-states.ts';
import type { FsmAction, FsmEvent } from '../../../../src/bgp/fsm/connection-events.ts';
import { stepConnection } from '../../../../src/bgp/fsm/connection-fsm.ts';
import {
  type BfdReadiness,
  type BgpState,
  detailedState,
  type FsmConfig,
  type FsmState,
  type FsmTimer,
  initialFsmState,
} from '../../../../src/bgp/fsm/connection-state.ts';
import { idleHoldAfter } from '../../../../src/bgp/fsm/transition.ts';

const config: FsmConfig = {
  passive: false,
  connectRetryMs: 30_000,
  delayOpenMs: 0,
  idleHoldMs: 1000,
  idleHoldMaximumMs: 120_000,
  lastingMs: 60_000,
  sendHoldMs: 480_000,
};
const none = new Uint8Array(0);
const badPeerAs = { code: 2, subcode: 2, data: none };
const badLength = { code: 1, subcode: 2, data: none };
const malformedList = { code: 3, subcode: 1, data: none };
const shutdown = { code: 6, subcode: 2, data: none };

/** One example of each state. A state in which DelayOpenTimer runs counts as a separate state. */
const states = {
  Idle: initialFsmState,
  IdleBfdUpPending: { ...initialFsmState, bfdWait: 'before-tcp' },
  Connect: { ...initialFsmState, name: 'Connect', tcp: 'connecting' },
  'Connect+DelayOpen': { ...initialFsmState, name: 'Connect', tcp: 'connected', delayOpenRunning: true },
  Active: { ...initialFsmState, name: 'Active' },
  'Active+DelayOpen': { ...initialFsmState, name: 'Active', tcp: 'connected', delayOpenRunning: true },
  OpenSent: { ...initialFsmState, name: 'OpenSent', tcp: 'connected' },
  OpenSentBfdUpPending: {
    ...initialFsmState,
    name: 'OpenSent',
    tcp: 'connected',
    holdTimeMs: 90_000,
    keepaliveMs: 30_000,
    bfdWait: 'unconfirmed',
  },
  OpenSentConfirmedBfdUpPending: {
    ...initialFsmState,
    name: 'OpenSent',
    tcp: 'connected',
    holdTimeMs: 90_000,
    keepaliveMs: 30_000,
    bfdWait: 'confirmed',
  },
  OpenConfirm: {
    ...initialFsmState,
    name: 'OpenConfirm',
    tcp: 'connected',
    holdTimeMs: 90_000,
    keepaliveMs: 30_000,
  },
  Established: {
    ...initialFsmState,
    name: 'Established',
    tcp: 'connected',
    holdTimeMs: 90_000,
    keepaliveMs: 30_000,
  },
} as const satisfies Record<string, FsmState>;
type StateName = keyof typeof states;

const events = {
  start: { kind: 'start' },
  stop: { kind: 'stop', error: shutdown },
  'stop silently': { kind: 'stop' },
  reset: { kind: 'reset', error: shutdown, because: 'BFD' },
  ConnectRetryTimer_Expires: { kind: 'timer', timer: 'connect-retry' },
  HoldTimer_Expires: { kind: 'timer', timer: 'hold' },
  KeepaliveTimer_Expires: { kind: 'timer', timer: 'keepalive' },
  DelayOpenTimer_Expires: { kind: 'timer', timer: 'delay-open' },
  IdleHoldTimer_Expires: { kind: 'timer', timer: 'idle-hold' },
  SendHoldTimer_Expires: { kind: 'timer', timer: 'send-hold' },
  lasting: { kind: 'timer', timer: 'lasting' },
  TcpConnected: { kind: 'tcp-connected' },
  TcpConnectionFails: { kind: 'tcp-failed', reason: 'connection refused' },
  BGPOpen: { kind: 'open', holdTimeMs: 90_000, keepaliveMs: 30_000 },
  BGPHeaderErr: { kind: 'header-error', error: badLength },
  BGPOpenMsgErr: { kind: 'open-error', error: badPeerAs },
  UpdateMsgErr: { kind: 'update-error', error: malformedList },
  OpenCollisionDump: { kind: 'collision-dump' },
  NotifMsg: { kind: 'notification', error: shutdown },
  KeepAliveMsg: { kind: 'keepalive' },
  UpdateMsg: { kind: 'update' },
  'keepalive interval': { kind: 'keepalive-interval', keepaliveMs: 10_000 },
  'same keepalive interval': { kind: 'keepalive-interval', keepaliveMs: 30_000 },
  'BGPOpen, BFD down': {
    kind: 'open',
    holdTimeMs: 90_000,
    keepaliveMs: 30_000,
    readiness: { kind: 'not-ready' },
  },
  'BGPOpen, BFD in hold-down': {
    kind: 'open',
    holdTimeMs: 90_000,
    keepaliveMs: 30_000,
    readiness: { kind: 'ready-in', delayMs: 5000 },
  },
  BfdUp: { kind: 'bfd-readiness', readiness: { kind: 'ready' } },
  'BfdUp, hold-down': { kind: 'bfd-readiness', readiness: { kind: 'ready-in', delayMs: 5000 } },
  'BFD down': { kind: 'bfd-readiness', readiness: { kind: 'not-ready' } },
  'BFD timer': { kind: 'timer', timer: 'bfd' },
} as const satisfies Record<string, FsmEvent>;
type EventName = keyof typeof events;

/** Actions in short: `+hold` starts a timer, `-hold` stops it, `N4/0` sends a NOTIFICATION. */
function short(action: FsmAction): string {
  switch (action.kind) {
    case 'start-timer':
      return `+${action.timer}`;
    case 'stop-timer':
      return `-${action.timer}`;
    case 'send-notification':
      return `N${action.error.code}/${action.error.subcode}`;
    case 'down':
      return `down:${action.cause.kind}`;
    default:
      return action.kind;
  }
}

/** The next state and the actions of a step, without the actions that stop timers. */
function outcome(state: FsmState, event: FsmEvent): string {
  const { state: after, actions } = stepConnection(state, event, config);
  return [detailedState(after), ...actions.map(short).filter((text) => !text.startsWith('-'))].join(' ');
}

const ignored = (name: StateName) => detailedState(states[name]);
const refusedFromConnect = (tell: string) => `Idle ${tell}drop +idle-hold`;

/** Reactions that both sub-states of OpenSent share (draft-ietf-idr-bgp-bfd-strict-mode). */
const bfdUpPending: Partial<Record<EventName, string>> = {
  stop: 'Idle N6/2 drop down:stopped',
  'stop silently': 'Idle drop down:stopped',
  reset: 'Idle N6/2 drop +idle-hold down:reset',
  HoldTimer_Expires: 'Idle N4/0 drop +idle-hold down:hold-timer',
  TcpConnectionFails: 'Idle drop +idle-hold down:tcp',
  BGPOpen: 'Idle N5/1 drop +idle-hold down:sent',
  'BGPOpen, BFD down': 'Idle N5/1 drop +idle-hold down:sent',
  'BGPOpen, BFD in hold-down': 'Idle N5/1 drop +idle-hold down:sent',
  BGPHeaderErr: 'Idle N1/2 drop +idle-hold down:sent',
  BGPOpenMsgErr: 'Idle N2/2 drop +idle-hold down:sent',
  UpdateMsgErr: 'Idle N5/1 drop +idle-hold down:sent',
  OpenCollisionDump: 'Idle N6/7 drop +idle-hold down:sent',
  NotifMsg: 'Idle drop +idle-hold down:received',
  UpdateMsg: 'Idle N5/1 drop +idle-hold down:sent',
};

/**
 * RFC 4271 section 8.2.2, event by event, with the events that this speaker adds. An absent cell means that the state stays, and that no
 * action follows except the stop of a timer.
 */
const table: Record<StateName, Partial<Record<EventName, string>>> = {
  Idle: {
    start: 'Connect +connect-retry connect',
    IdleHoldTimer_Expires: 'Connect +connect-retry connect',
    TcpConnected: 'Idle drop',
  },
  IdleBfdUpPending: {
    start: 'Connect +connect-retry connect',
    stop: 'Idle',
    'stop silently': 'Idle',
    IdleHoldTimer_Expires: 'Connect +connect-retry connect',
    TcpConnected: 'IdleBfdUpPending drop',
    BfdUp: 'Connect +connect-retry connect',
    'BfdUp, hold-down': 'IdleBfdUpPending +bfd',
    'BFD down': 'IdleBfdUpPending +bfd',
    'BFD timer': 'Connect +connect-retry connect',
  },
  Connect: {
    stop: 'Idle drop down:stopped',
    'stop silently': 'Idle drop down:stopped',
    reset: `${refusedFromConnect('')} down:reset`,
    ConnectRetryTimer_Expires: 'Connect no-answer drop +connect-retry connect',
    TcpConnected: 'OpenSent send-open +hold',
    TcpConnectionFails: `${refusedFromConnect('')} down:tcp`,
    BGPOpen: `${refusedFromConnect('')} down:tcp`,
    BGPHeaderErr: `${refusedFromConnect('')} down:sent`,
    BGPOpenMsgErr: `${refusedFromConnect('')} down:sent`,
    UpdateMsgErr: `${refusedFromConnect('')} down:tcp`,
    OpenCollisionDump: `${refusedFromConnect('')} down:tcp`,
    NotifMsg: `${refusedFromConnect('')} down:received`,
    KeepAliveMsg: `${refusedFromConnect('')} down:tcp`,
    UpdateMsg: `${refusedFromConnect('')} down:tcp`,
    'BGPOpen, BFD down': `${refusedFromConnect('')} down:tcp`,
    'BGPOpen, BFD in hold-down': `${refusedFromConnect('')} down:tcp`,
  },
  'Connect+DelayOpen': {
    stop: 'Idle drop down:stopped',
    'stop silently': 'Idle drop down:stopped',
    reset: `${refusedFromConnect('')} down:reset`,
    DelayOpenTimer_Expires: 'OpenSent send-open +hold',
    TcpConnected: 'OpenSent send-open +hold',
    TcpConnectionFails: 'Active +connect-retry',
    BGPOpen: 'OpenConfirm send-open send-keepalive +hold +keepalive',
    BGPHeaderErr: `${refusedFromConnect('N1/2 ')} down:sent`,
    BGPOpenMsgErr: `${refusedFromConnect('N2/2 ')} down:sent`,
    UpdateMsgErr: `${refusedFromConnect('')} down:tcp`,
    OpenCollisionDump: `${refusedFromConnect('')} down:tcp`,
    NotifMsg: `${refusedFromConnect('')} down:received`,
    KeepAliveMsg: `${refusedFromConnect('')} down:tcp`,
    UpdateMsg: `${refusedFromConnect('')} down:tcp`,
    'BGPOpen, BFD down': 'OpenSentBfdUpPending send-open +hold',
    'BGPOpen, BFD in hold-down': 'OpenSentBfdUpPending send-open +hold +bfd',
  },
  Active: {
    stop: 'Idle down:stopped',
    'stop silently': 'Idle down:stopped',
    reset: 'Idle +idle-hold down:reset',
    ConnectRetryTimer_Expires: 'Connect +connect-retry connect',
    TcpConnected: 'OpenSent send-open +hold',
    TcpConnectionFails: 'Idle +idle-hold down:tcp',
    BGPOpen: 'Idle +idle-hold down:tcp',
    BGPHeaderErr: 'Idle +idle-hold down:sent',
    BGPOpenMsgErr: 'Idle +idle-hold down:sent',
    UpdateMsgErr: 'Idle +idle-hold down:tcp',
    OpenCollisionDump: 'Idle +idle-hold down:tcp',
    NotifMsg: 'Idle +idle-hold down:received',
    KeepAliveMsg: 'Idle +idle-hold down:tcp',
    UpdateMsg: 'Idle +idle-hold down:tcp',
    'BGPOpen, BFD down': 'Idle +idle-hold down:tcp',
    'BGPOpen, BFD in hold-down': 'Idle +idle-hold down:tcp',
  },
  'Active+DelayOpen': {
    stop: 'Idle drop down:stopped',
    'stop silently': 'Idle drop down:stopped',
    reset: `${refusedFromConnect('')} down:reset`,
    DelayOpenTimer_Expires: 'OpenSent send-open +hold',
    TcpConnected: 'OpenSent send-open +hold',
    TcpConnectionFails: `${refusedFromConnect('')} down:tcp`,
    BGPOpen: 'OpenConfirm send-open send-keepalive +hold +keepalive',
    BGPHeaderErr: `${refusedFromConnect('N1/2 ')} down:sent`,
    BGPOpenMsgErr: `${refusedFromConnect('N2/2 ')} down:sent`,
    UpdateMsgErr: `${refusedFromConnect('')} down:tcp`,
    OpenCollisionDump: `${refusedFromConnect('')} down:tcp`,
    NotifMsg: `${refusedFromConnect('')} down:received`,
    KeepAliveMsg: `${refusedFromConnect('')} down:tcp`,
    UpdateMsg: `${refusedFromConnect('')} down:tcp`,
    'BGPOpen, BFD down': 'OpenSentBfdUpPending send-open +hold',
    'BGPOpen, BFD in hold-down': 'OpenSentBfdUpPending send-open +hold +bfd',
  },
  OpenSent: {
    stop: 'Idle N6/2 drop down:stopped',
    'stop silently': 'Idle drop down:stopped',
    reset: 'Idle N6/2 drop +idle-hold down:reset',
    HoldTimer_Expires: 'Idle N4/0 drop +idle-hold down:hold-timer',
    TcpConnectionFails: 'Idle drop +idle-hold down:tcp',
    BGPOpen: 'OpenConfirm send-keepalive +hold +keepalive',
    BGPHeaderErr: 'Idle N1/2 drop +idle-hold down:sent',
    BGPOpenMsgErr: 'Idle N2/2 drop +idle-hold down:sent',
    UpdateMsgErr: 'Idle N5/1 drop +idle-hold down:sent',
    OpenCollisionDump: 'Idle N6/7 drop +idle-hold down:sent',
    NotifMsg: 'Idle drop +idle-hold down:received',
    KeepAliveMsg: 'Idle N5/1 drop +idle-hold down:sent',
    UpdateMsg: 'Idle N5/1 drop +idle-hold down:sent',
    'BGPOpen, BFD down': 'OpenSentBfdUpPending +hold',
    'BGPOpen, BFD in hold-down': 'OpenSentBfdUpPending +hold +bfd',
  },
  OpenSentBfdUpPending: {
    ...bfdUpPending,
    KeepAliveMsg: 'OpenSentConfirmedBfdUpPending +hold',
    BfdUp: 'OpenConfirm send-keepalive +hold +keepalive',
    'BfdUp, hold-down': 'OpenSentBfdUpPending +bfd',
    'BFD timer': 'OpenConfirm send-keepalive +hold +keepalive',
    'keepalive interval': 'OpenSentBfdUpPending',
  },
  OpenSentConfirmedBfdUpPending: {
    ...bfdUpPending,
    KeepAliveMsg: 'OpenSentConfirmedBfdUpPending +hold',
    BfdUp: 'Established send-keepalive +hold +keepalive up +lasting +send-hold',
    'BfdUp, hold-down': 'OpenSentConfirmedBfdUpPending +bfd',
    'BFD timer': 'Established send-keepalive +hold +keepalive up +lasting +send-hold',
    'keepalive interval': 'OpenSentConfirmedBfdUpPending',
  },
  OpenConfirm: {
    stop: 'Idle N6/2 drop down:stopped',
    'stop silently': 'Idle drop down:stopped',
    reset: 'Idle N6/2 drop +idle-hold down:reset',
    HoldTimer_Expires: 'Idle N4/0 drop +idle-hold down:hold-timer',
    KeepaliveTimer_Expires: 'OpenConfirm send-keepalive +keepalive',
    TcpConnectionFails: 'Idle drop +idle-hold down:tcp',
    BGPOpen: 'Idle N5/2 drop +idle-hold down:sent',
    BGPHeaderErr: 'Idle N1/2 drop +idle-hold down:sent',
    BGPOpenMsgErr: 'Idle N2/2 drop +idle-hold down:sent',
    UpdateMsgErr: 'Idle N5/2 drop +idle-hold down:sent',
    OpenCollisionDump: 'Idle N6/7 drop +idle-hold down:sent',
    NotifMsg: 'Idle drop +idle-hold down:received',
    KeepAliveMsg: 'Established +hold up +lasting +send-hold',
    UpdateMsg: 'Idle N5/2 drop +idle-hold down:sent',
    'keepalive interval': 'OpenConfirm +keepalive',
    'BGPOpen, BFD down': 'Idle N5/2 drop +idle-hold down:sent',
    'BGPOpen, BFD in hold-down': 'Idle N5/2 drop +idle-hold down:sent',
  },
  Established: {
    stop: 'Idle N6/2 drop down:stopped',
    'stop silently': 'Idle drop down:stopped',
    reset: 'Idle N6/2 drop +idle-hold down:reset',
    HoldTimer_Expires: 'Idle N4/0 drop +idle-hold down:hold-timer',
    KeepaliveTimer_Expires: 'Established send-keepalive +keepalive',
    SendHoldTimer_Expires: 'Idle drop +idle-hold down:send-hold-timer',
    TcpConnectionFails: 'Idle drop +idle-hold down:tcp',
    BGPOpen: 'Idle N5/3 drop +idle-hold down:sent',
    BGPHeaderErr: 'Idle N1/2 drop +idle-hold down:sent',
    BGPOpenMsgErr: 'Idle N5/3 drop +idle-hold down:sent',
    UpdateMsgErr: 'Idle N3/1 drop +idle-hold down:sent',
    OpenCollisionDump: 'Idle N6/7 drop +idle-hold down:sent',
    NotifMsg: 'Idle drop +idle-hold down:received',
    KeepAliveMsg: 'Established +hold',
    UpdateMsg: 'Established +hold',
    'keepalive interval': 'Established +keepalive',
    'BGPOpen, BFD down': 'Idle N5/3 drop +idle-hold down:sent',
    'BGPOpen, BFD in hold-down': 'Idle N5/3 drop +idle-hold down:sent',
  },
};

describe('stepConnection(): the table of states and events', () => {
  for (const stateName of Object.keys(states) as StateName[])
    for (const eventName of Object.keys(events) as EventName[])
      test(`${stateName} × ${eventName}`, () => {
        const expected = table[stateName][eventName] ?? ignored(stateName);
        assert.equal(outcome(states[stateName], events[eventName]), expected);
      });
});

function delayOf(actions: readonly FsmAction[], timer: FsmTimer): number | undefined {
  for (const action of actions)
    if (action.kind === 'start-timer' && action.timer === timer) return action.delayMs;
  return undefined;
}

describe('stepConnection(): timers', () => {
  test('a passive session waits for its peer without connecting and without ConnectRetryTimer', () => {
    const { state, actions } = stepConnection(initialFsmState, events.start, { ...config, passive: true });
    assert.equal(state.name, 'Active');
    assert.deepEqual(actions.map(short), ['-idle-hold']);
  });

  test('DelayOpenTimer delays the OPEN, which is sent when the timer expires', () => {
    const delaying = { ...config, passive: true, delayOpenMs: 1000 };
    const { state, actions } = stepConnection(states.Active, events.TcpConnected, delaying);
    assert.equal(state.name, 'Active');
    assert.equal(delayOf(actions, 'delay-open'), 1000);
    assert.equal(stepConnection(state, events.DelayOpenTimer_Expires, delaying).state.name, 'OpenSent');
  });

  test('a hold time of zero starts no hold, keepalive or send hold timer', () => {
    const confirmed = stepConnection(
      states.OpenSent,
      { kind: 'open', holdTimeMs: 0, keepaliveMs: 0 },
      config,
    );
    assert.deepEqual(confirmed.actions.map(short), ['send-keepalive', '-hold']);
    const established = stepConnection(confirmed.state, events.KeepAliveMsg, config);
    assert.deepEqual(established.actions.map(short), ['up', '+lasting']);
  });

  test('OpenSent waits four minutes for an OPEN', () => {
    assert.equal(openSentHoldMs, 240_000);
    assert.equal(
      delayOf(stepConnection(states.Connect, events.TcpConnected, config).actions, 'hold'),
      openSentHoldMs,
    );
  });

  test('the send hold time is at least twice the hold time (RFC 9687)', () => {
    const slow = { ...states.OpenConfirm, holdTimeMs: 300_000 };
    assert.equal(delayOf(stepConnection(slow, events.KeepAliveMsg, config).actions, 'send-hold'), 600_000);
  });

  test('jitter applies to ConnectRetryTimer, KeepaliveTimer and IdleHoldTimer', () => {
    const jittered = new Set<FsmTimer>();
    for (const state of Object.values(states))
      for (const event of Object.values(events))
        for (const action of stepConnection(state, event, config).actions)
          if (action.kind === 'start-timer' && action.isJittered) jittered.add(action.timer);
    assert.deepEqual([...jittered].sort(), ['connect-retry', 'idle-hold', 'keepalive']);
  });

  test('idleHoldAfter() doubles the delay with each failure, up to the maximum', () => {
    assert.deepEqual(
      [0, 1, 2, 6, 7, 1000].map((n) => idleHoldAfter(n, 1000, 120_000)),
      [1000, 2000, 4000, 64_000, 120_000, 120_000],
    );
  });

  test('the retry delay doubles after each failure of a connection that the peer has accepted, until a session lasts', () => {
    let state: FsmState = initialFsmState;
    const delays: (number | undefined)[] = [];
    const attempt = (...after: FsmEvent[]) => {
      for (const event of [events.IdleHoldTimer_Expires, events.TcpConnected, ...after]) {
        const next = stepConnection(state, event, config);
        state = next.state;
        const delay = delayOf(next.actions, 'idle-hold');
        if (delay !== undefined) delays.push(delay);
      }
    };
    attempt(events.NotifMsg);
    attempt(events.TcpConnectionFails);
    attempt(events.BGPOpen, events.KeepAliveMsg, events.NotifMsg);
    assert.deepEqual(delays, [1000, 2000, 4000]);
    attempt(events.BGPOpen, events.KeepAliveMsg, events.lasting, events.NotifMsg);
    assert.deepEqual(delays, [1000, 2000, 4000, 1000]);
  });

  test('a Finite State Machine Error carries the type of the unexpected message (RFC 6608 section 4)', () => {
    const shortRefresh = { code: 7, subcode: 1, data: none };
    const unexpected: readonly (readonly [StateName, FsmEvent, type: number])[] = [
      ['OpenSent', events.KeepAliveMsg, 4],
      ['OpenSent', events.UpdateMsg, 2],
      ['OpenSentBfdUpPending', events.BGPOpen, 1],
      ['OpenConfirm', { kind: 'update', isRefresh: true }, 5],
      ['OpenConfirm', events.UpdateMsgErr, 2],
      ['OpenConfirm', { kind: 'update-error', error: shortRefresh }, 5],
      ['Established', events.BGPOpen, 1],
      ['Established', events.BGPOpenMsgErr, 1],
    ];
    for (const [name, event, type] of unexpected) {
      const { actions } = stepConnection(states[name], event, config);
      const sent = actions.find(({ kind }) => kind === 'send-notification');
      assert.ok(sent?.kind === 'send-notification');
      assert.deepEqual([...sent.error.data], [type], `${name} × ${event.kind}`);
    }
  });

  test('refused TCP connections raise the retry delay to ConnectRetryTime at most, and no longer count after the peer accepts one', () => {
    let state: FsmState = initialFsmState;
    const delays: (number | undefined)[] = [];
    const happens = (...all: FsmEvent[]) => {
      for (const event of all) {
        const next = stepConnection(state, event, config);
        state = next.state;
        const delay = delayOf(next.actions, 'idle-hold');
        if (delay !== undefined) delays.push(delay);
      }
    };
    for (let i = 0; i < 10; i++) happens(events.IdleHoldTimer_Expires, events.TcpConnectionFails);
    assert.deepEqual(delays.splice(0), [1000, 2000, 4000, 8000, 16_000, ...Array(5).fill(30_000)]);
    const back = [events.IdleHoldTimer_Expires, events.TcpConnected] as const;
    const connectionRejected = { code: 6, subcode: 5, data: none };
    happens(...back, { kind: 'notification', error: connectionRejected });
    happens(...back, events.BGPOpen, events.KeepAliveMsg, events.TcpConnectionFails);
    assert.deepEqual(delays, [1000, 2000]);
  });
});

/** The timers that may run in each state. */
const timersOf: Record<BgpState, readonly FsmTimer[]> = {
  Idle: ['idle-hold', 'bfd'],
  Connect: ['connect-retry', 'delay-open'],
  Active: ['connect-retry', 'delay-open'],
  OpenSent: ['hold', 'bfd'],
  OpenConfirm: ['hold', 'keepalive'],
  Established: ['hold', 'keepalive', 'send-hold', 'lasting'],
};

test('stepConnection(): invariants over random sequences of events', () => {
  const event = fc.constantFrom<FsmEvent>(...Object.values(events));
  const settings = fc.record({
    passive: fc.boolean(),
    delayOpenMs: fc.constantFrom(0, 1000),
    startReadiness: fc.constantFrom<BfdReadiness>(
      { kind: 'ready' },
      { kind: 'ready-in', delayMs: 5000 },
      { kind: 'not-ready' },
    ),
  });
  fc.assert(
    fc.property(settings, fc.array(event, { maxLength: 60, size: 'max' }), (changed, sequence) => {
      const settled = { ...config, ...changed };
      let state: FsmState = initialFsmState;
      const running = new Set<FsmTimer>();
      let socket = false;
      let up = false;
      for (const one of sequence) {
        // Only an existing socket can fail. A dropped socket reports nothing more.
        if (one.kind === 'tcp-failed' && !socket) continue;
        if (one.kind === 'tcp-connected') socket = true;
        if (one.kind === 'tcp-failed') socket = false;
        if (one.kind === 'timer' && !running.delete(one.timer)) continue;
        const before = state;
        const { state: after, actions } = stepConnection(before, one, settled);
        let told = false;
        for (const action of actions) {
          switch (action.kind) {
            case 'connect':
              assert.equal(settled.passive, false);
              socket = true;
              break;
            case 'drop':
              socket = false;
              break;
            case 'send-open':
            case 'send-keepalive':
            case 'send-notification':
              assert.ok(socket, 'nothing is sent without a connection');
              assert.ok(!told, 'no message follows a NOTIFICATION');
              told = action.kind === 'send-notification';
              assert.ok(
                !(told && one.kind === 'notification'),
                'a NOTIFICATION is not answered with a NOTIFICATION',
              );
              break;
            case 'start-timer':
              assert.ok(action.delayMs > 0 && Number.isFinite(action.delayMs));
              running.add(action.timer);
              break;
            case 'stop-timer':
              running.delete(action.timer);
              break;
            case 'up':
              assert.ok(!up);
              up = true;
              break;
            case 'down':
              up = false;
              break;
          }
        }
        state = after;
        assert.equal(up, state.name === 'Established');
        assert.ok(
          !running.has('bfd') || state.bfdWait,
          'the timer of BFD runs only while the session waits for BFD',
        );
        assert.deepEqual(
          [...running].filter((timer) => !timersOf[state.name].includes(timer)),
          [],
        );
        assert.equal(socket, state.tcp !== 'none', `${before.name} × ${one.kind} → ${state.name}`);
        if (state.name === 'Idle' && actions.some(({ kind }) => kind === 'down') && one.kind !== 'stop')
          assert.ok(running.has('idle-hold'), 'a failure is always retried after a delay');
      }
    }),
    { numRuns: 500 },
  );
});
