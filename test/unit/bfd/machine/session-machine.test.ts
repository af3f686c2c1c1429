import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BfdPacket, encodePacket, type ReceivedPacket } from '../../../../src/bfd/codec/packet.ts';
import type { BfdState } from '../../../../src/bfd/codec/state.ts';
import { type SessionAction, SessionMachine } from '../../../../src/bfd/machine/session-machine.ts';
import type { MachineSettings } from '../../../../src/bfd/machine/settings.ts';
import { decoded, packet, signed } from '../packets.ts';

const settings: MachineSettings = {
  desiredMinTxInterval: 100_000,
  requiredMinRxInterval: 100_000,
  detectMultiplier: 3,
  passive: false,
};
const key = { id: 1, octets: Buffer.from('one') };
const otherKey = { id: 2, octets: Buffer.from('two') };
const authentication = {
  type: 'meticulous-sha1',
  sendKey: key,
  keys: new Map([
    [1, key],
    [2, otherKey],
  ]),
} as const;

/** A machine in virtual time. By default the random number is 0, so every interval is 75 % of the negotiated one. */
class Bench {
  nowMs = 0;
  readonly machine: SessionMachine;
  readonly sent: { readonly atMs: number; readonly packet: ReceivedPacket; readonly octets: Uint8Array }[] =
    [];
  readonly actions: SessionAction[] = [];

  constructor(changes: Partial<MachineSettings> = {}, random: () => number = () => 0) {
    this.machine = new SessionMachine({
      localDiscriminator: 1,
      settings: { ...settings, ...changes },
      random,
      nowMs: 0,
    });
  }

  receive(changes: Partial<BfdPacket> = {}): readonly SessionAction[] {
    return this.receiveOctets(encodePacket(packet(changes)));
  }

  receiveOctets(octets: Uint8Array): readonly SessionAction[] {
    return this.#take(this.machine.receive(decoded(octets), octets, this.nowMs));
  }

  configure(changes: Partial<MachineSettings>): void {
    this.#take(this.machine.configure({ ...settings, ...changes }, this.nowMs));
  }

  adminDown(isDown: boolean): void {
    this.#take(this.machine.setAdminDown(isDown, this.nowMs));
  }

  /** Wakes the machine at every time that it asks for, until `endMs`. */
  runTo(endMs: number): void {
    while (this.machine.wakeAtMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.machine.wakeAtMs);
      this.#take(this.machine.wake(this.nowMs));
    }
    this.nowMs = endMs;
  }

  /** Wakes the machine only at the end, like a process that could not run. */
  stallTo(endMs: number): readonly SessionAction[] {
    this.nowMs = endMs;
    return this.#take(this.machine.wake(endMs));
  }

  /** Brings the session to the state, and forgets what was sent on the way. */
  to(state: BfdState): this {
    if (state === 'AdminDown') this.adminDown(true);
    if (state === 'Init' || state === 'Up') this.receive({ state: 'Down', yourDiscriminator: 0 });
    if (state === 'Up') {
      this.receive({ state: 'Init' });
      this.receive({ final: true });
    }
    assert.equal(this.machine.state, state);
    this.sent.length = 0;
    this.actions.length = 0;
    return this;
  }

  get last() {
    const last = this.sent.at(-1);
    assert.ok(last, 'a packet was sent');
    return last.packet;
  }

  #take(actions: readonly SessionAction[]): readonly SessionAction[] {
    for (const action of actions) {
      this.actions.push(action);
      if (action.kind === 'send')
        this.sent.push({ atMs: this.nowMs, packet: decoded(action.octets), octets: action.octets });
    }
    return actions;
  }
}

function dropOf(actions: readonly SessionAction[]): string | undefined {
  return actions.find((action) => action.kind === 'drop')?.reason;
}

