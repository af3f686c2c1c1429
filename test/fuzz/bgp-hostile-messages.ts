/** Long, repetitive and nested messages, which a generator of plausible messages never makes. */
import type { Random } from './random.ts';

const headerOctets = 19;
const maxBody = 65_535 - headerOctets;
/** The most octets that one field of an UPDATE can have. The two length fields of the UPDATE take four octets. */
const maxField = maxBody - 4;
const MessageType = { open: 1, update: 2, notification: 3 } as const;

/** The attributes that a route must have: ORIGIN, AS_PATH and NEXT_HOP. */
const soundAttributes = Buffer.from('40010100 400206020100 00fde9 400304c0000202'.replaceAll(' ', ''), 'hex');
const none = Buffer.alloc(0);

const makers: readonly ((random: Random) => Buffer)[] = [
  // A NOTIFICATION with long data, which may look like a Hard Reset nested in itself.
  (random) => notification(random, repeated([6, 9], random)),
  (random) => notification(random, repeated(random.octets(1 + random.below(4)), random)),
  // A shutdown communication that repeats one character or escape sequence: unprintable, in need of escaping, or several octets long.
  (random) => shutdown(random.pick(['\u202e', '\u2028', '\u001b[2J', '"', '\\', '\ud83d\ude00', 'é'])),
  // One attribute repeated, known or unknown, valid or malformed.
  (random) => update(none, repeated([random.pick([0x40, 0x80, 0xc0]), random.below(256), 0], random), none),
  (random) => update(none, repeated([0xc0, 8, 4, 0, 0, 0, 1], random), none),
  // Attributes of every type.
  (random) => {
    const flags = random.pick([0x80, 0xc0]);
    return update(none, Buffer.from(Array.from({ length: 256 }, (_, type) => [flags, type, 0]).flat()), none);
  },
  // One long attribute.
  (random) => {
    const value = repeated(random.octets(1 + random.below(8)), random);
    return update(none, longAttribute(0xc0, random.below(256), value), none);
  },
  // A path of many segments. The longest nearly fills the message.
  (random) => {
    const path = longAttribute(0x40, 2, repeated([2, 1, 0, 0, 0xfd, 0xe9], random));
    return update(none, path, Buffer.of(24, 198, 51, 100));
  },
  // Many prefixes, announced or withdrawn. The shortest take one octet each. The longest list nearly fills the message.
  (random) => update(repeated([0], random), none, none),
  (random) => update(none, soundAttributes, repeated([random.below(40)], random)),
  (random) => update(none, soundAttributes, repeated([32, 198, 51, 100, 1], random)),
  // An OPEN full of capabilities: empty, all different, or host names that are not UTF-8.
  (random) => open(repeated([random.below(256), 0], random)),
  () => open(Buffer.from(Array.from({ length: 600 }, (_, at) => [1, 4, at >> 8, at, 0, at]).flat())),
  (random) => open(repeated([73, 6, 1, random.below(256), 3, ...random.octets(3)], random)),
];

/** One hostile message with a valid header. Its length may exceed what the session allows. */
export function hostileMessage(random: Random): Uint8Array {
  return random.pick(makers)(random);
}

function repeated(octets: readonly number[], random: Random): Buffer {
  const length = random.pick([100, 4000, 12_000, maxField - soundAttributes.length]);
  return Buffer.alloc(length - (length % octets.length), Buffer.from(octets));
}

function message(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(headerOctets, 0xff);
  const octets = Buffer.concat([header, ...parts]).subarray(0, headerOctets + maxBody);
  octets.writeUInt16BE(octets.length, 16);
  octets[18] = type;
  return octets;
}

function notification(random: Random, data: Buffer): Buffer {
  const code = random.oneIn(2) ? 6 : random.below(10);
  const subcode = random.oneIn(2) ? 9 : random.below(12);
  return message(MessageType.notification, Buffer.of(code, subcode), data);
}

function shutdown(text: string): Buffer {
  const octets = Buffer.from(text.repeat(255)).subarray(0, 255);
  return message(MessageType.notification, Buffer.of(6, 2, octets.length), octets);
}

function update(withdrawn: Buffer, attributes: Buffer, nlri: Buffer): Buffer {
  return message(MessageType.update, lengthOf(withdrawn), withdrawn, lengthOf(attributes), attributes, nlri);
}

function longAttribute(flags: number, type: number, value: Buffer): Buffer {
  const cut = value.subarray(0, maxField - 4);
  return Buffer.concat([Buffer.of(flags | 0x10, type), lengthOf(cut), cut]);
}

/** AS 64500, a hold time of 90 s, and the capabilities in one parameter of the extended form (RFC 9072). */
function open(capabilities: Buffer): Buffer {
  const inside = capabilities.subarray(0, 4000);
  const parameter = Buffer.concat([Buffer.of(2), lengthOf(inside), inside]);
  const fixed = Buffer.from('04fbf4005ac0000202ffff', 'hex');
  return message(MessageType.open, fixed, lengthOf(parameter), parameter);
}

function lengthOf(octets: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(octets.length);
  return length;
}
