/**
 * Packets as octets. Numbers are big endian. A text is its length, then its characters in ISO 8859-1. Names and addresses are ASCII.
 *
 *     packet   text from │ u48 incarnation │ u32 summary │ u8 kind │ body │ update…
 *     ping     u32 sequence
 *     ack      u32 sequence │ text target
 *     request  u32 sequence │ text target │ endpoint
 *     verify   text target │ u48 incarnation
 *     digest   u8 wants reply │ 64 × u32 members │ 64 × u32 payloads
 *     branches u8 wants reply │ u8 count │ branch…
 *     gossip, records: nothing
 *     member   u8 state (0 alive, 1 suspect, 2 dead, 3 left) │ text name │ u48 incarnation │ endpoint │ u16 length, metadata
 *     payload  u8 4 │ a record, whose end `PayloadFormat` finds
 *     branch   u8 tree (0 members, 1 payloads) │ u8 bucket │ 64 × u32 leaves
 *     endpoint text host │ u16 port
 *     text     u8 length │ octets
 *
 * The decoder rejects values that are out of bounds. The bound on incarnations is below the field's range. A refutation needs a greater
 * incarnation than the statement that it refutes, so a statement with the field's greatest value could never be refuted.
 */
import { fail, ok, type Result } from '../result.ts';
import { type Endpoint, isDeliverable } from './endpoint.ts';
import { treeWidth } from './hash-tree.ts';
import { OctetReader, OctetWriter } from './octets.ts';
import {
  type Body,
  type Branch,
  type MemberState,
  maxBranches,
  maxMetadataOctets,
  type Packet,
  type TreeName,
  type Update,
} from './packet.ts';
import { maxPayloadOctets, type PayloadFormat } from './payload.ts';

const states: readonly MemberState[] = ['alive', 'suspect', 'dead', 'left'];
const payloadTag = 4;
const kinds = ['ping', 'ack', 'ping-request', 'verify', 'gossip', 'digest', 'records', 'branches'] as const;
const trees: readonly TreeName[] = ['members', 'payloads'];
const dayMs = 86_400_000;
/** Half the range of 48 bits. As milliseconds since 1970 it lies beyond the year 6000. */
const maxIncarnation = 2 ** 47 - 1;

export interface DecodeContext {
  readonly payloads: PayloadFormat;
  /**
   * The wall clock. A member's first incarnation is the time at which it started, so the decoder refuses an incarnation far in the future.
   */
  readonly epochMs: number;
  readonly readsBranches: boolean;
}

/** The number of octets that an update takes in a packet. */
export function updateSize(update: Update): number {
  return update.kind === 'payload'
    ? 1 + update.octets.length
    : 13 + update.name.length + update.endpoint.host.length + update.metadata.length;
}

/** Encodes a packet. Texts are ASCII, and all except metadata have at most 255 characters. */
export function encodePacket(packet: Packet): Buffer {
  const updatesSize = packet.updates.reduce((sum, update) => sum + updateSize(update), 0);
  const writer = new OctetWriter(1400 + packet.from.length + updatesSize);
  writer.text(packet.from);
  writer.uint(packet.incarnation, 6);
  writer.uint(packet.summary, 4);
  writer.uint(kinds.indexOf(packet.body.kind), 1);
  writeBody(writer, packet.body);
  for (const update of packet.updates) writeUpdate(writer, update);
  return writer.bytes();
}

/** Reads a packet. The error names the fault. */
export function decodePacket(bytes: Uint8Array, context: DecodeContext): Result<Packet, string> {
  const reader = new OctetReader(bytes);
  const from = reader.text();
  const incarnation = reader.uint(6);
  const summary = reader.uint(4);
  const kind = kinds[reader.uint(1)];
  if (kind === undefined) return fail('unknown packet kind');
  const body = readBody(reader, kind);
  if (!body) return fail('malformed branches');
  const updates: Update[] = [];
  while (!reader.isShort && !reader.isAtEnd) {
    const update = readUpdate(reader, context.payloads);
    if (!update) return fail('malformed update');
    if (!reader.isShort && !isInBounds(update)) return fail('update out of bounds');
    // Drop only this update and keep the packet. The sender may have passed the update on in good faith.
    if (isCredible(update, context.epochMs)) updates.push(update);
  }
  if (reader.isShort) return fail('truncated');
  if (!isName(from)) return fail('no valid name of the sender');
  // The sender's own incarnation may exceed the limit for updates, because the sender may just have refuted an update at that limit.
  if (incarnation > Math.min(maxIncarnation, context.epochMs + 2 * dayMs))
    return fail('incarnation out of bounds');
  if (body.kind === 'ping-request' && !isDeliverable(body.endpoint)) return fail('no address to ping');
  return ok({ from, incarnation, summary, readsBranches: context.readsBranches, body, updates });
}

function isInBounds(update: Update): boolean {
  if (update.kind === 'payload') return update.octets.length <= maxPayloadOctets;
  return isName(update.name) && update.metadata.length <= maxMetadataOctets && isPlausible(update.endpoint);
}

/**
 * Whether the text may be the name of a member. Names of Nodes have at most 253 characters, all of them printable ASCII. No other characters
 * may pass, because names from other members reach the log and the status.
 */
function isName(text: string): boolean {
  return /^[!-~]{1,253}$/.test(text);
}

/** Whether the incarnation is at most one day ahead of the wall clock, and small enough for a refutation to exceed it. */
function isCredible(update: Update, epochMs: number): boolean {
  if (update.kind === 'payload') return true;
  return update.incarnation <= Math.min(maxIncarnation - 1, epochMs + dayMs);
}

/** An endpoint in an update may lack the host, because a member does not state its own address. */
function isPlausible(endpoint: Endpoint): boolean {
  return endpoint.host === '' ? endpoint.port > 0 : isDeliverable(endpoint);
}

function writeBody(writer: OctetWriter, body: Body): void {
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
    case 'branches':
      writer.uint(body.wantsReply ? 1 : 0, 1);
      writer.uint(body.branches.length, 1);
      for (const branch of body.branches) writeBranch(writer, branch);
      return;
    case 'gossip':
    case 'records':
      return;
  }
}

function readBody(reader: OctetReader, kind: Body['kind']): Body | undefined {
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
        members: readHashes(reader),
        payloads: readHashes(reader),
      };
    case 'branches':
      return readBranches(reader);
    case 'gossip':
    case 'records':
      return { kind };
  }
}

function readHashes(reader: OctetReader): Uint32Array {
  return Uint32Array.from({ length: treeWidth }, () => reader.uint(4));
}

function writeBranch(writer: OctetWriter, { tree, bucket, leaves }: Branch): void {
  writer.uint(trees.indexOf(tree), 1);
  writer.uint(bucket, 1);
  for (const hash of leaves) writer.uint(hash, 4);
}

function readBranches(reader: OctetReader): Body | undefined {
  const wantsReply = reader.uint(1) === 1;
  const count = reader.uint(1);
  if (count > maxBranches) return undefined;
  const branches: Branch[] = [];
  for (let i = 0; i < count; i++) {
    const tree = trees[reader.uint(1)];
    const bucket = reader.uint(1);
    if (tree === undefined || bucket >= treeWidth) return undefined;
    branches.push({ tree, bucket, leaves: readHashes(reader) });
  }
  return { kind: 'branches', branches, wantsReply };
}

function writeUpdate(writer: OctetWriter, update: Update): void {
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

function readUpdate(reader: OctetReader, payloads: PayloadFormat): Update | undefined {
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