describe('the state table of RFC 5880 section 6.2', () => {
  const states = ['AdminDown', 'Down', 'Init', 'Up'] as const;
  /** For each local state, the outcomes of the received states in the order of `states`. An outcome is the new state with its diagnostic. */
  const expected: Readonly<Record<BfdState, readonly (readonly [BfdState, number])[]>> = {
    AdminDown: [
      ['AdminDown', 7],
      ['AdminDown', 7],
      ['AdminDown', 7],
      ['AdminDown', 7],
    ],
    Down: [
      ['Down', 0],
      ['Init', 0],
      ['Up', 0],
      ['Down', 0],
    ],
    Init: [
      ['Down', 3],
      ['Init', 0],
      ['Up', 0],
      ['Up', 0],
    ],
    Up: [
      ['Down', 3],
      ['Down', 3],
      ['Up', 0],
      ['Up', 0],
    ],
  };
  for (const local of states)
    for (const [column, received] of states.entries())
      test(`${local} receives ${received}`, () => {
        const bench = new Bench().to(local);
        const actions = bench.receive({ state: received });
        const [state, diagnostic] = expected[local][column] ?? [];
        assert.equal(bench.machine.state, state);
        assert.equal(bench.machine.diagnostic, diagnostic);
        assert.equal(dropOf(actions), local === 'AdminDown' ? 'admin-down' : undefined);
        // The machine sends one packet at once when its state changes, and otherwise none.
        assert.equal(bench.sent.length, state === local ? 0 : 1);
        if (state !== local) assert.equal(bench.last.state, state);
      });
});

describe('reception, RFC 5880 section 6.8.6', () => {
  test('a packet without our discriminator changes nothing while the session is Up', () => {
    for (const state of ['Down', 'AdminDown'] as const) {
      const bench = new Bench().to('Up');
      assert.equal(
        dropOf(bench.receive({ state, yourDiscriminator: 0, myDiscriminator: 99 })),
        'no-discriminator',
      );
      assert.equal(bench.machine.state, 'Up');
      assert.equal(bench.machine.remote.discriminator, 2);
    }
  });

  test('a refused packet does not restart the Detection Time', () => {
    const bench = new Bench().to('Up');
    bench.runTo(200);
    bench.receive({ state: 'Down', yourDiscriminator: 0 });
    bench.runTo(310);
    assert.equal(bench.machine.state, 'Down');
  });

  test('the values of the peer are stored', () => {
    const bench = new Bench().to('Up');
    bench.receive({ diagnostic: 5, controlPlaneIndependent: true, demand: true, myDiscriminator: 77 });
    const { remote } = bench.machine;
    assert.deepEqual(
      [remote.diagnostic, remote.controlPlaneIndependent, remote.demand, remote.discriminator],
      [5, true, true, 77],
    );
    bench.receive({ poll: true });
    assert.equal(bench.last.yourDiscriminator, 2);
  });

  test('a poll is answered at once, and the answer has the Final bit and not the Poll bit', () => {
    const bench = new Bench();
    bench.receive({ state: 'Down', yourDiscriminator: 0 });
    bench.receive({ state: 'Init' });
    assert.ok(bench.machine.intervals.isPolling);
    const before = bench.sent.length;
    bench.receive({ poll: true });
    assert.equal(bench.sent.length, before + 1);
    assert.deepEqual([bench.last.final, bench.last.poll], [true, false]);
  });

  test('a change of state and a poll in one packet get one answer', () => {
    const bench = new Bench().to('Init');
    bench.receive({ state: 'Up', poll: true });
    assert.equal(bench.sent.length, 1);
    assert.deepEqual([bench.last.state, bench.last.final], ['Up', true]);
  });

  test('AdminDown answers no poll', () => {
    const bench = new Bench().to('AdminDown');
    bench.receive({ poll: true });
    assert.equal(bench.sent.length, 0);
  });
});

