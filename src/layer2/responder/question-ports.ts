import { formatIp, type IpAddress, isLinkLocal, prefixContains } from '../../address/index.ts';
import { encodeArpRequest, readArpReply } from '../../arp/packet.ts';
import type { Clock, Timer } from '../../clock.ts';
import { type Capture, type OpenCapture, openCapture } from '../../link/capture.ts';
import { type DropReason, etherType, formatMac, isStationMac, payloadType } from '../../link/frame.ts';
import type { Link } from '../../link/link-table.ts';
import type { Links } from '../../link/link-watcher.ts';
import type { Logger } from '../../log.ts';
import { encodeSolicitation, readAdvertisement } from '../../ndp/packet.ts';
import { reasonOf } from '../../result.ts';
import type { Guard } from '../../telemetry/guard.ts';
import type { Protocol } from './link-port.ts';

/** An ARP reply or a neighbour advertisement that was sent to this host; with `hearsOwnHost`, also one that this host has sent. */
export interface NeighbourAnswer {
  /** Canonical text. */
  readonly address: string;
  readonly family: 4 | 6;
  /** Lower case, colon separated. */
  readonly mac: string;
  readonly interface: string;
}

export interface QuestionPortsOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly links: Links;
  readonly openCapture?: OpenCapture;
  readonly onAnswer: (answer: NeighbourAnswer) => void;
  readonly onDrop: (protocol: Protocol, reason: DropReason) => void;
  /** Whether to hear the answers and announcements of other programs on this host too. */
  readonly hearsOwnHost?: boolean;
}

interface Port {
  readonly link: Link;
  readonly capture: Capture;
}

/** Room for a few hundred answers. Questions are rare, and a lost answer only causes another question. */
const bufferBytes = 256 * 1024;
const reopenDelayMs = 1000;
/** Minimum time between two checks for frames. */
const drainIntervalMs = 1;

/** Passes only ARP replies and advertisements to this host's own MAC. Announcements, and answers to other hosts, do not wake the process. */
function filterFor(mac: Uint8Array): string {
  return `ether dst ${formatMac(mac)} and not ether src ${formatMac(mac)} and ((arp and arp[6:2] = 2) or (icmp6 and ip6[40] = 136))`;
}

function filterWithOwnHost(mac: Uint8Array): string {
  return `(ether dst ${formatMac(mac)} or ether src ${formatMac(mac)}) and ((arp and arp[6:2] = 2) or (icmp6 and ip6[40] = 136))`;
}

/**
 * Asks for the addresses of other hosts, and listens for the answers on captures that are separate from those of `LinkPorts`. A link is captured
 * from its first question on, or as soon as `listen` names it.
 */
export class QuestionPorts {
  readonly #options: QuestionPortsOptions;
  readonly #ports = new Map<string, Port>();
  /** When each link that could not be captured may be tried again. */
  readonly #retryAtMs = new Map<string, number>();
  /** The links that `listen` has named. */
  #listened: ReadonlySet<string> = new Set();
  #listenTimer: Timer | undefined;
  #drainedAtMs = 0;

  constructor(options: QuestionPortsOptions) {
    this.#options = options;
  }

  /** Sends a question. Returns false if there is no such link, if this host has no address of the family on the link, or if the system refuses. */
  ask(interfaceName: string, target: IpAddress): boolean {
    const link = this.#options.links.links().find(({ name }) => name === interfaceName);
    const source = link && this.#sourceOn(link, target);
    const port = source && this.#port(link);
    if (!port) return false;
    const encode = target.family === 4 ? encodeArpRequest : encodeSolicitation;
    return port.capture.send(encode(link.mac, source, target));
  }

