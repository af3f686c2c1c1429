/** Generates BGP messages to fuzz with: random octets, mutated captures, and messages that follow the grammar except for a few errors. */
import type { ReceiveOptions } from '../../src/bgp/codec/index.ts';
import { everyCapture } from '../unit/bgp/codec/captures.ts';
import { edges, mutate } from './mutate.ts';
import type { Random } from './random.ts';

export interface Input {
  readonly bytes: Uint8Array;
  readonly options: ReceiveOptions;
}

const ipv4 = { afi: 1, safi: 1 };
const ipv6 = { afi: 2, safi: 1 };

export function nextMessage(random: Random): Input {
  const options: ReceiveOptions = {
    fourOctetAs: !random.oneIn(3),
    internal: random.oneIn(2),
    extendedNextHop: random.oneIn(2),
    receiveLimit: random.oneIn(4) ? 65535 : 4096,
    ...(random.oneIn(4) ? { addPath: random.oneIn(2) ? [ipv4] : [ipv4, ipv6] } : {}),
  };
  switch (random.below(8)) {
    case 0:
      return { bytes: noise(random), options };
    case 1:
    case 2:
    case 3: {
      const capture = random.pick(everyCapture);
      const bytes = mutated(capture.bytes, random);
      return { bytes, options: random.oneIn(2) ? capture.options : options };
    }
    case 4:
      return { bytes: open(random), options };
    default:
      return { bytes: update(random, options), options };
  }
}

/** Random octets, mostly behind a valid header, so that they reach the decoder of the body. */
function noise(random: Random): Uint8Array {
  const body = random.octets(random.below(random.oneIn(20) ? 5000 : 120));
  return random.oneIn(8)
    ? Uint8Array.from(body)
    : framed(random.pick([1, 2, 2, 3, 5, random.below(256)]), body);
}

function framed(type: number, body: readonly number[]): Uint8Array {
  const length = body.length + 19;
  return Uint8Array.from([...new Array<number>(16).fill(0xff), length >> 8, length, type, ...body]);
}

/** A message with changes behind the marker. In most cases the length field is corrected. */
function mutated(message: Uint8Array, random: Random): Uint8Array {
  const octets = mutate(message, random, 16, 19);
  if (!random.oneIn(8)) {
    octets[16] = octets.length >> 8;
    octets[17] = octets.length & 255;
  }
  return Uint8Array.from(octets);
}

/** The length that a field states. Most are right. The others are off by one, or one of `edges`. */
function stated(length: number, random: Random): number {
  if (!random.oneIn(25)) return length;
  return random.oneIn(2) ? Math.max(0, length + (random.oneIn(2) ? 1 : -1)) : random.pick(edges);
}

function two(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}

function four(value: number): number[] {
  return [...two(value >>> 16), ...two(value & 0xffff)];
}

function asn(random: Random): number {
  return random.pick([0, 1, 23456, 64512, 65535, 65536, 4200000000, 4294967295, random.uint32()]);
}

function open(random: Random): Uint8Array {
  const parameters: number[] = [];
  const isExtended = random.oneIn(4);
  for (let count = random.below(5); count > 0; count--) {
    const body: number[] = [];
    for (let inside = random.below(5); inside > 0; inside--) body.push(...capability(random));
    const length = stated(body.length, random);
    parameters.push(
      random.oneIn(20) ? random.below(256) : 2,
      ...(isExtended ? two(length) : [length & 255]),
      ...body,
    );
  }
  const length = stated(parameters.length, random);
  return framed(1, [
    random.oneIn(20) ? random.below(256) : 4,
    ...two(asn(random)),
    ...two(random.oneIn(10) ? random.below(4) : 90),
    ...four(random.oneIn(20) ? 0 : random.uint32()),
    ...(isExtended ? [random.oneIn(4) ? random.below(256) : 255, 255, ...two(length)] : [length & 255]),
    ...parameters,
  ]);
}

const capabilityCodes = [1, 2, 5, 6, 9, 64, 65, 69, 70, 71, 73, 74];

function capability(random: Random): number[] {
  const code = random.oneIn(8) ? random.below(256) : random.pick(capabilityCodes);
  const sound: Readonly<Record<number, () => number[]>> = {
    1: () => [...two(1 + random.below(2)), 0, 1],
    5: () => [0, 1, 0, 1, 0, 2],
    9: () => [random.below(5)],
    64: () => [...two(random.below(65536)), 0, 1, 1, random.below(256)],
    65: () => four(asn(random)),
    69: () => [0, 1, 1, random.below(4)],
    73: () => [3, 97, 98, 99, 1, random.below(256)],
  };
  const value = random.oneIn(8) ? random.octets(random.below(12)) : (sound[code]?.() ?? []);
  return [code, stated(value.length, random) & 255, ...value];
}

