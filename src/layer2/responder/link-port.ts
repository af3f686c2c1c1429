import { encodeArpAnnouncement, encodeArpProbe } from '../../arp/packet.ts';
import { ArpResponder } from '../../arp/responder.ts';
import type { Clock } from '../../clock.ts';
import { AddressIndex } from '../../link/address-index.ts';
import type { Capture, OpenCapture } from '../../link/capture.ts';
import { type DropReason, etherType, formatMac, payloadType } from '../../link/frame.ts';
import type { Link } from '../../link/link-table.ts';
import { encodeDuplicateAddressProbe, encodeUnsolicitedAdvertisement } from '../../ndp/packet.ts';
import { NdpResponder } from '../../ndp/responder.ts';
import { type GroupSocket, SolicitedNodeGroups } from '../../ndp/solicited-node-groups.ts';
import type { AddressState } from './address-state.ts';

export type Protocol = 'arp' | 'ndp';

export interface LinkPortOptions {
  readonly openCapture: OpenCapture;
  readonly groupSocket: GroupSocket;
  readonly clock: Clock;
  readonly onDrop: (protocol: Protocol, reason: DropReason) => void;
  readonly onClaim: (state: AddressState, mac: string, port: LinkPort) => void;
  readonly onLost: (port: LinkPort, reason: string) => void;
}

/**
 * Everything ARP, and of ICMPv6 solicitations (135) and advertisements (136), but not what this link sends itself. It is told by
 * the MAC: `inbound` is known to the kernel only, and libpcap judges the first frames after opening itself, so that it would
 * lose them. The tags of VLANs are out of the kernel filter's sight, so tagged frames pass it like others.
 */
function filterFor(mac: Uint8Array): string {
  return `not ether src ${formatMac(mac)} and (arp or (icmp6 and (ip6[40] = 135 or ip6[40] = 136)))`;
}

/** One link with its capture, its addresses, and both responders. */
export class LinkPort {
  readonly link: Link;
  readonly #options: LinkPortOptions;
  readonly #capture: Capture;
  readonly #addresses = new AddressIndex<AddressState>();
  readonly #states = new Set<AddressState>();
  readonly #groups: SolicitedNodeGroups;
  readonly #arp: ArpResponder<AddressState>;
  readonly #ndp: NdpResponder<AddressState>;

  /** Opens the capture; throws when that fails. */
  constructor(link: Link, options: LinkPortOptions) {
    this.link = link;
    this.#options = options;
    this.#groups = new SolicitedNodeGroups(options.groupSocket, link.index);
    this.#arp = new ArpResponder(link.mac, this.#addresses);
    this.#ndp = new NdpResponder(link.mac, this.#addresses);
    this.#capture = options.openCapture({
      interface: link.name,
      filter: filterFor(link.mac),
      clock: options.clock,
      onFrame: (frame, length) => this.#receive(frame, length),
      onLost: (reason) => options.onLost(this, reason),
    });
  }

  get states(): ReadonlySet<AddressState> {
    return this.#states;
  }

  add(state: AddressState): void {
    if (this.#states.has(state)) return;
    this.#states.add(state);
    this.#addresses.set(state.address, state);
    if (state.address.family === 6) this.#groups.add(state.address);
  }

  remove(state: AddressState): void {
    if (!this.#states.delete(state)) return;
    this.#addresses.delete(state.address);
    if (state.address.family === 6) this.#groups.remove(state.address);
  }

  /** Tells the link that the address is here: gratuitous ARP in both forms, or an unsolicited advertisement. */
  announce(state: AddressState): void {
    const { mac } = this.link;
    const frames =
      state.address.family === 4
        ? encodeArpAnnouncement(mac, state.address)
        : [encodeUnsolicitedAdvertisement(mac, state.address)];
    for (const frame of frames) if (this.#send(frame, state)) state.gratuitous++;
  }

  /** Asks the link whether anybody has the address. */
  probe(state: AddressState): void {
    const { mac } = this.link;
    const isIpv4 = state.address.family === 4;
    this.#send(
      isIpv4 ? encodeArpProbe(mac, state.address) : encodeDuplicateAddressProbe(mac, state.address),
      state,
    );
  }

  /** Answers what has arrived. */
  drain(): void {
    this.#capture.drain();
  }

  close(): void {
    this.#capture.close();
    this.#groups.clear();
  }

  #receive(frame: Uint8Array, length: number): void {
    const type = payloadType(frame, length);
    // Frames of a VLAN do not show their payload; they are counted as ARP's, which is what they mostly are.
    const protocol = type === etherType.ipv6 ? 'ndp' : 'arp';
    const responder = protocol === 'ndp' ? this.#ndp : this.#arp;
    const verdict = responder.receive(frame, length);
    const { entry } = responder;
    if (verdict === 'answer' && entry) {
      entry.requests++;
      if (this.#capture.send(responder.reply)) entry.responses++;
      else this.#options.onDrop(protocol, 'send-failed');
    } else if (verdict === 'claim' && entry) {
      this.#options.onClaim(entry, formatMac(responder.claimant), this);
    } else if (verdict !== 'answer' && verdict !== 'claim') {
      this.#options.onDrop(protocol, verdict);
    }
  }

  #send(frame: Buffer, state: AddressState): boolean {
    const isSent = this.#capture.send(frame);
    if (!isSent) this.#options.onDrop(state.address.family === 4 ? 'arp' : 'ndp', 'send-failed');
    return isSent;
  }
}
