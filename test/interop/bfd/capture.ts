/** Records the BFD packets on an interface of this network namespace, in both directions, through a packet socket. */
import { decodePacket, type ReceivedPacket } from '../../../src/bfd/codec/packet.ts';
import {
  bindSocket,
  closeDescriptor,
  interfaceIndex,
  isLittleEndian,
  onReadable,
  openSocket,
  receive,
} from '../../../src/linux/libc.ts';

export interface CapturedPacket {
  readonly ttl: number;
  readonly octets: Uint8Array;
  readonly packet: ReceivedPacket;
}

export interface Capture {
  readonly packets: readonly CapturedPacket[];
  stop(): void;
}

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 0o2000003;
const ETH_P_ALL = 3;
const ethernetOctets = 14;
const udpOctets = 8;
const protocolUdp = 17;
const ports: readonly number[] = [3784, 4784];

export function startCapture(device: string): Capture {
  const fd = openSocket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
  // struct sockaddr_ll: 0 family, 2 protocol in network byte order, 4 interface index
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, isLittleEndian);
  view.setUint16(2, ETH_P_ALL);
  view.setInt32(4, interfaceIndex(device), isLittleEndian);
  bindSocket(fd, address);
  const packets: CapturedPacket[] = [];
  const buffer = new Uint8Array(2048);
  const read = () => {
    for (let length = receive(fd, buffer); typeof length === 'number'; length = receive(fd, buffer)) {
      const packet = parse(Buffer.from(buffer.subarray(0, length)));
      if (packet) packets.push(packet);
    }
  };
  const stopReading = onReadable(fd, read);
  return {
    packets,
    stop() {
      stopReading();
      closeDescriptor(fd);
    },
  };
}

function parse(frame: Buffer): CapturedPacket | undefined {
  const ip = frame.subarray(ethernetOctets);
  const isIpv4 = frame.readUInt16BE(12) === 0x0800;
  if (!isIpv4 && frame.readUInt16BE(12) !== 0x86dd) return undefined;
  const udp = ip.subarray(isIpv4 ? 20 : 40);
  if (ip[isIpv4 ? 9 : 6] !== protocolUdp || !ports.includes(udp.readUInt16BE(2))) return undefined;
  const octets = udp.subarray(udpOctets);
  const packet = decodePacket(octets);
  return packet.ok ? { ttl: ip[isIpv4 ? 8 : 7] ?? 0, octets, packet: packet.value } : undefined;
}
