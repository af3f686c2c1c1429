import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BfdPacket, encodePacket } from '../../../../src/bfd/codec/packet.ts';
import { SessionMachine } from '../../../../src/bfd/machine/session-machine.ts';
import { decoded, packet } from '../packets.ts';

/** A session that is Up with a peer that is never silent and offers the echo function, in virtual time. */
class Bench {
  nowMs = 0;
  readonly machine = new SessionMachine({
    localDiscriminator: 1,
    settings: {
      ...{
        desiredMinTxInterval: 100_000,
        requiredMinRxInterval: 100_000,
        detectMultiplier: 3,
        passive: false,
      },
      ...{ echoInterval: 50_000, returnsEcho: true },
    },
    random: () => 0,
    nowMs: 0,
  });
  readonly echoes: number[] = [];
  last: ReturnType<typeof decoded> | undefined;
  /** Whether the peer returns Echo packets. */
  returns = true;

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
      this.echoes.push(action.sequence);
      if (this.returns) this.#take(this.machine.echoReturned(action.sequence, this.nowMs));
    }
  }
}

describe('the echo function', () => {
  test('sends while the session is Up and the peer offers it', () => {
    const bench = new Bench();
    bench.runTo(1000);
    assert.ok(bench.echoes.length > 20);
    assert.equal(bench.machine.echo.intervalMs, 50);
    assert.equal(bench.last?.requiredMinEchoRxInterval, 50_000);
    bench.receive({ requiredMinEchoRxInterval: 200_000 });
    assert.equal(bench.machine.echo.intervalMs, 200, 'the peer limits the interval');
    const { length } = bench.echoes;
    bench.receive({ requiredMinEchoRxInterval: 0 });
    bench.runTo(2000);
    assert.equal(bench.echoes.length, length);
  });

  test('asks for slow control packets only after an Echo packet has returned', () => {
    const bench = new Bench();
    bench.returns = false;
    bench.runTo(500);
    assert.equal(bench.machine.intervals.advertised.requiredMinRx, 100_000);
    bench.returns = true;
    bench.runTo(600);
    assert.equal(bench.machine.intervals.advertised.requiredMinRx, 1_000_000);
  });

  test('takes the session down when Detect Mult packets in a row do not return', () => {
    const bench = new Bench();
    bench.runTo(500);
    bench.returns = false;
    bench.runTo(635);
    assert.equal(bench.machine.state, 'Up');
    bench.runTo(700);
    assert.deepEqual([bench.machine.state, bench.machine.diagnostic], ['Down', 2]);
    assert.equal(bench.machine.intervals.advertised.requiredMinRx, 100_000);
    const { length } = bench.echoes;
    bench.runTo(2000);
    assert.equal(bench.echoes.length, length);
  });

  test('keeps a session up whose peer has never returned a packet', () => {
    const bench = new Bench();
    bench.returns = false;
    bench.runTo(5000);
    assert.equal(bench.machine.state, 'Up');
    assert.ok(bench.echoes.length > 50);
  });

  test('does not take a pause of this process for silence', () => {
    const bench = new Bench();
    bench.runTo(500);
    bench.nowMs = 3000;
    bench.runTo(3200);
    assert.equal(bench.machine.state, 'Up');
  });

  test('ignores a number that was never sent', () => {
    const bench = new Bench();
    bench.returns = false;
    bench.runTo(200);
    assert.deepEqual(bench.machine.echoReturned(999, 200), []);
    assert.equal(bench.machine.echo.isProven, false);
  });
});
