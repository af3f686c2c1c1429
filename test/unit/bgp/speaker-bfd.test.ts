import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dampingLosses } from '../../../src/bgp/fsm/bfd-watch.ts';
import type { PeerBfdSettings } from '../../../src/bgp/peer.ts';
import { fixture, keepalive, open, peer } from './session-fixture.ts';

describe('a session with BFD', () => {
  const bfdReport = {
    state: 'Down',
    remoteState: 'Down',
    diagnostic: 1,
    remoteControlPlaneIndependent: false,
  } as const;
  const bfdUp = { ...bfdReport, state: 'Up', remoteState: 'Up', diagnostic: 0 } as const;
  const watched = (strict: PeerBfdSettings['strict'] = 'off', holdDownSeconds = 0) =>
    peer({ bfd: { strict, holdDownSeconds } });

  test('BFD down ends the session with Cease/BFD Down', () => {
    const { speaker, establish, status } = fixture();
    speaker.setPeers([watched()]);
    const stream = establish();
    speaker.bfdChanged('router', bfdUp);
    speaker.bfdChanged('router', bfdReport);
    const last = stream.messages.at(-1);
    assert.ok(last?.kind === 'notification' && last.code === 6 && last.subcode === 10);
    assert.equal(status().state, 'Idle');
  });

  test('BFD that flaps is damped: the log, the status and the metric show when the damping begins and when it ends', async () => {
    const { speaker, clock, transport, status, lines, registry } = fixture();
    const damped = async () =>
      (await registry.getSingleMetricAsString('bellman_bgp_bfd_damped')).split('\n').at(-1);
    speaker.setPeers([watched()]);
    const up = () => {
      transport.last.connected();
      transport.last.send(open(), keepalive);
      speaker.bfdChanged('router', bfdUp);
    };
    for (let i = 0; i < dampingLosses; i++) {
      up();
      speaker.bfdChanged('router', bfdReport);
      assert.equal(status().state, 'Idle');
      clock.advance(16_000);
    }
    up();
    speaker.bfdChanged('router', bfdReport);
    assert.equal(status().state, 'Established', 'the session survives the next loss');
    assert.match(status().warnings.join(), /BFD has ended the session 5 times within 10 minutes/);
    assert.equal(lines.filter((line) => line.includes('BFD damped')).length, 1);
    assert.match((await damped()) ?? '', / 1$/);
    speaker.setPeers([{ ...watched(), settings: { ...watched().settings, name: 'tor' } }]);
    assert.match((await damped()) ?? '', /peer="tor"\} 1$/);
    for (let minute = 0; minute < 10; minute++) {
      for (let i = 0; i < 4; i++) transport.last.send(keepalive);
      clock.advance(60_000);
    }
    assert.doesNotMatch(status().warnings.join(), /BFD/);
    assert.equal(lines.filter((line) => line.includes('BFD no longer damped')).length, 1);
    assert.match((await damped()) ?? '', / 0$/);
    speaker.bfdChanged('router', bfdUp);
    speaker.bfdChanged('router', bfdReport);
    assert.equal(status().state, 'Idle', 'a loss ends the session again');
  });

  test('BFD strict mode: the session waits in OpenSent for BFD, and status shows the sub-state', () => {
    const { speaker, transport, status } = fixture();
    speaker.setPeers([watched('negotiate')]);
    transport.last.connected();
    transport.last.send(open({ kind: 'bfd-strict' }));
    assert.equal(status().state, 'OpenSent');
    assert.equal(status().subState, 'OpenSentBfdUpPending');
    assert.ok(status().capabilities.includes('bfd-strict'));
    speaker.bfdChanged('router', bfdUp);
    transport.last.send(keepalive);
    assert.equal(status().state, 'Established');
    assert.equal(status().subState, undefined);
  });

  test('with bfd-strict set to local, the speaker connects after 30 s although BFD is not Up, and logs that the session begins without BFD', () => {
    const { speaker, clock, transport, status, lines } = fixture();
    speaker.setPeers([watched('local')]);
    assert.equal(transport.streams.length, 0);
    assert.equal(status().subState, 'IdleBfdUpPending');
    clock.advance(29_999);
    assert.equal(transport.streams.length, 0);
    clock.advance(1);
    assert.equal(transport.streams.length, 1);
    assert.ok(lines.some((line) => line.includes('session begins without BFD')));
  });

  test('an edit of bfd-hold-down or bfd-strict leaves the running session up, and applies to the next OPEN', () => {
    const { speaker, clock, establish, status, transport } = fixture();
    speaker.setPeers([watched('local')]);
    speaker.bfdChanged('router', bfdUp);
    establish();
    speaker.setPeers([watched('local', 9)]);
    speaker.setPeers([watched('off')]);
    speaker.setPeers([watched('negotiate')]);
    assert.equal(status().state, 'Established');
    transport.last.closed('connection reset by the peer');
    clock.advance(1000);
    transport.last.connected();
    transport.last.send(open({ kind: 'bfd-strict' }));
    assert.ok(status().capabilities.includes('bfd-strict'));
  });
});
