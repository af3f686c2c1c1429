import { formatIp, type IpAddress, sameIp } from '../../address/index.ts';
import type { PeerEvent } from '../fsm/peer-events.ts';
import type { Negotiated } from '../negotiation.ts';
import type { PeerSettings } from '../peer.ts';
import type { Stream } from '../transport/transport.ts';
import { type CarriedFamilies, carriedFamilies } from './carried-families.ts';
import { directLink, type NodeInterface } from './direct-link.ts';
import type { RouteOutput } from './route-output.ts';
import type { SessionLog } from './session-log.ts';

/** The parts of an established session that its routes need. */
interface Established {
  readonly stream: Stream;
  readonly negotiated: Negotiated;
  readonly settings: PeerSettings;
}

/** Starts and stops the routes of a session, and adapts its families and next hops to the node's addresses. */
export class SessionRoutes {
  readonly #output: RouteOutput;
  readonly #log: SessionLog;
  #session: Established | undefined;
  #carried: CarriedFamilies | undefined;
  /** The interface over which the peer is directly connected; `undefined` when routers may lie between. */
  #link: string | undefined;
  /** The interface that has the session's local address. */
  #addressInterface: string | undefined;

  constructor(output: RouteOutput, log: SessionLog) {
    this.#output = output;
    this.#log = log;
  }

  /** The families that the session carries; `undefined` unless it is up. */
  get carried(): CarriedFamilies | undefined {
    return this.#carried;
  }

  /**
   * The loss that ends the session: its link is gone, or the node has lost the session's local address. `interfaces` holds only interfaces
   * with a carrier and an address. An interface that is not listed may still have addresses. The local address therefore counts as lost
   * only if its interface is listed and no listed interface has the address.
   */
  lossOf(
    interfaces: readonly NodeInterface[],
  ): Extract<PeerEvent, { kind: 'link-down' | 'address-lost' }> | undefined {
    const isListed = (name: string) => interfaces.some((one) => one.name === name);
    const link = this.#link;
    if (link !== undefined && !isListed(link)) return { kind: 'link-down', interface: link };
    const local = this.#session?.stream.localAddress;
    if (!local || this.#addressInterface === undefined || !isListed(this.#addressInterface)) return undefined;
    return interfaceWith(local, interfaces) === undefined
      ? { kind: 'address-lost', address: formatIp(local) }
      : undefined;
  }

  /** The session is up: decides which families it carries, and sends all desired routes. */
  up(session: Established, interfaces: readonly NodeInterface[]): void {
    const { stream, negotiated, settings } = session;
    // A socket without a local address is already closed. The next event reports the close.
    if (!stream.localAddress) return;
    const carried = carriedFamilies(stream.localAddress, negotiated, settings, interfaces);
    this.#session = session;
    this.#carried = carried;
    this.#findLink(stream.localAddress, settings, interfaces);
    this.#log.established(negotiated, carried);
    const { internal, fourOctetAs, sendLimit, enhancedRouteRefresh } = negotiated;
    this.#output.up({
      sink: stream,
      wire: { internal, fourOctetAs, sendLimit, localAsn: settings.localAsn, nextHops: carried.nextHops },
      families: carried.families,
      negotiated: negotiated.families,
      enhancedRefresh: enhancedRouteRefresh,
      unsendable: () => this.#log.unsendable(),
    });
  }

  /** The node's addresses have changed: carries a family once it has a next hop, and withdraws its routes when the next hop is gone. */
  interfacesChanged(interfaces: readonly NodeInterface[]): void {
    const before = this.#carried;
    const local = this.#session?.stream.localAddress;
    if (!this.#session || !before || !local) return;
    const { negotiated, settings } = this.#session;
    this.#findLink(local, settings, interfaces);
    const carried = carriedFamilies(local, negotiated, settings, interfaces, before);
    this.#carried = carried;
    this.#output.recarry(carried.families, carried.nextHops);
    this.#log.familiesChanged(before, carried);
  }

  /**
   * Sets `#link` and `#addressInterface`, which may change when an address moves to another interface. When no listed interface fits, the
   * earlier value stays. A session can come up before its interface is in the list, because the kernel may report the carrier up to a second
   * after the first packets pass. `interfacesChanged` then finds the interface.
   */
  #findLink(
    local: IpAddress,
    { address, interface: zone }: PeerSettings,
    interfaces: readonly NodeInterface[],
  ): void {
    this.#link = directLink(local, address, zone, interfaces) ?? this.#link;
    this.#addressInterface = interfaceWith(local, interfaces) ?? this.#addressInterface;
  }

  down(): void {
    this.#output.down();
    this.#session = undefined;
    this.#carried = undefined;
    this.#link = undefined;
    this.#addressInterface = undefined;
  }
}

function interfaceWith(address: IpAddress, interfaces: readonly NodeInterface[]): string | undefined {
  return interfaces.find(({ addresses }) => addresses.some((one) => sameIp(one, address)))?.name;
}
