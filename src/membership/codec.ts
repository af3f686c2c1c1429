/**
 * Packets as octets. All numbers are big endian; a text is its length and ISO 8859-1 (names and addresses are ASCII).
 *
 *     packet   text from │ u48 incarnation │ u32 summary │ u8 kind │ body │ update…
 *     ping     u32 sequence
 *     ack      u32 sequence │ text target
 *     request  u32 sequence │ text target │ endpoint
 *     verify   text target │ u48 incarnation
 *     digest   u8 wants reply │ 64 × u32 members │ 64 × u32 payloads
 *     gossip, records: nothing
 *     member   u8 state (0 alive, 1 suspect, 2 dead, 3 left) │ text name │ u48 incarnation │ endpoint │ u16 length, metadata
 *     payload  u8 4 │ a record, whose end its `PayloadFormat` finds
 *     endpoint text host │ u16 port
 *     text     u8 length │ octets
 */
import { fail, ok, type Result } from '../result.ts';
import type { Body, Endpoint, MemberState, Packet, Update } from './packet.ts';
import { digestBuckets, type PayloadFormat, type PayloadRecord } from './payload.ts';

const states: readonly MemberState[] = ['alive', 'suspect', 'dead', 'left'];
const payloadTag = 4;
const kinds = ['ping', 'ack', 'ping-request', 'verify', 'gossip', 'digest', 'records'] as const;

/** Octets of an update in a packet. */
export function updateSize(update: Update): number {
  return update.kind === 'payload'
    ? 1 + update.octets.length
    : 13 + update.name.length + update.endpoint.host.length + update.metadata.length;
}

/** The packet's octets; texts are names and addresses in ASCII, at most 255 long (metadata 65,535). */
export function encodePacket(packet: Packet): Buffer {
  const writer = new Writer(
    700 + packet.from.length * 2 + packet.updates.reduce((sum, update) => sum + updateSize(update), 0),
  );
  writer.text(packet.from);
  writer.uint(packet.incarnation, 6);
  writer.uint(packet.summary, 4);
  writer.uint(kinds.indexOf(packet.body.kind), 1);
  writeBody(writer, packet.body);
  for (const update of packet.updates) writeUpdate(writer, update);
  return writer.bytes();
}

/** Reads a packet; the error says what does not fit. */
export function decodePacket(bytes: Uint8Array, payloads: PayloadFormat): Result<Packet, string> {
  const reader = new Reader(bytes);
  const from = reader.text();
  const incarnation = reader.uint(6);
  const summary = reader.uint(4);
  const kind = kinds[reader.uint(1)];
  if (kind === undefined) return fail('unknown packet kind');
  const body = readBody(reader, kind);
  const updates: Update[] = [];
  while (!reader.isShort && !reader.isAtEnd) {
    const update = readUpdate(reader, payloads);
    if (!update) return fail('unknown update kind');
    updates.push(update);
  }
  if (reader.isShort) return fail('truncated');
  if (from === '') return fail('no sender');
  return ok({ from, incarnation, summary, body, updates });
}

function writeBody(writer: Writer, body: Body): void {
  switch (body.kind) {
    case 'ping':
      return writer.uint(body.sequence, 4);
    case 'ack':
      writer.uint(body.sequence, 4);
      return writer.text(body.target);
    case 'ping-request':
      writer.uint(body.sequence, 4);
      writer.text(body.target);
      return writer.endpoint(body.endpoint);
    case 'verify':
      writer.text(body.target);
      return writer.uint(body.incarnation, 6);
    case 'digest':
      writer.uint(body.wantsReply ? 1 : 0, 1);
      for (const hash of body.members) writer.uint(hash, 4);
      for (const hash of body.payloads) writer.uint(hash, 4);
      return;
    case 'gossip':
    case 'records':
      return;
  }
}

function readBody(reader: Reader, kind: Body['kind']): Body {
  switch (kind) {
    case 'ping':
      return { kind, sequence: reader.uint(4) };
    case 'ack':
      return { kind, sequence: reader.uint(4), target: reader.text() };
    case 'ping-request':
      return { kind, sequence: reader.uint(4), target: reader.text(), endpoint: reader.endpoint() };
    case 'verify':
      return { kind, target: reader.text(), incarnation: reader.uint(6) };
    case 'digest':
      return {
        kind,
        wantsReply: reader.uint(1) === 1,
        members: Uint32Array.from({ length: digestBuckets }, () => reader.uint(4)),
        payloads: Uint32Array.from({ length: digestBuckets }, () => reader.uint(4)),
      };
    case 'gossip':
    case 'records':
      return { kind };
  }
}

function writeUpdate(writer: Writer, update: Update): void {
  if (update.kind === 'payload') {
    writer.uint(payloadTag, 1);
    return writer.octets(update.octets);
  }
  writer.uint(states.indexOf(update.state), 1);
  writer.text(update.name);
  writer.uint(update.incarnation, 6);
  writer.endpoint(update.endpoint);
  writer.text(update.metadata, 2);
}

function readUpdate(reader: Reader, payloads: PayloadFormat): Update | undefined {
  const tag = reader.uint(1);
  if (tag === payloadTag) return reader.payload(payloads);
  const state = states[tag];
  if (state === undefined) return undefined;
  return {
    kind: 'member',
    state,
    name: reader.text(),
    incarnation: reader.uint(6),
    endpoint: reader.endpoint(),
    metadata: reader.text(2),
  };
}

class Writer {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  uint(value: number, octets: number): void {
    this.#at = this.#buffer.writeUIntBE(value, this.#at, octets);
  }

  text(value: string, lengthOctets: 1 | 2 = 1): void {
    this.uint(value.length, lengthOctets);
    this.#at += this.#buffer.write(value, this.#at, 'latin1');
  }

  octets(octets: Uint8Array): void {
    this.#buffer.set(octets, this.#at);
    this.#at += octets.length;
  }

  endpoint(endpoint: Endpoint): void {
    this.text(endpoint.host);
    this.uint(endpoint.port, 2);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }
}

/** Reads zeros past the end and remembers that it did, so that callers check once. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  isShort = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  uint(octets: number): number {
    if (!this.#has(octets)) return 0;
    const value = this.#bytes.readUIntBE(this.#at, octets);
    this.#at += octets;
    return value;
  }

  text(lengthOctets: 1 | 2 = 1): string {
    const length = this.uint(lengthOctets);
    if (!this.#has(length)) return '';
    this.#at += length;
    return this.#bytes.toString('latin1', this.#at - length, this.#at);
  }

  payload(payloads: PayloadFormat): PayloadRecord | undefined {
    const found = payloads.read(this.#bytes, this.#at);
    if (!found) return undefined;
    const octets = this.#bytes.subarray(this.#at, found.end);
    this.#at = found.end;
    return { kind: 'payload', key: found.key, octets };
  }

  endpoint(): Endpoint {
    return { host: this.text(), port: this.uint(2) };
  }

  #has(octets: number): boolean {
    if (this.#at + octets <= this.#bytes.length) return true;
    this.isShort = true;
    return false;
  }
}
