/** Filters in the language of pcap-filter(7). They let through only the control traffic of an address or a peer, and no traffic of Services. Pure. */
import { formatIp, type IpAddress } from '../address/index.ts';

/** ICMPv6 types (RFC 4861 section 4). */
const neighborSolicitation = 135;
const neighborAdvertisement = 136;
/** IANA's ports of BGP (RFC 4271), BFD control and echo (RFC 5881) and multihop BFD (RFC 5883). */
const bgpPort = 179;
const bfdPorts = [3784, 3785, 4784] as const;

/** ARP about the IPv4 address, or Neighbour Discovery about the IPv6 address. */
export function resolutionFilter(address: IpAddress): string {
  const text = formatIp(address);
  if (address.family === 4) return `(arp host ${text})`;
  // The target follows the IPv6 header of 40 octets and 8 octets of ICMPv6.
  const target = [0, 1, 2, 3].map((word) => {
    const value = (address.value >> BigInt(32 * (3 - word))) & 0xffffffffn;
    return `ip6[${48 + 4 * word}:4] = 0x${value.toString(16)}`;
  });
  const types = `(ip6[40] = ${neighborSolicitation} or ip6[40] = ${neighborAdvertisement})`;
  return `(icmp6 and ${types} and ${target.join(' and ')})`;
}

/** BGP and BFD with a peer. `port` is the TCP port of the peer. */
export function peerFilter(address: IpAddress, port: number): string {
  const tcp = [...new Set([bgpPort, port])].map((each) => `tcp port ${each}`);
  const udp = bfdPorts.map((each) => `udp port ${each}`);
  return `(host ${formatIp(address)} and (${[...tcp, ...udp].join(' or ')}))`;
}