function prefixes(random: Random, bits: number, hasPathId: boolean, most: number): number[] {
  const octets: number[] = [];
  for (let count = random.below(most); count > 0; count--) {
    if (hasPathId) octets.push(...random.octets(4));
    const length = random.oneIn(40) ? random.pick(edges) : random.below(bits + 1);
    octets.push(length, ...random.octets(Math.ceil(length / 8)));
  }
  if (random.oneIn(40)) octets.push(random.pick(edges));
  return octets;
}

/** Attribute values by type. Most have a valid length, and their content is random. */
const values: Readonly<Record<number, (random: Random, options: ReceiveOptions) => number[]>> = {
  1: (random) => [random.below(4)],
  2: (random, { fourOctetAs }) => path(random, fourOctetAs ? 4 : 2),
  3: (random) => [random.pick([0, 10, 127, 192, 224, 255]), ...random.octets(3)],
  4: (random) => random.octets(4),
  5: (random) => random.octets(4),
  6: () => [],
  7: (random, { fourOctetAs }) => [
    ...(fourOctetAs ? four(asn(random)) : two(asn(random))),
    ...random.octets(4),
  ],
  8: (random) => random.octets(4 * random.below(6)),
  9: (random) => random.octets(4),
  10: (random) => random.octets(4 * random.below(4)),
  14: (random, options) => {
    const afi = random.oneIn(3) ? 1 : 2;
    const hop = random.oneIn(10) ? random.pick(edges) : random.pick(afi === 1 ? [4, 16, 32] : [16, 32]);
    const safi = random.oneIn(10) ? random.below(256) : 1;
    const hasPathId = options.addPath?.some((family) => family.afi === afi) ?? false;
    const nlri = prefixes(random, afi === 1 ? 32 : 128, hasPathId, 6);
    return [...two(afi), safi, hop, ...random.octets(hop), 0, ...nlri];
  },
  15: (random, options) => {
    const afi = random.oneIn(3) ? 1 : 2;
    const hasPathId = options.addPath?.some((family) => family.afi === afi) ?? false;
    return [
      ...two(afi),
      random.oneIn(10) ? random.below(256) : 1,
      ...prefixes(random, afi === 1 ? 32 : 128, hasPathId, 6),
    ];
  },
  16: (random) => random.octets(8 * random.below(4)),
  17: (random) => path(random, 4),
  18: (random) => [...four(asn(random)), ...random.octets(4)],
  22: (random) => [0, random.below(9), 0, 0, 0, ...random.octets(random.pick([0, 4, 16]))],
  23: (random) => [0, 8, 0, 5, 1, 1, 9, random.below(256), 0],
  25: (random) => random.octets(20 * random.below(3)),
  32: (random) => random.octets(12 * random.below(4)),
  35: (random) => four(asn(random)),
};
const attributeTypes = Object.keys(values).map(Number);
const optional = 0x80;
const optionalTransitive = 0xc0;
const wellKnown = 0x40;

function path(random: Random, width: 2 | 4): number[] {
  const octets: number[] = [];
  for (let count = random.below(4); count > 0; count--) {
    const length = random.oneIn(30) ? random.pick(edges) : random.below(5);
    octets.push(random.oneIn(10) ? random.below(6) : 2, stated(length, random) & 255);
    for (let i = 0; i < length; i++) octets.push(...(width === 4 ? four(asn(random)) : two(asn(random))));
  }
  return octets;
}

function flagsOf(type: number): number {
  if (type <= 3 || type === 5 || type === 6) return wellKnown;
  return [4, 9, 10, 14, 15].includes(type) ? optional : optionalTransitive;
}

function attribute(random: Random, options: ReceiveOptions, type: number): number[] {
  const value = random.oneIn(15)
    ? random.octets(random.below(30))
    : (values[type]?.(random, options) ?? random.octets(5));
  const isLong = value.length > 255 || random.oneIn(5);
  const flags = (random.oneIn(20) ? random.below(256) : flagsOf(type)) & ~0x10;
  const length = stated(value.length, random);
  return [flags | (isLong ? 0x10 : 0), type, ...(isLong ? two(length) : [length & 255]), ...value];
}

function update(random: Random, options: ReceiveOptions): Uint8Array {
  const hasPathId = options.addPath !== undefined;
  const withdrawn = random.oneIn(3) ? prefixes(random, 32, hasPathId, 6) : [];
  const attributes: number[] = [];
  const types = random.oneIn(10) ? [] : [1, 2, 3, ...(options.internal ? [5] : [])];
  for (let more = random.below(5); more > 0; more--)
    types.splice(
      random.below(types.length + 1),
      0,
      random.oneIn(10) ? random.below(256) : random.pick(attributeTypes),
    );
  if (random.oneIn(8)) types.splice(random.below(types.length + 1), 1);
  for (const type of types) attributes.push(...attribute(random, options, type));
  const nlri = random.oneIn(4) ? [] : prefixes(random, 32, hasPathId, 8);
  return framed(2, [
    ...two(stated(withdrawn.length, random)),
    ...withdrawn,
    ...two(stated(attributes.length, random)),
    ...attributes,
    ...nlri,
  ]);
}
