/** BFD strict mode, hold-down, damping and graceful restart in the machine of a peer, over time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BfdReport, dampingLosses } from '../../../../src/bgp/fsm/bfd-watch.ts';
import { startWaitMs } from '../../../../src/bgp/fsm/connecting-states.ts';
import type { PeerAction, PeerEvent } from '../../../../src/bgp/fsm/peer-events.ts';
import { stepPeer } from '../../../../src/bgp/fsm/peer-machine.ts';
import {
  describePeerState,
  initialPeerState,
  type PeerMachineSettings,
  type PeerState,
} from '../../../../src/bgp/fsm/peer-state.ts';
import type { Capability, OpenMessage } from '../../../../src/bgp/message.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

type Bfd = NonNullable<PeerMachineSettings['bfd']>;

function settings(bfd: Bfd | undefined, holdTimeSeconds = 90, isRouter = false): PeerMachineSettings {
  return {
    mayStart: true,
    fsm: {
      passive: isRouter,
      connectRetryMs: 5000,
      delayOpenMs: 0,
      idleHoldMs: 1000,
      idleHoldMaximumMs: 120_000,
      lastingMs: 60_000,
      sendHoldMs: 480_000,
    },
    localEnd: {
      asn: isRouter ? 64500 : 64512,
      peerAsn: isRouter ? 64512 : 64500,
      routerId: isRouter ? 0xc0000202 : 0xc0000201,
      holdTimeSeconds,
      keepaliveTimeSeconds: 30,
      hostName: 'node-1',
      overIpv6: false,
    },
    restartTimeSeconds: 120,
    ...(bfd ? { bfd } : {}),
  };
}

const strictMode: Capability = { kind: 'bfd-strict' };
const graceful: Capability = {
  kind: 'graceful-restart',
  restarting: false,
  notification: true,
  restartTimeSeconds: 60,
  families: [],
};

function open(holdTimeSeconds: number, ...more: readonly Capability[]): OpenMessage {
  return {
    kind: 'open',
    version: 4,
    myAs: 64500,
    holdTimeSeconds,
    routerId: 0xc0000202,
    capabilities: [{ kind: 'four-octet-as', asn: 64500 }, ...more],
  };
}

/** A peer's machine in virtual time, with its timers. */
class Peer {
  readonly clock: VirtualClock;
  readonly #timers = new Map<string, { cancel(): void }>();
  state: PeerState = initialPeerState;
  actions: PeerAction[] = [];

  constructor(
    bfd: Bfd | undefined,
    holdTimeSeconds = 90,
    options: { clock?: VirtualClock; isRouter?: boolean } = {},
  ) {
    this.clock = options.clock ?? new VirtualClock();
    const start = settings(bfd, holdTimeSeconds, options.isRouter);
    this.take({ kind: 'start', settings: start, restarting: false });
  }

  take(event: PeerEvent): void {
    const { state, actions } = stepPeer(this.state, event, this.clock.now());
    this.state = state;
    for (const action of actions) this.#run(action);
  }

  bfd(report: Partial<BfdReport>): void {
    this.take({
      kind: 'bfd',
      report: {
        state: 'Down',
        remoteState: 'Down',
        diagnostic: 0,
        remoteControlPlaneIndependent: false,
        ...report,
      },
    });
  }

  /** TCP comes up, and the peer sends its OPEN. */
  opens(holdTimeSeconds: number, ...more: readonly Capability[]): void {
    this.take({ kind: 'tcp-connected', connection: this.id });
    this.take({ kind: 'open', connection: this.id, open: open(holdTimeSeconds, ...more) });
  }

  keepalive(): void {
    this.take({ kind: 'keepalive', connection: this.id });
  }

  get id(): number {
    return this.state.primary.id;
  }

  get shown(): string {
    return describePeerState(this.state);
  }

