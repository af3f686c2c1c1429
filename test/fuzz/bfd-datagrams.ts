/**
 * Fuzzes the BFD engine with datagrams. Some sessions authenticate, and some do not. A datagram comes from the peer or from elsewhere. It is a
 * packet with random fields. Some packets are signed, with the key of the session or with another one. Some are then mutated.
 *
 * No datagram raises an exception, and none gets more than one answer. In a session that authenticates, a datagram changes nothing if it was
 * not signed with the key of the session, or was changed after it was signed. A datagram from elsewhere changes nothing. Only a datagram with
 * our discriminator changes a session that is Up.
 */
import assert from 'node:assert/strict';
import { sectionOctets, sign } from '../../src/bfd/codec/authentication.ts';
import { type BfdPacket, encodePacket } from '../../src/bfd/codec/packet.ts';
import { BfdEngine } from '../../src/bfd/engine.ts';
import type { BfdDropReason, BfdSessionStatus } from '../../src/bfd/messages.ts';
import { FlightRecorder } from '../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../src/telemetry/guard.ts';
import { MemoryBfdTransport } from '../support/memory-bfd-transport.ts';
import { memoryLogger } from '../support/memory-logger.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget, Meter } from './target.ts';

const peer = '192.0.2.2';
const stranger = '198.51.100.9';
const type = 'meticulous-sha1';
const key = { id: 1, octets: Buffer.from('the key') };
const otherKey = { id: 1, octets: Buffer.from('another') };
const discriminator = 0x1234_5678;
const discriminatorOctets = Buffer.from('12345678', 'hex');
const peerDiscriminator = 0x9abc_def0;
/** A new logger for each input would take most of the time. */
const { logger, lines } = memoryLogger();
const states = ['AdminDown', 'Down', 'Init', 'Up'] as const;

export const bfdDatagrams: FuzzTarget = {
  name: 'bfd-datagrams',
  weight: 5,
  budget: { cpuMs: 10, heapOctets: 4 * 1024 * 1024 },
  expectedVerdicts: [
    'malformed',
    'no-session',
    'wrong-source',
    'authentication',
    'accepted',
    'no-discriminator',
  ],
  run(random, meter) {
    const isAuthenticated = random.oneIn(2);
    const target = new Target(isAuthenticated, meter);
    if (random.oneIn(2)) target.bringUp();
    let verdict = '';
    for (let count = 1 + random.below(8); count > 0; count--) verdict = target.feed(nextDatagram(random));
    return verdict;
  },
};

interface Datagram {
  readonly octets: Uint8Array;
  readonly source: string;
  /** Whether it was not signed with the key of the session, or was changed after it was signed. */
  readonly isForged: boolean;
}

function nextDatagram(random: Random): Datagram {
  const source = random.oneIn(4) ? stranger : peer;
  const packet: BfdPacket = {
    diagnostic: random.below(32),
    state: random.pick(states),
    poll: random.oneIn(4),
    final: random.oneIn(4),
    controlPlaneIndependent: random.oneIn(2),
    demand: random.oneIn(4),
    detectMultiplier: random.oneIn(10) ? 0 : random.pick([1, 3, 255]),
    myDiscriminator: random.oneIn(10) ? 0 : random.pick([peerDiscriminator, random.uint32()]),
    yourDiscriminator: random.oneIn(3) ? random.pick([0, random.uint32()]) : discriminator,
    desiredMinTxInterval: random.pick([0, 1, 50_000, 0xffff_ffff]),
    requiredMinRxInterval: random.pick([0, 1, 50_000, 0xffff_ffff]),
    requiredMinEchoRxInterval: random.pick([0, 50_000]),
  };
  const signer = random.oneIn(3) ? undefined : random.pick([key, key, otherKey]);
  const octets = signer ? encodePacket(packet, sectionOctets(type)) : encodePacket(packet);
  if (signer) sign(octets, type, signer, random.pick([101, 102, 103, 0, 0xffff_ffff]));
  if (!random.oneIn(3)) return { octets, source, isForged: signer !== key };
  const changed = Uint8Array.from(mutate(octets, random));
  // The engine ignores octets beyond the length that the packet states.
  const isSame = Buffer.from(changed.subarray(0, octets.length)).equals(octets);
  return { octets: changed, source, isForged: signer !== key || !isSame };
}

