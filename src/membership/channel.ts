/**
 * The way between packets and datagrams: sealed, known to be fresh, counted. A plaintext is
 *
 *     u8 kind │ u8 length, sender │ token, 8 octets │ packet                      kind 0
 *     u8 kind │ u8 length, sender │ token, 8 octets │ u48 sequence it answers     kind 1: a challenge
 *
 * where the token is the one that the receiver gave us; zeros when it gave none yet. What a challenge answers is sent again with
 * the token, once, so that a first contact costs one round trip and no retransmission.
 */
import { randomBytes } from 'node:crypto';
import { decodePacket, encodePacket } from './codec.ts';
import type { Endpoint, Packet } from './packet.ts';
import type { PayloadFormat } from './payload.ts';
import { ReplayGuard } from './replay-guard.ts';
import { Seal, type SealError } from './seal.ts';

export type DatagramDrop = SealError | 'malformed' | 'replayed' | 'unproven' | 'own';

export interface ChannelOptions {
  readonly name: string;
  readonly payloads: PayloadFormat;
  readonly transmit: (datagram: Buffer, endpoint: Endpoint) => void;
  readonly deliver: (packet: Packet, source: Endpoint) => void;
  readonly drop: (reason: DatagramDrop) => void;
}

const kind = { packet: 0, challenge: 1 } as const;
const tokenLength = 8;
const noToken = '0'.repeat(2 * tokenLength);
/** Unproven first packets kept per peer until its challenge comes. */
const keptForChallenge = 8;

interface Unproven {
  readonly sequence: number;
  readonly packet: Packet;
}

export class Channel {
  readonly #options: ChannelOptions;
  readonly #session = randomBytes(16);
  readonly #guard = new ReplayGuard(() => randomBytes(tokenLength).toString('hex'));
  readonly #tokens = new Map<string, string>();
  readonly #unproven = new Map<string, Unproven[]>();
  #seal: Seal;

  constructor(keys: readonly [Uint8Array, ...Uint8Array[]], options: ChannelOptions) {
    this.#options = options;
    this.#seal = new Seal(keys, this.#session);
  }

  /** From now on the first of these keys seals and all open. */
  setKeys(keys: readonly [Uint8Array, ...Uint8Array[]]): void {
    this.#seal = new Seal(keys, this.#session, this.#seal.sequence);
  }

  send(to: string, endpoint: Endpoint, packet: Packet): void {
    const token = this.#tokens.get(to) ?? noToken;
    this.#transmit(kind.packet, token, encodePacket(packet), endpoint);
    const waiting = this.#unproven.get(to) ?? [];
    waiting.push({ sequence: this.#seal.sequence, packet });
    if (waiting.length > keptForChallenge) waiting.shift();
    this.#unproven.set(to, waiting);
  }

  receive(datagram: Uint8Array, source: Endpoint): void {
    const opened = this.#seal.open(datagram);
    if (!opened.ok) return this.#options.drop(opened.error);
    const { session, sequence, plaintext } = opened.value;
    if (session === this.#session.toString('hex')) return this.#options.drop('own');
    const nameEnd = 2 + (plaintext[1] ?? 0);
    const bodyAt = nameEnd + tokenLength;
    if (plaintext.length < bodyAt) return this.#options.drop('malformed');
    const from = plaintext.toString('latin1', 2, nameEnd);
    const token = plaintext.toString('hex', nameEnd, bodyAt);
    const body = plaintext.subarray(bodyAt);
    if (plaintext[0] === kind.challenge) return this.#challenged(from, token, body, source);
    const verdict = this.#guard.judge(from, session, sequence, token);
    if (verdict.kind === 'replayed') return this.#options.drop('replayed');
    if (verdict.kind === 'challenge') {
      this.#options.drop('unproven');
      const answered = Buffer.alloc(6);
      answered.writeUIntBE(sequence, 0, 6);
      return this.#transmit(kind.challenge, verdict.token, answered, source);
    }
    const packet = decodePacket(body, this.#options.payloads);
    if (!packet.ok || packet.value.from !== from) return this.#options.drop('malformed');
    this.#options.deliver(packet.value, source);
  }

  #challenged(from: string, token: string, body: Buffer, source: Endpoint): void {
    if (body.length !== 6) return this.#options.drop('malformed');
    const sequence = body.readUIntBE(0, 6);
    const waiting = this.#unproven.get(from) ?? [];
    // It must answer what we sent to that peer just now: a recorded challenge does not.
    const answered = waiting.find((each) => each.sequence === sequence);
    if (!answered) return this.#options.drop('replayed');
    this.#tokens.set(from, token);
    this.#unproven.set(
      from,
      waiting.filter((each) => each !== answered),
    );
    this.#transmit(kind.packet, token, encodePacket(answered.packet), source);
  }

  #transmit(plaintextKind: number, token: string, body: Buffer, endpoint: Endpoint): void {
    const { name } = this.#options;
    const head = Buffer.from([plaintextKind, name.length]);
    const plaintext = Buffer.concat([head, Buffer.from(name, 'latin1'), Buffer.from(token, 'hex'), body]);
    this.#options.transmit(this.#seal.seal(plaintext), endpoint);
  }
}