  /** The actions since the last call, in short. Leaves out timers, `state-changed`, `agree` and `drop`. */
  done(): string[] {
    const said = this.actions.splice(0).flatMap((action) => {
      if (action.kind === 'send-notification') return `N${action.error.code}/${action.error.subcode}`;
      if (action.kind === 'session-down' || action.kind === 'attempt-failed')
        return `${action.kind}:${action.cause.kind}`;
      return ['state-changed', 'agree', 'drop'].includes(action.kind) ? [] : action.kind;
    });
    return said;
  }

  #run(action: PeerAction): void {
    if (action.kind === 'stop-timer') this.#stop(action.timer);
    else if (action.kind === 'start-timer') {
      const { timer, connection } = action;
      this.#stop(timer);
      this.#timers.set(
        timer,
        this.clock.after(action.delayMs, () => this.take({ kind: 'timer', connection, timer })),
      );
    } else this.actions.push(action);
  }

  #stop(timer: string): void {
    this.#timers.get(timer)?.cancel();
    this.#timers.delete(timer);
  }
}

const negotiate = (holdDownMs = 0): Bfd => ({ strict: 'negotiate', holdDownMs });
const local = (holdDownMs = 0): Bfd => ({ strict: 'local', holdDownMs });
const off: Bfd = { strict: 'off', holdDownMs: 0 };
const up: Partial<BfdReport> = { state: 'Up', remoteState: 'Up' };
const lost: Partial<BfdReport> = { diagnostic: 1 };

