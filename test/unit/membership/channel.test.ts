import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { Channel } from '../../../src/membership/channel.ts';
import { encodePacket } from '../../../src/membership/codec.ts';
import type { Endpoint } from '../../../src/membership/endpoint.ts';
import { Keyring, type Keys, retiredKeyMs } from '../../../src/membership/keyring.ts';
import type { Packet } from '../../../src/membership/packet.ts';
import { Seal } from '../../../src/membership/seal.ts';
import { textPayloads } from '../../support/text-payloads.ts';

const key = (octet: number) => new Uint8Array(32).fill(octet);
const hosts: Readonly<Record<string, string>> = { a: '192.0.2.1', b: '192.0.2.2', c: '192.0.2.3' };
const at = (name: string): Endpoint => ({ host: hosts[name] ?? name, port: 7946 });

let drawn = 0;
/** Returns different octets at each call. */
function randomOctets(length: number): Buffer {
  return createHash('sha256').update(`${++drawn}`).digest().subarray(0, length);
}

function packet(from: string): Packet {
  return { from, incarnation: 1, summary: 0, readsBranches: false, body: { kind: 'gossip' }, updates: [] };
}

interface SeenDatagram {
  readonly from: string;
  readonly to: string;
  readonly datagram: Buffer;
}

/** Channels of a, b and c, and all datagrams between them. */
class Wire {
  readonly delivered: string[] = [];
  readonly packets: Packet[] = [];
  readonly dropped: string[] = [];
  readonly seen: SeenDatagram[] = [];
  /** Endpoints that got a datagram but have no channel. */
  readonly astray: Endpoint[] = [];
  nowMs = 0;
  readonly #channels = new Map<string, Channel>();
  readonly #underWay: SeenDatagram[] = [];

  join(name: string, keys: Keys = [key(1)]): Channel {
    const channel = new Channel({ name, keys, payloads: textPayloads, randomOctets });
    channel.setListedHosts(new Set(Object.values(hosts)));
    this.#channels.set(name, channel);
    return channel;
  }

  channel(name: string): Channel {
    const channel = this.#channels.get(name);
    assert.ok(channel);
    return channel;
  }

