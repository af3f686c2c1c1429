/**
 * Answers IPv6 Neighbour Discovery for addresses that the kernel does not have (RFC 4861, RFC 4862). One responder serves one link. It
 * receives a frame and returns a verdict. After the verdict `answer`, the field `reply` holds the advertisement. All fields are reused,
 * so a solicitation allocates nothing.
 *
 * Answered: solicitations for our addresses. A solicitation goes to the solicited-node group, or to the address itself (unreachability
 * detection). If it has no source link-layer option, the reply goes to the frame's source MAC. Duplicate address detection by another host
 * is answered with an advertisement to all nodes.
 *
 * For an address on trial, the responder answers only other speakers, so that a witness can find out whether the answers arrive.
 *
 * Dropped: messages that are invalid by RFC 4861 section 7.1 (hop limit, checksum, options), frames for other stations or VLANs, frames of
 * our own, and messages about other addresses.
 *
 * In conflict with us: an advertisement by another station for our address, a solicitation by another station from our address, and a
 * probe by another host for an address that we are probing (RFC 4862 section 5.4.3) or have on trial.
 *
 *     capture → receive() → verdict → counters, advertisement, or conflict handling
 */
import type { AddressIndex, Answerable } from '../link/address-index.ts';
import {
  copyBytes,
  equalBytes,
  etherType,
  formatMac,
  isAddressedTo,
  isStationMac,
  macLength,
  otherVlan,
  payloadOffset,
  readUint16,
  type Verdict,
} from '../link/frame.ts';
import { Advertisement, icmpType, NeighbourMessage, ndpField } from './packet.ts';

export class NdpResponder<T extends Answerable> {
  /** MAC of the other host after the verdict `conflict`; valid until the next `receive`. */
  readonly conflictingMac: Uint8Array = new Uint8Array(macLength);
  /** The address in question after the verdicts `answer` and `conflict`. */
  matched: T | undefined;
  readonly #mac: Uint8Array;
  readonly #addresses: AddressIndex<T>;
  readonly #isSpeaker: (mac: string) => boolean;
  readonly #message = new NeighbourMessage();
  readonly #advertisement: Advertisement;

  /** `isSpeaker` says whether a MAC, in lower case with colons, belongs to another speaker. */
  constructor(
    mac: Uint8Array,
    addresses: AddressIndex<T>,
    isSpeaker: (mac: string) => boolean = () => false,
  ) {
    this.#mac = mac;
    this.#addresses = addresses;
    this.#isSpeaker = isSpeaker;
    this.#advertisement = new Advertisement(mac);
  }

  /** The frame to send after the verdict `answer`; valid until the next `receive`. */
  get reply(): Buffer {
    return this.#advertisement.frame;
  }

  /** Judges the frame in the first `length` octets of `frame`. */
  receive(frame: Uint8Array, length: number): Verdict {
    this.matched = undefined;
    const at = payloadOffset(frame, length);
    if (at < 0) return at === otherVlan ? 'other-vlan' : 'malformed';
    if (readUint16(frame, at - 2) !== etherType.ipv6) return 'malformed';
    const message = this.#message;
    const problem = message.read(frame, length, at);
    if (problem !== undefined) return problem;
    if (!isStationMac(frame, macLength)) return 'malformed';
    if (!isAddressedTo(frame, this.#mac)) return 'not-for-us';
    if (equalBytes(frame, macLength, this.#mac, 0, macLength)) return 'own-frame';

    const target = this.#addresses.find6(frame, at + ndpField.target);
    if (message.type === icmpType.advertisement)
      return target ? this.#conflict(target, frame) : 'unknown-address';
    const hasSource = !message.isFromUnspecified(frame);
    const source = hasSource ? this.#addresses.find6(frame, at + ndpField.source) : undefined;
    if (source) return this.#conflict(source, frame);
    if (!target) return 'unknown-address';
    if (!target.answering) {
      if (!hasSource) return this.#conflict(target, frame);
      if (!target.isOnTrial || !this.#isSpeaker(formatMac(frame, macLength))) return 'unknown-address';
    }
    this.#advertisement.setTarget(frame, at + ndpField.target);
    // RFC 4861 section 7.2.4: without a source address, the advertisement goes to all nodes with the Solicited flag clear.
    if (hasSource) this.#advertisement.toSolicitor(frame, this.#senderMacAt(frame), at + ndpField.source);
    else this.#advertisement.toAllNodes();
    this.matched = target;
    return 'answer';
  }

  /** Offset of the sender's MAC: in the link-layer option, or else in the Ethernet header. */
  #senderMacAt(frame: Uint8Array): number {
    const { linkLayerAt } = this.#message;
    return linkLayerAt !== 0 && isStationMac(frame, linkLayerAt) ? linkLayerAt : macLength;
  }

  #conflict(address: T, frame: Uint8Array): Verdict {
    // Neighbours will send to the MAC in the option, even when that is not the frame's source MAC.
    const at = this.#senderMacAt(frame);
    if (equalBytes(frame, at, this.#mac, 0, macLength)) return 'own-frame';
    copyBytes(frame, at, this.conflictingMac, 0, macLength);
    this.matched = address;
    return 'conflict';
  }
}
