/**
 * Speed of encoding and decoding UPDATEs, in prefixes per second, for host routes packed into full messages of 4096 octets.
 *   .cache/bin/node bench/bgp-codec.ts
 * Encodes in two ways: from an Adj-RIB-Out, as a session does, and from message values, with encodeMessage. Decodes a stream in chunks of 64 KiB
 * in two ways. The first checks and counts the prefixes, as a session does. The second makes a value for each prefix. Fails when a figure is
 * below one million.
 */
import type { Family, Prefix } from '../src/address/index.ts';
import { decodeMessage, encodeMessage, FrameReader } from '../src/bgp/codec/index.ts';
import type { UpdateMessage } from '../src/bgp/message.ts';
import { AdjRibOut } from '../src/bgp/rib/adj-rib-out.ts';
import { AttributeTable } from '../src/bgp/rib/attribute-table.ts';
import { PrefixTable } from '../src/bgp/rib/prefix-table.ts';
import { UpdateWriter } from '../src/bgp/rib/update-writer.ts';
import { ip } from '../test/support/addresses.ts';

const routes = 100_000;
const rounds = 15;
const leastPerSecond = 1e6;
const chunkOctets = 65_536;
const options = {
  fourOctetAs: true,
  internal: false,
  extendedNextHop: false,
  receiveLimit: 4096,
} as const;
const attributes = {
  med: 10,
  asPathPrepend: 0,
  communities: [0xfc000001, 0xffffff01],
  largeCommunities: [[64512, 1, 2]],
} as const;

function hostRoutes(family: Family): Prefix[] {
  const { value } = ip(family === 4 ? '10.0.0.0' : '2001:db8::');
  const length = family === 4 ? 32 : 128;
  return Array.from({ length: routes }, (_, index) => ({ family, value: value + BigInt(index), length }));
}

/** The octets that a new session writes for all routes. */
class Output {
  readonly #rib: AdjRibOut;
  readonly #writer: UpdateWriter;
  readonly #family: Family;

  constructor(family: Family) {
    const prefixes = new PrefixTable();
    const sets = new AttributeTable();
    this.#family = family;
    this.#rib = new AdjRibOut(prefixes, sets);
    for (const prefix of hostRoutes(family)) this.#rib.announce(prefix, attributes);
    this.#writer = new UpdateWriter(this.#rib, prefixes, sets, {
      internal: false,
      localAsn: 64512,
      fourOctetAs: true,
      sendLimit: 4096,
      nextHops: { 4: [ip('192.0.2.1')], 6: [ip('2001:db8::1')] },
    });
  }

  write(): Uint8Array[] {
    this.#rib.up([this.#family], false);
    const chunks: Uint8Array[] = [];
    for (let written = this.#writer.next(); written; written = this.#writer.next())
      chunks.push(written.bytes);
    return chunks;
  }
}

function messagesOf(stream: Uint8Array): Uint8Array[] {
  const reader = new FrameReader();
  reader.push(stream);
  const frames: Uint8Array[] = [];
  for (let frame = reader.next(4096); frame?.ok; frame = reader.next(4096)) frames.push(frame.value);
  return frames;
}

function decode(stream: Uint8Array, use: (update: UpdateMessage) => number): number {
  const reader = new FrameReader();
  let count = 0;
  for (let at = 0; at < stream.length; at += chunkOctets) {
    reader.push(stream.subarray(at, at + chunkOctets));
    for (let frame = reader.next(4096); frame; frame = reader.next(4096)) {
      if (!frame.ok) throw new Error(frame.error.text);
      const decoded = decodeMessage(frame.value, options);
      if (!decoded.ok || decoded.value.message.kind !== 'update') throw new Error('not an UPDATE');
      count += use(decoded.value.message);
    }
  }
  return count;
}

function counted({ nlri, attributes: { mpReach } }: UpdateMessage): number {
  return nlri.length + (mpReach?.nlri.length ?? 0);
}

function made({ nlri, attributes: { mpReach } }: UpdateMessage): number {
  return [...nlri].length + (mpReach ? [...mpReach.nlri].length : 0);
}

/** Reports the fastest of several rounds, because other load on the machine slows some rounds down. */
function report(name: string, run: () => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  const perSecond = routes / (best / 1000);
  const isFast = perSecond >= leastPerSecond;
  console.log(
    `${name.padEnd(34)} ${(perSecond / 1e6).toFixed(1).padStart(6)} million prefixes/s${isFast ? '' : ', BELOW 1.0'}`,
  );
  if (!isFast) process.exitCode = 1;
}

for (const family of [4, 6] as const) {
  const output = new Output(family);
  const stream = Buffer.concat(output.write());
  if (decode(stream, counted) !== routes) throw new Error('the stream does not hold every route');
  const messages = messagesOf(stream).map((frame) => {
    const decoded = decodeMessage(frame, options);
    if (!decoded.ok || decoded.value.message.kind !== 'update') throw new Error('not an UPDATE');
    const { message } = decoded.value;
    const { mpReach } = message.attributes;
    return {
      ...message,
      nlri: [...message.nlri],
      attributes: mpReach
        ? { ...message.attributes, mpReach: { ...mpReach, nlri: [...mpReach.nlri] } }
        : message.attributes,
    };
  });
  report(`IPv${family} encoded from the Adj-RIB-Out`, () => output.write());
  report(`IPv${family} encoded from values`, () =>
    messages.map((message) => encodeMessage(message, options)),
  );
  report(`IPv${family} decoded, checked and counted`, () => decode(stream, counted));
  report(`IPv${family} decoded into values`, () => decode(stream, made));
}