describe('bfd-strict: negotiate', () => {
  test('our OPEN offers the strict mode capability only with this setting', () => {
    for (const [bfd, offers] of [
      [negotiate(), true],
      [local(), false],
      [off, false],
      [undefined, false],
    ] as const) {
      const peer = new Peer(bfd);
      if (bfd?.strict === 'local') peer.bfd(up);
      peer.take({ kind: 'tcp-connected', connection: peer.id });
      const sent = peer.actions.find((action) => action.kind === 'send-open');
      assert.equal(
        sent?.kind === 'send-open' && sent.open.capabilities.some(({ kind }) => kind === 'bfd-strict'),
        offers,
      );
    }
  });

  test('waits for BFD to come Up, then sends its KEEPALIVE and reaches Established', () => {
    const peer = new Peer(negotiate());
    peer.opens(90, strictMode);
    assert.equal(peer.shown, 'OpenSentBfdUpPending');
    assert.deepEqual(peer.done(), ['connect', 'send-open']);
    peer.bfd({ state: 'Init' });
    assert.equal(peer.shown, 'OpenSentBfdUpPending');
    peer.bfd(up);
    assert.deepEqual(peer.done(), ['send-keepalive']);
    assert.equal(peer.shown, 'OpenConfirm');
    peer.keepalive();
    assert.equal(peer.shown, 'Established');
  });

  test('goes straight to Established when BFD comes Up after the KEEPALIVE of the peer', () => {
    const peer = new Peer(negotiate());
    peer.opens(90, strictMode);
    peer.keepalive();
    assert.equal(peer.shown, 'OpenSentConfirmedBfdUpPending');
    peer.done();
    peer.bfd(up);
    assert.deepEqual(peer.done(), ['send-keepalive', 'session-up']);
    assert.equal(peer.shown, 'Established');
  });

  test('does not wait when the peer does not offer the capability, when BFD is Up, or when either end is AdminDown', () => {
    const without = new Peer(negotiate());
    without.opens(90);
    assert.equal(without.shown, 'OpenConfirm');
    for (const report of [up, { state: 'AdminDown' }, { remoteState: 'AdminDown' }] as const) {
      const peer = new Peer(negotiate());
      peer.bfd(report);
      peer.opens(90, strictMode);
      assert.equal(peer.shown, 'OpenConfirm', JSON.stringify(report));
    }
  });

  test('goes on when the peer becomes AdminDown during the wait', () => {
    const peer = new Peer(negotiate());
    peer.opens(90, strictMode);
    peer.bfd({ remoteState: 'AdminDown' });
    assert.equal(peer.shown, 'OpenConfirm');
  });

  test('the hold timer runs with the negotiated hold time during the wait, and KEEPALIVEs restart it', () => {
    const peer = new Peer(negotiate());
    peer.opens(9, strictMode);
    peer.clock.advance(8000);
    peer.keepalive();
    peer.clock.advance(8999);
    assert.equal(peer.shown, 'OpenSentConfirmedBfdUpPending');
    peer.done();
    peer.clock.advance(1);
    assert.deepEqual(peer.done(), ['N4/0', 'attempt-failed:hold-timer']);
  });

  test('without a hold time, BfdHoldTimer ends the wait after 30 s with Cease/BFD Down', () => {
    const peer = new Peer(negotiate(), 0);
    peer.opens(0, strictMode);
    peer.clock.advance(29_999);
    assert.equal(peer.shown, 'OpenSentBfdUpPending');
    peer.done();
    peer.clock.advance(1);
    assert.deepEqual(peer.done(), ['N6/10', 'attempt-failed:reset']);
  });

  test('a second OPEN, or an UPDATE, during the wait is an FSM error', () => {
    for (const event of [
      { kind: 'open', connection: 1, open: open(90, strictMode) },
      { kind: 'update', connection: 1 },
    ] as const) {
      const peer = new Peer(negotiate());
      peer.opens(90, strictMode);
      peer.done();
      peer.take(event);
      assert.deepEqual(peer.done(), ['N5/1', 'attempt-failed:sent']);
    }
  });

  test('BFD that goes down during the hold-down or in OpenConfirm ends the connection with Cease/BFD Down', () => {
    for (const holdDownMs of [5000, 0]) {
      const peer = new Peer(negotiate(holdDownMs));
      peer.bfd(up);
      peer.opens(90, strictMode);
      peer.done();
      peer.bfd(lost);
      assert.deepEqual(peer.done(), ['N6/10', 'attempt-failed:reset']);
    }
  });

  test('an edit of bfd-strict during the wait ends the connection with Cease/Other Configuration Change', () => {
    const peer = new Peer(negotiate());
    peer.opens(90, strictMode);
    peer.done();
    peer.take({ kind: 'configure', settings: settings(off), restart: false });
    assert.deepEqual(peer.done(), ['N6/6', 'attempt-failed:stopped', 'connect']);
  });

  test('the removal of BFD during the wait lets the session go on', () => {
    const peer = new Peer(negotiate());
    peer.opens(90, strictMode);
    peer.done();
    peer.take({ kind: 'configure', settings: settings(undefined), restart: false });
    assert.equal(peer.done()[0], 'send-keepalive');
    assert.equal(peer.shown, 'OpenConfirm');
  });

  test('a collision during the wait is settled like one in OpenConfirm', () => {
    const peer = new Peer(negotiate());
    peer.opens(90, strictMode);
    peer.take({ kind: 'incoming' });
    peer.done();
    peer.take({ kind: 'open', connection: 2, open: open(90, strictMode) });
    // The peer has the higher identifier, so the connection that it made survives.
    assert.deepEqual(peer.done(), ['N6/7', 'connection-lost', 'discard']);
    assert.equal(peer.shown, 'OpenSentBfdUpPending');
    assert.equal(peer.id, 2);
    peer.bfd(up);
    assert.equal(peer.shown, 'OpenConfirm');
  });
});

