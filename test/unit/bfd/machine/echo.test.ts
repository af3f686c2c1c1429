import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BfdPacket, encodePacket } from '../../../../src/bfd/codec/packet.ts';
import { Echo } from '../../../../src/bfd/machine/echo.ts';
import { SessionMachine } from '../../../../src/bfd/machine/session-machine.ts';
import { decoded, packet } from '../packets.ts';

const settings = {
  ...{ desiredMinTxInterval: 100_000, requiredMinRxInterval: 100_000, detectMultiplier: 3, passive: false },
  ...{ echoInterval: 50_000, returnsEcho: true },
};

/** A session that is Up, in virtual time. Its peer offers the echo function, and has the Detect Mult 255, so that it does not count as silent. */
class EchoSession {
  nowMs = 0;
  readonly machine = new SessionMachine({ localDiscriminator: 1, settings, random: () => 0, nowMs: 0 });
  readonly echoes: number[] = [];
  last: ReturnType<typeof decoded> | undefined;
  /** Whether the peer returns Echo packets. */
  returns = true;
  /** Whether this node can send Echo packets. */
  sends = true;

  constructor() {
    this.receive({ state: 'Down', yourDiscriminator: 0 });
    this.receive({ state: 'Init' });
    this.receive({ final: true });
  }

  receive(changes: Partial<BfdPacket> = {}): void {
    const octets = encodePacket(
      packet({ detectMultiplier: 255, requiredMinEchoRxInterval: 20_000, ...changes }),
    );
    this.#take(this.machine.receive(decoded(octets), octets, this.nowMs));
  }

  runTo(endMs: number): void {
    while (this.machine.wakeAtMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.machine.wakeAtMs);
      this.#take(this.machine.wake(this.nowMs));
    }
    this.nowMs = endMs;
  }

  #take(actions: ReturnType<SessionMachine['wake']>): void {
    for (const action of actions) {
      if (action.kind === 'send') this.last = decoded(action.octets);
      if (action.kind !== 'echo') continue;
      if (!this.sends) {
        this.#take(this.machine.echoNotSent(this.nowMs));
        continue;
      }
      this.echoes.push(action.sequence);
      if (this.returns) this.#take(this.machine.echoReturned(action.sequence, this.nowMs));
    }
  }
}

