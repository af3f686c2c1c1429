/**
 * Answers IPv6 Neighbour Discovery for addresses that the kernel does not have (RFC 4861, RFC 4862). One responder serves one
 * link: a frame goes in, a verdict comes out, and for `answer` the advertisement stands in `reply`. Its fields are reused so that
 * a solicitation allocates nothing.
 *
 * Answered: solicitations to the solicited-node group or to the address itself (unreachability detection), with or without a
 * source link-layer option (the frame's own source then tells where the answer goes); duplicate address detection by
 * others, defended towards all nodes. Refused: what RFC 4861 section 7.1 calls invalid (hop limit, checksum, options), frames
 * to other stations, of VLANs, or from ourselves. Claims: an advertisement by another station for an address of ours, a
 * solicitation from one, and somebody else's probe for an address that we are probing (RFC 4862 section 5.4.3).
 *
 *     capture → receive() → verdict → counters, advertisement, or conflict handling
 */
import type { AddressIndex, Answerable } from '../link/address-index.ts';
import {
  copyBytes,
  equalBytes,
  etherType,
  isAddressedTo,
  isStationMac,
  macLength,
  payloadOffset,
  readUint16,
  type Verdict,
} from '../link/frame.ts';
import { Advertisement, icmpType, NeighbourMessage, ndpField } from './packet.ts';

export class NdpResponder<T extends Answerable> {
  /** Who claims, after `claim`; valid until the next `receive`. */
  readonly claimant: Uint8Array = new Uint8Array(macLength);
  /** Whose address it is about, after `answer` and `claim`. */
  entry: T | undefined;
  readonly #mac: Uint8Array;
  readonly #addresses: AddressIndex<T>;
  readonly #message = new NeighbourMessage();
  readonly #advertisement: Advertisement;

  constructor(mac: Uint8Array, addresses: AddressIndex<T>) {
    this.#mac = mac;
    this.#addresses = addresses;
    this.#advertisement = new Advertisement(mac);
  }

  /** The frame to send after `answer`; valid until the next `receive`. */
  get reply(): Buffer {
    return this.#advertisement.frame;
  }

  /** Judges the frame in the first `length` octets of `frame`. */
  receive(frame: Uint8Array, length: number): Verdict {
    this.entry = undefined;
    const at = payloadOffset(frame, length);
    if (at < 0) return at === -2 ? 'other-vlan' : 'malformed';
    if (readUint16(frame, at - 2) !== etherType.ipv6) return 'malformed';
    const message = this.#message;
    const problem = message.read(frame, length, at);
    if (problem !== undefined) return problem;
    if (!isStationMac(frame, macLength)) return 'malformed';
    if (!isAddressedTo(frame, this.#mac)) return 'not-for-us';
    if (equalBytes(frame, macLength, this.#mac, 0, macLength)) return 'own-frame';

    const wanted = this.#addresses.find6(frame, at + ndpField.target);
    if (message.type === icmpType.advertisement)
      return wanted ? this.#claim(wanted, frame) : 'unknown-address';
    const asks = !message.isFromUnspecified(frame);
    const claimed = asks ? this.#addresses.find6(frame, at + ndpField.source) : undefined;
    if (claimed) return this.#claim(claimed, frame);
    if (!wanted) return 'unknown-address';
    if (!wanted.answering) return asks ? 'unknown-address' : this.#claim(wanted, frame);
    this.#advertisement.setTarget(frame, at + ndpField.target);
    if (asks) this.#advertisement.toAsker(frame, this.#senderMacAt(frame), at + ndpField.source);
    else this.#advertisement.toAllNodes();
    this.entry = wanted;
    return 'answer';
  }

  #senderMacAt(frame: Uint8Array): number {
    const { linkLayerAt } = this.#message;
    return linkLayerAt !== 0 && isStationMac(frame, linkLayerAt) ? linkLayerAt : macLength;
  }

  #claim(entry: T, frame: Uint8Array): Verdict {
    // The option tells whom neighbours will send to, whoever put the frame on the wire.
    const at = this.#senderMacAt(frame);
    if (equalBytes(frame, at, this.#mac, 0, macLength)) return 'own-frame';
    copyBytes(frame, at, this.claimant, 0, macLength);
    this.entry = entry;
    return 'claim';
  }
}