describe('two speakers with bfd-strict: negotiate', () => {
  /** A node and a router whose messages reach each other at once. TCP is up. */
  function pair(nodeHoldDownMs = 0, routerHoldDownMs = 0) {
    const clock = new VirtualClock();
    const node = new Peer(negotiate(nodeHoldDownMs), 9, { clock });
    const router = new Peer(negotiate(routerHoldDownMs), 9, { clock, isRouter: true });
    const deliver = () => {
      for (const [from, to] of [
        [node, router],
        [router, node],
      ] as const)
        for (const action of from.actions.splice(0)) {
          if (action.kind === 'send-open') to.take({ kind: 'open', connection: to.id, open: action.open });
          if (action.kind === 'send-keepalive') to.keepalive();
          if (action.kind === 'send-notification')
            to.take({ kind: 'notification', connection: to.id, error: action.error });
        }
    };
    const settle = () => {
      while (node.actions.length + router.actions.length > 0) deliver();
    };
    const pass = (ms: number) => {
      for (let at = 0; at < ms; at += 100) {
        clock.advance(100);
        settle();
      }
    };
    router.take({ kind: 'incoming' });
    node.take({ kind: 'tcp-connected', connection: node.id });
    settle();
    return { node, router, settle, pass };
  }

  test('come up when BFD is Up at both ends, whichever is first', () => {
    for (const first of ['node', 'router'] as const) {
      const all = pair();
      assert.equal(all.node.shown, 'OpenSentBfdUpPending');
      assert.equal(all.router.shown, 'OpenSentBfdUpPending');
      const second = first === 'node' ? 'router' : 'node';
      all[first].bfd(up);
      all.settle();
      assert.equal(all[first].shown, 'OpenConfirm');
      assert.equal(all[second].shown, 'OpenSentConfirmedBfdUpPending');
      all[second].bfd(up);
      all.settle();
      assert.equal(all.node.shown, 'Established');
      assert.equal(all.router.shown, 'Established');
    }
  });

  test('are Established together when both have a hold-down, and stay so', () => {
    const { node, router, pass } = pair(4000, 2000);
    node.bfd(up);
    router.bfd(up);
    pass(2500);
    assert.equal(router.shown, 'OpenConfirm');
    assert.equal(node.shown, 'OpenSentConfirmedBfdUpPending');
    pass(2000);
    assert.equal(node.shown, 'Established');
    assert.equal(router.shown, 'Established');
    pass(30_000);
    assert.equal(node.shown, 'Established', 'KEEPALIVEs restart the hold timers');
  });

  test('give up after the hold time when BFD stays down, and try again', () => {
    const { node, router, pass } = pair();
    pass(8900);
    assert.equal(node.shown, 'OpenSentBfdUpPending');
    assert.equal(router.shown, 'OpenSentBfdUpPending');
    pass(600);
    assert.equal(node.shown, 'Idle');
    assert.equal(router.shown, 'Idle');
    pass(1000);
    assert.equal(node.shown, 'Connect');
    assert.equal(router.shown, 'Active');
  });
});

describe('bfd-hold-down', () => {
  test('delays the KEEPALIVE, and begins when BFD comes Up', () => {
    const peer = new Peer(negotiate(10_000));
    peer.bfd(up);
    peer.clock.advance(4000);
    peer.opens(90, strictMode);
    peer.keepalive();
    peer.clock.advance(5999);
    assert.equal(peer.shown, 'OpenSentConfirmedBfdUpPending');
    peer.clock.advance(1);
    assert.equal(peer.shown, 'Established');
  });

  test('lasts at most two thirds of the negotiated hold time, so that the peer does not give up', () => {
    const peer = new Peer(negotiate(60_000));
    peer.bfd(up);
    peer.opens(9, strictMode);
    peer.clock.advance(5999);
    assert.equal(peer.shown, 'OpenSentBfdUpPending');
    peer.clock.advance(1);
    assert.equal(peer.shown, 'OpenConfirm');
  });
});

