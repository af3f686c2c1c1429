/**
 * Fuzzes whole BGP sessions. The octets come from a transport in memory, pass through frame reader, state machines and route output, and end in
 * log lines, metrics, status and flight recorder. A router connects to the speaker, the speaker connects to it, or both connect at once. In most
 * inputs the session reaches Established. The router then sends valid messages at the wrong time, mutated ones, and hostile ones of up to
 * 65,535 octets.
 *
 * Whatever the router sends, the speaker raises no exception, the session of another router stays up, a stream carries no message after a
 * NOTIFICATION, and text meant for people is short and printable.
 */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { PeerSettings, ResolvedPeer } from '../../src/bgp/peer.ts';
import { createBgpSpeaker } from '../../src/bgp/speaker.ts';
import type { BgpSpeaker } from '../../src/bgp/speaker-api.ts';
import { FlightRecorder } from '../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../src/telemetry/guard.ts';
import { ip, prefix } from '../support/addresses.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { type MemoryStream, MemoryTransport } from '../unit/bgp/memory-transport.ts';
import { gracefulRestart, keepalive, open, peer, plain, routerAddress } from '../unit/bgp/session-fixture.ts';
import { hostileMessage } from './bgp-hostile-messages.ts';
import { nextMessage } from './bgp-messages.ts';
import type { Random } from './random.ts';
import type { FuzzTarget, Meter } from './target.ts';

const otherAddress = ip('192.0.2.3');
const maxSteps = 12;
/**
 * Octets of all log lines of one input together. The limit is high, because a session may log one line for each type and treatment of a
 * malformed attribute.
 */
const maxLogOctets = 128 * 1024;
const maxLineOctets = 4096;
const maxTextCharacters = 1024;
const maxStatusOctets = 16 * 1024;
/** Size of one event of the flight recorder as JSON. */
const maxRecordedOctets = 8 * 1024;
/** Octets that the session output may queue for a router that does not read. */
const maxQueuedOctets = 512 * 1024;
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

export const bgpSession: FuzzTarget = {
  name: 'bgp-session',
  weight: 2,
  budget: { cpuMs: 15, heapOctets: 16 * 1024 * 1024 },
  expectedVerdicts: ['Idle', 'Established'],
  run: (random, meter) => new Scenario(random, meter).run(),
};

/** One speaker with two routers. The input comes from `router`. The router `other` sends only valid messages. */
class Scenario {
  readonly #random: Random;
  readonly #meter: Meter;
  readonly #clock = new VirtualClock();
  readonly #transport = new MemoryTransport();
  readonly #speaker: BgpSpeaker;
  readonly #recorder = new FlightRecorder({ clock: this.#clock });
  readonly #lines: string[] = [];
  #settings: Partial<PeerSettings>;
  readonly #other: MemoryStream;

  constructor(random: Random, meter: Meter) {
    this.#random = random;
    this.#meter = meter;
    const logger = pino({ base: null }, { write: (line) => void this.#lines.push(line) });
    const guard = new Guard({ logger });
    guard.failed = (input, error) => {
      throw new Error(`exception at the entrance ${input.entrance}`, { cause: error });
    };
    this.#speaker = createBgpSpeaker({
      logger,
      registry: new Registry(),
      hostName: 'node-1',
      clock: this.#clock,
      random: () => random.below(1000) / 1000,
      transport: this.#transport,
      guard,
      recorder: this.#recorder,
      interfaces: () => [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::1')] }],
    });
    this.#settings = {
      passive: random.oneIn(3),
      holdTimeSeconds: random.pick([0, 3, 90]),
      ...(random.oneIn(3) ? { gracefulRestart: { restartTimeSeconds: 60 } } : {}),
    };
    this.#setPeers();
    this.#other = this.#establishOther();
    this.#speaker.announce('router', prefix('198.51.100.1/32'), plain);
    if (random.oneIn(2)) this.#speaker.synced();
  }

  run(): string {
    const random = this.#random;
    if (!random.oneIn(4)) this.#establish();
    for (let left = 1 + random.below(maxSteps); left > 0; left--) {
      this.#step();
      this.#checkStreams();
    }
    const verdict = this.#state('router');
    this.#checkText();
    assert.equal(this.#state('other'), 'Established', 'the other session has ended');
    return verdict;
  }

  #setPeers(): void {
    const peers: ResolvedPeer[] = [
      peer(this.#settings),
      peer({ name: 'other', address: otherAddress, holdTimeSeconds: 0 }),
    ];
    this.#speaker.setPeers(peers);
  }

  #establishOther(): MemoryStream {
    const stream = this.#transport.streams.find(({ target }) => target.address?.value === otherAddress.value);
    assert.ok(stream);
    stream.connected();
    stream.send({ ...open(), holdTimeSeconds: 0, routerId: 0xc0000203 }, keepalive);
    return stream;
  }

