/**
 * Answers ARP for addresses that the kernel does not have. One responder serves one link: a frame goes in, a verdict comes
 * out, and for `answer` the reply stands in `reply`. Pure but for its own fields, which are reused so that a request
 * allocates nothing.
 *
 * Answered: requests for our addresses, broadcast or unicast (a neighbour's refresh), and probes of hosts that are about to
 * take such an address (RFC 5227). Replies go to the asker alone, from the interface's own MAC. Refused: frames to other
 * stations, of VLANs, from ourselves, or malformed. A packet of another host whose sender address is ours is a claim, and so is
 * a probe for an address that we are probing ourselves (RFC 5227 section 2.1.1).
 *
 *     capture → receive() → verdict → counters, reply, or conflict handling
 */
import type { AddressIndex, Answerable } from '../link/address-index.ts';
import {
  copyBytes,
  equalBytes,
  etherType,
  isAddressedTo,
  macLength,
  payloadOffset,
  readInt32,
  readUint16,
  type Verdict,
} from '../link/frame.ts';
import { arpField, arpOperation, encodeArp, isArp } from './packet.ts';

const replyAt = 14;
const nobody = { family: 4, value: 0n } as const;

export class ArpResponder<T extends Answerable> {
  /** The frame to send after `answer`; valid until the next `receive`. */
  readonly reply: Buffer;
  /** Who claims, after `claim`; valid until the next `receive`. */
  readonly claimant: Uint8Array = new Uint8Array(macLength);
  /** Whose address it is about, after `answer` and `claim`. */
  entry: T | undefined;
  readonly #mac: Uint8Array;
  readonly #addresses: AddressIndex<T>;

  constructor(mac: Uint8Array, addresses: AddressIndex<T>) {
    this.#mac = mac;
    this.#addresses = addresses;
    this.reply = encodeArp({ destination: mac, operation: 'reply', senderMac: mac, targetIp: nobody });
  }

  /** Judges the frame in the first `length` octets of `frame`. */
  receive(frame: Uint8Array, length: number): Verdict {
    this.entry = undefined;
    const at = payloadOffset(frame, length);
    if (at < 0) return at === -2 ? 'other-vlan' : 'malformed';
    if (readUint16(frame, at - 2) !== etherType.arp || !isArp(frame, length, at)) return 'malformed';
    if (!isAddressedTo(frame, this.#mac)) return 'not-for-us';
    if (equalBytes(frame, at + arpField.senderMac, this.#mac, 0, macLength)) return 'own-frame';

    const claimed = this.#addresses.find4(frame, at + arpField.senderIp);
    if (claimed) return this.#claim(claimed, frame, at);
    if (readUint16(frame, at + arpField.operation) !== arpOperation.request) return 'unknown-address';
    const wanted = this.#addresses.find4(frame, at + arpField.targetIp);
    if (!wanted) return 'unknown-address';
    if (!wanted.answering) {
      const isProbe = readInt32(frame, at + arpField.senderIp) === 0;
      return isProbe ? this.#claim(wanted, frame, at) : 'unknown-address';
    }
    const { reply } = this;
    copyBytes(frame, at + arpField.senderMac, reply, 0, macLength);
    copyBytes(frame, at + arpField.targetIp, reply, replyAt + arpField.senderIp, 4);
    // The asker's MAC and address, which are adjacent, become the target.
    copyBytes(frame, at + arpField.senderMac, reply, replyAt + arpField.targetMac, macLength + 4);
    this.entry = wanted;
    return 'answer';
  }

  #claim(entry: T, frame: Uint8Array, at: number): Verdict {
    copyBytes(frame, at + arpField.senderMac, this.claimant, 0, macLength);
    this.entry = entry;
    return 'claim';
  }
}
