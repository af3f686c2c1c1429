/**
 * The packet(7) socket below a libpcap session. After `close()`, a session ends only when its next frame arrives, but a link that is down
 * or gone delivers none. To end a session, its socket is bound to the loopback interface and a frame is sent there. Without this frame,
 * each lost capture would keep its descriptor and its ring buffer forever.
 */
import { readdirSync } from 'node:fs';
import {
  bindSocket,
  closeDescriptor,
  detachSocketFilter,
  integerOption,
  isLittleEndian,
  openSocket,
  sendTo,
} from '../linux/libc.ts';
import { ethernetHeaderLength, etherType } from './frame.ts';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 0o2000003;
const SOL_SOCKET = 1;
const SO_DOMAIN = 39;
const ETH_P_ALL = 0x0003;
/** Loopback is the first interface of every network namespace. */
const loopbackIndex = 1;

/** Runs `open`. Returns its result, and the descriptor of the packet socket that it opened (-1 when it opened none). */
export function openingPacketSocket<T>(open: () => T): [opened: T, fd: number] {
  const before = new Set(descriptors());
  const opened = open();
  const fd = descriptors().find((candidate) => !before.has(candidate) && isPacketSocket(candidate));
  return [opened, fd ?? -1];
}

/**
 * Binds the socket to loopback and sends a frame there, which wakes the session that reads the socket. Before that, it removes the socket's filter.
 * If the kernel has refused the filter as too long, the socket has none, and libpcap filters the frames in this process.
 */
export function wakePacketSocket(fd: number): void {
  if (fd < 0) return;
  try {
    detachSocketFilter(fd);
    bindSocket(fd, linkAddress(ETH_P_ALL));
    sendToLoopback();
  } catch {
    // The socket is gone, and the session with it.
  }
}

function sendToLoopback(): void {
  const sender = openSocket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
  try {
    const frame = Buffer.alloc(ethernetHeaderLength + 28);
    frame.writeUInt16BE(etherType.arp, 12);
    sendTo(sender, frame, linkAddress(etherType.arp));
  } finally {
    closeDescriptor(sender);
  }
}

/** `struct sockaddr_ll`, 20 octets: 0 family, 2 protocol in network byte order, 4 interface index. */
function linkAddress(protocol: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, isLittleEndian);
  view.setUint16(2, protocol, false);
  view.setInt32(4, loopbackIndex, isLittleEndian);
  return address;
}

function descriptors(): number[] {
  return readdirSync('/proc/self/fd').map(Number);
}

function isPacketSocket(fd: number): boolean {
  return integerOption(fd, SOL_SOCKET, SO_DOMAIN) === AF_PACKET;
}
