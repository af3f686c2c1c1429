import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel } from '../../../src/membership/channel.ts';
import type { Endpoint, Packet } from '../../../src/membership/packet.ts';
import { textPayloads } from '../../support/text-payloads.ts';

type Keys = readonly [Uint8Array, ...Uint8Array[]];
const key = (octet: number) => new Uint8Array(32).fill(octet);
const at = (host: string): Endpoint => ({ host, port: 1 });

/** Two channels and everything that passes between them and is made of it. */
class Wire {
  readonly delivered: string[] = [];
  readonly dropped: string[] = [];
  /** Every datagram, with its receiver. */
  readonly seen: { readonly to: string; readonly datagram: Buffer }[] = [];
  readonly #channels = new Map<string, Channel>();
  readonly #underWay: (() => void)[] = [];

  join(name: string, keys: Keys): Channel {
    const channel = new Channel(keys, {
      name,
      payloads: textPayloads,
      transmit: (datagram, { host }) => {
        this.seen.push({ to: host, datagram });
        this.#underWay.push(() => this.put(host, datagram, name));
      },
      deliver: ({ from, body }) => this.delivered.push(`${name} heard ${from}: ${body.kind}`),
      drop: (reason) => this.dropped.push(`${name}: ${reason}`),
    });
    this.#channels.set(name, channel);
    return channel;
  }

  /** Sends a packet and lets everything arrive that comes of it. */
  send(from: string, to: string): void {
    this.#channels.get(from)?.send(to, at(to), packet(from));
    for (let next = this.#underWay.shift(); next; next = this.#underWay.shift()) next();
  }

  put(to: string, datagram: Uint8Array, from: string): void {
    this.#channels.get(to)?.receive(datagram, at(from));
  }
}

function packet(from: string): Packet {
  return { from, incarnation: 1, summary: 0, body: { kind: 'gossip' }, updates: [] };
}

function pair(keysOfA: Keys = [key(1)], keysOfB: Keys = [key(1)]): { wire: Wire; a: Channel; b: Channel } {
  const wire = new Wire();
  return { wire, a: wire.join('a', keysOfA), b: wire.join('b', keysOfB) };
}

test('a first packet arrives once, after its sender has shown that it is fresh', () => {
  const { wire } = pair();
  wire.send('a', 'b');
  assert.deepEqual(wire.delivered, ['b heard a: gossip']);
  assert.deepEqual(wire.dropped, ['b: unproven']);
  wire.send('a', 'b');
  assert.equal(wire.delivered.length, 2);
  assert.equal(wire.dropped.length, 1);
});

test('what is recorded and sent again is dropped and counted, each datagram of it', () => {
  const { wire } = pair();
  wire.send('a', 'b');
  wire.send('b', 'a');
  const recorded = [...wire.seen];
  const before = wire.delivered.length;
  wire.dropped.length = 0;
  for (const { to, datagram } of recorded) wire.put(to, datagram, to === 'a' ? 'b' : 'a');
  assert.equal(wire.delivered.length, before);
  assert.equal(wire.dropped.length, recorded.length);
});

test('what was recorded in an earlier life of the receiver is not believed in the next', () => {
  const { wire } = pair();
  wire.send('a', 'b');
  const recorded = wire.seen.filter(({ to }) => to === 'b');
  const before = wire.delivered.length;
  wire.join('b', [key(1)]);
  wire.join('a', [key(2)]);
  for (const { datagram } of recorded) wire.put('b', datagram, 'a');
  assert.equal(wire.delivered.length, before);
});

test('another key, another version, cut and changed datagrams, and our own: each dropped with its reason', () => {
  const { wire } = pair([key(1)], [key(2)]);
  wire.send('a', 'b');
  assert.deepEqual(wire.dropped, ['b: unknown-key']);
  const [sent] = wire.seen;
  assert.ok(sent);
  const other = pair();
  other.wire.send('a', 'b');
  const good = other.wire.seen.at(-1)?.datagram ?? Buffer.alloc(0);
  const flipped = Buffer.from(good);
  flipped[40] = (flipped[40] ?? 0) ^ 1;
  const strange = Buffer.from(good);
  strange[0] = 9;
  other.wire.dropped.length = 0;
  other.wire.put('b', good.subarray(0, 20), 'a');
  other.wire.put('b', flipped, 'a');
  other.wire.put('b', strange, 'a');
  other.wire.put('a', good, 'a');
  other.wire.put('b', good, 'a');
  assert.deepEqual(other.wire.dropped, [
    'b: truncated',
    'b: authentication',
    'b: version',
    'a: own',
    'b: replayed',
  ]);
});

test('every length of a cut datagram is dropped', () => {
  const { wire } = pair();
  wire.send('a', 'b');
  const good = wire.seen.at(-1)?.datagram ?? Buffer.alloc(0);
  wire.dropped.length = 0;
  for (let length = 0; length < good.length; length++) wire.put('b', good.subarray(0, length), 'a');
  assert.equal(wire.dropped.length, good.length);
  assert.deepEqual(wire.delivered, ['b heard a: gossip']);
});

test('a flood of strangers is counted and does not keep members from being heard', () => {
  const { wire } = pair();
  wire.send('a', 'b');
  wire.dropped.length = 0;
  const noise = Buffer.alloc(200, 1);
  for (let i = 0; i < 20_000; i++) {
    noise.writeUInt32BE(i, 1);
    wire.put('b', noise, `stranger-${i % 50}`);
  }
  assert.equal(wire.dropped.length, 20_000);
  wire.send('a', 'b');
  assert.equal(wire.delivered.length, 2);
});

test('keys rotate without a lost packet: both know both, then each seals with the new one, then the old one goes', () => {
  const { wire, a, b } = pair();
  const talk = () => {
    wire.send('a', 'b');
    wire.send('b', 'a');
  };
  talk();
  const steps: [Keys, Keys][] = [
    [[key(1), key(2)], [key(1)]],
    [
      [key(1), key(2)],
      [key(1), key(2)],
    ],
    [
      [key(2), key(1)],
      [key(1), key(2)],
    ],
    [
      [key(2), key(1)],
      [key(2), key(1)],
    ],
    [[key(2)], [key(2), key(1)]],
    [[key(2)], [key(2)]],
  ];
  for (const [forA, forB] of steps) {
    a.setKeys(forA);
    b.setKeys(forB);
    talk();
  }
  assert.equal(wire.delivered.length, 2 * (1 + steps.length));
});
