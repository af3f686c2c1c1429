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
import type { Guard } from '../../telemetry/guard.ts';
import type { AddressState } from './address-state.ts';
import { FrameBacklog } from './frame-backlog.ts';
import { answerWithinMs } from './stall.ts';

export type Protocol = 'arp' | 'ndp';

export interface LinkPortOptions {
  readonly openCapture: OpenCapture;
  readonly groupSocket: GroupSocket;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly onDrop: (protocol: Protocol, reason: DropReason) => void;
  readonly onConflict: (state: AddressState, mac: string, port: LinkPort) => void;
  readonly onLost: (port: LinkPort, reason: string) => void;
  /** Whether the MAC, lower case and colon separated, belongs to another speaker. */
  readonly isSpeaker: (mac: string) => boolean;
  /** About the last request for an answered address: `lateAtMs` is the time at which it was dropped as late, or `-Infinity` if it was in time. */
  readonly lateness: { lateAtMs: number };
}

/**
 * The kernel filter: all ARP, plus ICMPv6 solicitations (135) and advertisements (136), without the frames that this link sends. The filter
 * recognises sent frames by their source MAC, not by their direction. libpcap filters the first frames of a new capture in user space, where
 * their direction is unknown, so a filter by direction would drop those frames. The kernel removes VLAN tags before it filters, so tagged
 * frames of these kinds pass too. libpcap puts the tags back, and the responders drop the frames of VLANs.
 */
function filterFor(mac: Uint8Array): string {
  return `not ether src ${formatMac(mac)} and (arp or (icmp6 and (ip6[40] = 135 or ip6[40] = 136)))`;
}

/** One link: its capture, the addresses on it, and a responder for each protocol. */
export class LinkPort {
  readonly link: Link;
  readonly #options: LinkPortOptions;
  readonly #capture: Capture;
  readonly #addresses = new AddressIndex<AddressState>();
  readonly #states = new Set<AddressState>();
  readonly #groups: SolicitedNodeGroups;
  /** Addresses whose group the system refused. */
  readonly #refused = new Set<AddressState>();
  readonly #arp: ArpResponder<AddressState>;
  readonly #ndp: NdpResponder<AddressState>;
  readonly #backlog: FrameBacklog;

  /** Opens the capture. Throws when that fails. */
  constructor(link: Link, options: LinkPortOptions) {
    this.link = link;
    this.#options = options;
    this.#groups = new SolicitedNodeGroups(options.groupSocket, link.index);
    this.#arp = new ArpResponder(link.mac, this.#addresses, options.isSpeaker);
    this.#ndp = new NdpResponder(link.mac, this.#addresses, options.isSpeaker);
    this.#backlog = new FrameBacklog(options.clock, (...held) => this.#guarded(...held));
    this.#capture = options.openCapture({
      interface: link.name,
      filter: filterFor(link.mac),
      clock: options.clock,
      onFrame: (frame, length, ageMs) => {
        if (!this.#backlog.mustHold(ageMs)) this.#guarded(frame, length, ageMs);
        else if (!this.#backlog.hold(frame, length, ageMs)) options.onDrop(protocolOf(frame, length), 'late');
      },
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
    if (state.address.family === 6 && !this.#groups.add(state.address)) this.#refused.add(state);
  }

  /** Whether the system has refused the multicast group of at least one address of this link, so that `joinRefused` must be called later. */
  get hasRefused(): boolean {
    return this.#refused.size > 0;
  }

  /** Tries again to join the groups that were refused. It stops at the first refusal, because the system most likely refuses the others too. */
  joinRefused(): void {
    for (const state of this.#refused) {
      this.#refused.delete(state);
      if (this.#groups.add(state.address)) continue;
      // The next attempt begins with another address.
      this.#refused.add(state);
      return;
    }
  }

  remove(state: AddressState): void {
    if (!this.#states.delete(state)) return;
    this.#addresses.delete(state.address);
    this.#refused.delete(state);
    if (state.address.family === 6) this.#groups.remove(state.address);
  }

  /** Sends a gratuitous ARP request and reply, or an unsolicited advertisement. */
  announce(state: AddressState): void {
    const { mac } = this.link;
    const frames =
      state.address.family === 4
        ? encodeArpAnnouncement(mac, state.address)
        : [encodeUnsolicitedAdvertisement(mac, state.address)];
    for (const frame of frames) if (this.#send(frame, state)) state.gratuitous++;
  }

  /** Sends an ARP Probe or a duplicate-address-detection solicitation. Returns false when the system refuses. */
  probe(state: AddressState): boolean {
    const { mac } = this.link;
    const encode = state.address.family === 4 ? encodeArpProbe : encodeDuplicateAddressProbe;
    return this.#send(encode(mac, state.address), state);
  }

  /** Handles the frames that have arrived. */
  drain(): void {
    this.#capture.drain();
  }

  close(): void {
    this.#capture.close();
    this.#backlog.close();
    this.#groups.clear();
  }

  /** Handles a frame. An exception loses only that frame. This method does not use `Guard.run`, which would allocate for each frame. */
  #guarded(frame: Uint8Array, length: number, ageMs: number): void {
    try {
      this.#receive(frame, length, ageMs);
    } catch (error) {
      const octets = frame.subarray(0, length);
      this.#options.guard.failed({ entrance: 'frame', source: this.link.name, octets }, error);
    }
  }

  #receive(frame: Uint8Array, length: number, ageMs: number): void {
    const protocol = protocolOf(frame, length);
    const responder = protocol === 'ndp' ? this.#ndp : this.#arp;
    const verdict = responder.receive(frame, length);
    const { matched } = responder;
    if (verdict === 'answer' && matched) {
      matched.requests++;
      const isLate = ageMs > answerWithinMs;
      this.#options.lateness.lateAtMs = isLate ? this.#options.clock.now() : Number.NEGATIVE_INFINITY;
      if (isLate) this.#options.onDrop(protocol, 'late');
      else if (this.#capture.send(responder.reply)) matched.responses++;
      else this.#options.onDrop(protocol, 'send-failed');
    } else if (verdict === 'conflict' && matched) {
      this.#options.onConflict(matched, formatMac(responder.conflictingMac), this);
    } else if (verdict !== 'answer' && verdict !== 'conflict') {
      this.#options.onDrop(protocol, verdict);
    }
  }

  #send(frame: Buffer, state: AddressState): boolean {
    const isSent = this.#capture.send(frame);
    if (!isSent) this.#options.onDrop(state.address.family === 4 ? 'arp' : 'ndp', 'send-failed');
    return isSent;
  }
}

/** The protocol of a frame. Frames of a VLAN and truncated frames count as ARP, because `payloadType` does not return the type of their payload. */
function protocolOf(frame: Uint8Array, length: number): Protocol {
  return payloadType(frame, length) === etherType.ipv6 ? 'ndp' : 'arp';
}
