/**
 * Fuzzes the channel of a member with sealed membership datagrams. A sender without the key changes recorded datagrams. A sender with the
 * key, such as a member of another release, seals any plaintext.
 *
 * No datagram raises an exception. A datagram that was changed without the key is not delivered. Answers go only to known endpoints.
 */
import assert from 'node:assert/strict';
import { Channel, type Received, type Transmission } from '../../src/membership/channel.ts';
import { encodePacket } from '../../src/membership/codec.ts';
import type { Endpoint } from '../../src/membership/endpoint.ts';
import { Keyring } from '../../src/membership/keyring.ts';
import { Seal } from '../../src/membership/seal.ts';
import { textPayloads } from '../support/text-payloads.ts';
import { nextPacket } from './membership-packets.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget, Meter } from './target.ts';

const key = new Uint8Array(32).fill(1);
const endpoints: Readonly<Record<string, Endpoint>> = {
  a: { host: '192.0.2.1', port: 7946 },
  b: { host: '192.0.2.2', port: 7946 },
};
const stranger: Endpoint = { host: '198.51.100.9', port: 7946 };
const instant = { nowMs: 0, epochMs: 1_700_000_000_000 };
const tokenOctets = 8;

export const membershipDatagrams: FuzzTarget = {
  name: 'membership-datagrams',
  weight: 5,
  budget: { cpuMs: 10, heapOctets: 4 * 1024 * 1024 },
  expectedVerdicts: ['packet', 'authentication', 'malformed', 'unproven'],
  run: (random, meter) => (random.oneIn(2) ? withoutKey(random, meter) : withKey(random, meter)),
};

/** Delivers a datagram of member a to member b, changed or unchanged. */
function withoutKey(random: Random, meter: Meter): string {
  const [a, b] = [channel('a', random), channel('b', random)];
  const packet = { ...nextPacket(random), from: 'a' };
  const [first] = a.send('b', endpointOf('b'), packet, instant.nowMs);
  assert.ok(first);
  const octets = random.oneIn(4) ? [...first.datagram] : mutate(first.datagram, random);
  const isChanged = !Buffer.from(octets).equals(first.datagram);
  const received = receive(b, Buffer.from(octets), random, meter);
  if (isChanged) {
    assert.equal(received.packet, undefined, 'a changed datagram is delivered');
    assert.deepEqual(received.transmissions, [], 'a changed datagram is answered');
  }
  return verdictOf(received);
}

/**
 * Seals a plaintext with the key and delivers it to b. The plaintext is random octets, a packet, or a mutated packet. When b answers a packet
 * or a mutated packet with a challenge, delivers the packet as it was before the mutation, with the token of the challenge. In half of these
 * cases, octets after the token are mutated.
 */
function withKey(random: Random, meter: Meter): string {
  const b = channel('b', random);
  const session = Buffer.from(random.octets(16));
  const keyring = new Keyring([key]);
  const seal = new Seal('a', keyring, session);
  const version = random.oneIn(2) ? 1 : 2;
  const packet = { ...nextPacket(random), from: random.oneIn(8) ? 'c' : 'a' };
  const send = (plaintext: Uint8Array) =>
    receive(b, seal.seal(plaintext, 'b', version, keyring.sealing), random, meter);
  const plaintext = (token: Uint8Array) =>
    Buffer.concat([
      Buffer.of(random.pick([0, 0, 0, 2, 1, 255]), 1),
      Buffer.from('a'),
      token,
      encodePacket(packet),
    ]);
  if (random.oneIn(4)) return verdictOf(send(Buffer.from(random.octets(random.below(1400)))));
  const sound = plaintext(Buffer.alloc(tokenOctets));
  const received = send(random.oneIn(3) ? Buffer.from(mutate(sound, random)) : sound);
  const [challenge] = received.transmissions;
  if (!challenge) return verdictOf(received);
  const token = tokenOf(challenge);
  const proven = plaintext(token);
  return verdictOf(send(random.oneIn(2) ? Buffer.from(mutate(proven, random, 3 + tokenOctets)) : proven));
}

function channel(name: string, random: Random): Channel {
  const randomOctets = (length: number) => Buffer.from(random.octets(length));
  const made = new Channel({ name, keys: [key], payloads: textPayloads, randomOctets });
  made.setListedHosts(new Set(Object.values(endpoints).map(({ host }) => host)));
  return made;
}

function endpointOf(name: string): Endpoint {
  return endpoints[name] ?? stranger;
}

function receive(to: Channel, datagram: Buffer, random: Random, meter: Meter): Received {
  const source = random.oneIn(4) ? stranger : endpointOf('a');
  const known = (name: string) => (endpoints[name] ? [endpoints[name]] : []);
  const received = meter.measure(() => to.receive(datagram, source, instant, known));
  assert.ok(received.transmissions.length <= 1, 'one datagram has several answers');
  for (const { endpoint } of received.transmissions)
    assert.ok(Object.values(endpoints).includes(endpoint), `an answer goes to ${endpoint.host}`);
  return received;
}

/**
 * Returns the token of a challenge. In the plaintext of the challenge, the token follows the kind, the length of the sender's name, and the
 * name, which has one character. The challenge is sealed for the member that the challenged datagram names as its sender: a, or b when a
 * mutation has changed the name.
 */
function tokenOf({ datagram, endpoint }: Transmission): Uint8Array {
  const [name = ''] = Object.entries(endpoints).find(([, each]) => each === endpoint) ?? [];
  const reader = new Seal(name, new Keyring([key]), Buffer.alloc(16));
  const sealed = reader.inspect(datagram, 0);
  assert.ok(sealed.ok);
  const opened = reader.open(sealed.value);
  assert.ok(opened.ok);
  return opened.value.plaintext.subarray(3, 3 + tokenOctets);
}

function verdictOf({ packet, dropped, transmissions }: Received): string {
  if (packet) return 'packet';
  return dropped ?? (transmissions.length > 0 ? 'answered' : 'accepted');
}