describe('transmission, RFC 5880 section 6.8.7', () => {
  test('a session that is not Up sends with an interval of one second, less the jitter', () => {
    const bench = new Bench();
    bench.runTo(10_000);
    assert.equal(bench.sent[0]?.atMs, 0);
    for (const [index, { atMs, packet: each }] of bench.sent.entries()) {
      assert.equal(atMs, index * 750);
      assert.equal(each.desiredMinTxInterval, 1_000_000);
      assert.equal(each.requiredMinRxInterval, 100_000);
      assert.equal(each.yourDiscriminator, 0);
    }
  });

  test('the jitter shortens every interval by 10 to 25 %', () => {
    for (const [random, least] of [
      [0, 75],
      [0.999999, 90],
    ] as const) {
      const bench = new Bench({}, () => random).to('Up');
      bench.receive({ detectMultiplier: 255 });
      bench.runTo(5000);
      const gaps = bench.sent.slice(1).map(({ atMs }, index) => atMs - (bench.sent[index]?.atMs ?? 0));
      assert.ok(gaps.length > 40);
      for (const gap of gaps) assert.ok(Math.abs(gap - least) < 0.01, `${gap}`);
    }
  });

  test('a late wake delays one packet, and not those after it', () => {
    const bench = new Bench().to('Up');
    bench.receive({ detectMultiplier: 255 });
    bench.runTo(80);
    bench.stallTo(200);
    bench.runTo(380);
    assert.deepEqual(
      bench.sent.map(({ atMs }) => atMs),
      [75, 200, 225, 300, 375],
    );
    const late = bench.actions.flatMap((action) => (action.kind === 'send' ? [action.lateMs] : []));
    assert.deepEqual(late, [0, 50, 0, 0, 0]);
  });

  test('the slower of the two ends sets the interval', () => {
    const bench = new Bench().to('Up');
    bench.receive({ requiredMinRxInterval: 400_000, detectMultiplier: 255 });
    assert.equal(bench.machine.transmitInterval, 400_000);
  });

  test('a session that comes Up announces the fast interval with a Poll Sequence, and uses it at once', () => {
    const bench = new Bench().to('Init');
    bench.receive({ state: 'Init' });
    assert.deepEqual([bench.last.poll, bench.last.desiredMinTxInterval], [true, 100_000]);
    assert.equal(bench.machine.transmitInterval, 100_000);
    bench.runTo(80);
    assert.equal(bench.last.poll, true);
    bench.receive({ final: true });
    bench.runTo(160);
    assert.equal(bench.last.poll, false);
  });

  test('a session that goes Down sends slowly again', () => {
    const bench = new Bench().to('Up');
    bench.receive({ state: 'Down' });
    assert.equal(bench.last.desiredMinTxInterval, 1_000_000);
    assert.equal(bench.machine.transmitInterval, 1_000_000);
    assert.equal(bench.machine.intervals.isPolling, false);
  });

  test('a passive end is silent until it knows the peer', () => {
    const bench = new Bench({ passive: true });
    bench.runTo(5000);
    assert.equal(bench.sent.length, 0);
    bench.receive({ state: 'Down', yourDiscriminator: 0 });
    assert.deepEqual([bench.last.state, bench.last.yourDiscriminator], ['Init', 2]);
    bench.runTo(20_000);
    // The peer is silent again, so its discriminator is forgotten.
    const count = bench.sent.length;
    bench.runTo(40_000);
    assert.equal(bench.sent.length, count);
  });

  test('a peer with Required Min RX 0 gets no periodic packets', () => {
    const bench = new Bench().to('Up');
    bench.receive({ requiredMinRxInterval: 0, detectMultiplier: 255 });
    bench.runTo(5000);
    assert.equal(bench.sent.length, 0);
    bench.receive({ poll: true, requiredMinRxInterval: 0 });
    assert.equal(bench.last.final, true);
  });

  test('a peer in demand mode gets periodic packets only in a Poll Sequence', () => {
    const bench = new Bench().to('Up');
    bench.receive({ demand: true, detectMultiplier: 255 });
    bench.runTo(5000);
    assert.equal(bench.sent.length, 0);
    bench.configure({ requiredMinRxInterval: 50_000 });
    bench.runTo(5200);
    assert.ok(bench.sent.length > 0);
    assert.ok(bench.sent.every(({ packet: each }) => each.poll));
    bench.receive({ demand: true, final: true, detectMultiplier: 255 });
    const count = bench.sent.length;
    bench.runTo(8000);
    assert.equal(bench.sent.length, count);
  });
});

