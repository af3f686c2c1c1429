/**
 * Answers ARP for addresses that the kernel does not have. One responder serves one link. It receives a frame and returns a verdict.
 * After the verdict `answer`, the field `reply` holds the reply. All fields are reused, so a request allocates nothing.
 *
 * Answered: requests for our addresses, and probes by hosts that are about to take one of our addresses (RFC 5227). A request is broadcast,
 * or unicast when a neighbour refreshes its ARP cache. A reply goes to the requesting station alone, from the interface's own MAC.
 *
 * For an address on trial, only the requests of other speakers are answered, so that they can find out whether the answers arrive.
 *
 * Dropped: malformed frames, frames for other stations or VLANs, frames of our own, and packets about other addresses.
 *
 * In conflict with us: a packet from another host with one of our addresses as the sender address, and a probe by another host for an
 * address that we are probing (RFC 5227 section 2.1.1) or have on trial.
 *
 *     capture → receive() → verdict → counters, reply, or conflict handling
 */
import type { AddressIndex, Answerable } from '../link/address-index.ts';
import {
  copyBytes,
  equalBytes,
  ethernetHeaderLength,
  etherType,
  formatMac,
  isAddressedTo,
  macLength,
  otherVlan,
  payloadOffset,
  readInt32,
  readUint16,
  type Verdict,
} from '../link/frame.ts';
import { arpField, arpOperation, encodeArp, isArp } from './packet.ts';

const replyAt = ethernetHeaderLength;
/** Target address of the reply until the first request overwrites it. */
const placeholder = { family: 4, value: 0n } as const;

export class ArpResponder<T extends Answerable> {
  /** The frame to send after the verdict `answer`; valid until the next `receive`. */
  readonly reply: Buffer;
  /** MAC of the other host after the verdict `conflict`; valid until the next `receive`. */
  readonly conflictingMac: Uint8Array = new Uint8Array(macLength);
  /** The address in question after the verdicts `answer` and `conflict`. */
  matched: T | undefined;
  readonly #mac: Uint8Array;
  readonly #addresses: AddressIndex<T>;
  readonly #isSpeaker: (mac: string) => boolean;

  /** `isSpeaker` says whether a MAC, in lower case with colons, belongs to another speaker. */
  constructor(
    mac: Uint8Array,
    addresses: AddressIndex<T>,
    isSpeaker: (mac: string) => boolean = () => false,
  ) {
    this.#mac = mac;
    this.#addresses = addresses;
    this.#isSpeaker = isSpeaker;
    this.reply = encodeArp({ destination: mac, operation: 'reply', senderMac: mac, targetIp: placeholder });
  }

  /** Judges the frame in the first `length` octets of `frame`. */
  receive(frame: Uint8Array, length: number): Verdict {
    this.matched = undefined;
    const at = payloadOffset(frame, length);
    if (at < 0) return at === otherVlan ? 'other-vlan' : 'malformed';
    if (readUint16(frame, at - 2) !== etherType.arp || !isArp(frame, length, at)) return 'malformed';
    if (!isAddressedTo(frame, this.#mac)) return 'not-for-us';
    if (equalBytes(frame, at + arpField.senderMac, this.#mac, 0, macLength)) return 'own-frame';

    const sender = this.#addresses.find4(frame, at + arpField.senderIp);
    if (sender) return this.#conflict(sender, frame, at);
    if (readUint16(frame, at + arpField.operation) !== arpOperation.request) return 'unknown-address';
    const target = this.#addresses.find4(frame, at + arpField.targetIp);
    if (!target) return 'unknown-address';
    if (!target.answering) {
      // RFC 5227 section 2.1.1: a probe has the sender address 0.0.0.0.
      if (readInt32(frame, at + arpField.senderIp) === 0) return this.#conflict(target, frame, at);
      if (!target.isOnTrial || !this.#isSpeaker(formatMac(frame, at + arpField.senderMac)))
        return 'unknown-address';
    }
    const { reply } = this;
    copyBytes(frame, at + arpField.senderMac, reply, 0, macLength);
    copyBytes(frame, at + arpField.targetIp, reply, replyAt + arpField.senderIp, 4);
    // The request's sender becomes the reply's target. In either pair of fields the IP address follows the MAC, so one copy moves both.
    copyBytes(frame, at + arpField.senderMac, reply, replyAt + arpField.targetMac, macLength + 4);
    this.matched = target;
    return 'answer';
  }

  #conflict(address: T, frame: Uint8Array, at: number): Verdict {
    copyBytes(frame, at + arpField.senderMac, this.conflictingMac, 0, macLength);
    this.matched = address;
    return 'conflict';
  }
}
