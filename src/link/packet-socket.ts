/**
 * The packet(7) socket beneath a libpcap session. libpcap notices that it should end only when it takes a frame, and a link
 * that is down or gone has none: so the socket is turned to the loopback interface, and a frame is sent there. Without this
 * each lost capture would keep its descriptor and its ring for ever.
 */
import { readdirSync } from 'node:fs';
import {
  bindSocket,
  closeDescriptor,
  integerOption,
  isLittleEndian,
  openSocket,
  sendTo,
  setIntegerOption,
} from '../linux/libc.ts';
import { ethernetHeaderLength, etherType } from './frame.ts';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 0o2000003;
const SOL_SOCKET = 1;
const SO_DETACH_FILTER = 27;
const SO_DOMAIN = 39;
const ETH_P_ALL = 0x0003;
/** The kernel gives it to every network namespace's loopback, first of all. */
const loopbackIndex = 1;

/** Runs `open` and tells which packet socket it left open; -1 when it left none. */
export function openingPacketSocket<T>(open: () => T): [opened: T, fd: number] {
  const before = new Set(descriptors());
  const opened = open();
  const fd = descriptors().find((candidate) => !before.has(candidate) && isPacketSocket(candidate));
  return [opened, fd ?? -1];
}

/** Turns the socket to loopback, takes its filter off, and sends a frame there: whoever reads the socket gets it. */
export function wakePacketSocket(fd: number): void {
  if (fd < 0) return;
  try {
    setIntegerOption(fd, 'SO_DETACH_FILTER', SOL_SOCKET, SO_DETACH_FILTER, 0);
    bindSocket(fd, linkAddress(ETH_P_ALL));
    sendToLoopback();
  } catch {
    // The socket is gone, and with it the session that was to end.
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

/** `struct sockaddr_ll`: `family 2 | protocol 2, network order | index 4 | …`, 20 octets. */
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