  /** The open streams of the fuzzed router. */
  #streams(): MemoryStream[] {
    return this.#transport.streams.filter((stream) => stream !== this.#other && stream.isOpen);
  }

  /** Connects and sends a valid OPEN and, in most inputs, a KEEPALIVE. */
  #establish(): void {
    const random = this.#random;
    const stream = this.#settings.passive
      ? this.#transport.arrive(routerAddress)
      : this.#streams().find(({ isConnected }) => !isConnected);
    if (!stream) return;
    if (!this.#settings.passive) stream.connected();
    stream.send(
      open(
        ...(random.oneIn(2) ? [{ kind: 'extended-message' } as const] : []),
        ...(random.oneIn(3) ? [gracefulRestart] : []),
        ...(random.oneIn(3) ? [{ kind: 'route-refresh' } as const] : []),
      ),
    );
    if (!random.oneIn(5)) stream.send(keepalive);
  }

  #step(): void {
    const random = this.#random;
    const streams = this.#streams();
    const stream = streams.length > 0 ? random.pick(streams) : undefined;
    switch (random.below(14)) {
      case 0:
        // After most failures, the speaker makes its next attempt within this time.
        this.#clock.advance(5000);
        this.#establish();
        return;
      case 1:
        this.#transport.arrive(routerAddress);
        return;
      case 2:
        stream?.connected();
        return;
      case 3:
        stream?.closed('connection reset by the peer');
        return;
      case 4:
        // The other router has no hold time, so its session survives any wait.
        this.#clock.advance(random.pick([1, 100, 2000, 30_000, 300_000]));
        return;
      case 5:
        if (stream) stream.isReading = random.oneIn(2);
        return;
      case 6:
        this.#settings = { ...this.#settings, keepaliveTimeSeconds: 1 + random.below(30) };
        if (random.oneIn(4)) this.#settings = { ...this.#settings, passive: random.oneIn(2) };
        this.#setPeers();
        return;
      case 7:
        this.#speaker.announce('router', prefix(`198.51.100.${random.below(256)}/32`), plain);
        this.#clock.advance(1);
        return;
      case 8:
        stream?.send(random.oneIn(2) ? keepalive : open());
        return;
      case 9:
      case 10:
        this.#sendInPieces(stream, hostileMessage(random));
        return;
      default:
        this.#sendInPieces(stream, nextMessage(random).bytes);
    }
  }

  #sendInPieces(stream: MemoryStream | undefined, bytes: Uint8Array): void {
    const random = this.#random;
    if (!stream) return;
    const cut = random.oneIn(2) ? bytes.length : random.below(bytes.length + 1);
    const [start, rest] = [bytes.slice(0, cut), bytes.slice(cut)];
    this.#meter.measure(() => stream.sendBytes(start));
    if (rest.length > 0 && !random.oneIn(10)) this.#meter.measure(() => stream.sendBytes(rest));
  }

  #state(name: string): string {
    return this.#speaker.status().find((status) => status.name === name)?.state ?? 'absent';
  }

  #checkStreams(): void {
    for (const { messages, queuedBytes } of this.#transport.streams) {
      const end = messages.findIndex(({ kind }) => kind === 'notification');
      assert.ok(end < 0 || end === messages.length - 1, 'a message follows a NOTIFICATION');
      assert.ok(queuedBytes <= maxQueuedOctets, `${queuedBytes} octets wait for a router that does not read`);
    }
  }

  #checkText(): void {
    let logOctets = 0;
    for (const line of this.#lines) {
      logOctets += line.length;
      assert.ok(line.length <= maxLineOctets, `a log line has ${line.length} octets: ${line.slice(0, 500)}`);
      for (const value of Object.values(JSON.parse(line) as object))
        if (typeof value === 'string') checkText(value);
    }
    assert.ok(logOctets <= maxLogOctets, `${logOctets} octets of log`);
    for (const event of this.#recorder.events()) {
      const { length } = JSON.stringify(event);
      assert.ok(length <= maxRecordedOctets, `an event of the flight recorder has ${length} octets`);
    }
    const status = this.#speaker.status();
    const json = JSON.stringify(status, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    assert.ok(json.length <= maxStatusOctets, `the status has ${json.length} octets`);
    for (const { lastError = '', warnings } of status)
      for (const text of [lastError, ...warnings]) checkText(text);
  }
}

function checkText(text: string): void {
  assert.ok(text.length <= maxTextCharacters, `a text has ${text.length} characters: ${text.slice(0, 500)}`);
  assert.ok(!unprintable.test(text), `not printable: ${JSON.stringify(text)}`);
}