describe('bfd-strict: local', () => {
  test('connects when BFD has been Up for the hold-down, and refuses connections of the peer until then', () => {
    const peer = new Peer(local(2000));
    assert.equal(peer.shown, 'IdleBfdUpPending');
    peer.take({ kind: 'incoming' });
    assert.deepEqual(peer.done(), ['reject']);
    peer.clock.advance(10_000);
    peer.bfd(up);
    peer.clock.advance(1999);
    assert.deepEqual(peer.done(), []);
    peer.clock.advance(1);
    assert.deepEqual(peer.done(), ['connect']);
  });

  test('waits for startWaitMs at most, then connects and reports that BFD did not come up; does not wait when the peer is AdminDown', () => {
    const peer = new Peer(local());
    peer.clock.advance(startWaitMs);
    assert.deepEqual(peer.done(), ['no-bfd', 'connect']);
    const admin = new Peer(local());
    admin.bfd({ remoteState: 'AdminDown' });
    assert.deepEqual(admin.done(), ['connect']);
  });

  test('reports in which BFD is not Up do not make the wait longer', () => {
    const peer = new Peer(local());
    for (let second = 0; second < startWaitMs / 1000; second++) {
      peer.bfd({ state: second % 2 === 0 ? 'Init' : 'Down', diagnostic: 3 });
      peer.clock.advance(1000);
    }
    assert.deepEqual(peer.done(), ['no-bfd', 'connect']);
  });

  test('a first report that comes late and in which BFD is not Up does not make the wait longer', () => {
    const peer = new Peer(local());
    peer.clock.advance(startWaitMs - 1);
    peer.bfd({ state: 'Init' });
    peer.clock.advance(1);
    assert.deepEqual(peer.done(), ['no-bfd', 'connect']);
  });

  test('edits that do not concern BFD do not make the wait longer', () => {
    const peer = new Peer(local());
    for (let second = 0; second < startWaitMs / 1000; second++) {
      peer.take({ kind: 'configure', settings: settings(local(), 60 + second), restart: second % 2 === 0 });
      peer.clock.advance(1000);
    }
    assert.deepEqual(
      peer.done().filter((kind) => kind !== 'apply-socket-rules'),
      ['no-bfd', 'connect'],
    );
  });

  test('a loss during the hold-down begins a new wait', () => {
    const peer = new Peer(local(10_000));
    peer.bfd(up);
    peer.clock.advance(9000);
    peer.bfd(lost);
    peer.clock.advance(5000);
    assert.equal(peer.shown, 'IdleBfdUpPending');
    peer.bfd(up);
    peer.clock.advance(10_000);
    assert.deepEqual(peer.done(), ['connect']);
  });

  for (const [to, bfd] of [
    ['off', off],
    ['negotiate', negotiate()],
    ['no BFD', undefined],
  ] as const)
    for (const restart of [false, true])
      test(`an edit to ${to}${restart ? ', together with a new hold time,' : ''} ends the wait`, () => {
        const peer = new Peer(local());
        peer.take({ kind: 'configure', settings: settings(bfd, restart ? 30 : 90), restart });
        assert.ok(peer.done().includes('connect'));
      });

  test('waits again after BFD has ended the session', () => {
    const peer = new Peer(local());
    peer.bfd(up);
    peer.opens(90);
    peer.keepalive();
    assert.equal(peer.shown, 'Established');
    peer.bfd(lost);
    peer.clock.advance(2000);
    assert.equal(peer.shown, 'IdleBfdUpPending');
    peer.bfd(up);
    assert.equal(peer.shown, 'Connect');
  });
});