describe('changes of parameters, RFC 5880 section 6.8.3', () => {
  const quiet = { detectMultiplier: 100 };

  test('a longer Desired Min TX takes effect after the Final bit', () => {
    const bench = new Bench().to('Up');
    bench.receive(quiet);
    bench.configure({ desiredMinTxInterval: 300_000 });
    assert.equal(bench.machine.transmitInterval, 100_000);
    bench.runTo(80);
    assert.deepEqual([bench.last.poll, bench.last.desiredMinTxInterval], [true, 300_000]);
    bench.receive({ ...quiet, final: true });
    assert.equal(bench.machine.transmitInterval, 300_000);
  });

  test('a shorter Desired Min TX takes effect at once', () => {
    const bench = new Bench().to('Up');
    bench.receive(quiet);
    bench.configure({ desiredMinTxInterval: 50_000 });
    assert.equal(bench.machine.transmitInterval, 100_000, 'the peer still limits it');
    bench.receive({ ...quiet, requiredMinRxInterval: 20_000 });
    assert.equal(bench.machine.transmitInterval, 50_000);
    assert.ok(bench.machine.intervals.isPolling);
  });

  test('a shorter Required Min RX counts in our Detection Time after the Final bit', () => {
    const bench = new Bench().to('Up');
    bench.receive({ desiredMinTxInterval: 10_000 });
    bench.configure({ requiredMinRxInterval: 50_000 });
    assert.equal(bench.machine.detectionTime, 300_000);
    bench.receive({ desiredMinTxInterval: 10_000, final: true });
    assert.equal(bench.machine.detectionTime, 150_000);
  });

  test('a longer Required Min RX counts at once', () => {
    const bench = new Bench().to('Up');
    bench.configure({ requiredMinRxInterval: 500_000 });
    assert.equal(bench.machine.detectionTime, 1_500_000);
  });

  test('a change during a Poll Sequence waits for a Poll Sequence of its own', () => {
    const bench = new Bench().to('Up');
    bench.receive(quiet);
    bench.configure({ desiredMinTxInterval: 300_000 });
    bench.configure({ desiredMinTxInterval: 600_000 });
    bench.receive({ ...quiet, final: true });
    assert.ok(bench.machine.intervals.isPolling);
    assert.equal(
      bench.machine.transmitInterval,
      300_000,
      'the peer may have confirmed the first change only',
    );
    bench.receive({ ...quiet, final: true });
    assert.ok(!bench.machine.intervals.isPolling);
    assert.equal(bench.machine.transmitInterval, 600_000);
  });

  test('another multiplier needs no Poll Sequence', () => {
    const bench = new Bench().to('Up');
    bench.receive(quiet);
    bench.configure({ detectMultiplier: 7 });
    bench.runTo(80);
    assert.deepEqual([bench.last.poll, bench.last.detectMultiplier], [false, 7]);
  });

  test('an unexpected Final bit changes nothing', () => {
    const bench = new Bench().to('Up');
    bench.receive({ final: true });
    assert.deepEqual(bench.actions, []);
  });
});

describe('detection, RFC 5880 section 6.8.4', () => {
  for (const state of ['Init', 'Up'] as const)
    test(`${state} goes Down after a Detection Time, with diagnostic 1`, () => {
      const bench = new Bench().to(state);
      bench.receive({ state: state === 'Up' ? 'Up' : 'Down', detectMultiplier: 5 });
      bench.runTo(499);
      assert.equal(bench.machine.state, state);
      bench.runTo(501);
      assert.deepEqual([bench.machine.state, bench.machine.diagnostic], ['Down', 1]);
      assert.equal(bench.machine.remote.discriminator, 0);
      assert.deepEqual(
        [bench.last.state, bench.last.diagnostic, bench.last.yourDiscriminator],
        ['Down', 1, 0],
      );
    });

  test('the discriminator of a silent peer is forgotten in every state', () => {
    for (const state of ['Down', 'AdminDown'] as const) {
      const bench = new Bench().to(state);
      bench.receive({ state: 'AdminDown' });
      assert.equal(bench.machine.remote.discriminator, 2);
      bench.runTo(301);
      assert.equal(bench.machine.remote.discriminator, 0);
      assert.equal(bench.machine.state, state);
    }
  });

  test('a peer that asked for silence and went away gets packets again', () => {
    const bench = new Bench().to('Up');
    bench.receive({ requiredMinRxInterval: 0 });
    bench.runTo(5000);
    assert.equal(bench.machine.state, 'Down');
    assert.ok(bench.sent.length >= 5);
  });

  test('a process that wakes late gives the peer one reprieve, which is as long as the process was late', () => {
    const bench = new Bench().to('Up');
    bench.runTo(200);
    const actions = bench.stallTo(450);
    assert.deepEqual(
      actions.filter(({ kind }) => kind === 'reprieve'),
      [{ kind: 'reprieve', lateMs: 150 }],
    );
    bench.runTo(599);
    assert.equal(bench.machine.state, 'Up');
    bench.runTo(601);
    assert.equal(bench.machine.state, 'Down');
  });

  test('a packet during the reprieve keeps the session up', () => {
    const bench = new Bench().to('Up');
    bench.stallTo(400);
    assert.equal(bench.machine.state, 'Up');
    bench.receive();
    bench.runTo(600);
    assert.equal(bench.machine.state, 'Up');
  });

  test('the reprieve never exceeds a Detection Time', () => {
    const bench = new Bench().to('Up');
    bench.stallTo(60_000);
    bench.runTo(60_299);
    assert.equal(bench.machine.state, 'Up');
    bench.runTo(60_301);
    assert.equal(bench.machine.state, 'Down');
  });
});