  /** Captures these links from now on, and no others. */
  listen(interfaces: ReadonlySet<string>): void {
    this.#listened = interfaces;
    this.keep(interfaces);
    for (const link of this.#options.links.links()) if (interfaces.has(link.name)) this.#port(link);
  }

  /** Closes the captures of all links but these. */
  keep(interfaces: ReadonlySet<string>): void {
    for (const [name, port] of this.#ports) if (!interfaces.has(name)) this.#close(port);
  }

  /** Handles the frames that have arrived. A long task can call this for each of its items, because a call is cheap. */
  drain(): void {
    const { clock } = this.#options;
    if (clock.now() - this.#drainedAtMs < drainIntervalMs) return;
    for (const { capture } of [...this.#ports.values()]) capture.drain();
    this.#drainedAtMs = clock.now();
  }

  close(): void {
    this.#listened = new Set();
    this.#listenTimer?.cancel();
    this.keep(new Set());
  }

  /** An address of this host on the link. One in the target's subnet is best, because some hosts answer only questions from such an address. */
  #sourceOn(link: Link, target: IpAddress): IpAddress | undefined {
    const own = this.#options.links
      .localAddresses()
      .filter((local) => local.interface === link.name && local.address.family === target.family)
      .map(({ address }) => address)
      .filter((address) => !isLinkLocal(address));
    const subnets = link.subnets.filter((subnet) => prefixContains(subnet, target));
    return own.find((address) => subnets.some((subnet) => prefixContains(subnet, address))) ?? own[0];
  }

  #port(link: Link): Port | undefined {
    const known = this.#ports.get(link.name);
    if (known && known.link.epoch === link.epoch && known.link.index === link.index) return known;
    if (known) this.#close(known);
    const { clock, log, guard, hearsOwnHost } = this.#options;
    if (clock.now() < (this.#retryAtMs.get(link.name) ?? 0)) return this.#listenSoon(link.name);
    try {
      const capture = (this.#options.openCapture ?? openCapture)({
        interface: link.name,
        filter: (hearsOwnHost ? filterWithOwnHost : filterFor)(link.mac),
        bufferBytes,
        clock,
        onFrame: (frame, length) => {
          const octets = frame.subarray(0, length);
          guard.run({ entrance: 'frame', source: link.name, octets }, () =>
            this.#receive(link, frame, length),
          );
        },
        onLost: (reason) => {
          log.warn(
            { interface: link.name, reason },
            'capture of answers lost; it is opened again when it is needed',
          );
          this.#ports.delete(link.name);
          this.#retryAtMs.set(link.name, clock.now() + reopenDelayMs);
          this.#listenSoon(link.name);
        },
      });
      const port = { link, capture };
      this.#ports.set(link.name, port);
      return port;
    } catch (error) {
      const reason = reasonOf(error);
      log.debug({ interface: link.name, reason }, 'cannot capture answers on the link');
      this.#retryAtMs.set(link.name, clock.now() + reopenDelayMs);
      return this.#listenSoon(link.name);
    }
  }

  /** Captures the link later if `listen` has named it. A link that `listen` has not named is captured at its next question. */
  #listenSoon(interfaceName: string): undefined {
    if (!this.#listened.has(interfaceName)) return;
    this.#listenTimer ??= this.#options.clock.after(reopenDelayMs, () => {
      this.#listenTimer = undefined;
      this.listen(this.#listened);
    });
  }

  #receive(link: Link, frame: Uint8Array, length: number): void {
    const isIpv6 = payloadType(frame, length) === etherType.ipv6;
    const answer = isIpv6 ? readAdvertisement(frame, length) : readArpReply(frame, length);
    if (!answer || !isStationMac(frame, answer.macAt)) {
      this.#options.onDrop(isIpv6 ? 'ndp' : 'arp', 'malformed');
      return;
    }
    const { address, macAt } = answer;
    this.#options.onAnswer({
      address: formatIp(address),
      family: address.family,
      mac: formatMac(frame, macAt),
      interface: link.name,
    });
  }

  #close(port: Port): void {
    port.capture.close();
    this.#ports.delete(port.link.name);
  }
}