describe('an edit', () => {
  const modes = { off, negotiate: negotiate(), local: local() } as const;
  const edits = (['off', 'negotiate', 'local'] as const).flatMap((from) =>
    (['off', 'negotiate', 'local'] as const).flatMap((to) => (from === to ? [] : [[from, to] as const])),
  );
  const edit = (peer: Peer, to: Bfd) =>
    peer.take({ kind: 'configure', settings: settings(to), restart: false });

  for (const [from, to] of edits)
    test(`of bfd-strict from ${from} to ${to} leaves an Established session up, even while BFD is Down, and applies to the next session`, () => {
      const peer = new Peer(modes[from]);
      if (from === 'local') peer.clock.advance(startWaitMs);
      peer.opens(90);
      peer.keepalive();
      peer.bfd({ state: 'Down' });
      peer.done();
      edit(peer, modes[to]);
      assert.equal(peer.shown, 'Established');
      assert.deepEqual(peer.done(), ['apply-socket-rules']);
      peer.take({ kind: 'tcp-failed', connection: peer.id, reason: 'reset' });
      peer.clock.advance(2000);
      assert.equal(peer.shown, to === 'local' ? 'IdleBfdUpPending' : 'Connect');
      if (to === 'local') return;
      peer.opens(90, strictMode);
      assert.equal(peer.shown, to === 'negotiate' ? 'OpenSentBfdUpPending' : 'OpenConfirm');
    });

  test('of bfd-strict to local ends an attempt that is under way, and the next attempt waits for BFD', () => {
    for (const steps of [0, 1, 2]) {
      const peer = new Peer(off);
      if (steps === 1) peer.take({ kind: 'tcp-connected', connection: peer.id });
      if (steps === 2) peer.opens(90);
      peer.done();
      edit(peer, local());
      assert.equal(peer.shown, 'IdleBfdUpPending', `${steps} steps`);
      peer.bfd(up);
      assert.equal(peer.shown, 'Connect');
    }
  });

  test('of bfd-hold-down alone lets an attempt go on', () => {
    const peer = new Peer(negotiate(1000));
    peer.opens(90, strictMode);
    edit(peer, negotiate(2000));
    assert.equal(peer.shown, 'OpenSentBfdUpPending');
  });
});

describe('a peer with BFD and without strict mode', () => {
  const established = (...more: readonly Capability[]) => {
    const peer = new Peer(off);
    peer.opens(90, ...more);
    peer.keepalive();
    assert.equal(peer.shown, 'Established');
    peer.done();
    return peer;
  };

  test('is not blocked by BFD that never comes up', () => {
    const peer = established();
    peer.bfd(lost);
    peer.bfd({ state: 'Init' });
    peer.bfd({ diagnostic: 3 });
    assert.equal(peer.shown, 'Established');
  });

  test('stays up when either end becomes AdminDown, even if BFD then stays silent', () => {
    const peer = established();
    peer.bfd(up);
    peer.bfd({ remoteState: 'AdminDown', diagnostic: 3 });
    peer.bfd(lost);
    peer.bfd(up);
    peer.bfd({ state: 'AdminDown', diagnostic: 7 });
    assert.equal(peer.shown, 'Established');
  });

  test('connects again with the normal delay after BFD has ended the session, although BFD is still Down', () => {
    const peer = established();
    peer.bfd(up);
    peer.bfd(lost);
    assert.deepEqual(peer.done(), ['N6/10', 'session-down:reset']);
    peer.clock.advance(1000);
    assert.equal(peer.shown, 'Connect');
    peer.opens(90);
    peer.keepalive();
    assert.equal(peer.shown, 'Established');
  });

  test('after a loss, a peer with graceful restart may keep the routes unless its BFD is independent of its control plane', () => {
    for (const [remoteControlPlaneIndependent, sent] of [
      [false, 'N6/10'],
      [true, 'N6/9'],
    ] as const) {
      const peer = established(graceful);
      peer.bfd({ ...up, remoteControlPlaneIndependent });
      peer.bfd(lost);
      assert.equal(peer.done()[0], sent);
    }
  });

  test('the removal of BFD from the peer ends the damping', () => {
    const peer = new Peer(off);
    for (let i = 0; i < dampingLosses; i++) {
      peer.opens(90);
      peer.keepalive();
      peer.bfd(up);
      peer.bfd(lost);
      peer.clock.advance(20_000);
    }
    assert.ok(peer.done().includes('bfd-damping'));
    peer.opens(90);
    peer.keepalive();
    peer.bfd(up);
    peer.bfd(lost);
    assert.equal(peer.shown, 'Established');
    assert.ok(peer.done().includes('bfd-loss-ignored'));
    peer.take({ kind: 'configure', settings: settings(undefined), restart: false });
    assert.ok(peer.done().includes('bfd-damping-over'));
    peer.bfd(up);
    peer.bfd(lost);
    assert.equal(peer.shown, 'Established');
  });
});