describe('AdminDown, RFC 5880 section 6.8.16', () => {
  test('is sent at once with diagnostic 7, and then about once a second', () => {
    const bench = new Bench().to('Up');
    bench.adminDown(true);
    assert.deepEqual([bench.last.state, bench.last.diagnostic], ['AdminDown', 7]);
    bench.runTo(3000);
    assert.deepEqual(
      bench.sent.map(({ atMs }) => atMs),
      [0, 750, 1500, 2250, 3000],
    );
  });

  test('ends with Down, and the session comes up again', () => {
    const bench = new Bench().to('AdminDown');
    bench.adminDown(false);
    assert.deepEqual([bench.last.state, bench.last.diagnostic], ['Down', 0]);
    bench.receive({ state: 'Down' });
    bench.receive({ state: 'Init' });
    assert.equal(bench.machine.state, 'Up');
  });
});

describe('authentication, RFC 5880 section 6.7', () => {
  const up = (sequence: number, changes: Partial<BfdPacket> = {}, by = key) =>
    signed(changes, 'meticulous-sha1', by, sequence);
  function authenticatedBench(): Bench {
    const bench = new Bench({ authentication });
    bench.receiveOctets(up(100, { state: 'Down', yourDiscriminator: 0 }));
    bench.receiveOctets(up(101, { state: 'Init' }));
    assert.equal(bench.machine.state, 'Up');
    return bench;
  }

  test('a packet without authentication, with another type, with an unknown key or with a wrong digest is refused', () => {
    const unknownKey = { id: 9, octets: Buffer.from('nine') };
    const wrongKey = { id: 1, octets: Buffer.from('eno') };
    const rows: Uint8Array[] = [
      encodePacket(packet({ state: 'Down' })),
      signed({ state: 'Down' }, 'meticulous-md5', key, 102),
      signed({ state: 'Down' }, 'keyed-sha1', key, 102),
      up(102, { state: 'Down' }, unknownKey),
      up(102, { state: 'Down' }, wrongKey),
    ];
    for (const octets of rows) {
      const bench = authenticatedBench();
      assert.equal(dropOf(bench.receiveOctets(octets)), 'authentication');
      assert.equal(bench.machine.state, 'Up');
    }
  });

  test('an authenticated packet is refused when we have no keys', () => {
    const bench = new Bench();
    assert.equal(dropOf(bench.receiveOctets(up(1, { state: 'Down' }))), 'authentication');
  });

  test('only the next 3 × Detect Mult sequence numbers are accepted', () => {
    for (const [sequence, isAccepted] of [
      [100, false],
      [101, false],
      [102, true],
      [110, true],
      [111, false],
    ] as const) {
      const bench = authenticatedBench();
      assert.equal(
        dropOf(bench.receiveOctets(up(sequence))),
        isAccepted ? undefined : 'sequence',
        `${sequence}`,
      );
    }
  });

  test('keyed types accept a repeated number', () => {
    const bench = new Bench({ authentication: { ...authentication, type: 'keyed-sha1' } });
    const octets = signed({ state: 'Down', yourDiscriminator: 0 }, 'keyed-sha1', key, 100);
    assert.equal(dropOf(bench.receiveOctets(octets)), undefined);
    assert.equal(dropOf(bench.receiveOctets(octets)), undefined);
  });

  test('the sequence numbers are circular', () => {
    const bench = new Bench({ authentication });
    bench.receiveOctets(up(0xffff_ffff, { state: 'Down', yourDiscriminator: 0 }));
    assert.equal(dropOf(bench.receiveOctets(up(2, { state: 'Init' }))), undefined);
    assert.equal(dropOf(bench.receiveOctets(up(0xffff_ffff))), 'sequence');
  });

  test('a forged packet does not move the window', () => {
    const bench = authenticatedBench();
    const forged = up(109, {}, { id: 1, octets: Buffer.from('guess') });
    assert.equal(dropOf(bench.receiveOctets(forged)), 'authentication');
    assert.equal(dropOf(bench.receiveOctets(up(102))), undefined);
    const first = new Bench({ authentication });
    first.receiveOctets(
      up(5000, { state: 'Down', yourDiscriminator: 0 }, { id: 1, octets: Buffer.from('x') }),
    );
    assert.equal(dropOf(first.receiveOctets(up(1, { state: 'Down', yourDiscriminator: 0 }))), undefined);
  });

  test('any number is accepted again after twice the Detection Time', () => {
    const bench = authenticatedBench();
    const again = up(7, { state: 'Down', yourDiscriminator: 0 });
    bench.runTo(599);
    assert.equal(dropOf(bench.receiveOctets(again)), 'sequence');
    bench.runTo(601);
    assert.equal(dropOf(bench.receiveOctets(again)), undefined);
  });

  test('each meticulous packet has a new sequence number, even a packet with the Final bit', () => {
    const bench = authenticatedBench();
    bench.runTo(200);
    bench.receiveOctets(up(102, { poll: true }));
    bench.runTo(400);
    const numbers = bench.sent.map(({ packet: each }) => sequenceOf(each));
    for (const [index, number] of numbers.entries())
      if (index > 0) assert.equal(number, (numbers[index - 1] ?? 0) + 1);
    assert.ok(numbers.length >= 6);
  });

  test('keyed packets change their number once a second', () => {
    const bench = new Bench({ authentication: { ...authentication, type: 'keyed-sha1' } });
    const rest = { detectMultiplier: 255 };
    bench.receiveOctets(signed({ ...rest, state: 'Down', yourDiscriminator: 0 }, 'keyed-sha1', key, 100));
    bench.receiveOctets(signed({ ...rest, state: 'Init' }, 'keyed-sha1', key, 100));
    bench.receiveOctets(signed({ ...rest, final: true }, 'keyed-sha1', key, 100));
    bench.sent.length = 0;
    bench.runTo(10_000);
    const numbers = bench.sent.map(({ packet: each }) => sequenceOf(each));
    const distinct = new Set(numbers).size;
    assert.ok(distinct >= 9 && distinct <= 12, `${distinct} numbers in ten seconds`);
  });

  test('the key changes without a pause: accept both, sign with the new one, drop the old one', () => {
    const bench = authenticatedBench();
    assert.equal(dropOf(bench.receiveOctets(up(102, {}, otherKey))), undefined);
    bench.configure({ authentication: { ...authentication, sendKey: otherKey } });
    bench.runTo(200);
    assert.equal(keyIdOf(bench.last), 2);
    bench.configure({
      authentication: { ...authentication, sendKey: otherKey, keys: new Map([[2, otherKey]]) },
    });
    assert.equal(dropOf(bench.receiveOctets(up(103, {}, otherKey))), undefined);
    assert.equal(dropOf(bench.receiveOctets(up(104, {}, key))), 'authentication');
  });
});

function sequenceOf({ authentication: section }: ReceivedPacket): number {
  return section && section.type !== 'other' ? section.sequence : Number.NaN;
}

function keyIdOf({ authentication: section }: ReceivedPacket): number {
  return section && section.type !== 'other' ? section.keyId : Number.NaN;
}
