import {
  formatIp,
  formatPrefix,
  type IpAddress,
  isLinkLocal,
  type Prefix,
  prefixContains,
  prefixOf,
} from '../address/index.ts';
import type { AddressMessage, LinkMessage, RtnetlinkMessage } from './rtnetlink-message.ts';

/** An interface on which neighbours can be answered. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mac: Uint8Array;
  /** Subnets of the link's addresses, without link-local subnets and single addresses (/32 and /128). */
  readonly subnets: readonly Prefix[];
  /** Increases whenever captures on the link must be reopened: after the link was down or deleted, or when its MAC has changed. */
  readonly epoch: number;
}

/** An address that the kernel has on one of its interfaces, including loopback and kube-ipvs0. */
export interface LocalAddress {
  readonly interface: string;
  readonly address: IpAddress;
}

const hardwareEthernet = 1;
const flag = { up: 0x1, loopback: 0x8, pointToPoint: 0x10, noArp: 0x80, lowerUp: 0x10000 } as const;
/**
 * Kinds of masters that take their members' frames. `undefined` stands for a master of which the kernel reports no kind. A VRF is not among them,
 * because it only picks routes.
 */
const swallowingMasters: ReadonlySet<string | undefined> = new Set([
  'bridge',
  'bond',
  'team',
  'openvswitch',
  undefined,
]);

interface Known {
  readonly message: LinkMessage;
  readonly epoch: number;
}

/** The links and addresses that rtnetlink has reported. */
export class LinkTable {
  readonly #links = new Map<number, Known>();
  readonly #addresses = new Map<
    number,
    Map<string, Omit<LocalAddress, 'interface'> & { readonly subnet: Prefix }>
  >();
  /** Epoch of the next new link. A new link may get the index of a deleted one, so this epoch is greater than those of all deleted links. */
  #nextEpoch: number;

  /** `firstEpoch` must be greater than every epoch of an earlier table, so that replacing the table reopens every capture. */
  constructor(firstEpoch: number) {
    this.#nextEpoch = firstEpoch;
  }

  /** Applies a message. Returns true when it may have changed something. */
  apply(message: RtnetlinkMessage): boolean {
    switch (message.kind) {
      case 'link': {
        const before = this.#links.get(message.index);
        const lost = before !== undefined && (!isUp(message) || !sameMac(before.message, message));
        const epoch = before === undefined ? this.#nextEpoch : before.epoch + (lost ? 1 : 0);
        this.#links.set(message.index, { message, epoch });
        return true;
      }
      case 'link-gone': {
        const { epoch } = this.#links.get(message.index) ?? { epoch: 0 };
        this.#nextEpoch = Math.max(this.#nextEpoch, epoch + 1);
        this.#addresses.delete(message.index);
        return this.#links.delete(message.index);
      }
      case 'address': {
        const { address, network, prefixLength } = message;
        const ofLink = this.#addresses.get(message.index) ?? new Map();
        this.#addresses.set(
          message.index,
          ofLink.set(addressKey(message), { address, subnet: prefixOf(network, prefixLength) }),
        );
        return true;
      }
      case 'address-gone':
        return this.#addresses.get(message.index)?.delete(addressKey(message)) ?? false;
      case 'done':
      case 'error':
        return false;
    }
  }

  /** The links that can answer neighbours, sorted by name. */
  links(): Link[] {
    const links: Link[] = [];
    for (const { message, epoch } of this.#links.values()) {
      const { index, name, mac } = message;
      if (!mac || !isUp(message) || !canAnswer(message)) continue;
      const subnets = new Map<string, Prefix>();
      for (const { subnet } of this.#addresses.get(index)?.values() ?? [])
        if (!isLinkLocal(subnet) && subnet.length < (subnet.family === 4 ? 32 : 128))
          subnets.set(`${subnet.value}/${subnet.length}/${subnet.family}`, subnet);
      links.push({ index, name, mac, subnets: [...subnets.values()], epoch });
    }
    return links.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Every address of the host, whatever the interface and its state. */
  localAddresses(): LocalAddress[] {
    return [...this.#addresses].flatMap(([index, addresses]) => {
      const name = this.#links.get(index)?.message.name;
      return name === undefined
        ? []
        : [...addresses.values()].map(({ address }) => ({ interface: name, address }));
    });
  }
}

/**
 * Whether the link should answer for the address. If `interfaces` names any interface, it must name this link. If it is empty, a subnet of
 * the link must contain the address.
 */
export function carries(
  link: Pick<Link, 'name' | 'subnets'>,
  address: IpAddress,
  interfaces: readonly string[],
): boolean {
  return interfaces.length > 0
    ? interfaces.includes(link.name)
    : link.subnets.some((subnet) => prefixContains(subnet, address));
}

function isUp({ flags }: LinkMessage): boolean {
  return (flags & flag.up) !== 0 && (flags & flag.lowerUp) !== 0;
}

function canAnswer({ flags, hardwareType, master, memberKind }: LinkMessage): boolean {
  const isMember = master !== undefined && swallowingMasters.has(memberKind);
  return (
    hardwareType === hardwareEthernet &&
    !isMember &&
    (flags & (flag.loopback | flag.pointToPoint | flag.noArp)) === 0
  );
}

function sameMac(a: LinkMessage, b: LinkMessage): boolean {
  return a.mac === undefined || b.mac === undefined ? a.mac === b.mac : Buffer.compare(a.mac, b.mac) === 0;
}

/**
 * The key by which the kernel tells the addresses of a link apart. A link may have an IPv4 address more than once, with peers in different subnets.
 * The key of an IPv6 address holds no peer, because the kernel can replace the peer without a message that the address with the old peer is gone.
 */
function addressKey({ address, network, prefixLength }: Omit<AddressMessage, 'kind' | 'index'>): string {
  const text = `${formatIp(address)}/${prefixLength}`;
  return address.family === 4 ? `${text} ${formatPrefix(prefixOf(network, prefixLength))}` : text;
}