  /** Sends a packet and delivers all datagrams that the channels then send. */
  send(from: string, to: string): void {
    for (const { datagram } of this.#channels.get(from)?.send(to, at(to), packet(from), this.nowMs) ?? [])
      this.put(to, datagram, from);
    this.settle();
  }

  put(to: string, datagram: Uint8Array, from: string, source = at(from)): void {
    this.seen.push({ from, to, datagram: Buffer.from(datagram) });
    const instant = { nowMs: this.nowMs, epochMs: 1_700_000_000_000 };
    const known = (name: string) => (hosts[name] === undefined ? [] : [at(name)]);
    const received = this.#channels.get(to)?.receive(datagram, source, instant, known);
    if (received?.packet) this.packets.push(received.packet);
    if (received?.packet)
      this.delivered.push(`${to} heard ${received.packet.from}: ${received.packet.body.kind}`);
    if (received?.dropped) this.dropped.push(`${to}: ${received.dropped}`);
    for (const { datagram: answer, endpoint } of received?.transmissions ?? []) {
      const target = Object.keys(hosts).find((name) => hosts[name] === endpoint.host);
      if (target && endpoint.port === 7946) this.#underWay.push({ from: to, to: target, datagram: answer });
      else this.astray.push(endpoint);
    }
  }

  settle(): void {
    for (let next = this.#underWay.shift(); next; next = this.#underWay.shift())
      this.put(next.to, next.datagram, next.from);
  }

  /** Drops the datagrams under way, and returns their number. */
  lose(): number {
    return this.#underWay.splice(0).length;
  }
}

function pair(keysOfA: Keys = [key(1)], keysOfB: Keys = [key(1)]): { wire: Wire; a: Channel; b: Channel } {
  const wire = new Wire();
  return { wire, a: wire.join('a', keysOfA), b: wire.join('b', keysOfB) };
}

/** A pair that has exchanged packets in both directions. */
function acquainted(): ReturnType<typeof pair> {
  const both = pair();
  both.wire.send('a', 'b');
  both.wire.send('b', 'a');
  both.wire.delivered.length = 0;
  both.wire.dropped.length = 0;
  return both;
}

describe('Channel', () => {
  test('delivers a first packet once, after its sender has answered a challenge', () => {
    const { wire } = pair();
    wire.send('a', 'b');
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
    assert.deepEqual(wire.dropped, ['b: unproven']);
    wire.send('a', 'b');
    assert.equal(wire.delivered.length, 2);
    assert.equal(wire.dropped.length, 1);
  });

  test('drops and counts each recorded datagram that is sent again', () => {
    const { wire } = acquainted();
    const recorded = [...wire.seen];
    for (const { to, from, datagram } of recorded) wire.put(to, datagram, from);
    assert.deepEqual(wire.delivered, []);
    assert.equal(wire.dropped.length, recorded.length);
  });

  test('rejects a datagram that was recorded before the receiver restarted', () => {
    const { wire } = acquainted();
    const recorded = wire.seen.filter(({ to }) => to === 'b');
    wire.join('b');
    wire.join('a', [key(2)]);
    for (const { datagram } of recorded) wire.put('b', datagram, 'a');
    wire.settle();
    assert.deepEqual(wire.delivered, []);
  });

  test('delivers each packet although recorded datagrams of earlier sessions arrive in between', () => {
    const { wire } = acquainted();
    const recorded = wire.seen.filter(({ to }) => to === 'b');
    wire.join('a');
    const restarted = wire.join('b');
    assert.ok(restarted);
    for (let i = 0; i < 50; i++) {
      wire.send('a', 'b');
      for (const { datagram } of recorded) wire.put('b', datagram, 'a');
      wire.settle();
    }
    assert.equal(wire.delivered.length, 50);
  });

  test('rejects recorded datagrams of a member that was forgotten, and hears the member again after a challenge', () => {
    const { wire, b } = acquainted();
    const recorded = wire.seen.filter(({ to }) => to === 'b');
    b.forget('a');
    for (const { datagram } of recorded) wire.put('b', datagram, 'a');
    wire.lose();
    assert.deepEqual(wire.delivered, []);
    wire.send('a', 'b');
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
  });

  test('drops each bad datagram with its reason', () => {
    const { wire } = acquainted();
    wire.send('a', 'b');
    const good = wire.seen.findLast(({ to }) => to === 'b')?.datagram ?? Buffer.alloc(0);
    const changed = (offset: number, octet: number) => {
      const bytes = Buffer.from(good);
      bytes[offset] = octet;
      return bytes;
    };
    wire.put('b', good.subarray(0, 20), 'a');
    wire.put('b', changed(40, (good[40] ?? 0) ^ 1), 'a');
    wire.put('b', changed(0, 9), 'a');
    wire.put('b', changed(1, (good[1] ?? 0) ^ 1), 'a');
    wire.put('b', Buffer.concat([good, Buffer.alloc(5000)]), 'a');
    wire.put('b', good, 'a');
    const own = wire.seen.find(({ to }) => to === 'b')?.datagram ?? Buffer.alloc(0);
    wire.put('a', own, 'b');
    assert.deepEqual(wire.dropped, [
      'b: truncated',
      'b: authentication',
      'b: version',
      'b: unknown-key',
      'b: malformed',
      'b: replayed',
      'a: own',
    ]);
  });

  test('delivers a datagram even if a forgery with the same session and sequence number arrives first', () => {
    const { wire } = acquainted();
    const [transmission] = wire.channel('a').send('b', at('b'), packet('a'), 0);
    const good = transmission?.datagram ?? Buffer.alloc(0);
    const forged = Buffer.from(good);
    forged.writeUInt8((good.at(-1) ?? 0) ^ 1, good.length - 1);
    wire.delivered.length = 0;
    wire.dropped.length = 0;
    for (const datagram of [forged, forged, good, good, good]) wire.put('b', datagram, 'a');
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
    assert.deepEqual(wire.dropped, ['b: authentication', 'b: replayed', 'b: replayed', 'b: replayed']);
  });

  test('delivers a datagram even if a forgery with another ciphertext and the same tag arrives first', () => {
    const { wire } = acquainted();
    const good = wire.channel('a').send('b', at('b'), packet('a'), 0)[0]?.datagram ?? Buffer.alloc(0);
    wire.dropped.length = 0;
    const forgeries = [0, 30, good.length - 17].map((offset) => {
      const forged = Buffer.from(good);
      forged[offset] = offset === 0 ? 1 : (forged[offset] ?? 0) ^ 1;
      return forged;
    });
    for (const datagram of [...forgeries, forgeries.at(-1) ?? '', good, good])
      wire.put('b', Buffer.from(datagram), 'a');
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
    assert.deepEqual(wire.dropped, [
      ...forgeries.map(() => 'b: authentication'),
      'b: replayed',
      'b: replayed',
    ]);
  });

  test('drops a truncated datagram of any length', () => {
    const { wire } = acquainted();
    wire.send('a', 'b');
    const good = wire.seen.findLast(({ to }) => to === 'b')?.datagram ?? Buffer.alloc(0);
    wire.dropped.length = 0;
    for (let length = 0; length < good.length; length++) wire.put('b', good.subarray(0, length), 'a');
    assert.equal(wire.dropped.length, good.length);
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
  });

  test('counts a flood from strangers and still hears members', () => {
    const { wire } = acquainted();
    const noise = Buffer.from(wire.seen[0]?.datagram ?? '');
    for (let i = 0; i < 20_000; i++) {
      noise.writeUInt32BE(i, 5);
      wire.nowMs = i / 20;
      wire.put('b', noise, 'stranger', { host: `198.51.100.${i % 50}`, port: 9 });
    }
    const floods = wire.dropped.filter((each) => each === 'b: flood').length;
    assert.equal(wire.dropped.length, 20_000);
    assert.ok(floods > 19_800, `${floods} dropped before any cryptography`);
    wire.send('a', 'b');
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
  });

  test('drops a flood of forged sessions before any cryptography, even from the address of a member', () => {
    const { wire } = acquainted();
    const noise = Buffer.from(wire.seen[0]?.datagram ?? '');
    for (let i = 0; i < 3000; i++) {
      noise.writeUInt32BE(i, 5);
      wire.nowMs = i / 3;
      wire.put('b', noise, 'a');
    }
    assert.ok(wire.dropped.filter((each) => each === 'b: flood').length > 2900);
    wire.send('a', 'b');
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
  });
});

describe('Channel, challenges', () => {
  test('go to the known endpoint of the claimed name, wherever the datagram came from', () => {
    const { wire } = pair();
    wire.send('a', 'b');
    const recorded = wire.seen[0]?.datagram ?? Buffer.alloc(0);
    wire.lose();
    for (const source of [
      { host: '198.51.100.9', port: 7946 },
      { host: hosts.a ?? '', port: 0 },
      { host: hosts.a ?? '', port: 53 },
      { host: '224.0.0.1', port: 7946 },
      { host: 'not-an-address', port: 7946 },
    ]) {
      wire.join('b');
      wire.put('b', recorded, 'a', source);
      assert.deepEqual(wire.astray, [], JSON.stringify(source));
      assert.equal(wire.lose(), 1, 'the challenge goes to the endpoint of a');
    }
  });

  test('answer a datagram only once, however often it is sent again', () => {
    for (const isProven of [false, true]) {
      const { wire, a } = pair();
      const [first] = a.send('b', at('b'), packet('a'), 0);
      assert.ok(first);
      if (isProven) {
        wire.put('b', first.datagram, 'a');
        wire.settle();
      }
      wire.dropped.length = 0;
      for (let i = 0; i < 10; i++) wire.put('b', first.datagram, 'a');
      assert.equal(wire.lose(), isProven ? 0 : 1);
      assert.equal(wire.dropped.filter((each) => each === 'b: replayed').length, isProven ? 10 : 9);
    }
  });

  test('of an earlier session of the challenged member have no effect, although the new session uses the same sequence numbers', () => {
    const { wire } = pair();
    for (let i = 0; i < 8; i++) wire.channel('a').send('b', at('b'), packet('a'), 0);
    wire.send('a', 'b');
    const recorded = wire.seen.filter(({ to }) => to === 'a');
    assert.ok(recorded.length > 0);
    wire.join('a');
    for (let i = 0; i < 16; i++) {
      wire.channel('a').send('b', at('b'), packet('a'), 0);
      for (const { datagram } of recorded) wire.put('a', datagram, 'b');
    }
    assert.equal(wire.lose(), 0, 'a sends nothing again');
  });

  test('are answered only for the 1024 members to which a packet was sent last', () => {
    const { wire, a } = pair();
    const [old] = a.send('b', at('b'), packet('a'), 0);
    const flood = (count: number) => {
      for (let i = 0; i < count; i++) a.send(`relayed-${i}`, at('c'), packet('a'), 0);
    };
    assert.ok(old);
    flood(1024);
    wire.put('b', old.datagram, 'a');
    wire.settle();
    assert.deepEqual(wire.delivered, []);
    const [fresh] = a.send('b', at('b'), packet('a'), 0);
    assert.ok(fresh);
    flood(1023);
    wire.put('b', fresh.datagram, 'a');
    wire.settle();
    assert.deepEqual(wire.delivered, ['b heard a: gossip']);
  });

  test('go to an endpoint of the same address family as the source, if one is known', () => {
    const b = new Wire().join('b');
    const a = new Channel({ name: 'a', keys: [key(1)], payloads: textPayloads, randomOctets });
    const [sent] = a.send('b', at('b'), packet('a'), 0);
    assert.ok(sent);
    const known = [at('a'), { host: '2001:db8::1', port: 7946 }];
    const source = { host: '2001:db8::99', port: 7946 };
    const received = b.receive(sent.datagram, source, { nowMs: 0, epochMs: 2 }, () => known);
    assert.deepEqual(
      received.transmissions.map(({ endpoint }) => endpoint),
      [known[1]],
    );
  });

  test('are not sent for a name without a known endpoint', () => {
    const wire = new Wire();
    wire.join('b');
    const stranger = new Channel({ name: 'x', keys: [key(1)], payloads: textPayloads, randomOctets });
    const [sent] = stranger.send('b', at('b'), packet('x'), 0);
    assert.ok(sent);
    wire.put('b', sent.datagram, 'x', at('a'));
    assert.deepEqual(wire.dropped, ['b: unproven']);
    assert.equal(wire.lose(), 0);
  });

  test('no packet is sent to an endpoint without a port or a literal address', () => {
    const { a } = pair();
    assert.deepEqual(a.send('b', { host: hosts.b ?? '', port: 0 }, packet('a'), 0), []);
    assert.deepEqual(a.send('b', { host: 'node-b', port: 7946 }, packet('a'), 0), []);
  });
});

describe('Channel, versions of the seal', () => {
  test('a member cannot open a datagram that was sealed for another member', () => {
    const { wire } = acquainted();
    wire.join('c');
    wire.send('a', 'b');
    const forB = wire.seen.findLast(({ to }) => to === 'b')?.datagram ?? Buffer.alloc(0);
    assert.equal(forB[0], 2);
    wire.dropped.length = 0;
    wire.put('c', forB, 'a');
    assert.deepEqual(wire.dropped, ['c: authentication']);
  });

  test('two members use version 2 from the first challenge on', () => {
    const { wire } = pair();
    wire.send('a', 'b');
    wire.send('b', 'a');
    assert.deepEqual(
      wire.seen.map(({ datagram }) => datagram[0]),
      [1, 2, 2, 2, 2, 2],
    );
  });

  test('datagrams to and from a member that knows only version 1 have version 1', () => {
    const wire = new Wire();
    const b = wire.join('b');
    const keyring = new Keyring([key(1)]);
    const old = new Seal('a', keyring, randomOctets(16));
    const send = (token: Buffer) => {
      const body = encodePacket(packet('a'));
      const plaintext = Buffer.concat([Buffer.from([0, 1]), Buffer.from('a'), token, body]);
      return b.receive(old.seal(plaintext, '', 1, keyring.sealing), at('a'), { nowMs: 0, epochMs: 2 }, () => [
        at('a'),
      ]);
    };
    const open = (datagram: Buffer) => {
      const sealed = old.inspect(datagram, 0);
      assert.ok(sealed.ok && sealed.value.version === 1);
      const opened = old.open(sealed.value);
      assert.ok(opened.ok);
      return opened.value.plaintext;
    };
    const [challenge] = send(Buffer.alloc(8)).transmissions;
    assert.ok(challenge);
    const challenged = open(challenge.datagram);
    assert.equal(challenged[0], 1);
    assert.equal(send(challenged.subarray(3, 11)).packet?.from, 'a');
    const [answer] = b.send('a', at('a'), packet('b'), 0);
    assert.ok(answer);
    assert.notEqual(open(answer.datagram)[0], 1);
  });

  test('a member learns from a datagram of version 2 whether its sender reads branches', () => {
    const { wire, b } = acquainted();
    wire.send('a', 'b');
    assert.equal(wire.packets.at(-1)?.readsBranches, true);
    const keyring = new Keyring([key(1)]);
    const old = new Seal('c', keyring, randomOctets(16));
    const send = (kind: number, token: Buffer) => {
      const body = encodePacket(packet('c'));
      const plaintext = Buffer.concat([Buffer.from([kind, 1]), Buffer.from('c'), token, body]);
      return b.receive(
        old.seal(plaintext, 'b', 2, keyring.sealing),
        at('c'),
        { nowMs: 0, epochMs: 2 },
        () => [at('c')],
      );
    };
    const [challenge] = send(0, Buffer.alloc(8)).transmissions;
    const sealed = new Seal('c', new Keyring([key(1)]), randomOctets(16)).inspect(
      challenge?.datagram ?? Buffer.alloc(0),
      0,
    );
    assert.ok(sealed.ok);
    const opened = old.open(sealed.value);
    assert.ok(opened.ok);
    const token = opened.value.plaintext.subarray(3, 11);
    assert.equal(send(0, token).packet?.readsBranches, false, 'an earlier release sends kind 0');
    assert.equal(send(2, token).packet?.readsBranches, true);
  });

  test('a member that is downgraded to an old release gets version 1 again', () => {
    const { wire, b } = acquainted();
    const keyring = new Keyring([key(1)]);
    const old = new Seal('a', keyring, randomOctets(16));
    const send = (token: Buffer) => {
      const plaintext = Buffer.concat([
        Buffer.from([0, 1]),
        Buffer.from('a'),
        token,
        encodePacket(packet('a')),
      ]);
      return b.receive(old.seal(plaintext, '', 1, keyring.sealing), at('a'), { nowMs: 0, epochMs: 2 }, () => [
        at('a'),
      ]);
    };
    assert.equal(b.send('a', at('a'), packet('b'), 0)[0]?.datagram[0], 2);
    const [challenge] = send(Buffer.alloc(8)).transmissions;
    assert.equal(challenge?.datagram[0], 1);
    const sealed = old.inspect(challenge?.datagram ?? Buffer.alloc(0), 0);
    assert.ok(sealed.ok);
    const opened = old.open(sealed.value);
    assert.ok(opened.ok);
    assert.ok(send(opened.value.plaintext.subarray(3, 11)).packet);
    assert.equal(b.send('a', at('a'), packet('b'), 0)[0]?.datagram[0], 1);
    assert.deepEqual(wire.delivered, []);
  });
});

describe('Channel, keys', () => {
  test('rotate without a lost packet: both members get both keys, then seal with the new key, then drop the old key', () => {
    const { wire, a, b } = acquainted();
    const talk = () => {
      wire.send('a', 'b');
      wire.send('b', 'a');
    };
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
      a.setKeys(forA, 0);
      b.setKeys(forB, 0);
      wire.delivered.length = 0;
      talk();
      assert.deepEqual(new Set(wire.delivered), new Set(['b heard a: gossip', 'a heard b: gossip']));
    }
    assert.deepEqual(wire.dropped, []);
  });

  test('for ten minutes after its removal from the Secret, a key opens and seals datagrams exchanged with a member that still uses it', () => {
    const { wire, a } = acquainted();
    a.setKeys([key(2)], 0);
    wire.send('b', 'a');
    wire.send('a', 'b');
    assert.deepEqual(wire.delivered, ['a heard b: gossip', 'b heard a: gossip']);
    assert.deepEqual(wire.dropped, ['b: unknown-key']);
    wire.nowMs = retiredKeyMs;
    wire.send('b', 'a');
    wire.send('a', 'b');
    assert.equal(wire.delivered.length, 2);
    assert.deepEqual(wire.dropped, ['b: unknown-key', 'a: unknown-key', 'b: unknown-key']);
  });

  test('a member that lacks the new first key hears the others, and answers the challenge of a member that has restarted', () => {
    const { wire, b } = acquainted();
    b.setKeys([key(2), key(1)], 0);
    wire.send('b', 'a');
    wire.send('a', 'b');
    assert.deepEqual(wire.delivered, ['a heard b: gossip', 'b heard a: gossip']);
    wire.join('b', [key(2), key(1)]);
    wire.send('a', 'b');
    wire.send('b', 'a');
    assert.deepEqual(wire.delivered.slice(2), ['b heard a: gossip', 'a heard b: gossip']);
  });

  test('two members stop using the old key as soon as one has sealed with the new key', () => {
    const { wire, a, b } = acquainted();
    const talk = () => {
      wire.seen.length = 0;
      wire.send('a', 'b');
      wire.send('b', 'a');
      return wire.seen.length;
    };
    assert.equal(talk(), 2);
    a.setKeys([key(2)], 0);
    b.setKeys([key(2)], 0);
    assert.equal(talk(), 3, 'a seals with both keys, and b then seals only with the new key');
    assert.equal(talk(), 2);
    assert.deepEqual(wire.dropped, []);
  });

  test('a member that still uses a newer key hears the others when the operator goes back to the old key', () => {
    const { wire, a, b } = acquainted();
    a.setKeys([key(2)], 0);
    b.setKeys([key(2)], 0);
    wire.nowMs = retiredKeyMs;
    wire.send('a', 'b');
    wire.send('b', 'a');
    a.setKeys([key(1)], wire.nowMs);
    wire.delivered.length = 0;
    wire.send('a', 'b');
    wire.send('b', 'a');
    assert.deepEqual(wire.delivered, ['b heard a: gossip', 'a heard b: gossip']);
  });

  test('a member that is forgotten gets datagrams with the first key only', () => {
    const { a } = acquainted();
    a.setKeys([key(2)], 0);
    assert.equal(a.send('b', at('b'), packet('a'), 0).length, 2);
    a.forget('b');
    assert.equal(a.send('b', at('b'), packet('a'), 0).length, 1);
  });
});
