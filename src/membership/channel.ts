/**
 * The channel seals packets into datagrams, and accepts a received datagram only when it is authentic and fresh. It is a machine:
 * datagrams and the time go in, packets and datagrams come out. The plaintext of a datagram is a packet or a challenge:
 *
 *     u8 kind │ u8 length, sender │ token, 8 octets │ packet
 *     u8 kind │ u8 length, sender │ token, 8 octets │ u48 sequence number of the challenged datagram
 *
 * A packet carries the token that its receiver gave the sender, or zeros if the sender has none yet. A challenge carries a token that its
 * receiver must show from then on. The receiver sends the challenged packet again at once with that token. A first contact therefore costs
 * one more round trip, but waits for no timer.
 *
 * A challenge and its answer are sealed with the key of the challenged datagram, because both members hold that key.
 *
 * A member is challenged only at an endpoint that is already known for its name. A forged source address therefore cannot direct a
 * challenge to another host.
 *
 * Versions of the seal: every release opens version 1. A member sends version 1 until it knows that the other member opens
 * version 2. A packet has kind 0 or 2, and a challenge has kind 1. In a datagram of version 1, kind 2 says that the sender opens version 2.
 * Releases that know only version 1 read kind 2 as kind 0. When every speaker runs a release with version 2, all datagrams after the first
 * contact are of version 2.
 *
 * In a datagram of version 2, kind 2 says that the sender reads packets of the kind `branches`. Releases that do not read such packets send
 * kind 0, and read kind 2 as kind 0.
 */

import { Admission } from './admission.ts';
import { decodePacket, encodePacket } from './codec.ts';
import { type Endpoint, isDeliverable, isSameEndpoint, isSameFamily } from './endpoint.ts';
import { Keyring, type Keys, type SharedKey } from './keyring.ts';
import type { Packet } from './packet.ts';
import type { PayloadFormat } from './payload.ts';
import { RefusedDatagrams } from './refused-datagrams.ts';
import { noToken, ReplayGuard, tokenLength } from './replay-guard.ts';
import { Seal, type SealError, type SealVersion } from './seal.ts';

/** Why a datagram was dropped. It is also a label of a metric. */
export type DatagramDrop = SealError | 'flood' | 'replayed' | 'unproven' | 'own';

export interface ChannelOptions {
  readonly name: string;
  readonly keys: Keys;
  readonly payloads: PayloadFormat;
  readonly randomOctets: (length: number) => Buffer;
}

export interface Transmission {
  readonly datagram: Buffer;
  readonly endpoint: Endpoint;
}

/** The result of receiving a datagram. */
export interface Received {
  readonly packet?: Packet;
  readonly dropped?: DatagramDrop;
  readonly transmissions: readonly Transmission[];
}

/** The time of receipt in milliseconds, by the monotonic clock and by the wall clock. */
export interface Instant {
  readonly nowMs: number;
  readonly epochMs: number;
}

const kinds = { packet: 0, challenge: 1, packetOfLater: 2 } as const;
/** Packets kept for each member in case a challenge asks for them again. */
const keptForChallenge = 8;
/**
 * Maximum number of members for which packets are kept. A challenge arrives within one round trip, so a packet is needed only shortly after it
 * was sent. Only names that the membership knows are passed to `forget`, but packets also go to other names, such as the targets of relayed
 * pings. Without this maximum, the packets for such names would stay for good.
 */
const maxKeptMembers = 1024;

interface SentPacket {
  readonly endpoint: Endpoint;
  readonly sequence: number;
  readonly packet: Packet;
}

export class Channel {
  readonly #name: string;
  readonly #payloads: PayloadFormat;
  readonly #session: string;
  readonly #keyring: Keyring;
  readonly #seal: Seal;
  readonly #guard: ReplayGuard;
  readonly #admission = new Admission();
  readonly #refused = new RefusedDatagrams();
  /** The id of the key with which each member sealed its latest datagram. */
  readonly #latestKeys = new Map<string, number>();
  readonly #tokens = new Map<string, string>();
  readonly #sent = new Map<string, SentPacket[]>();
  readonly #opensVersion2 = new Set<string>();