class Target {
  readonly #isAuthenticated: boolean;
  readonly #meter: Meter;
  readonly #engine: BfdEngine;
  readonly #transport = new MemoryBfdTransport();
  readonly #clock = new VirtualClock();
  #failure: unknown;

  constructor(isAuthenticated: boolean, meter: Meter) {
    this.#isAuthenticated = isAuthenticated;
    this.#meter = meter;
    lines.length = 0;
    const recorder = new FlightRecorder({ clock: this.#clock });
    const guard = new Guard({
      logger,
      count: (_, kind) => {
        this.#failure = kind;
      },
    });
    this.#engine = new BfdEngine({
      ...{ transport: this.#transport, guard, recorder, logger, clock: this.#clock },
      scheduling: { scheduling: 'fifo' },
      onChange: () => undefined,
      random: () => 0.5,
      randomOctets: () => discriminatorOctets,
      pause: () => undefined,
    });
    const secret = key.octets.toString('base64');
    this.#engine.setSessions([
      {
        ...{ id: 'peer', name: 'peer', peerAddress: peer, mode: { kind: 'single-hop' }, passive: false },
        ...{ transmitIntervalMs: 50, receiveIntervalMs: 50, detectMultiplier: 3 },
        ...(isAuthenticated ? { authentication: { type, sendKeyId: 1, keys: [{ id: 1, secret }] } } : {}),
      },
    ]);
  }

  bringUp(): void {
    for (const [sequence, state, yourDiscriminator] of [
      [99, 'Down', 0],
      [100, 'Init', discriminator],
    ] as const) {
      const octets = encodePacket(
        {
          ...{
            diagnostic: 0,
            state,
            poll: false,
            final: false,
            controlPlaneIndependent: false,
            demand: false,
          },
          ...{ detectMultiplier: 3, myDiscriminator: peerDiscriminator, yourDiscriminator },
          ...{ desiredMinTxInterval: 50_000, requiredMinRxInterval: 50_000, requiredMinEchoRxInterval: 0 },
        },
        this.#isAuthenticated ? sectionOctets(type) : 0,
      );
      if (this.#isAuthenticated) sign(octets, type, key, sequence);
      this.#deliver(octets, peer);
    }
    assert.equal(this.#session().state, 'Up');
  }

  /** Delivers a datagram, and returns the reason why it was dropped, or `accepted`. */
  feed({ octets, source, isForged }: Datagram): string {
    const before = this.#session();
    const drops = this.#drops();
    const sent = this.#transport.sent.length;
    this.#meter.measure(() => this.#deliver(octets, source));
    assert.equal(this.#failure, undefined, 'the datagram raises an exception');
    const answers = this.#transport.sent.length - sent;
    assert.ok(answers <= 1, 'a datagram gets two answers');
    const after = this.#session();
    const reason = [...this.#drops()].find(([name, count]) => count !== (drops.get(name) ?? 0))?.[0];
    const isForOthers = before.state === 'Up' && !yourDiscriminatorOf(octets).equals(discriminatorOctets);
    const isHarmless =
      source !== peer || isForOthers || (this.#isAuthenticated && isForged) || reason !== undefined;
    if (isHarmless && reason !== 'admin-down') {
      assert.deepEqual(essence(after), essence(before), 'a dropped datagram changes the session');
      assert.equal(answers, 0, 'a dropped datagram is answered');
    }
    return reason ?? 'accepted';
  }

  #deliver(octets: Uint8Array, source: string): void {
    this.#transport.port().arrive(octets, source);
    this.#transport.port().poll();
  }

  #session(): BfdSessionStatus {
    const [session] = this.#engine.status();
    assert.ok(session);
    return session;
  }

  #drops(): Map<BfdDropReason, number> {
    const all = { ...this.#engine.processStatus().dropped, ...this.#session().dropped };
    return new Map(Object.entries(all) as [BfdDropReason, number][]);
  }
}

function yourDiscriminatorOf(octets: Uint8Array): Buffer {
  return Buffer.from(octets.subarray(8, 12));
}

/** The part of the status that a dropped datagram must not change. */
function essence({ dropped: _, lastDropped: __, ...rest }: BfdSessionStatus): object {
  return rest;
}
