/** Two machines and a link between them, in virtual time, under random events. Each run checks what must hold at every step. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SessionAction, SessionMachine } from '../../../../src/bfd/machine/session-machine.ts';
import type { MachineSettings } from '../../../../src/bfd/machine/settings.ts';
import { Random } from '../../../fuzz/random.ts';
import { decoded } from '../packets.ts';

const runs = 30;
const eventsPerRun = 120;
const key = { id: 1, octets: Buffer.from('shared') };

interface InFlight {
  readonly to: End;
  readonly octets: Uint8Array;
  readonly atMs: number;
}

class End {
  readonly machine: SessionMachine;
  readonly random: Random;
  lastPeriodicMs = Number.NEGATIVE_INFINITY;
  /** The shortest interval in force since the last periodic packet. */
  leastInterval = 0;
  isAdminDown = false;

  constructor(discriminator: number, settings: MachineSettings, random: Random) {
    this.random = random;
    this.machine = new SessionMachine({
      localDiscriminator: discriminator,
      settings,
      random: () => random.uint32() / 2 ** 32,
      nowMs: 0,
    });
  }
}

class World {
  nowMs = 0;
  readonly random: Random;
  readonly a: End;
  readonly b: End;
  readonly inFlight: InFlight[] = [];
  lossPercent = 0;
  readonly isAuthenticated: boolean;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.isAuthenticated = this.random.oneIn(2);
    this.a = new End(11, { ...this.settings(), passive: this.random.oneIn(3) }, this.random);
    this.b = new End(22, this.settings(), this.random);
  }

  settings(): MachineSettings {
    const interval = () => 1000 * this.random.pick([10, 50, 100, 300, 1000, 3000]);
    const type = 'meticulous-sha1';
    return {
      desiredMinTxInterval: interval(),
      requiredMinRxInterval: interval(),
      detectMultiplier: this.random.pick([1, 2, 3, 10]),
      passive: false,
      ...(this.isAuthenticated ? { authentication: { type, sendKey: key, keys: new Map([[1, key]]) } } : {}),
    };
  }

  /** Applies a random event to one end or to the link, or no event. Then lets time pass. */
  disturb(): void {
    const end = this.random.pick([this.a, this.b]);
    switch (this.random.below(5)) {
      case 0:
        this.lossPercent = this.random.pick([0, 0, 10, 50, 100]);
        break;
      case 1: {
        const { passive } = end.machine.settings;
        this.take(end, end.machine.configure({ ...this.settings(), passive }, this.nowMs));
        break;
      }
      case 2:
        end.isAdminDown = !end.isAdminDown;
        this.take(end, end.machine.setAdminDown(end.isAdminDown, this.nowMs));
        break;
      default:
        break;
    }
    this.run(this.random.pick([10, 100, 1000, 5000]));
  }

  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const flight = this.inFlight[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const next = Math.min(flight, this.a.machine.wakeAtMs, this.b.machine.wakeAtMs);
      if (next > endMs) break;
      this.nowMs = Math.max(this.nowMs, next);
      const arrived = flight <= this.nowMs ? this.inFlight.shift() : undefined;
      if (arrived) this.deliver(arrived);
      else
        for (const end of [this.a, this.b])
          if (end.machine.wakeAtMs <= this.nowMs) {
            // A change of state can shorten the Detection Time, so the next wake may be due already.
            this.take(end, end.machine.wake(this.nowMs));
            this.take(end, end.machine.wake(this.nowMs));
            assert.ok(end.machine.wakeAtMs > this.nowMs, 'the machine would be woken for ever');
          }
    }
    this.nowMs = endMs;
  }

  deliver({ to, octets }: InFlight): void {
    const packet = decoded(octets);
    // The demultiplexer delivers only packets with our discriminator, or with none.
    if (packet.yourDiscriminator !== 0 && packet.yourDiscriminator !== to.machine.localDiscriminator) return;
    const before = to.machine.state;
    this.take(to, to.machine.receive(packet, octets, this.nowMs));
    if (before !== 'Up' && to.machine.state === 'Up')
      assert.ok(['Init', 'Up'].includes(packet.state), `Up after a packet in state ${packet.state}`);
  }

  take(from: End, actions: readonly SessionAction[]): void {
    const { machine } = from;
    const to = from === this.a ? this.b : this.a;
    let finals = 0;
    for (const action of actions) {
      if (action.kind !== 'send') continue;
      const packet = decoded(action.octets);
      assert.ok(!(packet.poll && packet.final));
      assert.equal(packet.myDiscriminator, machine.localDiscriminator);
      if (machine.settings.passive)
        assert.notEqual(packet.yourDiscriminator, 0, 'a passive end speaks first');
      if (packet.state !== 'Up')
        assert.ok(packet.desiredMinTxInterval >= 1_000_000, 'a fast interval outside the state Up');
      if (packet.final) finals++;
      if (action.lateMs !== undefined) this.#checkGap(from, packet.final);
      if (this.random.below(100) < this.lossPercent) continue;
      this.inFlight.push({ to, octets: action.octets, atMs: this.nowMs + 0.2 });
    }
    assert.ok(finals <= 1);
    const { intervals, state, detectionTime, transmitInterval } = machine;
    from.leastInterval = Math.min(from.leastInterval, transmitInterval);
    assert.ok(intervals.inForce.desiredMinTx <= intervals.advertised.desiredMinTx);
    assert.ok(intervals.inForce.requiredMinRx >= intervals.advertised.requiredMinRx);
    if (state !== 'Up') assert.ok(!intervals.isPolling && transmitInterval >= 1_000_000);
    if (state === 'Up' || state === 'Init') assert.notEqual(machine.remote.discriminator, 0);
    assert.equal(state === 'AdminDown', from.isAdminDown);
    assert.ok(detectionTime >= 0);
  }

  /** Periodic packets keep the distance that both ends have agreed on, less the jitter. */
  #checkGap(from: End, isFinal: boolean): void {
    assert.ok(!isFinal, 'a final packet is never periodic');
    const leastMs = (0.75 * from.leastInterval) / 1000;
    assert.ok(this.nowMs - from.lastPeriodicMs >= leastMs - 0.01, `a gap below ${leastMs} ms`);
    from.lastPeriodicMs = this.nowMs;
    from.leastInterval = Number.POSITIVE_INFINITY;
  }
}

test('two machines keep the rules under random events, and come up when the link is good', () => {
  for (let seed = 1; seed <= runs; seed++) {
    const world = new World(seed);
    try {
      for (let step = 0; step < eventsPerRun; step++) world.disturb();
      world.lossPercent = 0;
      for (const end of [world.a, world.b]) {
        end.isAdminDown = false;
        world.take(end, end.machine.setAdminDown(false, world.nowMs));
      }
      // After twice the largest Detection Time (10 × 3000 ms), the sequence numbers are forgotten. The rest is time for some slow packets.
      world.run(2 * 10 * 3000 + 20_000);
      assert.deepEqual([world.a.machine.state, world.b.machine.state], ['Up', 'Up']);
      assert.deepEqual(
        [world.a.machine.intervals.isPolling, world.b.machine.intervals.isPolling],
        [false, false],
        'a Poll Sequence that never ends',
      );
      world.lossPercent = 100;
      const longestMs = Math.max(world.a.machine.detectionTime, world.b.machine.detectionTime) / 1000;
      world.run(longestMs + 1);
      assert.deepEqual([world.a.machine.state, world.b.machine.state], ['Down', 'Down']);
    } catch (cause) {
      throw new Error(`seed ${seed}, at ${world.nowMs} ms`, { cause });
    }
  }
});