describe('the echo function', () => {
  test('sends while the session is Up and the peer offers it', () => {
    const session = new EchoSession();
    session.runTo(1000);
    assert.ok(session.echoes.length > 20);
    assert.equal(session.machine.echo.intervalMs, 50);
    assert.equal(session.last?.requiredMinEchoRxInterval, 50_000);
    session.receive({ requiredMinEchoRxInterval: 200_000 });
    assert.equal(session.machine.echo.intervalMs, 200, 'the peer limits the interval');
    const { length } = session.echoes;
    session.receive({ requiredMinEchoRxInterval: 0 });
    session.runTo(2000);
    assert.equal(session.echoes.length, length);
    assert.equal(session.machine.intervals.advertised.requiredMinRx, 100_000);
  });

  test('asks for fast control packets again when the configuration turns the echo function off', () => {
    const session = new EchoSession();
    session.runTo(500);
    session.receive({ final: true });
    assert.equal(session.machine.detectionTime, 255 * 1_000_000);
    const { echoInterval: _, ...withoutEcho } = settings;
    session.machine.configure(withoutEcho, session.nowMs);
    session.receive({ final: true });
    assert.equal(session.machine.detectionTime, 255 * 100_000);
  });

  test('goes on beyond the largest sequence number that a packet can carry', () => {
    const echo = new Echo(() => 0, 2 ** 32 - 2);
    echo.setInterval(50, 3, 0);
    let nowMs = 0;
    const send = () => {
      nowMs = echo.wakeAtMs;
      const sequence = echo.wake(nowMs);
      assert.ok(sequence !== undefined);
      return sequence;
    };
    assert.equal(echo.returned(send()), true);
    for (const expected of [0, 1, 2, 3, 4, 5]) {
      assert.equal(echo.isDetectionDue(echo.wakeAtMs), false);
      const sequence = send();
      assert.equal(sequence, expected);
      assert.equal(echo.returned(sequence), true);
    }
  });

  test('asks for slow control packets only after an Echo packet has returned', () => {
    const session = new EchoSession();
    session.returns = false;
    session.runTo(500);
    assert.equal(session.machine.intervals.advertised.requiredMinRx, 100_000);
    session.returns = true;
    session.runTo(600);
    assert.equal(session.machine.intervals.advertised.requiredMinRx, 1_000_000);
  });

  test('takes the session down when 3 packets in a row (the Detect Mult) do not return', () => {
    const session = new EchoSession();
    session.runTo(500);
    session.returns = false;
    session.runTo(635);
    assert.equal(session.machine.state, 'Up');
    session.runTo(700);
    assert.deepEqual([session.machine.state, session.machine.diagnostic], ['Down', 2]);
    assert.equal(session.machine.intervals.advertised.requiredMinRx, 100_000);
    const { length } = session.echoes;
    session.runTo(2000);
    assert.equal(session.echoes.length, length);
  });

  test('keeps the session up while the peer has never returned a packet', () => {
    const session = new EchoSession();
    session.returns = false;
    session.runTo(5000);
    assert.equal(session.machine.state, 'Up');
    assert.ok(session.echoes.length > 50);
  });

  test('does not count a packet that could not be sent, and asks for fast control packets again after 3 of them', () => {
    const session = new EchoSession();
    session.runTo(500);
    const { requiredMinRx: slow } = session.machine.intervals.advertised;
    session.sends = false;
    session.runTo(560);
    assert.equal(session.machine.intervals.advertised.requiredMinRx, slow);
    session.runTo(5000);
    assert.equal(session.machine.state, 'Up');
    assert.equal(session.machine.intervals.advertised.requiredMinRx, 100_000);
    session.sends = true;
    session.runTo(5100);
    assert.equal(session.machine.intervals.advertised.requiredMinRx, slow);
    assert.deepEqual(
      session.echoes,
      session.echoes.map((_, i) => i + 1),
    );
  });

  test('still counts the packets that did not return when others could not be sent', () => {
    const session = new EchoSession();
    session.runTo(500);
    session.returns = false;
    session.runTo(560);
    session.sends = false;
    session.runTo(620);
    assert.equal(session.machine.echo.isProven, true);
    session.sends = true;
    session.runTo(800);
    assert.deepEqual([session.machine.state, session.machine.diagnostic], ['Down', 2]);
  });

  test('does not count a pause of this process as silence of the peer', () => {
    const session = new EchoSession();
    session.runTo(500);
    session.nowMs = 3000;
    session.runTo(3200);
    assert.equal(session.machine.state, 'Up');
  });

  test('ignores a returned packet whose number was never sent', () => {
    const session = new EchoSession();
    session.returns = false;
    session.runTo(200);
    assert.deepEqual(session.machine.echoReturned(999, 200), []);
    assert.equal(session.machine.echo.isProven, false);
  });

  test('in a successor, keeps the Detection Time for slow control packets until the peer has confirmed the shorter interval', () => {
    const session = new EchoSession();
    session.runTo(500);
    session.receive({ detectMultiplier: 3 });
    const inherited = session.machine.passOn();
    assert.ok(inherited);
    const next = new SessionMachine({
      localDiscriminator: 1,
      settings,
      random: () => 0,
      nowMs: 500,
      inherited,
    });
    const first = next.wake(500).find((action) => action.kind === 'send');
    assert.ok(first);
    assert.deepEqual(
      [decoded(first.octets).poll, decoded(first.octets).requiredMinRxInterval, next.detectionTime],
      [true, 100_000, 3_000_000],
    );
    const answer = encodePacket(packet({ detectMultiplier: 3, final: true }));
    next.receive(decoded(answer), answer, 510);
    assert.equal(next.detectionTime, 300_000, 'the peer sends faster now');
  });
});