  constructor({ name, keys, payloads, randomOctets }: ChannelOptions) {
    const session = randomOctets(16);
    this.#name = name;
    this.#payloads = payloads;
    this.#session = session.toString('hex');
    this.#keyring = new Keyring(keys);
    this.#seal = new Seal(name, this.#keyring, session);
    this.#guard = new ReplayGuard(randomOctets(32));
  }

  /**
   * Replaces the keys. The first key seals datagrams, and every key opens them. A removed key still opens datagrams for `retiredKeyMs`. A member
   * that seals with another key than the first gets a second copy of each datagram, sealed with that key, as long as the key opens datagrams.
   */
  setKeys(keys: Keys, nowMs: number): void {
    this.#keyring.replace(keys, nowMs);
  }

  /** Replaces the hosts that run speakers according to Kubernetes. */
  setListedHosts(hosts: ReadonlySet<string>): void {
    this.#admission.setListed(hosts);
  }

  /** Drops what is kept about a member that the membership has forgotten. */
  forget(name: string): void {
    this.#sent.delete(name);
    this.#tokens.delete(name);
    this.#latestKeys.delete(name);
    this.#opensVersion2.delete(name);
    this.#guard.forget(name);
  }

  /** Seals the packet into one datagram for each key that the member may need. Returns none when the endpoint is not deliverable. */
  send(to: string, endpoint: Endpoint, packet: Packet, nowMs: number): Transmission[] {
    if (!isDeliverable(endpoint)) return [];
    return this.#keysFor(to, nowMs).map((key) => {
      const transmission = this.#packet(to, endpoint, packet, key);
      this.#keep(to, { endpoint, sequence: this.#seal.sequence, packet });
      return transmission;
    });
  }

  #keep(to: string, packet: SentPacket): void {
    const sent = [...(this.#sent.get(to) ?? []), packet].slice(-keptForChallenge);
    // The map begins with the member whose last packet is the oldest.
    this.#sent.delete(to);
    this.#sent.set(to, sent);
    for (const oldest of this.#sent.keys()) {
      if (this.#sent.size <= maxKeptMembers) break;
      this.#sent.delete(oldest);
    }
  }

  /** Opens and checks a datagram. `endpointsOf` returns the endpoints known for a member. */
  receive(
    datagram: Uint8Array,
    source: Endpoint,
    { nowMs, epochMs }: Instant,
    endpointsOf: (name: string) => readonly Endpoint[],
  ): Received {
    const sealed = this.#seal.inspect(datagram, nowMs);
    if (!sealed.ok) return drop(sealed.error);
    const { isKnownSession, key } = sealed.value;
    if (this.#refused.has(sealed.value)) return drop('replayed');
    if (!this.#admission.admits(source.host, isKnownSession, nowMs)) return drop('flood');
    const opened = this.#seal.open(sealed.value);
    if (!opened.ok) {
      this.#refused.add(sealed.value);
      return drop(opened.error);
    }
    const { version, session, sequence, plaintext } = opened.value;
    if (session === this.#session) return drop('own');
    const nameEnd = 2 + (plaintext[1] ?? 0);
    const bodyAt = nameEnd + tokenLength;
    if (plaintext.length < bodyAt) return drop('malformed');
    const kind = plaintext[0];
    const from = plaintext.toString('latin1', 2, nameEnd);
    const token = plaintext.toString('hex', nameEnd, bodyAt);
    const body = plaintext.subarray(bodyAt);
    if (kind === kinds.challenge) return this.#challenged(from, token, body, version, key);
    const opensVersion2 = version === 2 || kind === kinds.packetOfLater;
    const readsBranches = version === 2 && kind === kinds.packetOfLater;
    const verdict = this.#guard.judge(from, session, sequence, token);
    // The datagram counts as refused even if it is only challenged. Its sender answers the challenge with a new datagram, so a second copy of
    // this one can only be a replay.
    if (verdict.kind !== 'accept') this.#refused.add(sealed.value);
    if (verdict.kind === 'replayed') return drop('replayed');
    if (verdict.kind === 'challenge') {
      const endpoint = challengeEndpoint(source, endpointsOf(from));
      const transmissions = endpoint
        ? [this.#challenge(from, verdict.token, sequence, endpoint, opensVersion2 ? 2 : 1, key)]
        : [];
      return { dropped: 'unproven', transmissions };
    }
    this.#admission.prove(source.host);
    this.#latestKeys.set(from, key.id);
    this.#setVersion(from, opensVersion2);
    const packet = decodePacket(body, { payloads: this.#payloads, epochMs, readsBranches });
    if (!packet.ok || packet.value.from !== from) return drop('malformed');
    return { packet: packet.value, transmissions: [] };
  }

  /**
   * Accepts a challenge only for a datagram that this member has just sent. A challenge that an attacker recorded therefore has no effect.
   */
  #challenged(from: string, token: string, body: Buffer, version: SealVersion, key: SharedKey): Received {
    if (body.length !== 6) return drop('malformed');
    const sequence = body.readUIntBE(0, 6);
    const sent = this.#sent.get(from) ?? [];
    const challenged = sent.find((each) => each.sequence === sequence);
    if (!challenged) return drop('replayed');
    const rest = sent.filter((each) => each !== challenged);
    this.#sent.set(from, rest);
    this.#tokens.set(from, token);
    this.#setVersion(from, version === 2);
    return { transmissions: [this.#packet(from, challenged.endpoint, challenged.packet, key)] };
  }

  /**
   * The keys with which a datagram to the member is sealed. Speakers read a changed Secret at different times, and a speaker that cannot reach
   * the API server does not read it at all. A member whose key differs from ours may therefore lack our key, so it gets each datagram twice.
   * The datagram with our key comes last, because a member assumes that we use the key of the last datagram. Once both members have the same
   * first key, each sends every datagram only once.
   */
  #keysFor(to: string, nowMs: number): readonly SharedKey[] {
    const { sealing } = this.#keyring;
    const latest = this.#latestKeys.get(to) ?? sealing.id;
    const other = latest === sealing.id ? undefined : this.#keyring.opening(latest, nowMs);
    return other ? [other, sealing] : [sealing];
  }

  #setVersion(name: string, opensVersion2: boolean): void {
    if (opensVersion2) this.#opensVersion2.add(name);
    else this.#opensVersion2.delete(name);
  }

  #packet(to: string, endpoint: Endpoint, packet: Packet, key: SharedKey): Transmission {
    const token = this.#tokens.get(to) ?? noToken;
    const version = this.#opensVersion2.has(to) ? 2 : 1;
    const plaintext = this.#plaintext(kinds.packetOfLater, token, encodePacket(packet));
    const datagram = this.#seal.seal(plaintext, to, version, key);
    return { datagram, endpoint };
  }

  #challenge(
    to: string,
    token: string,
    sequence: number,
    endpoint: Endpoint,
    version: SealVersion,
    key: SharedKey,
  ): Transmission {
    const body = Buffer.alloc(6);
    body.writeUIntBE(sequence, 0, 6);
    return {
      datagram: this.#seal.seal(this.#plaintext(kinds.challenge, token, body), to, version, key),
      endpoint,
    };
  }

  #plaintext(kind: number, token: string, body: Buffer): Buffer {
    const head = Buffer.from([kind, this.#name.length]);
    return Buffer.concat([head, Buffer.from(this.#name, 'latin1'), Buffer.from(token, 'hex'), body]);
  }
}

function drop(reason: DatagramDrop): Received {
  return { dropped: reason, transmissions: [] };
}

/**
 * Chooses where to send a challenge. Returns the source of the datagram if it is a known endpoint of the member. A node may also send from
 * another address. For such a source, returns a known endpoint of the member, of the same family if possible.
 */
function challengeEndpoint(source: Endpoint, known: readonly Endpoint[]): Endpoint | undefined {
  const deliverable = known.filter(isDeliverable);
  const sameFamily = deliverable.find((each) => isSameFamily(each, source));
  return deliverable.find((each) => isSameEndpoint(each, source)) ?? sameFamily ?? deliverable[0];
}
